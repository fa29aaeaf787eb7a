"""Handing out addresses and delegated prefixes."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Min

from ipam.models import Address, AddressState, Pool, PoolKind, Subnet
from ipam.models.fields import BITS
from ipam.services import layout, naming, pools, ranges, space, usage
from ispcore.errors import DomainError, NotRegistered
from ispcore.tenants.context import current_tenant_id
from subscribers.models import ServiceStatus

ENDED = (ServiceStatus.TERMINATED, ServiceStatus.CANCELLED)
COLUMNS = tuple(field.attname for field in Address._meta.concrete_fields)
_LISTED = ", ".join(f"(taken).{name}" for name in COLUMNS)

LOCK_LINE_SQL = (
    "SELECT status FROM subscribers_subscription WHERE tenant_id = %s AND id = %s FOR NO KEY UPDATE"
)

# The function stands in the first migration; its plans are kept by the connection.
TAKE_SQL = f"""
SELECT is_new, {_LISTED}
FROM ipam_take(%(tenant)s, %(pool)s, %(subnet)s, %(family)s, %(length)s, %(line)s, %(holder)s, %(hostname)s, %(at)s,
               %(user)s, %(waits)s)
"""  # noqa: S608  (only column names are put in)


class LineUnknown(NotRegistered):
    message = "There is no such service."
    field = "service_id"


class LineEnded(DomainError):
    code = "line_ended"
    message = "The service is {status}: it gets no address."
    field = "service_id"


class PoolInactive(DomainError):
    code = "pool_inactive"
    message = "The pool {name} hands out no addresses: it is switched off."
    field = "pool_id"


class PoolExhausted(DomainError):
    code = "pool_exhausted"
    message = (
        "Nothing is left in {name}: of {total}, {assigned} are assigned, {reserved} reserved and {resting} resting. "
        "{next}"
    )


class NoPoolForPrefixes(DomainError):
    code = "no_pool_for_prefixes"
    message = "No pool hands out prefixes of /{length} in {network}."
    field = "prefix_length"


class SubnetExhausted(DomainError):
    code = "pool_exhausted"
    message = "Nothing is left in {network} outside of its pools and subnets."


@dataclass(frozen=True)
class Allocation:
    """An address that is held; `is_new` is false when its holder had it already."""

    address: Address
    is_new: bool


@dataclass(frozen=True)
class Request:
    """Who wants an address, and when."""

    at: datetime
    subscription_id: UUID | None
    assigned_to: str
    hostname: str
    user_id: UUID | None


def allocate(
    *,
    at: datetime,
    pool_id: UUID | None = None,
    subnet_id: UUID | None = None,
    address: str | None = None,
    subscription_id: UUID | None = None,
    assigned_to: str = "",
    hostname: str = "",
    family: int | None = None,
    prefix_length: int | None = None,
    take_reserved: bool = False,
    user_id: UUID | None = None,
) -> Allocation:
    """Give a line, or what `assigned_to` names, an address of a pool or a subnet: the next free or a named one.

    Exactly one of `subscription_id` and `assigned_to`, and one of `pool_id` and `subnet_id`. Safe to repeat for a
    line: it holds at most one address of each pool and gets the same again. `address` may be a prefix with its
    mask; `prefix_length` asks for a delegated prefix. A reserved address is given by name with `take_reserved`.
    Call it inside a transaction; a refusal changes nothing.

    Raises PoolUnknown, SubnetUnknown, LineUnknown, LineEnded, PoolInactive, PoolExhausted, NoPoolForPrefixes,
    WrongFamily, WrongLength, AddressTaken, AddressReserved, AddressNotAllowed, LineHoldsAnother.
    """
    wanted = Request(at, subscription_id, assigned_to, hostname, user_id)
    if (
        pool_id
        and not address
        and (taken := _take(wanted, pool_id, family=family, prefix_length=prefix_length))
    ):
        return taken
    if subscription_id:
        _lock_line(subscription_id)
    if pool_id:
        pool = Pool.objects.filter(pk=pool_id).first()
        if pool is None:
            raise pools.PoolUnknown
        _check_pool(pool, family, prefix_length)
        if address:
            return _allocate_named(wanted, address, pool, None, take_reserved)
        return _allocate_next(wanted, pool)
    subnet = Subnet.objects.filter(pk=subnet_id).first()
    if subnet is None:
        raise space.SubnetUnknown
    naming.check_family(family, ranges.family_of(subnet.network), subnet.network)
    if address:
        return _allocate_named(wanted, address, None, subnet, take_reserved)
    return _allocate_in_subnet(wanted, subnet, prefix_length)


def _lock_line(subscription_id: UUID) -> None:
    """Let the requests for one line take turns: two at once get the same address."""
    with connection.cursor() as cursor:
        cursor.execute(LOCK_LINE_SQL, [current_tenant_id(), subscription_id])
        found = cursor.fetchone()
    if found is None:
        raise LineUnknown
    if found[0] in ENDED:
        raise LineEnded(status=ServiceStatus(found[0]).label.lower())


def _check_pool(pool: Pool, family: int | None, prefix_length: int | None) -> None:
    if not pool.is_active:
        raise PoolInactive(name=pool.name)
    naming.check_family(family, pool.family, pool.name)
    if prefix_length is not None and prefix_length != pool.prefix_length:
        what = f"{pool.name} hands out /{pool.prefix_length}, and no /{prefix_length}."
        raise pools.WrongLength(what=what)


def _allocate_next(wanted: Request, pool: Pool, subnet: Subnet | None = None) -> Allocation:
    """Make rows, or end quarantines that are over, of a pool that had nothing free a moment ago, and take one."""
    # In a statement of its own: the next one then sees what whoever held the lock has made.
    pools.lock_pool(pool.pk)
    if taken := _take(wanted, pool.pk, subnet):
        return taken
    end_quarantines(at=wanted.at, pool_id=pool.pk)
    layout.make_rows(pool, at=wanted.at, subnet_id=subnet.pk if subnet else None)
    # At last wait for whoever is taking one and may yet give it back.
    if taken := _take(wanted, pool.pk, subnet, waits=True):
        return taken
    raise _exhausted(pool)


def _allocate_in_subnet(wanted: Request, subnet: Subnet, prefix_length: int | None) -> Allocation:
    """Take the next address of a pool in the subnet, or, where it has none, of the subnet itself."""
    family = ranges.family_of(subnet.network)
    is_prefix = prefix_length is not None and prefix_length != BITS[family]
    candidates = Pool.objects.filter(ranges__subnet=subnet, is_active=True)
    candidates = candidates.filter(
        kind=PoolKind.PREFIX if is_prefix else PoolKind.ADDRESS, prefix_length=prefix_length or BITS[family]
    )
    pool = candidates.order_by("name").first()
    if pool:
        return _take(wanted, pool.pk, subnet) or _allocate_next(wanted, pool, subnet)
    if is_prefix:
        raise NoPoolForPrefixes(length=prefix_length, network=subnet.network)
    if taken := _take(wanted, None, subnet):
        return taken
    locked = Subnet.objects.filter(pk=subnet.pk).select_for_update(of=("self",), no_key=True).get()
    if taken := _take(wanted, None, subnet):
        return taken
    layout.make_rows_of_subnet(locked, at=wanted.at)
    if taken := _take(wanted, None, subnet, waits=True):
        return taken
    raise SubnetExhausted(network=subnet.network)


def _take(
    wanted: Request,
    pool_id: UUID | None,
    subnet: Subnet | None = None,
    *,
    family: int | None = None,
    prefix_length: int | None = None,
    waits: bool = False,
) -> Allocation | None:
    """Take the line's own address when it has one, else the longest free, in one call; None where there is none."""
    with connection.cursor() as cursor:
        cursor.execute(
            TAKE_SQL,
            {
                "tenant": current_tenant_id(),
                "pool": pool_id,
                "subnet": subnet.pk if subnet else None,
                "family": family,
                "length": prefix_length,
                "line": wanted.subscription_id,
                "holder": wanted.assigned_to,
                "hostname": wanted.hostname,
                "at": wanted.at,
                "user": wanted.user_id,
                "waits": waits,
            },
        )
        is_new, *row = cursor.fetchone()
    return Allocation(Address.from_db("default", COLUMNS, row), is_new) if row[0] else None


