"""The address an ONU is managed by: given of a management pool, returned when the unit is removed."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from hardware.models import Onu, OnuStatus
from ipam.models import Address, AddressState, Pool, PoolKind, Purpose
from ipam.services import allocation, pools, release
from ispcore.errors import DomainError, NotRegistered


class OnuUnknown(NotRegistered):
    message = "There is no such ONU."


class OnuTakenOut(DomainError):
    code = "onu_taken_out"
    message = "{serial} was removed from its OLT. Authorise it before it gets an address."


class OnuManagedOtherwise(DomainError):
    code = "onu_has_management_address"
    message = "{serial} is managed by {address}. Give that back first."


class NotForManagement(DomainError):
    code = "not_for_management"
    message = "The pool {name} is not one of single addresses for management."
    status = 422
    field = "pool_id"


@transaction.atomic
def give_management_address(
    *, onu_id: UUID, pool_id: UUID, at: datetime, address: str | None = None, user_id: UUID | None = None
) -> Address:
    """Give an ONU the next address of a management pool, or a named one.

    Safe to repeat: one it has of this pool already is answered again. Raises OnuUnknown, OnuTakenOut,
    OnuManagedOtherwise, PoolUnknown, NotForManagement and what `ipam.services.allocation.allocate` raises.
    """
    onu = _lock(onu_id)
    pool = Pool.objects.filter(pk=pool_id).first()
    if pool is None:
        raise pools.PoolUnknown
    if pool.purpose != Purpose.MANAGEMENT or pool.kind != PoolKind.ADDRESS:
        raise NotForManagement(name=pool.name)
    held: Address | None = onu.management_address
    if held is not None:
        if held.pool_id == pool_id and address in (None, held.address):
            return held
        raise OnuManagedOtherwise(serial=onu.serial, address=held.address)
    if onu.status == OnuStatus.REMOVED:
        raise OnuTakenOut(serial=onu.serial)
    given = allocation.allocate(
        at=at, pool_id=pool_id, address=address, assigned_to=holder_name(onu), user_id=user_id
    ).address
    onu.management_address = given
    onu.save(update_fields=["management_address", "updated_at"])
    return given


@transaction.atomic
def return_management_address(
    *, onu_id: UUID, at: datetime, reason: str = "", user_id: UUID | None = None
) -> Address | None:
    """Take an ONU's management address back; it rests for its pool's time. Safe to repeat: then there is none.

    Raises OnuUnknown.
    """
    onu = _lock(onu_id)
    if onu.management_address_id is None:
        return None
    held = onu.management_address_id
    onu.management_address = None
    onu.save(update_fields=["management_address", "updated_at"])
    gone = release.release_all(at=at, address_ids=[held], reason=reason, user_id=user_id)
    return gone[0] if gone else None


@transaction.atomic
def forget_management_address(*, address_id: UUID) -> int:
    """Let go of an address that somebody released past its ONU; return how many ONUs it was of.

    Safe to repeat: an ONU that holds it, perhaps again, keeps it.
    """
    forgotten = 0
    rows = Onu.objects.filter(management_address=address_id).select_related("olt", "management_address")
    for onu in rows.select_for_update(of=("self",)):
        held = onu.management_address
        if held.state != AddressState.ASSIGNED or held.assigned_to != holder_name(onu):
            onu.management_address = None
            onu.save(update_fields=["management_address", "updated_at"])
            forgotten += 1
    return forgotten


def holder_name(onu: Onu) -> str:
    """Return how the address book names an ONU: two OLTs may list one serial."""
    return f"ONU {onu.serial} at {onu.olt.name}"[:120]


def _lock(onu_id: UUID) -> Onu:
    rows = Onu.objects.filter(pk=onu_id).select_related("olt", "management_address")
    onu: Onu | None = rows.select_for_update(of=("self",)).first()
    if onu is None:
        raise OnuUnknown
    return onu
