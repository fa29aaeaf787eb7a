"""Reads for pages: counts, searches and the facts of one customer."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db import connection
from django.db.models import Count, Exists, F, IntegerField, OuterRef, Prefetch, QuerySet, Subquery
from django.db.models.functions import Coalesce, TruncMonth
from django.utils import timezone

from ispcore import sums
from ispcore.tenants.context import current_tenant_id
from subscribers.models import (
    Hold,
    PlanChange,
    Premise,
    ServiceStatus,
    Subscriber,
    SubscriberStatus,
    Subscription,
)

MONTHS = 12
TAGS_OFFERED = 50
# A line that is over is no longer counted as one of the customer's, the plan's or the premise's.
CURRENT = (
    ServiceStatus.DRAFT,
    ServiceStatus.PENDING_INSTALLATION,
    ServiceStatus.ACTIVE,
    ServiceStatus.SUSPENDED,
)


@dataclass(frozen=True)
class Overview:
    lines: dict[str, int]
    subscribers: dict[str, int]


@dataclass(frozen=True)
class Month:
    first: date
    new: int
    ended: int


def overview() -> Overview:
    """Count lines and customers by status; of a large provider the counts may be some minutes old."""
    return Overview(**sums.read(OVERVIEW))


def months() -> list[Month]:
    """Count lines that began and lines that ended in each of the last twelve months, in the current zone.

    Of a large provider the counts may be some minutes old.
    """
    return [Month(date.fromisoformat(first), new, ended) for first, new, ended in sums.read(BY_MONTH)]


def _count_by_status() -> tuple[dict[str, dict[str, int]], int]:
    lines = dict(Subscription.objects.order_by().values_list("status").annotate(Count("pk")))
    people = dict(Subscriber.objects.order_by().values_list("status").annotate(Count("pk")))
    found = {
        "lines": dict.fromkeys(ServiceStatus.values, 0) | lines,
        "subscribers": dict.fromkeys(SubscriberStatus.values, 0) | people,
    }
    return found, sum(lines.values()) + sum(people.values())


def _count_by_month() -> tuple[list[tuple[str, int, int]], int]:
    today = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    firsts = [_month_before(today.date().replace(day=1), back) for back in reversed(range(MONTHS))]
    since = today.replace(year=firsts[0].year, month=firsts[0].month, day=1)
    new, ended = _by_month("provisioned_at", since), _by_month("terminated_at", since)
    found = [(first.isoformat(), new.get(first, 0), ended.get(first, 0)) for first in firsts]
    return found, sum(new.values()) + sum(ended.values())


OVERVIEW = sums.add(sums.Sum("subscribers.overview", _count_by_status, seconds=300))
BY_MONTH = sums.add(sums.Sum("subscribers.by_month", _count_by_month, seconds=600))


def _month_before(first: date, count: int) -> date:
    year, month = divmod(first.year * 12 + first.month - 1 - count, 12)
    return date(year, month + 1, 1)


def _by_month(column: str, since: datetime) -> dict[date, int]:
    rows = (
        Subscription.objects.filter(**{f"{column}__gte": since})
        .order_by()
        .annotate(month=TruncMonth(column))
        .values_list("month")
        .annotate(Count("pk"))
    )
    return {month.date(): count for month, count in rows}


def with_service_counts(rows: QuerySet[Any], key: str) -> QuerySet[Any]:
    """Add `service_count`, the lines that are not over, to rows that lines name as `key`."""
    counted: QuerySet[Any] = rows.annotate(
        service_count=_count(Subscription.objects.filter(status__in=CURRENT), key)
    )
    return counted


def with_premise_counts(zones: QuerySet[Any]) -> QuerySet[Any]:
    counted: QuerySet[Any] = zones.annotate(premise_count=_count(Premise.objects.all(), "zone"))
    return counted


def with_subscriber_counts(profiles: QuerySet[Any]) -> QuerySet[Any]:
    counted: QuerySet[Any] = profiles.annotate(
        subscriber_count=_count(Subscriber.objects.all(), "billing_profile")
    )
    return counted


def _count(rows: QuerySet[Any], key: str) -> Any:
    # A subquery per row shown: a join would group every row of the table first.
    counted = rows.filter(**{key: OuterRef("pk")}).order_by().values(key).annotate(n=Count("pk")).values("n")
    return Coalesce(Subquery(counted, output_field=IntegerField()), 0)


def with_open_holds(lines: QuerySet[Any]) -> QuerySet[Any]:
    """Load each line's open holds as `open_holds`."""
    return lines.prefetch_related(
        Prefetch("holds", queryset=Hold.objects.filter(released_at=None).order_by("pk"), to_attr="open_holds")
    )


def in_zone(zone_id: Any, **of: Any) -> Exists:
    """Tell whether somebody has a line at a premise in the zone."""
    return Exists(Subscription.objects.filter(premise__zone=zone_id, **of))


def tags_in_use() -> list[str]:
    """List the first tags by alphabet, for a filter to offer.

    Looks up the next tag after each one found, in the index of the words, where tags begin with `#`: as many
    look-ups as tags are offered, whatever the number of customers that have them.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH RECURSIVE tag AS (
                (SELECT word FROM subscribers_subscriberword
                 WHERE tenant_id = %(tenant)s AND word >= '#' AND word < '$' ORDER BY word LIMIT 1)
                UNION ALL
                SELECT (SELECT next.word FROM subscribers_subscriberword AS next
                        WHERE next.tenant_id = %(tenant)s AND next.word > tag.word AND next.word < '$'
                        ORDER BY next.word LIMIT 1)
                FROM tag WHERE tag.word IS NOT NULL
            )
            SELECT substr(word, 2) FROM tag WHERE word IS NOT NULL LIMIT %(most)s
            """,
            {"tenant": current_tenant_id(), "most": TAGS_OFFERED},
        )
        return [word for (word,) in cursor.fetchall()]


def lines_of(subscriber: Subscriber) -> list[Any]:
    """List a customer's lines, those that run or will run first, each with its open holds."""
    lines = Subscription.objects.filter(subscriber=subscriber).select_related("plan", "premise__zone")
    return sorted(
        with_open_holds(lines.order_by("number")), key=lambda line: (line.status not in CURRENT, line.number)
    )


def holds_of(lines: Iterable[Subscription]) -> list[Hold]:
    """List the holds of these lines, open ones first, then the newest."""
    holds = Hold.objects.filter(subscription__in=list(lines)).select_related(
        "subscription", "opened_by", "released_by"
    )
    return list(holds.order_by(F("released_at").desc(nulls_first=True), "-pk"))


def plan_changes_of(lines: Iterable[Subscription]) -> list[PlanChange]:
    """List the changes of plan of these lines, newest first."""
    changes = PlanChange.objects.filter(subscription__in=list(lines))
    return list(changes.select_related("subscription", "from_plan", "to_plan").order_by("-pk"))
