"""What the helpdesk's load is, and whether it keeps its times."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import Aggregate, Count, DurationField, ExpressionWrapper, F, Q, QuerySet
from django.db.models.functions import TruncDate

from ispcore.tenants.models import User
from support.models import RUNNING, UNRESOLVED, Priority, Ticket

DAY = timedelta(days=1)


class Median(Aggregate):
    """The middle one of durations, which a few that took weeks do not move."""

    function = "percentile_cont"
    template = "%(function)s(0.5) WITHIN GROUP (ORDER BY %(expressions)s)"
    output_field = DurationField()


@dataclass(frozen=True)
class Queue:
    """Unresolved tickets of one team or one person; None is nobody's."""

    id: UUID | None
    name: str
    unresolved: int
    overdue: int
    waiting: int


@dataclass(frozen=True)
class OneDay:
    on: date
    opened: int
    resolved: int


@dataclass(frozen=True)
class Pace:
    """Tickets of one priority that were resolved: how many, how many in time, and how long they took from opening."""

    priority: str
    resolved: int
    in_time: int
    median: timedelta


@dataclass(frozen=True)
class Load:
    """The queues as they are, and the last days. What was merged counts with what it was merged into.

    `due_answers` are the first answers that were due in those days, `timely_answers` those that came in time.
    """

    teams: list[Queue]
    people: list[Queue]
    days: list[OneDay]
    due_answers: int
    timely_answers: int
    paces: list[Pace]
    median: timedelta | None

    @property
    def unresolved(self) -> int:
        return sum(queue.unresolved for queue in self.teams)

    @property
    def overdue(self) -> int:
        return sum(queue.overdue for queue in self.teams)

    @property
    def resolved(self) -> int:
        return sum(pace.resolved for pace in self.paces)

    @property
    def in_time(self) -> int:
        return sum(pace.in_time for pace in self.paces)


def load(*, at: datetime, zone: ZoneInfo, days: int) -> Load:
    """Count the queues and the last `days` days, today included, at the provider's clock.

    The number of queries is the same however many tickets there are. Times to resolve are by the wall clock.
    """
    today = at.astimezone(zone).date()
    first = today - (days - 1) * DAY
    since = datetime(first.year, first.month, first.day, tzinfo=zone)
    whole = Ticket.objects.filter(merged_into=None)
    resolved = whole.filter(resolved_at__gte=since, resolved_at__lte=at)
    took = Median(ExpressionWrapper(F("resolved_at") - F("created_at"), output_field=DurationField()))
    answers = whole.filter(created_at__gte=since, first_response_due_at__lte=at).aggregate(
        due=Count("pk"), timely=Count("pk", filter=Q(first_responded_at__lte=F("first_response_due_at")))
    )
    return Load(
        teams=_queues("team_id", "team__name", at),
        people=_people(at),
        days=_days(whole, resolved, first, today, zone, since),
        due_answers=answers["due"],
        timely_answers=answers["timely"],
        paces=_paces(resolved, took),
        median=resolved.aggregate(median=took)["median"],
    )


def _queues(key: str, name: str, at: datetime) -> list[Queue]:
    rows = (
        Ticket.objects.filter(status__in=UNRESOLVED)
        .order_by()
        .values_list(key, name)
        .annotate(
            unresolved=Count("pk"),
            overdue=Count("pk", filter=Q(status__in=RUNNING, due_at__lt=at)),
            waiting=Count("pk", filter=Q(status="waiting")),
        )
    )
    return sorted((Queue(*row) for row in rows), key=lambda queue: (-queue.unresolved, str(queue.name or "")))


def _people(at: datetime) -> list[Queue]:
    queues = _queues("assignee_id", "assignee_id", at)
    names = {
        user.pk: str(user) for user in User.objects.filter(pk__in=[each.id for each in queues if each.id])
    }
    return [
        Queue(each.id, names.get(each.id, "") if each.id else "", each.unresolved, each.overdue, each.waiting)
        for each in queues
    ]


def _days(
    whole: QuerySet[Ticket],
    resolved: QuerySet[Ticket],
    first: date,
    last: date,
    zone: ZoneInfo,
    since: datetime,
) -> list[OneDay]:
    opened = _by_day(whole.filter(created_at__gte=since), "created_at", zone)
    done = _by_day(resolved, "resolved_at", zone)
    return [
        OneDay(on, opened.get(on, 0), done.get(on, 0))
        for on in (first + number * DAY for number in range((last - first).days + 1))
    ]


def _by_day(rows: QuerySet[Ticket], field: str, zone: ZoneInfo) -> dict[Any, int]:
    counted = rows.order_by().values_list(TruncDate(field, tzinfo=zone)).annotate(count=Count("pk"))
    return dict(counted)


def _paces(resolved: QuerySet[Ticket], took: Median) -> list[Pace]:
    rows = (
        resolved.order_by()
        .values_list("priority")
        .annotate(count=Count("pk"), kept=Count("pk", filter=Q(resolved_at__lte=F("due_at"))), median=took)
    )
    found = {priority: Pace(priority, *rest) for priority, *rest in rows}
    return [found[priority] for priority in reversed(Priority.values) if priority in found]
