from django.apps import AppConfig


class AaaConfig(AppConfig):
    name = "aaa"
    verbose_name = "Access"
