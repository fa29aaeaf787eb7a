"""Dunning as staff see it: tonight's list, the nights, who is spared, what was written, and the policies."""

from datetime import timedelta
from typing import Any, ClassVar
from urllib.parse import urlencode

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import formats, timezone

from billing.models import (
    DunningNight,
    DunningPolicy,
    Exemption,
    NightStatus,
    Promise,
    PromiseStatus,
    Reminder,
    ReminderStatus,
)
from billing.services.dunning import exemptions, policies, promises, suspending, tonight
from ispcore.admin import dashboard, links, navigation
from ispcore.admin.actions import ActionForm, action, run_on_each
from ispcore.admin.base import ReadOnlyAdmin, TenantForm, TenantModelAdmin
from ispcore.admin.dashboard import Concern, Tile
from ispcore.admin.fields import DateInput, NumberInput
from ispcore.admin.formats import DASH, choice_column, facts, money, pill, time_column
from ispcore.admin.site import register
from subscribers.admin.saving import answers, saved
from subscribers.models import Subscriber
from subscribers.services.periods import local_date

MAY_SEE = "billing.view_dunningnight"
MAY_CHANGE = "billing.change_dunningnight"
PAGE = 50
VERDICT_TONES = {
    tonight.Verdict.CUT: "danger",
    tonight.Verdict.EXEMPTION: "plain",
    tonight.Verdict.PROMISE: "info",
    tonight.Verdict.DAY_OFF: "plain",
    tonight.Verdict.MINIMUM_BALANCE: "plain",
}
NIGHT_TONES = {
    NightStatus.RUNNING: "info",
    NightStatus.WAITING: "warning",
    NightStatus.DONE: "good",
    NightStatus.REFUSED: "plain",
}
PROMISE_TONES = {
    PromiseStatus.OPEN: "info",
    PromiseStatus.KEPT: "good",
    PromiseStatus.BROKEN: "danger",
    PromiseStatus.WITHDRAWN: "plain",
}
REMINDER_TONES = {
    ReminderStatus.WAITING: "info",
    ReminderStatus.SENDING: "info",
    ReminderStatus.SENT: "good",
    ReminderStatus.UNCERTAIN: "warning",
    ReminderStatus.FAILED: "danger",
    ReminderStatus.SKIPPED: "plain",
}


NOBODY = {NightStatus.WAITING: "nobody yet", NightStatus.DONE: "nobody had to"}


def day(value: Any, *, empty: str = DASH) -> str:
    """Write a day of the provider's."""
    return formats.date_format(value, "j M Y") if value else empty


def day_column(field: str, description: str, *, empty: str = DASH) -> Any:
    """Make a list column of a day."""

    @admin.display(description=description, ordering=field)
    def column(obj: Any) -> str:
        return day(getattr(obj, field), empty=empty)

    column.__name__ = f"{field}_day"
    return column


def customer_link(subscriber: Subscriber) -> str:
    return links.link(links.url_of("subscriber", subscriber.pk), str(subscriber))


@admin.display(description="Customer")
def customer(obj: Any) -> str:
    return customer_link(obj.subscriber)


