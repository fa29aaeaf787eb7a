"""Billing runs: the four steps on one page, what differs from the last cycle, and whom a run left out."""

from datetime import date
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import formats, timezone
from django.utils.html import format_html_join
from django.utils.safestring import mark_safe

from billing.models import (
    OPEN_RUN,
    BillingRun,
    DifferenceKind,
    ParkedAccount,
    ParkReason,
    RunDifference,
    RunStatus,
)
from billing.services import runs
from ispcore.admin import dashboard, links, navigation
from ispcore.admin.actions import ActionForm, Outcome, Preview, action, run_on_each
from ispcore.admin.base import DrawnPage, ReadOnlyAdmin, TenantForm, TenantModelAdmin
from ispcore.admin.dashboard import Bar, Chart, Concern, Part, share
from ispcore.admin.formats import DASH, choice_column, moment, money, pill, time_column
from ispcore.admin.site import register
from ispcore.jobs.admin import state_of
from subscribers.admin.saving import saved
from subscribers.services.periods import local_date

SHOWN = 25
STEPS = ("Plan", "Differences", "Approve", "Issue")
STEP_OF = {
    RunStatus.PLANNING: 1,
    RunStatus.PLANNED: 3,
    RunStatus.APPROVED: 4,
    RunStatus.ISSUING: 4,
    RunStatus.ISSUED: 5,
}
TONES = {
    RunStatus.PLANNING: "info",
    RunStatus.PLANNED: "warning",
    RunStatus.APPROVED: "info",
    RunStatus.ISSUING: "info",
    RunStatus.ISSUED: "good",
    RunStatus.DISCARDED: "plain",
}
KIND_TONES = {
    DifferenceKind.OUT_OF_BOUNDS: "danger",
    DifferenceKind.NEW: "good",
    DifferenceKind.GONE: "warning",
    DifferenceKind.CHANGED: "info",
}


