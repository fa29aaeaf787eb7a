"""How full pools and subnets are, without counting addresses."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from django.db import connection

from ipam.models import Pool, PoolUsage, Subnet, UsageLevel
from ipam.models.pools import DAY_SECONDS
from ipam.services import ranges
from ispcore.events.services import publish
from ispcore.tenants.context import current_tenant_id

LEVELS: list[str] = list(UsageLevel)
RELIEF_PERCENT = 2
TREND_DAYS = 30
SHORTEST_TREND_SECONDS = DAY_SECONDS
LONGEST_FORECAST_DAYS = 3650

# What was folded and what was not yet, of one moment.
POOLS_SQL = """
SELECT pool.id, COALESCE(min(usage.total), 0),
       COALESCE(min(usage.reserved), 0) + COALESCE(sum(delta.reserved), 0),
       COALESCE(min(usage.assigned), 0) + COALESCE(sum(delta.assigned), 0),
       COALESCE(min(usage.quarantined), 0) + COALESCE(sum(delta.quarantined), 0)
FROM unnest(%(ids)s::uuid[]) AS pool (id)
LEFT JOIN ipam_poolusage AS usage ON usage.tenant_id = %(tenant)s AND usage.pool_id = pool.id
LEFT JOIN (
    SELECT pool_id, sum(reserved) AS reserved, sum(assigned) AS assigned, sum(quarantined) AS quarantined
    FROM ipam_usagedelta WHERE tenant_id = %(tenant)s AND pool_id = ANY (%(ids)s) GROUP BY pool_id
) AS delta ON delta.pool_id = pool.id
GROUP BY pool.id
"""

SUBNETS_SQL = """
WITH RECURSIVE inside (top, id) AS (
    SELECT id, id FROM unnest(%(ids)s::uuid[]) AS asked (id)
    UNION ALL
    SELECT inside.top, child.id FROM inside JOIN ipam_subnet AS child
    ON child.tenant_id = %(tenant)s AND child.parent_id = inside.id
), counted AS (
    SELECT inside.top, usage.reserved, usage.assigned, usage.quarantined
    FROM inside JOIN ipam_subnetusage AS usage ON usage.tenant_id = %(tenant)s AND usage.subnet_id = inside.id
    UNION ALL
    SELECT inside.top, delta.reserved, delta.assigned, delta.quarantined
    FROM inside JOIN ipam_usagedelta AS delta ON delta.tenant_id = %(tenant)s AND delta.subnet_id = inside.id
)
SELECT top, sum(reserved), sum(assigned), sum(quarantined) FROM counted GROUP BY top
"""

# A change is deleted and counted in one statement; what belongs to no pool or subnet any more is only deleted.
FOLD_SQL = """
WITH gone AS (
    DELETE FROM ipam_usagedelta WHERE tenant_id = %(tenant)s
    RETURNING pool_id, subnet_id, reserved, assigned, quarantined
), of_pools AS (
    INSERT INTO ipam_poolusage AS usage
        (id, tenant_id, created_at, updated_at, pool_id, total, reserved, assigned, quarantined, level)
    SELECT uuidv7(), %(tenant)s, %(at)s, %(at)s, pool_id, 0, sum(reserved), sum(assigned), sum(quarantined), 'ok'
    FROM gone JOIN ipam_pool AS pool ON pool.tenant_id = %(tenant)s AND pool.id = gone.pool_id
    GROUP BY pool_id ORDER BY pool_id
    ON CONFLICT (tenant_id, pool_id) DO UPDATE SET
        reserved = usage.reserved + excluded.reserved, assigned = usage.assigned + excluded.assigned,
        quarantined = usage.quarantined + excluded.quarantined, updated_at = %(at)s
    RETURNING pool_id
), of_subnets AS (
    INSERT INTO ipam_subnetusage AS usage
        (id, tenant_id, created_at, updated_at, subnet_id, reserved, assigned, quarantined)
    SELECT uuidv7(), %(tenant)s, %(at)s, %(at)s, subnet_id, sum(reserved), sum(assigned), sum(quarantined)
    FROM gone JOIN ipam_subnet AS subnet ON subnet.tenant_id = %(tenant)s AND subnet.id = gone.subnet_id
    GROUP BY subnet_id ORDER BY subnet_id
    ON CONFLICT (tenant_id, subnet_id) DO UPDATE SET
        reserved = usage.reserved + excluded.reserved, assigned = usage.assigned + excluded.assigned,
        quarantined = usage.quarantined + excluded.quarantined, updated_at = %(at)s
)
SELECT pool_id FROM of_pools
"""

SAMPLE_SQL = """
INSERT INTO ipam_usagesample
    (id, tenant_id, created_at, updated_at, pool_id, at, total, reserved, assigned, quarantined)
SELECT uuidv7(), tenant_id, now(), now(), pool_id, %(hour)s, total, reserved, assigned, quarantined
FROM ipam_poolusage WHERE tenant_id = %(tenant)s
ON CONFLICT (tenant_id, pool_id, at) DO NOTHING
"""

TREND_SQL = """
SELECT regr_slope(reserved + assigned + quarantined, extract(epoch FROM at)),
       extract(epoch FROM max(at) - min(at))::double precision