class ApproveForm(ActionForm):
    services = forms.IntegerField(
        min_value=1,
        label="Services that are cut",
        widget=NumberInput,
        help_text="As many as tonight's list says. If more would be cut by then, nothing happens and you are told.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        night = self.rows.first()
        if night is not None:
            found = tonight.count(on=night.on)[1] + night.suspended_lines
            self.fields["services"].initial = max(found, 1)


@register(DunningNight)
class DunningNightAdmin(ReadOnlyAdmin):
    """Each night's cuts, and those that stopped at the cap."""

    list_display = (
        "night",
        choice_column("status", "State", NIGHT_TONES),
        "found",
        "suspended_lines",
        "cap_lines",
        "active_lines",
        "who",
    )
    list_filter = ("status",)
    list_select_related = ("approved_by",)
    ordering = ("-on",)
    sortable_by = ()
    object_actions = ("approve", "call_off")
    fieldsets = ((None, {"fields": ("facts_shown",)}),)
    readonly_fields = ("facts_shown",)
    empty_title = "No night was worked through yet"
    empty_help = (
        "At two in the morning customers are cut who owe something past their grace days. Each night stands here with "
        "how many it cut. A night that would cut more than the cap stops and waits for a person."
    )
    docs_path = "/docs"

    def get_urls(self) -> list[URLPattern]:
        tonights = path(
            "tonight/", self.admin_site.admin_view(self.tonight_view), name="billing_dunning_tonight"
        )
        return [tonights, *super().get_urls()]

    def get_queryset(self, request: HttpRequest) -> QuerySet[DunningNight]:
        return super().get_queryset(request).select_related("approved_by")

    def has_approve_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm(MAY_CHANGE)

    def tonight_view(self, request: HttpRequest) -> HttpResponse:
        """Show who would be cut in the coming night and why, and who is spared and why."""
        if not request.user.has_perm(MAY_SEE):
            raise PermissionDenied
        return TemplateResponse(
            request,
            "admin/billing/tonight.html",
            {**self.admin_site.each_context(request), "title": "Dunning: tonight", **_tonight(request)},
        )

    @action(
        description="Approve",
        permissions=["approve"],
        confirm="The night goes on and cuts the services of everybody on the list who still owes by then.",
        button="Cut them",
        icon="check",
        danger=True,
        form=ApproveForm,
        available=lambda night: night.status == NightStatus.WAITING,
    )
    def approve(self, request: HttpRequest, queryset: QuerySet[DunningNight], given: dict[str, Any]) -> None:
        night = suspending.approve_night(
            night_id=queryset.get().pk, lines=given["services"], at=timezone.now(), user_id=request.user.pk
        )
        messages.success(request, f"Approved: up to {night.approved_lines} services are being cut.")

    @action(
        description="Call off",
        permissions=["approve"],
        confirm="Nobody more is cut in this night. The next night looks at everybody again.",
        icon="block",
        available=lambda night: night.status == NightStatus.WAITING,
    )
    def call_off(self, request: HttpRequest, queryset: QuerySet[DunningNight]) -> None:
        suspending.call_off_night(night_id=queryset.get().pk, at=timezone.now())
        messages.success(request, "The night is called off.")

    @admin.display(description="Night", ordering="on")
    def night(self, obj: DunningNight) -> str:
        return day(obj.on)

    @admin.display(description="To be cut")
    def found(self, obj: DunningNight) -> str:
        return f"{obj.found_lines} of {obj.found_subscribers} customers" if obj.found_lines else DASH

    @admin.display(description="Approved by")
    def who(self, obj: DunningNight) -> str:
        return str(obj.approved_by) if obj.approved_by else DASH

    @admin.display(description="Night")
    def facts_shown(self, obj: DunningNight) -> str:
        rows = [
            ("State", pill(obj.get_status_display(), NIGHT_TONES[NightStatus(obj.status)])),
            ("Running services when it began", obj.active_lines),
            ("Cut without asking, at most", obj.cap_lines),
            ("To be cut", f"{obj.found_lines} services of {obj.found_subscribers} customers"),
            ("Cut", f"{obj.suspended_lines} services of {obj.suspended_subscribers} customers"),
            ("Approved by", str(obj.approved_by) if obj.approved_by else NOBODY.get(obj.status, DASH)),
            ("Who", links.link(reverse("admin:billing_dunning_tonight"), "The list with the reasons")),
            ("Ended", day(obj.finished_at, empty="not yet")),
            (
                "Job",
                links.link(reverse("admin:jobs_job_change", args=[obj.job_id]), "How far it is")
                if obj.job_id
                else DASH,
            ),
        ]
        return facts(rows)


class PolicyForm(TenantForm):
    refused_fields: ClassVar = {"billing_profile_id": "billing_profile"}

    class Meta:
        model = DunningPolicy
        fields: tuple[str, ...] = ()
        labels: ClassVar = {
            "billing_profile": "For customers with",
            "reminder_days": "Reminders, days after the due date",
            "minimum_balance": "Never cut who owes at most",
            "late_fee_after_days": "Charged after, days overdue",
            "late_fee_amount": "Late fee, amount",
            "late_fee_percent": "Late fee, percent",
            "suspends": "Hold services that are overdue",
            "business_days_only": "On working days only",
        }
        help_texts: ClassVar = {
            "reminder_days": "With commas between, such as -3, 0, 3, 7. Below zero: before the due date. Each step of "
            "an invoice is sent once, at nine in the morning of its day.",
            "suspends": "At two in the morning, once the grace days of the billing profile are over.",
        }


@register(DunningPolicy)
class DunningPolicyAdmin(TenantModelAdmin):
    """What happens to open invoices."""

    form = PolicyForm
    list_display = ("whom", "reminders", "cuts", "fee", "calendar_shown")
    list_select_related = ("billing_profile",)
    autocomplete_fields = ("billing_profile",)
    sortable_by = ()
    fieldsets = (
        ("Whom", {"fields": ("billing_profile",)}),
        ("Reminders by e-mail", {"fields": ("reminder_days",)}),
        (
            "Cutting",
            {
                "fields": (
                    "suspends",
                    "minimum_balance",
                    "business_days_only",
                    "country",
                    "subdivision",
                    "cap_percent",
                )
            },
        ),
        (
            "Late fee",
            {
                "fields": ("late_fee_amount", "late_fee_percent", "late_fee_after_days"),
                "description": "An amount or a percentage, or neither. It is charged with the next invoice.",
            },
        ),
    )
    empty_title = "Nobody is reminded or cut yet"
    empty_help = (
        "A policy says on which days customers are reminded of open invoices, when their services are cut, and whom "
        "to spare. Make one for all customers, and others for billing profiles that are treated differently."
    )
    docs_path = "/docs"

    def get_queryset(self, request: HttpRequest) -> QuerySet[DunningPolicy]:
        return super().get_queryset(request).select_related("billing_profile")

    def save_model(self, request: HttpRequest, obj: DunningPolicy, form: Any, change: bool) -> None:
        policies.save_policy(policy=obj, **answers(form))

    def delete_model(self, request: HttpRequest, obj: DunningPolicy) -> None:
        policies.remove_policy(policy_id=obj.pk)

    @admin.display(description="For")
    def whom(self, obj: DunningPolicy) -> str:
        return obj.billing_profile.name if obj.billing_profile else "All customers"

    @admin.display(description="Reminders")
    def reminders(self, obj: DunningPolicy) -> str:
        return ", ".join(step_words(step) for step in obj.reminder_days) or "none"

    @admin.display(description="Cuts")
    def cuts(self, obj: DunningPolicy) -> str:
        if not obj.suspends:
            return "never"
        return f"who owes more than {obj.minimum_balance:.2f}" if obj.minimum_balance else "whoever owes"

    @admin.display(description="Late fee")
    def fee(self, obj: DunningPolicy) -> str:
        if obj.late_fee_amount:
            return f"{obj.late_fee_amount:.2f}"
        return f"{obj.late_fee_percent:.2f} %" if obj.late_fee_percent else DASH

    @admin.display(description="Calendar")
    def calendar_shown(self, obj: DunningPolicy) -> str:
        if not obj.business_days_only:
            return "any day"
        return " ".join(part for part in (obj.country, obj.subdivision) if part) or "Monday to Friday"


class PromiseForm(TenantForm):
    refused_fields: ClassVar = {"subscriber_id": "subscriber"}

    class Meta:
        model = Promise
        fields: tuple[str, ...] = ()
        widgets: ClassVar = {"until": DateInput}
        help_texts: ClassVar = {
            "amount": "What the customer said they would pay.",
            "currency": "ISO 4217, for example EUR.",
            "until": "The last day to pay, within three months. Until then nobody reminds or cuts them.",
            "note": "Who said so, and how.",
        }


@register(Promise)
class PromiseAdmin(TenantModelAdmin):
    """Promises to pay."""

    form = PromiseForm
    list_display = (
        customer,
        "amount_shown",
        day_column("until", "Until"),
        choice_column("status", "State", PROMISE_TONES),
        "note",
        time_column("created_at", "Made"),
    )
    list_filter = ("status",)
    list_select_related = ("subscriber",)
    search_fields = ("subscriber__number",)
    autocomplete_fields = ("subscriber",)
    ordering = ("-id",)
    sortable_by = ()
    object_actions = ("withdraw",)
    fieldsets = ((None, {"fields": ("subscriber", "amount", "currency", "until", "note")}),)
    empty_title = "Nobody has promised anything yet"
    empty_help = (
        "When a customer says they will pay by a day, write it down here or from tonight's list: until then nobody "
        "reminds or cuts them. The day after, the promise is kept or broken by what was paid."
    )
    docs_path = "/docs"

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    has_delete_permission = has_change_permission

    def has_withdraw_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("billing.change_promise")

    def save_model(self, request: HttpRequest, obj: Promise, form: Any, change: bool) -> None:
        made = promises.make_promise(**answers(form), on=local_date(timezone.now()), user_id=request.user.pk)
        saved(obj, made)

    @action(
        description="Withdraw",
        permissions=["withdraw"],
        confirm="The promise no longer counts: the coming night treats the customer as all others.",
        icon="undo",
        available=lambda promise: promise.status == PromiseStatus.OPEN,
    )
    def withdraw(self, request: HttpRequest, queryset: QuerySet[Promise]) -> None:
        run_on_each(
            self,
            request,
            queryset,
            lambda promise: promises.withdraw_promise(promise_id=promise.pk, at=timezone.now()),
            done="Withdrawn: {count}.",
        )

    @admin.display(description="Amount")
    def amount_shown(self, obj: Promise) -> str:
        return money(obj.amount, obj.currency)


class ExemptionForm(TenantForm):
    refused_fields: ClassVar = {"subscriber_id": "subscriber"}

    class Meta:
        model = Exemption
        fields: tuple[str, ...] = ()
        widgets: ClassVar = {"until": DateInput}
        help_texts: ClassVar = {"reason": "As colleagues should read it: a hospital, a dispute, a decision."}


@register(Exemption)
class ExemptionAdmin(TenantModelAdmin):
    """Customers who are neither reminded nor cut."""

    form = ExemptionForm
    list_display = (
        customer,
        "reason",
        day_column("until", "Until", empty="ended by hand"),
        "state",
        time_column("created_at", "Since"),
    )
    list_select_related = ("subscriber",)
    search_fields = ("subscriber__number",)
    autocomplete_fields = ("subscriber",)
    ordering = ("-id",)
    sortable_by = ()
    object_actions = ("end",)
    fieldsets = ((None, {"fields": ("subscriber", "reason", "until")}),)
    empty_title = "Nobody is exempt"
    empty_help = (
        "An exempt customer is neither reminded nor cut, nor charged a late fee, until a day or until somebody ends "
        "it: a hospital, a dispute, a decision of yours."
    )
    docs_path = "/docs"

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    has_delete_permission = has_change_permission

    def has_end_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("billing.change_exemption")

    def save_model(self, request: HttpRequest, obj: Exemption, form: Any, change: bool) -> None:
        at = timezone.now()
        made = exemptions.exempt(**answers(form), on=local_date(at), at=at, user_id=request.user.pk)
        saved(obj, made)

    @action(
        description="End",
        permissions=["end"],
        confirm="The customer is reminded and cut as all others again.",
        icon="undo",
        available=lambda exemption: exemption.ended_at is None,
    )
    def end(self, request: HttpRequest, queryset: QuerySet[Exemption]) -> None:
        run_on_each(
            self,
            request,
            queryset,
            lambda exemption: exemptions.end_exemption(exemption_id=exemption.pk, at=timezone.now()),
            done="Ended: {count}.",
        )

    @admin.display(description="State")
    def state(self, obj: Exemption) -> str:
        return pill("Ended", "plain") if obj.ended_at else pill("Running", "info")


@register(Reminder)
class ReminderAdmin(ReadOnlyAdmin):
    """What was written about which invoice."""

    list_display = (
        "invoice_number",
        "customer_of",
        "step_shown",
        choice_column("status", "State", REMINDER_TONES),
        "email",
        time_column("sent_at", "Sent", empty="not sent"),
        "detail",
    )
    list_filter = ("status", "due_on")
    list_select_related = ("invoice__subscriber",)
    ordering = ("-id",)
    sortable_by = ()
    fieldsets = ((None, {"fields": ("facts_shown",)}),)
    readonly_fields = ("facts_shown",)
    empty_title = "No reminder was sent yet"
    empty_help = (
        "Reminders go out by e-mail at nine in the morning, on the days the dunning policy says. Each stands here with "
        "what became of it; none is sent twice."
    )
    docs_path = "/docs"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Reminder]:
        return super().get_queryset(request).select_related("invoice__subscriber")

    @admin.display(description="Invoice")
    def invoice_number(self, obj: Reminder) -> str:
        return str(obj.invoice.number)

    @admin.display(description="Customer")
    def customer_of(self, obj: Reminder) -> str:
        return customer_link(obj.invoice.subscriber)

    @admin.display(description="Step")
    def step_shown(self, obj: Reminder) -> str:
        return step_words(obj.step)

    @admin.display(description="Reminder")
    def facts_shown(self, obj: Reminder) -> str:
        return facts(
            [
                ("Invoice", obj.invoice.number),
                ("Customer", customer_link(obj.invoice.subscriber)),
                ("Step", step_words(obj.step)),
                ("Day", day(obj.due_on)),
                ("State", pill(obj.get_status_display(), REMINDER_TONES[ReminderStatus(obj.status)])),
                ("To", obj.email),
                ("Tries", obj.attempts),
                ("Why", obj.detail),
            ]
        )