class RunForm(TenantForm):
    class Meta:
        model = BillingRun
        fields = ("on",)
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
class BillingRunAdmin(DrawnPage, TenantModelAdmin):
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

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        return [] if obj else self.add_fieldsets

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_steer_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whether this person may approve and discard; the pages themselves only show."""
        return request.user.has_perm("billing.change_billingrun")

    def save_model(self, request: HttpRequest, obj: BillingRun, form: Any, change: bool) -> None:
        saved(obj, runs.start_run(on=form.cleaned_data["on"], at=timezone.now(), user_id=request.user.pk))

    def response_add(self, request: HttpRequest, obj: BillingRun, *args: Any, **kwargs: Any) -> HttpResponse:
        return redirect("admin:billing_billingrun_change", obj.pk)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        if obj := kwargs.get("obj"):
            context |= _page(obj)
        else:
            context |= {
                "title": "New billing run",
                "show_save_and_add_another": False,
                "show_save_and_continue": False,
            }
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
        return formats.date_format(obj.on, "j M Y")

    @admin.display(description="Status", ordering="status")
    def state(self, obj: BillingRun) -> str:
        return state_pill(obj)

    @admin.display(description="Invoices", ordering="invoices_planned")
    def planned_count(self, obj: BillingRun) -> str:
        return figures(obj.invoices_planned)

    @admin.display(description="Asked for")
    def asked(self, obj: BillingRun) -> Any:
        return _sums([(total.total, total.currency) for total in obj.totals.all()])

    @admin.display(description="Last cycle")
    def before(self, obj: BillingRun) -> Any:
        return _sums([(total.previous_total, total.currency) for total in obj.totals.all()])

    @admin.display(description="Parked", ordering="parked")
    def parked_count(self, obj: BillingRun) -> str:
        return pill(figures(obj.parked), "warning") if obj.parked else "0"

    @admin.display(description="By")
    def by(self, obj: BillingRun) -> str:
        return str(obj.created_by or "The night")


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
        return _customer(obj)

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
        return _run_link(obj.run)


@register(ParkedAccount)
class ParkedAccountAdmin(ReadOnlyAdmin):
    """The work list of what runs left out."""

    list_display = ("customer", "reason_shown", "detail", "what_to_do", "run_shown", "state")
    list_filter = ("reason", ("resolved_at", admin.EmptyFieldListFilter))
    list_select_related = ("subscriber", "run", "resolved_by")
    ordering = ("-pk",)
    sortable_by = ()
    actions = ("resolve",)
    object_actions = ("resolve",)
    fieldsets = (
        (None, {"fields": ("customer", "reason_shown", "detail", "what_to_do", "run_shown", "state")}),
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
        confirm="It leaves the list; the next run tries the account again.",
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

    @admin.display(description="Customer")
    def customer(self, obj: ParkedAccount) -> str:
        return _customer(obj)

    @admin.display(description="Why")
    def reason_shown(self, obj: ParkedAccount) -> str:
        return str(obj.get_reason_display())

    @admin.display(description="What to do")
    def what_to_do(self, obj: ParkedAccount) -> str:
        return runs.WHAT_TO_DO[ParkReason(obj.reason)]

    @admin.display(description="Run")
    def run_shown(self, obj: ParkedAccount) -> str:
        return _run_link(obj.run)

    @admin.display(description="State")
    def state(self, obj: ParkedAccount) -> str:
        return pill("Done", "good") if obj.resolved_at else pill("Open", "warning")


def is_running(run: BillingRun) -> bool:
    return run.job is not None and run.job.is_active


def is_stopped(run: BillingRun) -> bool:
    """Whether its worker or somebody ended a step before its end."""
    under_way = run.status in (RunStatus.PLANNING, RunStatus.APPROVED, RunStatus.ISSUING)
    given_up = run.discarded_at is not None and run.status != RunStatus.DISCARDED
    return (under_way or given_up) and not is_running(run)


def state_pill(run: BillingRun) -> str:
    if is_stopped(run):
        return pill("Stopped", "danger")
    if run.discarded_at is not None and run.status != RunStatus.DISCARDED:
        return pill("Being discarded", "plain")
    return pill(run.get_status_display(), TONES[RunStatus(run.status)])


def figures(number: int) -> str:
    return f"{number:,}".replace(",", "\u202f")


def _page(run: BillingRun) -> dict[str, Any]:
    step = STEP_OF.get(RunStatus(run.status), 0)
    totals = list(run.totals.all())
    differences = RunDifference.objects.filter(run=run)
    counts = dict(differences.order_by().values_list("kind").annotate(count=Count("pk")))
    outliers = (
        differences.filter(kind=DifferenceKind.OUT_OF_BOUNDS).select_related("subscriber").order_by("pk")
    )
    parked = ParkedAccount.objects.filter(run=run).select_related("subscriber").order_by("resolved_at", "pk")
    return {
        "title": f"Run of {formats.date_format(run.on, 'j M Y')}",
        "steps": [
            {"number": n, "name": name, "state": "now" if n == step else "done" if n < step else ""}
            for n, name in enumerate(STEPS, 1)
        ],
        "state": state_pill(run),
        "job": state_of(run.job) if run.job and (is_running(run) or is_stopped(run)) else None,
        "is_stopped": is_stopped(run),
        "is_waiting": run.status == RunStatus.PLANNED and run.discarded_at is None,
        "tiles": _tiles(run, counts) if run.planned_at else [],
        "totals": [
            {
                "currency": each.currency,
                "invoices": figures(each.invoices),
                "net": money(each.net, each.currency),
                "tax": money(each.tax, each.currency),
                "total": money(each.total, each.currency),
                "previous": money(each.previous_total, each.currency),
                "change": _change(each.total, each.previous_total),
            }
            for each in totals
        ],
        "chart": _chart(run, totals, counts),
        "outliers": [
            {
                "customer": _customer(each),
                "before": money(each.previous, each.currency),
                "after": money(each.now, each.currency),
                "why": each.reason or DASH,
            }
            for each in outliers[:SHOWN]
        ],
        "parked_rows": [
            {
                "customer": _customer(each),
                "why": each.get_reason_display(),
                "detail": each.detail,
                "todo": runs.WHAT_TO_DO[ParkReason(each.reason)],
                "done": each.resolved_at is not None,
            }
            for each in parked[:SHOWN]
        ],
        "differences_url": _list_url("rundifference", run__on=run.on),
        "parked_url": reverse("admin:billing_parkedaccount_changelist"),
        "facts": [
            ("Started", moment(run.created_at)),
            ("By", str(run.created_by or "the night")),
            ("Planned", moment(run.planned_at)),
            ("Approved", moment(run.approved_at)),
            ("Approved by", str(run.approved_by or ("the settings" if run.approved_at else DASH))),
            ("Issued", moment(run.issued_at)),
            ("Plan", run.plan_hash[:12] or DASH),
        ],
    }


def _tiles(run: BillingRun, counts: dict[str, int]) -> list[dict[str, Any]]:
    odd = counts.get(DifferenceKind.OUT_OF_BOUNDS, 0)
    return [
        {"label": "Invoices planned", "value": figures(run.invoices_planned), "tone": "plain"},
        {
            "label": "Issued",
            "value": figures(run.invoices_issued),
            "tone": "good" if run.issued_at else "plain",
        },
        {"label": "Out of bounds", "value": figures(odd), "tone": "danger" if odd else "plain"},
        {"label": "Parked", "value": figures(run.parked), "tone": "warning" if run.parked else "plain"},
    ]


def _chart(run: BillingRun, totals: list[Any], counts: dict[str, int]) -> Chart:
    invoices = max(run.invoices_planned + counts.get(DifferenceKind.GONE, 0), 1)
    differing = sum(count for kind, count in counts.items() if kind != DifferenceKind.GONE)
    same = max(run.invoices_planned - differing, 0)
    kinds = (DifferenceKind.CHANGED, DifferenceKind.NEW, DifferenceKind.GONE, DifferenceKind.OUT_OF_BOUNDS)
    rows = [
        ("As last time", same, "plain", ""),
        *(
            (
                kind.label,
                counts.get(kind, 0),
                KIND_TONES[kind],
                _list_url("rundifference", run__on=run.on, kind__exact=kind),
            )
            for kind in kinds
        ),
    ]
    return Chart(
        "Beside the last cycle",
        [
            Bar(
                str(label),
                figures(count),
                [Part(str(label), count, share(count, invoices), tone)],
                url=url if count else "",
            )
            for label, count, tone, url in rows
        ]
        if run.planned_at
        else [],
        empty="The comparison begins when the plan is complete.",
    )


def _change(now: Any, before: Any) -> str:
    if not before:
        return DASH
    percent = (now - before) * 100 / before
    return f"{'+' if percent > 0 else '−' if percent < 0 else ''}{abs(percent):.1f} %"


def _sums(sums: list[tuple[Any, str]]) -> Any:
    return format_html_join(mark_safe("<br>"), "{}", ((money(*each),) for each in sums)) if sums else DASH


def _customer(row: Any) -> str:
    return links.link(links.url_of("subscriber", row.subscriber_id), row.subscriber.full_name)


def _run_link(run: BillingRun) -> str:
    return links.link(links.url_of("billing_run", run.pk), formats.date_format(run.on, "j M Y"))


def _list_url(model: str, **query: Any) -> str:
    values = {name: value.isoformat() if isinstance(value, date) else value for name, value in query.items()}
    return f"{reverse(f'admin:billing_{model}_changelist')}?{urlencode(values)}"


def _concerns(request: HttpRequest) -> list[Concern]:
    found = BillingRun.objects.filter(status__in=OPEN_RUN).select_related("job").order_by("-pk")[:1]
    return [
        Concern(
            title=f"Billing run of {formats.date_format(run.on, 'j M Y')}",
            detail="It stopped before its end." if is_stopped(run) else "Its plan waits for approval.",
            url=reverse("admin:billing_billingrun_change", args=[run.pk]),
            at=run.planned_at or run.created_at,
        )
        for run in found
        if is_stopped(run) or run.status == RunStatus.PLANNED
    ]


links.add("billing_run", "admin:billing_billingrun_change")
navigation.add(
    "Billing",
    10,
    "Runs",
    url_name="admin:billing_billingrun_changelist",
    icon="event_repeat",
    allowed="billing.view_billingrun",
)
navigation.add(
    "Billing",
    12,
    "Parked accounts",
    url_name="admin:billing_parkedaccount_changelist",
    icon="pause_circle",
    allowed="billing.view_parkedaccount",
)
dashboard.add_concerns(40, allowed="billing.view_billingrun", read=_concerns)
