"""Addresses of lines: given when a line runs, kept while it is suspended, taken back when it ends."""

from collections.abc import Callable, Iterator
from datetime import datetime
from enum import StrEnum
from functools import partial
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import QuerySet

from ipam.models import Address, Pool, Purpose
from ipam.selectors import ENDED, ended_lines_that_hold, hinted_pools, is_served, waiting_lines
from ipam.services import allocation, release
from ispcore.tenants.context import tenant_context
from subscribers.models import Plan, ServiceStatus, Subscription

log = structlog.get_logger(__name__)

BATCH = 500
MOVES_WITH_THE_PLAN = (Purpose.DYNAMIC, Purpose.CGNAT)


class Settled(StrEnum):
    """What a line's state came to; `waiting`: it should have an address, and its pool has none left."""

    KEPT = "kept"
    GIVEN = "given"
    RELEASED = "released"
    WAITING = "waiting"


@transaction.atomic
def settle_line(*, subscription_id: UUID, at: datetime) -> Settled:
    """Make a line hold what its state asks for: safe to repeat, for only the present state counts.

    An active line gets an address of the pool its plan names, where there is such a pool and it hands out; a
    static address it holds already takes its place. With another plan, what it had by the former plan's pool is
    taken back once it has one of the new. A suspended line keeps what it has; one that is over gives all back.

    A pool that is exhausted is no error: the line stays in `waiting_lines`, where staff see it, and the sweep
    tries again.
    """
    locked = Subscription.objects.filter(pk=subscription_id).select_for_update(of=("self",), no_key=True)
    line: Subscription | None = locked.select_related("plan").first()
    if line is None:
        return Settled.KEPT
    if line.status in ENDED:
        gone = release.release_line(at=at, subscription_id=line.pk, reason="service ended")
        return Settled.RELEASED if gone else Settled.KEPT
    if line.status != ServiceStatus.ACTIVE or not line.plan.pool_hint:
        return Settled.KEPT
    pool = hinted_pools().filter(name=line.plan.pool_hint).first()
    return _serve(line, pool, at) if pool else Settled.KEPT


def settle_lost_lines(*, tenant_id: UUID, at: datetime) -> int:
    """Settle the lines of a tenant whose event was lost, or whose pool has room again; return how many changed.

    Each line in a transaction of its own. A pool found exhausted is not asked again before the next sweep. Safe
    to repeat and to kill.
    """
    changed = 0
    with tenant_context(tenant_id):
        pools = list(hinted_pools())
    for key in _walk(tenant_id, ended_lines_that_hold):
        with tenant_context(tenant_id):
            changed += settle_line(subscription_id=key, at=at) == Settled.RELEASED
    for pool in pools:
        for key in _walk(tenant_id, partial(waiting_lines, pool)):
            with tenant_context(tenant_id):
                outcome = settle_line(subscription_id=key, at=at)
            changed += outcome == Settled.GIVEN
            if outcome == Settled.WAITING:
                break
    return changed


def _serve(line: Subscription, pool: Pool, at: datetime) -> Settled:
    if is_served(line, pool):
        return Settled.KEPT
    try:
        allocation.allocate(at=at, pool_id=pool.pk, subscription_id=line.pk)
    except allocation.PoolExhausted:
        log.warning("line_waits_for_address", subscription_id=str(line.pk), pool=pool.name)
        return Settled.WAITING
    _take_back_former(line, pool, at)
    return Settled.GIVEN


def _take_back_former(line: Subscription, pool: Pool, at: datetime) -> None:
    """Take back what a former plan's pool gave; what staff gave of other pools stays."""
    former = Address.objects.filter(
        subscription=line,
        pool__family=pool.family,
        pool__kind=pool.kind,
        pool__purpose__in=MOVES_WITH_THE_PLAN,
        pool__name__in=Plan.objects.exclude(pool_hint="").values("pool_hint"),
    ).exclude(pool=pool)
    keys = list(former.values_list("pk", flat=True))
    if keys:
        release.release_all(at=at, address_ids=keys, subscription_id=line.pk, reason="plan changed")


def _walk(tenant_id: UUID, rows_of: Callable[[], QuerySet[Subscription]]) -> Iterator[UUID]:
    """Give the keys of lines in batches, each read in a transaction of its own."""
    last: UUID | None = None
    while True:
        with tenant_context(tenant_id):
            rows = rows_of().order_by("pk")
            rows = rows.filter(pk__gt=last) if last else rows
            batch = list(rows.values_list("pk", flat=True)[:BATCH])
        yield from batch
        if len(batch) < BATCH:
            return
        last = batch[-1]