def step_words(step: int) -> str:
    """Say when a step comes: '3 days before', 'on the day', '7 days after'."""
    if step == 0:
        return "on the day"
    count = abs(step)
    return f"{count} day{'' if count == 1 else 's'} {'before' if step < 0 else 'after'}"


def _tonight(request: HttpRequest) -> dict[str, Any]:
    on = tonight.next_night(timezone.now())
    verdict = request.GET.get("verdict", "")
    verdict = verdict if verdict in tonight.Verdict.values else ""
    raw = request.GET.get("page", "1")
    page = min(int(raw), 10_000) if raw.isascii() and raw.isdecimal() and raw != "0" and len(raw) < 6 else 1
    rows = tonight.tonight(
        on=on, verdicts=[verdict] if verdict else None, limit=PAGE + 1, offset=(page - 1) * PAGE
    )
    running = tonight.running_lines()
    cap = suspending.cap_of(running, policies.cap_percent())
    people, lines = tonight.count(on=on)
    waiting = DunningNight.objects.filter(status=NightStatus.WAITING).order_by("-on").first()
    may_add = request.user.has_perm("billing.add_promise")
    return {
        "on": day(on),
        "rows": [_row(row, on, may_add=may_add) for row in rows[:PAGE]],
        "older": f"?{urlencode({'verdict': verdict, 'page': page + 1})}" if len(rows) > PAGE else "",
        "newer": f"?{urlencode({'verdict': verdict, 'page': page - 1})}" if page > 1 else "",
        "verdict": verdict,
        "verdicts": tonight.Verdict.choices,
        "people": people,
        "lines": lines,
        "running": running,
        "cap": cap,
        "cap_percent": policies.cap_percent(),
        "over_cap": lines > cap,
        "totals": [
            {
                "verdict": pill(tonight.Verdict(total.verdict).label, _tone(total.verdict)),
                "subscribers": total.subscribers,
                "lines": total.lines,
                "amount": money(total.amount, total.currency),
            }
            for total in tonight.totals(on=on)
        ],
        "waiting": waiting,
        "waiting_url": reverse("admin:billing_dunningnight_change", args=[waiting.pk]) if waiting else "",
        "has_policy": DunningPolicy.objects.exists(),
        "may_add_policy": request.user.has_perm("billing.add_dunningpolicy"),
    }


