"""The work list of whom runs left out."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from billing.admin.runs.states import run_link
from billing.admin.words import customer
from billing.models import (
    ParkedAccount,
    ParkReason,
)
from billing.services import runs
from ispcore.admin import navigation
from ispcore.admin.actions import action, run_on_each
from ispcore.admin.base import ReadOnlyAdmin
from ispcore.admin.formats import pill
from ispcore.admin.site import register


@register(ParkedAccount)
class ParkedAccountAdmin(ReadOnlyAdmin):
    """The work list of what runs left out."""

    list_display = (customer, "reason_shown", "detail", "what_to_do", "run_shown", "state")
    list_filter = ("reason", ("resolved_at", admin.EmptyFieldListFilter))
    list_select_related = ("subscriber", "run", "resolved_by")
    ordering = ("-pk",)
    sortable_by = ()
    actions = ("resolve",)
    object_actions = ("resolve",)
    fieldsets = (
        (None, {"fields": (customer, "reason_shown", "detail", "what_to_do", "run_shown", "state")}),
    )
    empty_title = "Nobody is parked"
    empty_help = (
        "A run never fails for one account: whom it cannot bill, such as for a price in another currency, is left out "
        "and stands here with what to do. The next run bills them."
    )

    def has_steer_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whether this person may say that an account was looked at."""
        return request.user.has_perm("billing.change_parkedaccount")

    @action(
        description="Done with it",
        permissions=["steer"],
        confirm="It leaves the list; the next run tries the account again. Where more would be given back than was "
        "billed, services that ended are settled as they stand.",
        icon="check",
        available=lambda parked: parked.resolved_at is None,
    )
    def resolve(self, request: HttpRequest, queryset: QuerySet) -> None:
        run_on_each(
            self,
            request,
            queryset,
            lambda parked: runs.resolve_parked(
                parked_id=parked.pk, at=timezone.now(), user_id=request.user.pk
            ),
            done="{count} done.",
        )

    @admin.display(description="Why")
    def reason_shown(self, obj: ParkedAccount) -> str:
        return str(obj.get_reason_display())

    @admin.display(description="What to do")
    def what_to_do(self, obj: ParkedAccount) -> str:
        return runs.WHAT_TO_DO[ParkReason(obj.reason)]

    @admin.display(description="Run")
    def run_shown(self, obj: ParkedAccount) -> str:
        return run_link(obj.run)

    @admin.display(description="State")
    def state(self, obj: ParkedAccount) -> str:
        return pill("Done", "good") if obj.resolved_at else pill("Open", "warning")


navigation.add_list(
    "Billing",
    12,
    "Parked accounts",
    ParkedAccount,
    icon="pause_circle",
    under="admin:billing_billingrun_changelist",
)
