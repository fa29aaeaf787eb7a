from django.apps import AppConfig


class OperationsConfig(AppConfig):
    name = "ispcore.operations"
    label = "operations"
    verbose_name = "Operations"