def _row(row: tonight.Row, on: Any, *, may_add: bool) -> dict[str, Any]:
    named = {"subscriber": row.subscriber_id}
    promised = {
        **named,
        "amount": f"{row.amount:.2f}",
        "currency": row.currency,
        "until": (on + timedelta(days=7)).isoformat(),
    }
    return {
        "url": links.url_of("subscriber", row.subscriber_id),
        "name": row.name,
        "number": row.number,
        "verdict": pill(tonight.Verdict(row.verdict).label, _tone(row.verdict)),
        "why": row.why,
        "amount": money(row.amount, row.currency),
        "since": day(row.since),
        "lines": row.lines,
        "promise_url": f"{reverse('admin:billing_promise_add')}?{urlencode(promised)}" if may_add else "",
        "exempt_url": f"{reverse('admin:billing_exemption_add')}?{urlencode(named)}" if may_add else "",
    }


def _tone(verdict: str) -> str:
    return VERDICT_TONES[tonight.Verdict(verdict)]


def concerns(request: HttpRequest) -> list[Concern]:
    """Name the night that waits for a person."""
    return [
        Concern(
            title=f"Cuts of {day(night.on)} wait for approval",
            detail=f"{night.found_lines} services would be cut, more than the cap of {night.cap_lines}. Look at the "
            "list, then approve or call off.",
            url=reverse("admin:billing_dunningnight_change", args=[night.pk]),
            at=night.updated_at,
            at_label="stopped",
            word="Dunning: stopped",
            tone="warning",
        )
        for night in DunningNight.objects.filter(status=NightStatus.WAITING).order_by("-on")[:2]
    ]


def tiles(request: HttpRequest) -> list[Tile]:
    """Count who is cut in the coming night, where there is dunning."""
    if not DunningPolicy.objects.exists():
        return []
    people, lines = tonight.count(on=tonight.next_night(timezone.now()))
    return [
        Tile(
            "Cut tonight",
            lines,
            reverse("admin:billing_dunning_tonight"),
            hint=f"of {people} customers" if lines else "nobody",
            tone="warning" if lines else "",
        )
    ]


links.add("night", "admin:billing_dunningnight_change")
dashboard.add_concerns(25, allowed=MAY_SEE, read=concerns)
dashboard.add_tiles(45, allowed=MAY_SEE, read=tiles)
for _order, _title, _name, _icon in (
    (40, "Dunning", "dunning_tonight", "notifications_active"),
    (41, "Dunning policies", "dunningpolicy_changelist", "gavel"),
):
    navigation.add("Billing", _order, _title, url_name=f"admin:billing_{_name}", icon=_icon, allowed=MAY_SEE)
