"""Pools: their ranges, what is kept back of them, and what comes next."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any, TypedDict
from uuid import UUID

from django.db import connection, transaction
from django.db.models import prefetch_related_objects

from ipam.models import Address, AddressState, Exclusion, Pool, PoolKind, PoolRange, Subnet
from ipam.models.fields import BITS
from ipam.services import layout, ranges, space
from ispcore.errors import DomainError, NotRegistered
from ispcore.tenants.context import current_tenant_id

MOST_RANGES = 200
MOST_EXCLUSIONS = 500


class RangeFields(TypedDict):
    first: str
    last: str


class ExclusionFields(TypedDict, total=False):
    first: str
    last: str
    reason: str


class PoolUnknown(NotRegistered):
    message = "There is no such pool."
    field = "pool_id"


class PoolShapeFixed(DomainError):
    code = "pool_shape_fixed"
    message = "The {what} of a pool that has ranges cannot change. Make another pool."

    def __init__(self, **details: Any) -> None:
        super().__init__(**details)
        self.field = details["what"]


class WrongLength(DomainError):
    code = "wrong_length"
    message = "{what}"
    status = 422
    field = "prefix_length"


class WrongRange(DomainError):
    code = "wrong_range"
    message = "{range}: {why}"
    status = 422
    field = "ranges"


class WrongExclusion(WrongRange):
    code = "wrong_exclusion"
    field = "exclusions"


class RangeOutsideSubnets(DomainError):
    code = "range_outside_subnets"
    message = "{range} lies in no subnet of the VRF, or not wholly in one. Add the subnet first."
    field = "ranges"


class RangeOverlaps(DomainError):
    code = "pool_range_overlaps"
    message = "{range} overlaps {other} of the pool {pool}."
    field = "ranges"


class RangeInUse(DomainError):
    code = "range_in_use"
    message = "{address} is {state}, and would no longer be handed out. Release it first."
    field = "ranges"


class ExclusionInUse(RangeInUse):
    code = "exclusion_in_use"
    field = "exclusions"


class PoolInUse(DomainError):
    code = "pool_in_use"
    message = "{name} still has addresses that are {states}. Switch it off with `is_active` meanwhile."


@transaction.atomic
def create_pool(
    *,
    vrf_id: UUID,
    ranges_given: Sequence[RangeFields] = (),
    exclusions: Sequence[ExclusionFields] = (),
    kind: str = PoolKind.ADDRESS,
    family: int = 4,
    prefix_length: int | None = None,
    **fields: Any,
) -> Pool:
    """Add a pool. `prefix_length` is that of each delegated prefix; single addresses have none.

    Raises VrfUnknown, WrongLength, WrongRange, WrongExclusion, RangeOutsideSubnets, RangeOverlaps, RangeInUse.
    """
    space.lock_vrf(vrf_id)
    length = _length_for(kind, family, prefix_length)
    pool: Pool = Pool.objects.create(vrf_id=vrf_id, kind=kind, family=family, prefix_length=length, **fields)
    _set_ranges(pool, ranges_given)
    _set_exclusions(pool, exclusions)
    layout.count_again(Pool.objects.filter(pk=pool.pk))
    return pool


@transaction.atomic
def change_pool(
    *,
    pool_id: UUID,
    ranges_given: Sequence[RangeFields] | None = None,
    exclusions: Sequence[ExclusionFields] | None = None,
    **fields: Any,
) -> Pool:
    """Change a pool; what is not given stays, and lists given replace those it had.

    Raises PoolUnknown, PoolShapeFixed, WrongLength, WrongRange, WrongExclusion, RangeOutsideSubnets,
    RangeOverlaps, RangeInUse, ExclusionInUse.
    """
    pool = _lock_with_vrf(pool_id)
    _change_shape(pool, fields)
    for name, value in fields.items():
        setattr(pool, name, value)
    pool.save()
    if ranges_given is not None:
        _set_ranges(pool, ranges_given)
    if exclusions is not None:
        _set_exclusions(pool, exclusions)
    layout.count_again(Pool.objects.filter(pk=pool.pk))
    return pool


@transaction.atomic
def remove_pool(*, pool_id: UUID) -> None:
    """Delete a pool of which nothing is assigned, kept back or resting. Who held what stays known.

    Raises PoolUnknown, PoolInUse.
    """
    pool = _lock_with_vrf(pool_id)
    rows = Address.objects.filter(pool=pool)
    states = rows.exclude(state=AddressState.FREE).values_list("state", flat=True).distinct()
    if used := sorted({AddressState(state).label.lower() for state in states}):
        raise PoolInUse(name=pool.name, states=", ".join(used))
    layout.forget(rows)
    pool.delete()


def lock_pool(pool_id: UUID) -> Pool:
    """Lock a pool, so that its rows are made by one at a time. References to it do not wait.

    Raises PoolUnknown.
    """
    pool: Pool | None = Pool.objects.filter(pk=pool_id).select_for_update(of=("self",), no_key=True).first()
    if pool is None:
        raise PoolUnknown
    return pool


def next_free(rows: Collection[Pool]) -> dict[UUID, str]:
    """Return what each pool would hand out next; a pool that has nothing left is left out.

    A constant number of statements, and an index read a pool.
    """
    if not rows:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT pool.id, free.address
            FROM unnest(%(pools)s::uuid[]) AS pool (id) CROSS JOIN LATERAL (
                SELECT address FROM ipam_address
                WHERE tenant_id = %(tenant)s AND pool_id = pool.id AND state = 'free'
                ORDER BY free_since, address LIMIT 1
            ) AS free
            """,
            {"pools": [pool.pk for pool in rows], "tenant": current_tenant_id()},
        )
        found: dict[UUID, str] = dict(cursor.fetchall())
    rest = [pool for pool in rows if pool.pk not in found]
    prefetch_related_objects(rest, "ranges__subnet", "exclusions")
    for pool in rest:
        if address := layout.first_of_frontier(pool):
            found[pool.pk] = address
    return found


