"""Addresses asked for by name: where they belong, and whether they may be had."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from ipam.models import Address, AddressState, PastAssignment, Pool, PoolRange, Subnet
from ipam.models.fields import BITS
from ipam.services import layout, pools, ranges, space
from ispcore.errors import DomainError
from ispcore.events.services import publish


class WrongFamily(DomainError):
    code = "wrong_family"
    message = "{name} is one of IPv{family}."
    status = 422
    field = "family"


class AddressNotAllowed(DomainError):
    code = "address_not_allowed"
    message = "{address} is not handed out: {why}."
    field = "address"


class AddressTaken(DomainError):
    code = "address_taken"
    message = "{address} is {state}."
    field = "address"


class AddressReserved(DomainError):
    code = "address_reserved"
    message = "{address} is kept back: {why}. `take_reserved` gives it all the same."
    field = "address"


class LineHoldsAnother(DomainError):
    code = "line_holds_another"
    message = "The service already holds {address} of {pool}. Release it first."
    field = "service_id"


@dataclass(frozen=True)
class Place:
    """Where an address belongs: its subnet, and its pool where one hands it out."""

    address: str
    subnet: Subnet
    pool: Pool | None


def check_family(wanted: int | None, family: int, name: str) -> None:
    if wanted is not None and wanted != family:
        raise WrongFamily(name=name, family=family)


def locate(address: str, *, pool: Pool | None, subnet: Subnet | None) -> Place:
    """Find where an address, or prefix with its mask, belongs that was asked for of a pool or a subnet.

    Raises WrongFamily, WrongLength, AddressNotAllowed.
    """
    family = ranges.family_of(address)
    if pool:
        check_family(family, pool.family, pool.name)
        vrf_id = pool.vrf_id
    else:
        assert subnet is not None
        check_family(family, ranges.family_of(subnet.network), subnet.network)
        vrf_id = subnet.vrf_id
    span = ranges.span_of(address)
    if ranges.number_of(address) % (span.last - span.first + 1):
        raise AddressNotAllowed(address=address, why="its host bits are set")
    part = layout.ranges_across(vrf_id, span, family).select_related("pool", "subnet").first()
    if pool and (part is None or part.pool_id != pool.pk):
        raise AddressNotAllowed(address=address, why=f"it lies outside the ranges of {pool.name}")
    around = part.subnet if part else space.subnet_around(vrf_id=vrf_id, address=address)
    if around is None or (subnet and not _lies_in(around, subnet)):
        raise AddressNotAllowed(address=address, why=f"it lies outside {subnet.network if subnet else 'all'}")
    if part:
        _check_in_range(address, span, part)
    else:
        _check_in_subnet(address, span, around)
    return Place(address, around, part.pool if part else None)


def place_in(vrf_id: UUID, address: str) -> Place:
    """Find where an address of a subnet of the VRF belongs, also one that nobody is handed."""
    around = space.subnet_around(vrf_id=vrf_id, address=address)
    assert around is not None
    span, family = ranges.span_of(address), ranges.family_of(address)
    part = layout.ranges_across(vrf_id, span, family).select_related("pool").first()
    return Place(address, around, part.pool if part else None)


def lock_row(place: Place, *, at: datetime) -> Address:
    """Lock the row of an address, made when there is none, after its pool or its subnet.

    Raises AddressTaken when a delegated prefix around it, or one within, stands in the way.
    """
    if place.pool:
        pools.lock_pool(place.pool.pk)
    else:
        Subnet.objects.select_for_update(of=("self",), no_key=True).get(pk=place.subnet.pk)
    vrf_id = place.subnet.vrf_id
    rows = Address.objects.filter(vrf_id=vrf_id)
    named = rows.filter(address=place.address).select_for_update(of=("self",))
    row: Address | None = named.first()
    if row is None:
        family, span = ranges.family_of(place.address), ranges.span_of(place.address)
        around = rows.filter(address__in=ranges.containers_of(place.address)).first()
        inside = None
        if span.first != span.last:
            loose = layout.within(rows, span, family)
            layout.forget(loose.filter(state=AddressState.FREE, pool=None))
            inside = loose.first()
        if other := around or inside:
            raise AddressTaken(
                address=place.address, state=f"part of {other.address}, or the other way round"
            )
        layout.make_row(place.pool, subnet=place.subnet, address=place.address, at=at)
        row = named.first()
    if row is None:
        raise AddressTaken(address=place.address, state="in the way of another")
    return row


def refuse_unless_available(
    row: Address, subscription_id: UUID | None, *, at: datetime, take_reserved: bool
) -> None:
    """Refuse an address that somebody holds, that is kept back, or that rests after another than this line."""
    if row.state == AddressState.ASSIGNED:
        raise AddressTaken(address=row.address, state="assigned")
    if row.state == AddressState.RESERVED and not take_reserved:
        raise AddressReserved(address=row.address, why=row.reserved_for or "no reason given")
    if row.state == AddressState.QUARANTINED:
        assert row.quarantined_until is not None
        if row.quarantined_until > at and not was_last_held_by(row, subscription_id):
            until = f"{row.quarantined_until:%Y-%m-%dT%H:%M:%SZ}"
            raise AddressTaken(address=row.address, state=f"resting after its last holder until {until}")


def was_last_held_by(row: Address, subscription_id: UUID | None) -> bool:
    """Tell whether a line was the last to hold an address: it may have it back at once."""
    if subscription_id is None:
        return False
    past = PastAssignment.objects.filter(vrf_id=row.vrf_id, address=row.address)
    last = past.order_by("-ended_at", "-id").values_list("subscription_id", flat=True).first()
    return bool(last == subscription_id)


def refuse_second(subscription_id: UUID, pool: Pool) -> None:
    other = Address.objects.filter(subscription_id=subscription_id, pool=pool).first()
    if other:
        raise LineHoldsAnother(address=other.address, pool=pool.name)


def assign(
    row: Address,
    *,
    at: datetime,
    subscription_id: UUID | None,
    assigned_to: str,
    hostname: str,
    user_id: UUID | None,
) -> None:
    """Give a locked row to its new holder, with its event."""
    row.state = AddressState.ASSIGNED
    row.subscription_id = subscription_id
    row.assigned_to = assigned_to
    row.hostname = hostname
    row.reserved_for = ""
    row.free_since = row.quarantined_until = None
    row.assigned_at = at
    row.changed_by_id = user_id
    row.save()
    publish(
        "ipam.address_assigned",
        address_id=str(row.pk),
        subscription_id=str(subscription_id) if subscription_id else "",
    )


def _lies_in(around: Subnet, subnet: Subnet) -> bool:
    inner, outer = ranges.span_of(around.network), ranges.span_of(subnet.network)
    return outer.first <= inner.first and inner.last <= outer.last


def _check_in_range(address: str, span: ranges.Span, part: PoolRange) -> None:
    """Refuse what the pool of a range keeps back, and what is no unit of it."""
    pool = part.pool
    if ranges.length_of(address) != pool.prefix_length:
        raise pools.WrongLength(what=f"{pool.name} hands out /{pool.prefix_length}: {address} is none.")
    size = ranges.unit_size(pool.family, pool.prefix_length)
    for excluded in pool.exclusions.all():
        hole = ranges.widened(layout.span_of_range(excluded), size)
        if hole.first <= span.first <= hole.last:
            why = f"the pool keeps {excluded} back" + (f" ({excluded.reason})" if excluded.reason else "")
            raise AddressNotAllowed(address=address, why=why)
    _refuse_kept(address, span, part.subnet)


def _check_in_subnet(address: str, span: ranges.Span, subnet: Subnet) -> None:
    if (
        span.first != span.last
        and layout.subnets_across(subnet.vrf_id, span, ranges.family_of(address))
        .filter(parent_id=subnet.pk)
        .exists()
    ):
        raise AddressNotAllowed(address=address, why="a subnet lies in it")
    _refuse_kept(address, span, subnet)


def _refuse_kept(address: str, span: ranges.Span, subnet: Subnet) -> None:
    """Refuse the network and broadcast address and the gateway; a prefix may begin where its subnet does."""
    is_prefix = ranges.length_of(address) != BITS[ranges.family_of(address)]
    for name, kept in ranges.never_handed_out(subnet.network, subnet.gateway).items():
        if span.first <= kept.first <= span.last and (not is_prefix or name == "gateway"):
            raise AddressNotAllowed(
                address=address,
                why=f"it is the {name} of {subnet.network}"
                if not is_prefix
                else f"the gateway of {subnet.network} lies in it",
            )
