"""Support's part of the dashboard: what is overdue, what waits for somebody, and who carries how much."""

from datetime import timedelta

from django.db.models import Count, F, Q
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from ispcore.admin import dashboard
from ispcore.admin.dashboard import Bar, Chart, Part, Tile, share
from ispcore.tenants.models import User
from support.models import RUNNING, UNRESOLVED, Ticket

MAY_SEE = "support.view_ticket"
DAYS = 30
MOST_PEOPLE = 8


def tiles(request: HttpRequest) -> list[Tile]:
    """Count what is overdue, what nobody has, and one's own; nothing where no ticket is open."""
    at = timezone.now()
    found = Ticket.objects.filter(status__in=UNRESOLVED).aggregate(
        unresolved=Count("pk"),
        overdue=Count("pk", filter=Q(status__in=RUNNING, due_at__lt=at)),
        unassigned=Count("pk", filter=Q(assignee=None)),
        mine=Count("pk", filter=Q(assignee_id=request.user.pk)),
    )
    if not found["unresolved"]:
        return []
    url = reverse("admin:support_ticket_changelist")
    return [
        Tile(
            "Tickets past due",
            found["overdue"],
            f"{url}?queue=overdue",
            hint=f"of {found['unresolved']} unresolved",
            tone="danger" if found["overdue"] else "good",
        ),
        Tile("Tickets without anybody", found["unassigned"], f"{url}?queue=unassigned"),
        Tile("My tickets", found["mine"], f"{url}?queue=mine"),
    ]


def charts(request: HttpRequest) -> list[Chart]:
    """Draw who has how many open tickets, and how many of the last month were in time."""
    return [_load(), _in_time()]


def _load() -> Chart:
    counted = list(
        Ticket.objects.filter(status__in=UNRESOLVED)
        .values_list("assignee_id")
        .annotate(count=Count("pk"))
        .order_by("-count")[:MOST_PEOPLE]
    )
    names = {user.pk: str(user) for user in User.objects.filter(pk__in=[pk for pk, _ in counted if pk])}
    most = max((count for _, count in counted), default=0)
    return Chart(
        "Open tickets by person",
        [
            Bar(name, str(count), [Part(name, count, share(count, most), "info" if pk else "warning")])
            for pk, count in counted
            for name in [names.get(pk, "nobody yet")]
        ],
        empty="No ticket is open.",
    )


def _in_time() -> Chart:
    since = timezone.now() - timedelta(days=DAYS)
    found = Ticket.objects.filter(resolved_at__gte=since, merged_into=None).aggregate(
        resolved=Count("pk"),
        kept=Count("pk", filter=Q(resolved_at__lte=F("due_at"))),
        answered=Count("pk", filter=Q(first_responded_at__isnull=False)),
        soon=Count("pk", filter=Q(first_responded_at__lte=F("first_response_due_at"))),
    )
    rows = [
        ("Resolved in time", found["kept"], found["resolved"]),
        ("Answered in time", found["soon"], found["answered"]),
    ]
    return Chart(
        f"Kept promises, {DAYS} days",
        [
            Bar(
                label,
                f"{kept} of {total}",
                [
                    Part("in time", kept, share(kept, total), "good"),
                    Part("late", total - kept, share(total - kept, total), "danger"),
                ],
            )
            for label, kept, total in rows
            if total
        ],
        empty="No ticket was resolved yet.",
    )


dashboard.add_tiles(60, allowed=MAY_SEE, read=tiles)
dashboard.add_charts(60, allowed=MAY_SEE, read=charts)
