from django.apps import AppConfig


class AaaConfig(AppConfig):
    name = "aaa"
    verbose_name = "Access"

    def ready(self) -> None:
        """Tell the apps below what only access knows: which address is in use, by whom, and what a line used."""
        from aaa import online
        from aaa.services import consumption
        from hardware.services.ping import register_address_source
        from ipam.services.reconciliation import register_session_source
        from subscribers.services.consumption import register_consumption_source

        register_address_source("radius", online.address_of_line)
        register_session_source("radius", online.addresses_seen)
        register_consumption_source("radius", consumption.bytes_of_lines)
