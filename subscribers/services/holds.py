"""Bars on many lines at once, and what their end means for customers.

A customer is suspended as a whole, each line by its holds. Whoever suspends a customer bars every running line;
when the last open hold of a suspended customer's lines is lifted, by hand, by a payment or by time, the customer
is active again. Callers lock customers before lines, both in the order of their keys.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef

from ispcore.events.services import publish_each
from subscribers.models import (
    Hold,
    HoldReason,
    ServiceStatus,
    Subscriber,
    SubscriberStatus,
    Subscription,
)

RELEASE_BATCH = 500  # Customers per transaction: a night's holds must not keep thousands of rows locked.
# What neither a payment nor a bare activation lifts: somebody has to decide by name.
DECIDED_BY_NAME = frozenset({HoldReason.ABUSE.value, HoldReason.FRAUD.value})


def hold_lines(
    lines: Sequence[Subscription],
    *,
    reason: str,
    at: datetime,
    until: datetime | None,
    note: str,
    user_id: UUID | None,
) -> None:
    """Bar locked lines that run or are suspended. A hold open for this reason stays as it is."""
    barred = set(
        Hold.objects.filter(subscription__in=lines, reason=reason, released_at=None).values_list(
            "subscription", flat=True
        )
    )
    Hold.objects.bulk_create(
        Hold(subscription=line, reason=reason, opened_at=at, until=until, note=note, opened_by_id=user_id)
        for line in lines
        if line.pk not in barred
    )
    _move([line.pk for line in lines if line.status == ServiceStatus.ACTIVE], ServiceStatus.SUSPENDED, at)


def release_holds(
    lines: Sequence[Subscription],
    *,
    at: datetime,
    user_id: UUID | None = None,
    reasons: Iterable[str] | None = None,
    ended_at: datetime | None = None,
) -> None:
    """Lift locked lines' open holds: those for `reasons`, those whose time was over at `ended_at`, or all.

    Lines without another open hold come back; their customers are the caller's.
    """
    is_open = Hold.objects.filter(subscription__in=lines, released_at=None)
    lifted = is_open if reasons is None else is_open.filter(reason__in=list(reasons))
    if ended_at is not None:
        lifted = lifted.filter(until__lte=ended_at)
    lifted.update(released_at=at, released_by=user_id, updated_at=at)
    barred = set(is_open.values_list("subscription", flat=True))
    free = [line.pk for line in lines if line.pk not in barred and line.status == ServiceStatus.SUSPENDED]
    _move(free, ServiceStatus.ACTIVE, at)


def bring_back(subscriber_ids: Collection[UUID], *, at: datetime) -> None:
    """Make those of these locked customers active who are suspended while none of their lines is barred."""
    held = Hold.objects.filter(subscription__subscriber=OuterRef("pk"), released_at=None)
    suspended = Subscriber.objects.filter(pk__in=subscriber_ids, status=SubscriberStatus.SUSPENDED)
    free = list(suspended.filter(~Exists(held)).order_by("pk").values_list("pk", flat=True))
    if free:
        Subscriber.objects.filter(pk__in=free).update(
            status=SubscriberStatus.ACTIVE, suspended_until=None, updated_at=at
        )
        publish_each("subscribers.subscriber_status_changed", [{"subscriber_id": str(pk)} for pk in free])


def open_reasons(subscriber_id: UUID) -> list[str]:
    """List the reasons for which lines of a customer are barred."""
    held = Hold.objects.filter(subscription__subscriber=subscriber_id, released_at=None)
    return sorted(held.order_by().values_list("reason", flat=True).distinct())


def names_of(reasons: Iterable[str]) -> str:
    """Return reasons as a sentence has them."""
    return ", ".join(str(HoldReason(reason).label).lower() for reason in reasons)


@transaction.atomic
def release_ended_holds(*, at: datetime) -> int:
    """Lift a batch of the bound tenant's holds, and end its suspensions, whose time is over.

    A customer whose suspension is over while a line is still barred for another reason stays suspended, without
    an end of its own: lifting that reason brings the customer back. Returns how many customers were looked at:
    call again until it is 0. Safe to repeat, and to run in parallel: customers another run holds are skipped.
    """
    ended = Hold.objects.filter(released_at=None, until__lte=at)
    over = Subscriber.objects.filter(suspended_until__lte=at)
    due = {
        *ended.order_by("until").values_list("subscription__subscriber", flat=True)[:RELEASE_BATCH],
        *over.order_by("suspended_until").values_list("pk", flat=True)[:RELEASE_BATCH],
    }
    customers = list(
        Subscriber.objects.filter(pk__in=due)
        .order_by("pk")
        .select_for_update(of=("self",), skip_locked=True)
        .values_list("pk", flat=True)[:RELEASE_BATCH]
    )
    lines = list(
        Subscription.objects.filter(
            Exists(ended.filter(subscription=OuterRef("pk"))), subscriber__in=customers
        )
        .order_by("pk")
        .select_for_update(of=("self",))[: 2 * RELEASE_BATCH]
    )
    release_holds(lines, at=at, ended_at=at)
    bring_back(customers, at=at)
    over.filter(pk__in=customers).update(suspended_until=None, updated_at=at)
    return len(customers)


def _move(keys: Sequence[UUID], to_status: str, at: datetime) -> None:
    if keys:
        Subscription.objects.filter(pk__in=keys).update(status=to_status, updated_at=at)
        publish_each("subscribers.subscription_status_changed", [{"subscription_id": str(pk)} for pk in keys])
