from django.apps import AppConfig


class EventsConfig(AppConfig):
    name = "ispcore.events"
    label = "events"
    verbose_name = "Platform"
