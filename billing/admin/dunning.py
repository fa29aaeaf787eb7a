"""Dunning as staff see it: tonight's list, and the nights."""

from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone

from billing.models import (
    DunningNight,
    DunningPolicy,
    NightStatus,
)
from billing.services.dunning import policies, suspending, tonight
from ispcore.admin import dashboard, links, navigation
from ispcore.admin.actions import ActionForm, action
from ispcore.admin.base import ReadOnlyAdmin
from ispcore.admin.dashboard import Concern, Tile
from ispcore.admin.fields import NumberInput
from ispcore.admin.formats import DASH, choice_column, day, facts, figures, money, pill
from ispcore.admin.site import register
from ispcore.money import round_money

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
NOBODY: dict[str, str] = {NightStatus.WAITING: "nobody yet", NightStatus.DONE: "nobody had to"}


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
        "cut",
        "cap",
        "running",
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

    @admin.display(description="Cut")
    def cut(self, obj: DunningNight) -> str:
        if not obj.suspended_lines:
            return DASH
        return f"{obj.suspended_lines} of {obj.suspended_subscribers} customers"

    @admin.display(description="Cap")
    def cap(self, obj: DunningNight) -> str:
        return f"{obj.cap_lines} services"

    @admin.display(description="Running services")
    def running(self, obj: DunningNight) -> str:
        return figures(obj.active_lines)

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
        "tabs": navigation.tabs_of(request, "admin:billing_dunning_tonight"),
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
        "amount": f"{round_money(row.amount, row.currency):f}",
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
navigation.add(
    "Billing",
    40,
    "Dunning",
    url_name="admin:billing_dunning_tonight",
    icon="notifications_active",
    allowed=MAY_SEE,
)
