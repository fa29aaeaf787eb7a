from django.apps import AppConfig


class FilesConfig(AppConfig):
    name = "ispcore.files"
    label = "files"
    verbose_name = "Platform"
