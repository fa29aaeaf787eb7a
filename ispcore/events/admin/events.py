from django.contrib import admin

from ispcore.admin import navigation
from ispcore.admin.base import ReadOnlyAdmin
from ispcore.admin.formats import mapping, moment, pill, time_column
from ispcore.admin.site import register
from ispcore.events.admin.deliveries import named
from ispcore.events.models import Event


@register(Event)
class EventAdmin(ReadOnlyAdmin):
    """What happened, and whether those who listen were told."""

    list_display = ("what", time_column("created_at", "When"), "told")
    list_filter = ("name", "created_at")
    search_fields = ("=name",)
    ordering = ("-id",)
    fieldsets = ((None, {"fields": ("what", "about", time_column("created_at", "When"), "told")}),)
    empty_title = "Nothing has happened yet"
    empty_help = (
        "Events are written when something happens, such as a finished discovery; webhooks are told of them."
    )

    @admin.display(description="What", ordering="name")
    def what(self, obj: Event) -> str:
        return named(obj.name)

    @admin.display(description="About")
    def about(self, obj: Event) -> str:
        return mapping(obj.payload)

    @admin.display(description="Told", ordering="delivered_at")
    def told(self, obj: Event) -> str:
        return moment(obj.delivered_at) if obj.delivered_at else pill("waiting", "info")


navigation.add_list("Platform", 50, "Events", Event, icon="bolt")
