"""Whose amount is not that of the last cycle."""

from django.contrib import admin

from billing.admin.runs.states import KIND_TONES, customer_link, run_link
from billing.models import (
    RunDifference,
)
from ispcore.admin.base import ReadOnlyAdmin
from ispcore.admin.formats import DASH, choice_column, money
from ispcore.admin.site import register


@register(RunDifference)
class RunDifferenceAdmin(ReadOnlyAdmin):
    """Whose amount is not that of the last cycle."""

    list_display = (
        "customer",
        choice_column("kind", "What", KIND_TONES),
        "before",
        "after",
        "reason_shown",
        "run_shown",
    )
    list_filter = ("kind", "run__on")
    list_select_related = ("subscriber", "run")
    ordering = ("-run__on", "kind", "pk")
    sortable_by = ()
    fieldsets = ((None, {"fields": ("customer", choice_column("kind", "What", KIND_TONES), "before", "after",
                                    "reason_shown", "run_shown")}),)  # fmt: skip
    empty_title = "Nothing differs"
    empty_help = (
        "When a run is planned, every customer whose amount is not that of their last cycle stands here."
    )

    @admin.display(description="Customer")
    def customer(self, obj: RunDifference) -> str:
        return customer_link(obj)

    @admin.display(description="Last cycle")
    def before(self, obj: RunDifference) -> str:
        return money(obj.previous, obj.currency)

    @admin.display(description="Now")
    def after(self, obj: RunDifference) -> str:
        return money(obj.now, obj.currency)

    @admin.display(description="Why")
    def reason_shown(self, obj: RunDifference) -> str:
        return obj.reason or DASH

    @admin.display(description="Run")
    def run_shown(self, obj: RunDifference) -> str:
        return run_link(obj.run)
