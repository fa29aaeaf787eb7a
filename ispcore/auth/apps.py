from django.apps import AppConfig
from django.core import checks


class AuthConfig(AppConfig):
    name = "ispcore.auth"
    label = "ispauth"
    verbose_name = "Platform"

    def ready(self) -> None:
        from ispcore.auth.checks import check_issuers

        checks.register(check_issuers, checks.Tags.security)
