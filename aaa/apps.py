from django.apps import AppConfig


class AaaConfig(AppConfig):
    name = "aaa"
    verbose_name = "Access"

    def ready(self) -> None:
        """Tell the apps below what only live sessions know: which address is in use, and by whom."""
        from aaa import online
        from hardware.services.ping import register_address_source
        from ipam.services.reconciliation import register_session_source

        register_address_source("radius", online.address_of_line)
        register_session_source("radius", online.addresses_seen)
