from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules


class FilesConfig(AppConfig):
    name = "ispcore.files"
    label = "files"
    verbose_name = "Platform"

    def ready(self) -> None:
        autodiscover_modules("exports")
