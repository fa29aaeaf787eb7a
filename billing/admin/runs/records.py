"""Billing runs: planned, approved and issued on one page."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.safestring import mark_safe

from billing.admin.runs.page import page_of
from billing.admin.runs.states import is_running, is_stopped, state_pill
from billing.models import (
    OPEN_RUN,
    BillingRun,
    DifferenceKind,
    RunDifference,
    RunStatus,
)
from billing.services import runs
from ispcore.admin import dashboard, links, navigation
from ispcore.admin.actions import ActionForm, Outcome, Preview, action
from ispcore.admin.base import BegunByForm, TenantForm, TenantModelAdmin
from ispcore.admin.dashboard import Concern
from ispcore.admin.formats import DASH, day, figures, money, pill, time_column
from ispcore.admin.site import register
from subscribers.admin.saving import saved
from subscribers.services.periods import local_date


class RunForm(TenantForm):
    class Meta:
        model = BillingRun
        fields = ("on",)
        labels = {"on": "Day"}
        help_texts = {
            "on": "Lines billed until this day or earlier are due. Nothing is issued before you have seen and "
            "approved the plan."
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "on" in self.fields:
            self.fields["on"].initial = local_date(timezone.now())


class ApproveForm(ActionForm):
    """Carries the hash of the plan the person looked at, so that no other one is issued."""

    plan_hash = forms.CharField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        run = self.rows.first()
        self.fields["plan_hash"].initial = run.plan_hash if run else ""


@register(BillingRun)
class BillingRunAdmin(BegunByForm, TenantModelAdmin):
    """Runs are steered by their buttons, never by a field of the record."""

    form = RunForm
    list_display = (
        "day",
        "state",
        "planned_count",
        "asked",
        "before",
        "parked_count",
        "by",
        time_column("created_at", "Started"),
    )
    list_filter = ("status", "on")
    list_select_related = ("created_by", "job")
    ordering = ("-on", "-pk")
    object_actions = ("approve", "discard", "go_on")
    change_form_outer_before_template = "admin/billing/run/page.html"
    title_of_new = "New billing run"
    add_fieldsets = ((None, {"fields": ("on",)}),)
    empty_title = "Nothing was billed yet"
    empty_help = (
        "A run plans an invoice for every customer of whom something is due, and compares each with the last cycle. "
        "You see what stands out before anything is issued."
    )
    docs_path = "/docs"

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return (
            super()
            .get_queryset(request)
            .select_related("created_by", "approved_by", "job")
            .prefetch_related("totals")
        )

    def has_steer_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whether this person may approve and discard; the pages themselves only show."""
        return request.user.has_perm("billing.change_billingrun")

    def save_model(self, request: HttpRequest, obj: BillingRun, form: Any, change: bool) -> None:
        saved(obj, runs.start_run(on=form.cleaned_data["on"], at=timezone.now(), user_id=request.user.pk))

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        if obj := kwargs.get("obj"):
            context |= page_of(obj)
        return super().render_change_form(request, context, *args, **kwargs)

    def preview_approval(self, request: HttpRequest, rows: QuerySet, answers: Any) -> Preview:
        run: BillingRun = rows.prefetch_related("totals").get()
        outcomes = [Outcome(run.invoices_planned, "invoices are issued, numbered and booked", "good")]
        if run.parked:
            outcomes.append(
                Outcome(run.parked, "accounts are left out until somebody has looked at them", "warning")
            )
        if odd := RunDifference.objects.filter(run=run, kind=DifferenceKind.OUT_OF_BOUNDS).count():
            outcomes.append(Outcome(odd, "amounts are out of bounds", "danger"))
        asked = [("Asked for", money(total.total, total.currency)) for total in run.totals.all()]
        return Preview(outcomes=outcomes, facts=asked, is_useful=bool(run.invoices_planned))

    @action(
        description="Approve and issue",
        permissions=["steer"],
        confirm="Issued invoices are not changed any more: what is wrong then takes a credit note.",
        icon="task_alt",
        form=ApproveForm,
        preview=preview_approval,
        available=lambda run: run.status == RunStatus.PLANNED and run.discarded_at is None,
    )
    def approve(self, request: HttpRequest, queryset: QuerySet, answers: dict[str, Any]) -> None:
        for run in queryset:
            runs.approve_run(
                run_id=run.pk, plan_hash=answers["plan_hash"], at=timezone.now(), user_id=request.user.pk
            )

    @action(
        description="Discard",
        permissions=["steer"],
        confirm="The drafts are deleted. What they would have billed is for the next run.",
        icon="delete",
        danger=True,
        available=lambda run: run.status in (RunStatus.PLANNING, RunStatus.PLANNED) and not is_running(run),
    )
    def discard(self, request: HttpRequest, queryset: QuerySet) -> None:
        for run in queryset:
            runs.discard_run(run_id=run.pk, at=timezone.now(), user_id=request.user.pk)

    @action(
        description="Go on",
        permissions=["steer"],
        confirm="It goes on after what is done; nothing is billed twice.",
        icon="play_arrow",
        available=lambda run: is_stopped(run),
    )
    def go_on(self, request: HttpRequest, queryset: QuerySet) -> None:
        for run in queryset:
            runs.continue_run(run_id=run.pk, user_id=request.user.pk)

    @admin.display(description="Run of", ordering="on")
    def day(self, obj: BillingRun) -> str:
        return day(obj.on)

    @admin.display(description="Status", ordering="status")
    def state(self, obj: BillingRun) -> str:
        return state_pill(obj)

    @admin.display(description="Invoices", ordering="invoices_planned")
    def planned_count(self, obj: BillingRun) -> str:
        return figures(obj.invoices_planned)

    @admin.display(description="Asked for")
    def asked(self, obj: BillingRun) -> Any:
        return sums([(total.total, total.currency) for total in obj.totals.all()])

    @admin.display(description="Last cycle")
    def before(self, obj: BillingRun) -> Any:
        return sums([(total.previous_total, total.currency) for total in obj.totals.all()])

    @admin.display(description="Parked", ordering="parked")
    def parked_count(self, obj: BillingRun) -> str:
        return pill(figures(obj.parked), "warning") if obj.parked else "0"

    @admin.display(description="By")
    def by(self, obj: BillingRun) -> str:
        return str(obj.created_by or "The night")


def sums(sums: list[tuple[Any, str]]) -> Any:
    return format_html_join(mark_safe("<br>"), "{}", ((money(*each),) for each in sums)) if sums else DASH


def _concerns(request: HttpRequest) -> list[Concern]:
    found = BillingRun.objects.filter(status__in=OPEN_RUN).select_related("job").order_by("-pk")[:1]
    return [
        Concern(
            title=f"Billing run of {day(run.on)}",
            detail="It stopped before its end." if is_stopped(run) else "Its plan waits for approval.",
            url=reverse("admin:billing_billingrun_change", args=[run.pk]),
            at=run.planned_at or run.created_at,
            word="stopped" if is_stopped(run) else "to approve",
            tone="danger" if is_stopped(run) else "warning",
        )
        for run in found
        if is_stopped(run) or run.status == RunStatus.PLANNED
    ]


links.add("billing_run", "admin:billing_billingrun_change")
navigation.add_list("Billing", 10, "Runs", BillingRun, icon="event_repeat")
dashboard.add_concerns(40, allowed="billing.view_billingrun", read=_concerns)
