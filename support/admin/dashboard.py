"""Support's part of the dashboard: what is overdue, what nobody has, and who has how much."""

from django.db.models import Count, Q
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from ispcore.admin import dashboard
from ispcore.admin.dashboard import Bar, Chart, Part, Tile, share
from ispcore.tenants.models import User
from support.models import RUNNING, UNRESOLVED, Ticket

MAY_SEE = "support.view_ticket"
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
    """Draw who has how many open tickets; the page of the load has the rest."""
    counted = list(
        Ticket.objects.filter(status__in=UNRESOLVED)
        .values_list("assignee_id")
        .annotate(count=Count("pk"))
        .order_by("-count")[:MOST_PEOPLE]
    )
    names = {user.pk: str(user) for user in User.objects.filter(pk__in=[pk for pk, _ in counted if pk])}
    most = max((count for _, count in counted), default=0)
    page = reverse("admin:support_ticket_load")
    bars = []
    for pk, count in counted:
        name = names.get(pk, "nobody yet")
        parts = [Part(name, count, share(count, most), "info" if pk else "warning")]
        bars.append(Bar(name, str(count), parts, url=page))
    return [Chart("Open tickets by person", bars, empty="No ticket is open.")]


dashboard.add_tiles(60, allowed=MAY_SEE, read=tiles)
dashboard.add_charts(60, allowed=MAY_SEE, read=charts)
