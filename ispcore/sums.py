"""Sums over all rows of a tenant that a page shows: those of a large one are kept, and made anew beside the pages.

Apps name theirs by `add`; a page asks by `read`. Where few rows were read nothing is kept, so a
small tenant's sums are always of now. A large tenant's lie in Redis, and the clock has them made anew while anybody
looks at them: only who is the first to look waits, or whoever looks while no worker runs.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson
from django.utils.module_loading import autodiscover_modules
from redis.exceptions import RedisError

from ispcore import redis
from ispcore.tenants.context import current_tenant_id
from ispcore.totals import EXACT_UP_TO

# Without a worker a kept sum is shown for so long after it was due, then everybody counts again.
GRACE_SECONDS = 600
# A weekend, and some: whoever comes back on Monday finds them made.
WANTED_SECONDS = 7 * 24 * 3600
WANTED = "sums:wanted"  # A sorted set of "tenant/name" by the moment somebody looked last.


@dataclass(frozen=True, slots=True)
class Sum:
    """What is summed up: `count` returns plain JSON for the bound tenant, and how many rows it read."""

    name: str
    count: Callable[[], tuple[Any, int]]
    seconds: int  # So old one of a large tenant may become before it is made anew.


_sums: dict[str, Sum] = {}


def add(one: Sum) -> Sum:
    _sums[one.name] = one
    return one


def read(one: Sum) -> Any:
    """Return the sum of the bound tenant's rows: of now, or for a large tenant as it was at most some minutes ago."""
    kept = _find(one)
    return count(one) if kept is None else orjson.loads(kept)


def count(one: Sum) -> Any:
    """Count now, and keep what took many rows."""
    value, rows = one.count()
    if rows > EXACT_UP_TO:
        _keep(one, orjson.dumps(value).decode())
    return value


def due() -> dict[UUID, list[str]]:
    """Return the sums that somebody looked at lately and that are to be made anew, by tenant.

    Raises RedisError.
    """
    store = redis.client()
    store.zremrangebyscore(WANTED, "-inf", time.time() - WANTED_SECONDS)
    autodiscover_modules("admin")  # Whatever a page shows.
    found: dict[UUID, list[str]] = {}
    members: list[Any] = list(store.zrange(WANTED, 0, -1))
    for member in members:
        tenant, _, name = member.partition("/")
        one = _sums.get(name)
        if one is not None and store.ttl(_key(tenant, name)) <= GRACE_SECONDS:
            found.setdefault(UUID(tenant), []).append(name)
    return found


def count_all(names: Iterable[str]) -> None:
    """Make these sums anew for the bound tenant; names that this release does not know are left out."""
    autodiscover_modules("admin")
    for name in names:
        if name in _sums:
            count(_sums[name])


def _find(one: Sum) -> str | None:
    tenant = current_tenant_id()
    try:
        pipe = redis.client().pipeline(transaction=False)
        pipe.get(_key(tenant, one.name))
        pipe.zadd(WANTED, {f"{tenant}/{one.name}": time.time()}, xx=True)
        kept: str | None = pipe.execute()[0]
    except RedisError:
        return None
    return kept


def _keep(one: Sum, value: str) -> None:
    tenant = current_tenant_id()
    try:
        pipe = redis.client().pipeline()
        pipe.set(_key(tenant, one.name), value, ex=one.seconds + GRACE_SECONDS)
        pipe.zadd(WANTED, {f"{tenant}/{one.name}": time.time()}, nx=True)
        pipe.execute()
    except RedisError:
        return  # The next who looks counts again.


def _key(tenant: UUID | str, name: str) -> str:
    return f"sum:{tenant}:{name}"
