from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from hardware.admin.filters import OltFilter
from hardware.admin.signals import OUTCOME_TONES
from hardware.models import DiscoveryRun
from ispcore.admin import links, navigation
from ispcore.admin.base import ReadOnlyAdmin
from ispcore.admin.formats import choice_column, duration, time_column
from ispcore.admin.site import register


@register(DiscoveryRun)
class DiscoveryRunAdmin(ReadOnlyAdmin):
    """What each discovery found."""

    list_display = (
        "olt_name",
        choice_column("outcome", "Outcome", OUTCOME_TONES),
        time_column("started_at", "Started"),
        "took",
        "found",
    )
    list_filter = ("outcome", ("olt", OltFilter), "started_at")
    list_select_related = ("olt",)
    search_fields = ("olt__name",)
    ordering = ("-started_at",)
    fieldsets = (
        (
            "Run",
            {
                "fields": (
                    "olt_page",
                    choice_column("outcome", "Outcome", OUTCOME_TONES),
                    "message_or_none",
                    time_column("started_at", "Started"),
                    time_column("finished_at", "Ended", empty="not yet"),
                    "took",
                    "job_page",
                )
            },
        ),
        ("ONUs", {"fields": ("found",)}),
    )
    empty_title = "Nothing was discovered yet"
    empty_help = (
        "A discovery reads an OLT's ports and ONUs. Open an OLT and press Discover; each run is listed here."
    )

    def get_queryset(self, request: HttpRequest):
        return super().get_queryset(request).select_related("olt")

    @admin.display(description="Took")
    def took(self, obj: DiscoveryRun) -> str:
        return duration(((obj.finished_at or timezone.now()) - obj.started_at).total_seconds())

    @admin.display(description="OLT", ordering="olt__name")
    def olt_name(self, obj: DiscoveryRun) -> str:
        return obj.olt.name

    @admin.display(description="Found")
    def found(self, obj: DiscoveryRun) -> str:
        return f"{obj.onus_seen} seen, {obj.onus_new} new, {obj.onus_vanished} vanished"

    @admin.display(description="OLT")
    def olt_page(self, obj: DiscoveryRun) -> str:
        return links.link(reverse("admin:hardware_olt_change", args=[obj.olt_id]), obj.olt.name)

    @admin.display(description="Job")
    def job_page(self, obj: DiscoveryRun) -> str:
        return links.link(reverse("admin:jobs_job_change", args=[obj.job_id]), "Open the job")

    @admin.display(description="Said")
    def message_or_none(self, obj: DiscoveryRun) -> str:
        return obj.message or "nothing unusual"


links.add("run", "admin:hardware_discoveryrun_change")
navigation.add_list("Network", 90, "Discovery runs", DiscoveryRun, icon="travel_explore")
