"""Recounts of everything that must add up."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from billing.models import LedgerCheck, LedgerInvariant
from billing.services import ledger
from ispcore.admin import navigation
from ispcore.admin.actions import action
from ispcore.admin.base import BegunByForm, ReadOnlyAdmin
from ispcore.admin.formats import moment, pill, time_column
from ispcore.admin.site import register


@register(LedgerCheck)
class LedgerCheckAdmin(BegunByForm, ReadOnlyAdmin):
    """What each night's recount found."""

    title_of_new = "Count now"
    add_fieldsets = (
        (
            None,
            {
                "fields": (),
                "description": "Everything is counted again in the background, and its page says how far it is. "
                "Nothing is changed.",
            },
        ),
    )
    list_display = (time_column("checked_at", "Counted"), "result")
    ordering = ("-checked_at",)
    sortable_by = ("checked_at_with_age",)
    change_form_outer_before_template = "admin/billing/ledger_check.html"
    actions = ("count_again",)
    object_actions = ("count_again",)
    empty_title = "Nothing was counted yet"
    empty_help = (
        "Each night everything that must add up is counted again from the records themselves: balances, open amounts, "
        "allocations, bookings, numbers, billed periods, vouchers."
    )
    docs_path = "/docs"

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        if found := kwargs.get("obj"):
            context |= {"counted": counted(found), "title": str(found)}
        return super().render_change_form(request, context, *args, **kwargs)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.has_count_permission(request)

    def has_count_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("billing.add_ledgercheck")

    def add_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.method == "POST" and self.has_count_permission(request):
            job = ledger.request_check(user_id=request.user.pk)
            return redirect(reverse("admin:jobs_job_change", args=[job.pk]))
        answer: HttpResponse = super().add_view(request, *args, **kwargs)
        return answer

    @action(
        description="Count again",
        permissions=["count"],
        confirm="Everything is counted again in the background. Nothing is changed.",
        icon="refresh",
    )
    def count_again(self, request: HttpRequest, queryset: QuerySet[LedgerCheck]) -> HttpResponse:
        job = ledger.request_check(user_id=request.user.pk)
        return redirect(reverse("admin:jobs_job_change", args=[job.pk]))

    @admin.display(description="Result", ordering="findings_count")
    def result(self, obj: LedgerCheck) -> str:
        return result(obj)


def result(check: LedgerCheck) -> str:
    if not check.findings_count:
        return pill("All adds up", "good")
    return pill("1 finding" if check.findings_count == 1 else f"{check.findings_count} findings", "danger")


def counted(check: LedgerCheck) -> dict[str, Any]:
    """Return each invariant with what does not keep it."""
    found: dict[str, list[Any]] = {}
    for each in check.findings.order_by("invariant", "id"):
        found.setdefault(each.invariant, []).append(each)
    return {
        "at": moment(check.checked_at),
        "result": result(check),
        "invariants": [
            {
                "title": str(invariant.label),
                "findings": found.get(invariant.value, []),
                "pill": pill(f"{len(found[invariant.value])}", "danger")
                if invariant.value in found
                else pill("holds", "good"),
            }
            for invariant in LedgerInvariant
        ],
    }


def _pill(count: int) -> str:
    return pill(str(count), "danger") if count else pill("holds", "good")


navigation.add_list(
    "Billing", 89, "Ledger checks", LedgerCheck, icon="fact_check", under="admin:billing_report_debt"
)
