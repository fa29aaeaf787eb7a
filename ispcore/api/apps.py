from django.apps import AppConfig


class ApiConfig(AppConfig):
    name = "ispcore.api"
    label = "api"
    verbose_name = "API"
