"""The queues: whose tickets are listed, and in which a ticket's page goes on to the next."""

from typing import Any

from django.contrib import admin
from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest, QueryDict
from django.urls import reverse
from django.utils import timezone

from ispcore.admin import links
from support.admin.desk import staff_choices
from support.models import RUNNING, UNRESOLVED, Team, TeamMember, Ticket

QUEUES = {
    "mine": "Mine",
    "team": "My teams'",
    "unassigned": "Unassigned",
    "overdue": "Overdue",
    "unresolved": "All unresolved",
}
USUAL = "unresolved"
NONE, NOBODY = "none", "nobody yet"
MOST_CHOICES = 200


class QueueFilter(admin.SimpleListFilter):
    title = "queue"
    parameter_name = "queue"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return list(QUEUES.items())

    def queryset(self, request: HttpRequest, queryset: QuerySet[Ticket]) -> QuerySet[Ticket]:
        return in_queue(queryset, self.value(), request)


class _HolderFilter(admin.SimpleListFilter):
    """Who has a ticket: its own choices, and those that have nobody."""

    field: str

    def queryset(self, request: HttpRequest, queryset: QuerySet[Ticket]) -> QuerySet[Ticket]:
        chosen = self.value()
        if not chosen:
            return queryset
        if chosen == NONE:
            return queryset.filter(**{f"{self.field}__isnull": True})
        found = links.id_in(chosen)
        return queryset.filter(**{self.field: found}) if found else queryset.none()


class TeamFilter(_HolderFilter):
    title, parameter_name, field = "team", "team", "team_id"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        teams = Team.objects.order_by("name").values_list("pk", "name")[:MOST_CHOICES]
        return [(NONE, "no team"), *((str(pk), name) for pk, name in teams)]


class PersonFilter(_HolderFilter):
    title, parameter_name, field = "who", "who", "assignee_id"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(NONE, NOBODY), *staff_choices()]


def in_queue(rows: QuerySet[Ticket], queue: str | None, request: HttpRequest) -> QuerySet[Ticket]:
    """Narrow tickets to a queue of the person who looks; to all for a queue nobody named."""
    rule = _rules(request).get(queue or "")
    return rows.filter(rule) if rule is not None else rows


def queue_of(request: HttpRequest) -> str:
    """Return the queue a ticket's page was opened from."""
    came_from = QueryDict(request.GET.get("_changelist_filters", ""))
    asked = request.GET.get("queue") or came_from.get("queue", "")
    return asked if asked in QUEUES else USUAL


def chips(request: HttpRequest) -> list[dict[str, Any]]:
    """List the queues with how many tickets are in each, counted in one query, and all tickets last."""
    rules = _rules(request)
    counted = Ticket.objects.filter(status__in=UNRESOLVED).aggregate(
        **{queue: Count("pk", filter=rule) for queue, rule in rules.items()}
    )
    here, listed = request.GET.get("queue", ""), reverse("admin:support_ticket_changelist")
    found = [
        {
            "title": title,
            "count": counted[queue],
            "url": f"{listed}?queue={queue}",
            "is_here": queue == here,
            "is_late": queue == "overdue" and counted[queue] > 0,
        }
        for queue, title in QUEUES.items()
    ]
    return [*found, {"title": "All tickets", "count": None, "url": listed, "is_here": not here}]


def _rules(request: HttpRequest) -> dict[str, Q]:
    mine = TeamMember.objects.filter(team=OuterRef("team"), user_id=str(request.user.pk))
    return {
        "mine": Q(assignee_id=request.user.pk, status__in=UNRESOLVED),
        "team": Q(Exists(mine), status__in=UNRESOLVED),
        "unassigned": Q(assignee=None, status__in=UNRESOLVED),
        "overdue": Q(status__in=RUNNING, due_at__lt=timezone.now()),
        "unresolved": Q(status__in=UNRESOLVED),
    }
