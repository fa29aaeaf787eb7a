"""Whose amount is not that of the last cycle."""

from django.contrib import admin

from billing.admin.runs.states import KIND_TONES, run_link
from billing.admin.words import amount_column, customer
from billing.models import (
    RunDifference,
)
from ispcore.admin.base import ReadOnlyAdmin
from ispcore.admin.formats import DASH, choice_column
from ispcore.admin.site import register


@register(RunDifference)
class RunDifferenceAdmin(ReadOnlyAdmin):
    """Whose amount is not that of the last cycle."""

    list_display = (
        customer,
        choice_column("kind", "What", KIND_TONES),
        amount_column("previous", "Last cycle"),
        amount_column("now", "Now"),
        "reason_shown",
        "run_shown",
    )
    list_filter = ("kind", "run__on")
    list_select_related = ("subscriber", "run")
    ordering = ("-run__on", "kind", "pk")
    sortable_by = ()
    fieldsets = ((None, {"fields": list_display}),)
    empty_title = "Nothing differs"
    empty_help = (
        "When a run is planned, every customer whose amount is not that of their last cycle stands here."
    )

    @admin.display(description="Why")
    def reason_shown(self, obj: RunDifference) -> str:
        return obj.reason or DASH

    @admin.display(description="Run")
    def run_shown(self, obj: RunDifference) -> str:
        return run_link(obj.run)
