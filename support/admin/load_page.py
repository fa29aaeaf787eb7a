"""How much the helpdesk has to do, and whether it keeps its times, on one page."""

from datetime import timedelta
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import formats, timezone

from ispcore.admin import navigation
from ispcore.admin.columns import Column, columns
from ispcore.admin.dashboard import Bar, Chart, Part, Tile, share
from ispcore.admin.formats import DASH, duration
from support import selectors
from support.admin.queues import NOBODY, NONE
from support.models import Priority
from support.selectors import Load, Queue
from support.services.settings import tenant_zone

MAY_SEE = "support.view_ticket"
DAYS = 30
MOST_BARS = 12
LATE, RUNS, WAITS = "Past due", "In time", "Waits for the customer"
QUEUE_TONES = ((LATE, "danger"), (RUNS, "info"), (WAITS, "plain"))


def urls(admin: Any) -> list[URLPattern]:
    """Return the page's address, under those of the admin it hangs on."""

    def shown(request: HttpRequest) -> HttpResponse:
        if not request.user.has_perm(MAY_SEE):
            raise PermissionDenied
        return TemplateResponse(request, "admin/support/load.html", _context(admin, request))

    return [path("load/", admin.admin_site.admin_view(shown), name="support_ticket_load")]


def _context(admin: Any, request: HttpRequest) -> dict[str, Any]:
    found = selectors.load(at=timezone.now(), zone=tenant_zone(), days=DAYS)
    listed = reverse("admin:support_ticket_changelist")
    may_add = request.user.has_perm("support.add_ticket")
    return {
        **admin.admin_site.each_context(request),
        "title": "Load and due times",
        "days": DAYS,
        "is_empty": not found.unresolved and not any(day.opened or day.resolved for day in found.days),
        "add_url": reverse("admin:support_ticket_add") if may_add else "",
        "tiles": _tiles(found, listed),
        "drawn": _drawn(found),
        "charts": [
            _queues("Open tickets by team", found.teams, "no team", f"{listed}?queue=unresolved&team="),
            _queues("Open tickets by person", found.people, NOBODY, f"{listed}?queue=unresolved&who="),
            _kept(found),
            _pace(found),
        ],
    }


def _tiles(found: Load, listed: str) -> list[Tile]:
    free = sum(queue.unresolved for queue in found.people if queue.id is None)
    return [
        Tile(
            "Unresolved", found.unresolved, f"{listed}?queue=unresolved", hint="open, in progress or waiting"
        ),
        Tile(
            "Past due",
            found.overdue,
            f"{listed}?queue=overdue",
            hint="those that wait are not counted",
            tone="danger" if found.overdue else "good",
        ),
        Tile("Without anybody", free, f"{listed}?queue=unassigned", tone="warning" if free else "good"),
        Tile(
            "Median time to resolve",
            _took(found.median),
            f"{listed}?status__exact=resolved",
            hint=f"of {found.resolved} in {DAYS} days",
        ),
    ]


def _drawn(found: Load) -> str:
    opened, resolved = (sum(getattr(day, name) for day in found.days) for name in ("opened", "resolved"))
    return columns(
        [
            Column(
                formats.date_format(day.on, "j M"),
                f"{formats.date_format(day.on, 'D j M')}: {day.resolved} resolved, {day.opened} opened",
                (float(day.resolved),),
            )
            for day in found.days
        ],
        names=[("Resolved", "good")],
        unit="",
        summary=f"In {DAYS} days {resolved} tickets were resolved and {opened} opened.",
    )


def _queues(title: str, queues: list[Queue], nobody: str, url: str) -> Chart:
    most = max((queue.unresolved for queue in queues), default=0)
    bars = []
    for queue in queues[:MOST_BARS]:
        counts = (queue.overdue, queue.unresolved - queue.overdue - queue.waiting, queue.waiting)
        bars.append(
            Bar(
                queue.name or nobody,
                str(queue.unresolved),
                [
                    Part(label, count, share(count, most), tone)
                    for count, (label, tone) in zip(counts, QUEUE_TONES, strict=True)
                    if count
                ],
                hint=f"{queue.overdue} past due" if queue.overdue else "",
                url=f"{url}{queue.id or NONE}",
            )
        )
    legend = [Part(label, 0, 0, tone) for label, tone in QUEUE_TONES]
    hint = f"The {MOST_BARS} with the most, of {len(queues)}." if len(queues) > MOST_BARS else ""
    return Chart(title, bars, empty="No ticket is open.", legend=legend, hint=hint)


def _kept(found: Load) -> Chart:
    rows = (
        ("First answer in time", found.timely_answers, found.due_answers),
        ("Resolved in time", found.in_time, found.resolved),
    )
    return Chart(
        f"Kept promises, {DAYS} days",
        [
            Bar(
                label,
                f"{kept} of {total} ({round(100 * kept / total)} %)",
                [
                    Part("in time", kept, share(kept, total), "good"),
                    Part("late", total - kept, share(total - kept, total), "danger"),
                ],
            )
            for label, kept, total in rows
            if total
        ],
        empty="Nothing was due yet.",
        legend=[Part("In time", 0, 0, "good"), Part("Late, or not yet", 0, 0, "danger")],
        hint="Answers to tickets opened in these days, resolutions of these days.",
    )


def _pace(found: Load) -> Chart:
    longest = max((pace.median for pace in found.paces), default=timedelta(0))
    seconds = round(longest.total_seconds())
    return Chart(
        "Median time to resolve, by priority",
        [
            Bar(
                str(Priority(pace.priority).label),
                _took(pace.median),
                [
                    Part(
                        str(Priority(pace.priority).label),
                        pace.resolved,
                        share(round(pace.median.total_seconds()), seconds),
                        "info",
                    )
                ],
                hint=f"{pace.resolved} resolved",
            )
            for pace in found.paces
        ],
        empty="No ticket was resolved yet.",
        hint="By the wall clock, from opening: nights and the customer's own time included.",
    )


def _took(median: timedelta | None) -> str:
    return duration(median.total_seconds()) if median is not None else DASH


navigation.add(
    "Support",
    15,
    "Load and due times",
    url_name="admin:support_ticket_load",
    icon="monitoring",
    allowed=MAY_SEE,
)
