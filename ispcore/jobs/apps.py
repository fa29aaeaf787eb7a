from django.apps import AppConfig


class JobsConfig(AppConfig):
    name = "ispcore.jobs"
    label = "jobs"
    verbose_name = "Platform"