def _lock_with_vrf(pool_id: UUID) -> Pool:
    vrf_id = Pool.objects.filter(pk=pool_id).values_list("vrf_id", flat=True).first()
    if vrf_id is None:
        raise PoolUnknown
    space.lock_vrf(vrf_id)
    return lock_pool(pool_id)


def _length_for(kind: str, family: int, prefix_length: int | None) -> int:
    bits = BITS[family]
    if kind == PoolKind.ADDRESS:
        if prefix_length not in (None, bits):
            raise WrongLength(what=f"A pool of single IPv{family} addresses has no prefix length but {bits}.")
        return bits
    if prefix_length is None:
        raise WrongLength(what="A pool of delegated prefixes needs the length of each, such as 56.")
    shortest = 8 if family == 4 else 16
    if not shortest <= prefix_length < bits:
        raise WrongLength(what=f"A delegated IPv{family} prefix has a length of {shortest} to {bits - 1}.")
    return prefix_length


def _change_shape(pool: Pool, fields: dict[str, Any]) -> None:
    """Check a change of what its ranges are bound to; it is allowed while there are none."""
    named = {name: fields[name] for name in ("kind", "family", "prefix_length") if name in fields}
    wanted = {"kind": pool.kind, "family": pool.family, "prefix_length": pool.prefix_length, **named}
    if "prefix_length" not in named and (wanted["kind"], wanted["family"]) != (pool.kind, pool.family):
        wanted["prefix_length"] = None
    length = _length_for(wanted["kind"], wanted["family"], wanted["prefix_length"])
    fields["prefix_length"] = length
    for name in ("kind", "family", "prefix_length"):
        if name in fields and fields[name] != getattr(pool, name) and pool.ranges.exists():
            raise PoolShapeFixed(what=name)


def _set_ranges(pool: Pool, given: Sequence[RangeFields]) -> None:
    """Make the pool's ranges those given. What is assigned must stay within; the rest is let go."""
    spans = _checked_spans(pool, given, WrongRange)
    _refuse_to_lose(pool, spans)
    before = {ranges.number_of(old.first): old for old in pool.ranges.all()}
    pool.ranges.all().delete()
    for span in spans:
        part = PoolRange(
            pool=pool,
            subnet=_subnet_of(pool, span),
            vrf_id=pool.vrf_id,
            family=pool.family,
            prefix_length=pool.prefix_length,
            first=ranges.text_of(span.first, pool.family),
            last=ranges.text_of(span.last, pool.family),
        )
        part.subnet_network = part.subnet.network
        part.next_address = _frontier(part, before.get(span.first))
        _refuse_overlap(part, pool)
        part.save(force_insert=True)
        _adopt(part, pool)


def _checked_spans(
    pool: Pool, given: Iterable[Mapping[str, Any]], refusal: type[WrongRange]
) -> list[ranges.Span]:
    size = ranges.unit_size(pool.family, pool.prefix_length)
    spans = []
    for each in given:
        text = f"{each['first']} – {each['last']}"
        if {ranges.family_of(each["first"]), ranges.family_of(each["last"])} != {pool.family}:
            raise refusal(range=text, why=f"the pool is one of IPv{pool.family}.")
        span = ranges.Span(ranges.number_of(each["first"]), ranges.number_of(each["last"]))
        if span.first > span.last:
            raise refusal(range=text, why="the last address comes before the first.")
        whole = ranges.widened(span, size)
        if refusal is WrongRange and whole != span:
            meant = " – ".join(ranges.text_of(number, pool.family) for number in whole)
            raise refusal(range=text, why=f"it cuts a /{pool.prefix_length}; {meant} does not.")
        spans.append(span)
    spans.sort()
    for one, other in pairwise(spans):
        if other.first <= one.last:
            text = " – ".join(ranges.text_of(number, pool.family) for number in other)
            raise refusal(range=text, why="it overlaps another one given.")
    return spans


