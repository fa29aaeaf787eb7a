from django.apps import AppConfig


class CompatConfig(AppConfig):
    """Four other products' APIs over our services, so that their clients work by another base address."""

    name = "compat"

    def ready(self) -> None:
        from compat.aex.shapes import AEX
        from compat.interstellio.shapes import INTERSTELLIO
        from compat.ispchamp.shapes import ISPCHAMP
        from compat.wisphub.shapes import WISPHUB
        from ispcore.api.dialects import register

        for dialect in (ISPCHAMP, WISPHUB, AEX, INTERSTELLIO):
            register(dialect)