def _allocate_named(
    wanted: Request, address: str, pool: Pool | None, subnet: Subnet | None, take_reserved: bool
) -> Allocation:
    """Take the address named, whose row is made when it has none."""
    place = naming.locate(address, pool=pool, subnet=subnet)
    if place.pool and not place.pool.is_active:
        raise PoolInactive(name=place.pool.name)
    row = naming.lock_row(place, at=wanted.at)
    if row.state == AddressState.ASSIGNED:
        same = row.subscription_id == wanted.subscription_id and row.assigned_to == wanted.assigned_to
        if same:
            return Allocation(row, is_new=False)
    naming.refuse_unless_available(row, wanted.subscription_id, at=wanted.at, take_reserved=take_reserved)
    if wanted.subscription_id and place.pool:
        naming.refuse_second(wanted.subscription_id, place.pool)
    naming.assign(row, **vars(wanted))
    return Allocation(row, is_new=True)


def end_quarantines(*, at: datetime, pool_id: UUID | None = None, limit: int = 5000) -> int:
    """Free up to `limit` addresses whose rest is over; rows that others hold are skipped. Safe to repeat."""
    due = Address.objects.filter(state=AddressState.QUARANTINED, quarantined_until__lte=at)
    if pool_id:
        due = due.filter(pool_id=pool_id)
    keys = due.order_by("quarantined_until").select_for_update(of=("self",), skip_locked=True)
    pks = list(keys.values_list("pk", flat=True)[:limit])
    if not pks:
        return 0
    return int(
        Address.objects.filter(pk__in=pks).update(
            state=AddressState.FREE, quarantined_until=None, free_since=at, updated_at=at
        )
    )


def _exhausted(pool: Pool) -> PoolExhausted:
    counts = usage.counts_of_pools([pool.pk])[pool.pk]
    resting = Address.objects.filter(pool=pool, state=AddressState.QUARANTINED)
    soonest = resting.aggregate(at=Min("quarantined_until"))["at"]
    details: dict[str, Any] = {
        "name": pool.name,
        "total": counts.total,
        "assigned": counts.assigned,
        "reserved": counts.reserved,
        "resting": counts.quarantined,
        "next": f"The next becomes free at {soonest:%Y-%m-%dT%H:%M:%SZ}."
        if soonest
        else "None becomes free by itself.",
    }
    return PoolExhausted(**details)