def _refuse_to_lose(pool: Pool, spans: list[ranges.Span]) -> None:
    """Let go of the addresses outside of `spans`.

    Raises RangeInUse when one of them is assigned.
    """
    rows = Address.objects.filter(pool=pool)
    old = [layout.span_of_range(part) for part in pool.ranges.all()]
    for lost in ranges.without(old, spans):
        inside = layout.within(rows, lost, pool.family)
        # Whoever is handing one out ends first; the state read is the one it left.
        list(inside.order_by("pk").select_for_update(of=("self",)).values_list("pk", flat=True))
        if used := inside.filter(state=AddressState.ASSIGNED).order_by("address").first():
            raise RangeInUse(address=used.address, state="assigned")
        layout.forget(inside.filter(state=AddressState.FREE))
        inside.update(pool=None)


def _subnet_of(pool: Pool, span: ranges.Span) -> Subnet:
    """Return the smallest subnet around a range; one that a smaller subnet cuts into is refused."""
    first, last = (ranges.text_of(number, pool.family) for number in span)
    subnet = space.subnet_around(vrf_id=pool.vrf_id, address=first)
    while subnet and ranges.span_of(subnet.network).last < span.last:
        subnet = subnet.parent
    within = layout.subnets_across(pool.vrf_id, span, pool.family)
    if subnet is None or within.filter(parent_id=subnet.pk).exists():
        raise RangeOutsideSubnets(range=f"{first} – {last}")
    return subnet


def _frontier(part: PoolRange, before: PoolRange | None) -> str | None:
    """Return where to go on making rows: where the range of the same beginning had come to."""
    if before is None:
        return str(part.first)
    done = before.next_address
    begin = ranges.number_of(done) if done else ranges.number_of(before.last) + 1
    inside = begin <= ranges.number_of(part.last)
    return ranges.text_of(begin, part.family) if inside else None


def _refuse_overlap(part: PoolRange, pool: Pool) -> None:
    other = layout.ranges_across(pool.vrf_id, layout.span_of_range(part), pool.family).first()
    if other:
        raise RangeOverlaps(range=part, other=other, pool=other.pool)


def _adopt(part: PoolRange, pool: Pool) -> None:
    """Take in what has been handed out of the range by name before it was one.

    Raises RangeInUse for what is no unit of the pool, such as an address where prefixes are delegated.
    """
    loose = layout.within(
        Address.objects.filter(vrf_id=pool.vrf_id, pool=None), layout.span_of_range(part), part.family
    )
    layout.forget(loose.filter(state=AddressState.FREE))
    rows = list(loose.order_by("pk").select_for_update(of=("self",)))
    for row in rows:
        if ranges.length_of(row.address) != pool.prefix_length:
            raise RangeInUse(address=row.address, state=row.get_state_display().lower())
    Address.objects.filter(pk__in=[row.pk for row in rows]).update(pool=pool, subnet=part.subnet_id)


def _set_exclusions(pool: Pool, given: Sequence[ExclusionFields]) -> None:
    """Make what the pool keeps back what is given."""
    spans = _checked_spans(pool, given, WrongExclusion)
    old = [layout.span_of_range(each) for each in pool.exclusions.all()]
    size = ranges.unit_size(pool.family, pool.prefix_length)
    for new in ranges.without([ranges.widened(span, size) for span in spans], old):
        inside = layout.within(Address.objects.filter(pool=pool), new, pool.family)
        list(inside.order_by("pk").select_for_update(of=("self",)).values_list("pk", flat=True))
        held = inside.filter(state__in=[AddressState.ASSIGNED, AddressState.RESERVED])
        if used := held.order_by("address").first():
            raise ExclusionInUse(address=used.address, state=used.get_state_display().lower())
        layout.forget(inside)
    if ranges.without(old, spans):  # What is no longer kept back may lie behind the frontier.
        for part in pool.ranges.all():
            part.next_address = part.first
            part.save(update_fields=["next_address"])
    pool.exclusions.all().delete()
    Exclusion.objects.bulk_create(Exclusion(pool=pool, **each) for each in given)
