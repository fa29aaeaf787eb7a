from django.apps import AppConfig


class TenantsConfig(AppConfig):
    name = "ispcore.tenants"
    label = "tenants"
    verbose_name = "Platform"