FROM ipam_usagesample WHERE tenant_id = %(tenant)s AND pool_id = %(pool)s AND at >= %(since)s
"""


@dataclass(frozen=True)
class Counts:
    """How many addresses, or prefixes, are in each state. `total` is what there is to hand out."""

    total: int
    reserved: int
    assigned: int
    quarantined: int

    @property
    def free(self) -> int:
        return max(self.total - self.reserved - self.assigned - self.quarantined, 0)

    @property
    def used_percent(self) -> float:
        """What is not free, in percent with two decimals; of nothing, all is used."""
        if not self.total:
            return 100.0
        return round(100 * min((self.total - self.free) / self.total, 1), 2)


def counts_of_pools(pool_ids: Collection[UUID]) -> dict[UUID, Counts]:
    """Return the present counts of each pool, in one statement."""
    with connection.cursor() as cursor:
        cursor.execute(POOLS_SQL, {"ids": list(pool_ids), "tenant": current_tenant_id()})
        return {pool_id: Counts(*map(int, counts)) for pool_id, *counts in cursor.fetchall()}


def counts_of_subnets(subnet_ids: Collection[UUID]) -> dict[UUID, Counts]:
    """Return the present counts of each subnet with all within it, in two statements; `total` counts addresses.

    A delegated prefix counts as one.
    """
    with connection.cursor() as cursor:
        cursor.execute(SUBNETS_SQL, {"ids": list(subnet_ids), "tenant": current_tenant_id()})
        found = {subnet_id: tuple(map(int, counts)) for subnet_id, *counts in cursor.fetchall()}
    subnets = Subnet.objects.filter(pk__in=subnet_ids).values_list("pk", "network", "gateway")
    return {
        pk: Counts(_hosts_in(network, gateway), *found.get(pk, (0, 0, 0))) for pk, network, gateway in subnets
    }


def fold(*, at: datetime) -> int:
    """Fold what changed since the last time into the counts, and tell of each threshold that was crossed.

    Safe to run at once with itself: a change is deleted by who counts it. Returns how many pools changed.
    """
    with connection.cursor() as cursor:
        cursor.execute(FOLD_SQL, {"tenant": current_tenant_id(), "at": at})
        changed = [row[0] for row in cursor.fetchall() if row[0]]
    told_of = PoolUsage.objects.filter(pool_id__in=changed).order_by("pk").select_for_update(of=("self",))
    for usage in told_of.select_related("pool"):
        _tell(usage, at=at)
    return len(changed)


def level_of(counts: Counts, pool: Pool, *, before: str = UsageLevel.OK) -> UsageLevel:
    """Return how alarming the counts are by the pool's thresholds.

    A level is left again RELIEF_PERCENT below where it began: a pool at the border would tell of it all day.
    """
    if not counts.total:
        return UsageLevel.OK
    for level, begins in (
        (UsageLevel.FULL, 100),
        (UsageLevel.CRITICAL, pool.critical_percent),
        (UsageLevel.WARNING, pool.warn_percent),
    ):
        stays = LEVELS.index(before) >= LEVELS.index(level)
        # In whole numbers: 2^64 addresses are more than a float can tell apart.
        if (counts.total - counts.free) * 100 >= counts.total * (begins - (RELIEF_PERCENT if stays else 0)):
            return level
    return UsageLevel.OK


def take_samples(*, at: datetime) -> int:
    """Keep the counts of every pool for the full hour of `at`. Safe to repeat; returns how many were new."""
    hour = at.replace(minute=0, second=0, microsecond=0)
    with connection.cursor() as cursor:
        cursor.execute(SAMPLE_SQL, {"tenant": current_tenant_id(), "hour": hour})
        return int(cursor.rowcount)


def runs_out_on(pool: Pool, *, at: datetime) -> date | None:
    """Return the day on which the pool is full if it goes on as in the last 30 days; None when it does not grow.

    A straight line through the hourly samples (least squares); at least a day of them is needed.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            TREND_SQL,
            {"tenant": current_tenant_id(), "pool": pool.pk, "since": at - timedelta(days=TREND_DAYS)},
        )
        slope, seconds = cursor.fetchone()
    counts = counts_of_pools([pool.pk])[pool.pk]
    if not slope or slope <= 0 or (seconds or 0) < SHORTEST_TREND_SECONDS or not counts.total:
        return None
    days = counts.free / (slope * DAY_SECONDS)
    return (at + timedelta(days=days)).date() if days <= LONGEST_FORECAST_DAYS else None


def _tell(usage: PoolUsage, *, at: datetime) -> None:
    counts = Counts(int(usage.total), usage.reserved, usage.assigned, usage.quarantined)
    level = level_of(counts, usage.pool, before=usage.level)
    if level == usage.level:
        return
    rises = LEVELS.index(level) > LEVELS.index(usage.level)
    usage.level, usage.level_since = level, at
    usage.save(update_fields=["level", "level_since", "updated_at"])
    if level == UsageLevel.FULL:
        publish("ipam.pool_full", pool_id=str(usage.pool_id))
    elif rises:
        publish("ipam.pool_nearly_full", pool_id=str(usage.pool_id))
    elif level == UsageLevel.OK:
        publish("ipam.pool_relieved", pool_id=str(usage.pool_id))


def _hosts_in(network: str, gateway: str | None) -> int:
    span = ranges.span_of(network)
    return ranges.count_in(ranges.without([span], ranges.never_handed_out(network, gateway).values()), 1)
