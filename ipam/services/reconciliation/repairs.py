"""Repairs of drifts: only such as take nothing from a line."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from django.db import transaction

from ipam.models import Address, AddressState, Drift, DriftKind, Reconciliation, Repair, SeenIn
from ipam.services import allocation, naming, space
from ipam.services.imports.addresses import BAD, Batch
from ipam.services.imports.book import Book
from ipam.services.imports.entries import AddressEntry
from ispcore.errors import DomainError, NotRegistered
from ispcore.files.seen import SeenClaims

MOST_AT_ONCE = 10_000
BATCH = 500


class How(StrEnum):
    """What staff may do about a drift."""

    RESERVE = "reserve"
    ASSIGN = "assign"
    DISMISS = "dismiss"


DONE = {How.RESERVE: Repair.RESERVED, How.ASSIGN: Repair.ASSIGNED, How.DISMISS: Repair.DISMISSED}


class DriftNotFound(NotRegistered):
    message = "There is no such drift."


class ReconciliationNotFound(NotRegistered):
    message = "There is no such reconciliation."


class DriftRepaired(DomainError):
    code = "drift_repaired"
    message = "{address} was settled already: {repair}."


class DriftNotRepairable(DomainError):
    code = "drift_not_repairable"
    message = "{address}: {kind}. No address is taken from a line by this; look at the line, or dismiss it."


class DriftOutdated(DomainError):
    code = "drift_outdated"
    message = "{address} is {state} by now. Dismiss this, or compare again."


class NobodySeen(DomainError):
    code = "nobody_seen"
    message = "Which service uses {address} was not seen. Keep it back instead, and find out."


@dataclass(frozen=True)
class Repaired:
    """How many were kept back, and how many are still open: resting, or settled otherwise meanwhile."""

    repaired: int
    left: int


@transaction.atomic
def repair_drift(*, drift_id: UUID, how: str, at: datetime, user_id: UUID | None = None) -> Drift:
    """Keep back or assign what is used and free in the book, or dismiss a drift. Safe to repeat.

    Raises DriftNotFound, DriftRepaired, DriftNotRepairable, DriftOutdated, NobodySeen, and what
    `ipam.services.allocation.allocate` raises.
    """
    rows = Drift.objects.select_for_update(of=("self",)).select_related("record", "reconciliation")
    drift: Drift | None = rows.filter(pk=drift_id).first()
    if drift is None:
        raise DriftNotFound
    done = DONE[How(how)]
    if drift.repair == done:
        return drift
    if drift.repair:
        raise DriftRepaired(address=drift.address, repair=drift.get_repair_display().lower())
    if how != How.DISMISS:
        if drift.kind != DriftKind.USED_BUT_FREE:
            raise DriftNotRepairable(address=drift.address, kind=drift.get_kind_display())
        if how == How.ASSIGN:
            _assign(drift, at, user_id)
        else:
            _reserve(drift, at, user_id)
    drift.repair, drift.repaired_at, drift.repaired_by_id = done, at, user_id
    drift.save()
    return drift


@transaction.atomic
def repair_all(*, reconciliation_id: UUID, at: datetime, user_id: UUID | None = None) -> Repaired:
    """Keep back all that a reconciliation saw in use and is free in the book, at most 10,000 at once.

    Safe to repeat. Raises ReconciliationNotFound.
    """
    found = Reconciliation.objects.filter(pk=reconciliation_id).first()
    if found is None:
        raise ReconciliationNotFound
    open_ones = Drift.objects.filter(reconciliation=found, kind=DriftKind.USED_BUT_FREE, repaired_at=None)
    drifts = list(
        open_ones.select_for_update(of=("self",))
        .select_related("record", "reconciliation")
        .order_by("pk")[:MOST_AT_ONCE]
    )
    book, seen = Book(default_vrf_id=found.vrf_id), SeenClaims()
    book.refresh()
    kept: list[UUID] = []
    for start in range(0, len(drifts), BATCH):
        some = drifts[start : start + BATCH]
        entries = [
            AddressEntry(
                number, address=_target(drift), state=AddressState.RESERVED, reserved_for=_reason(drift)
            )
            for number, drift in enumerate(some, start)
        ]
        Batch(entries, book=book, seen=seen, at=at, user_id=user_id).take_in()
        kept += [drift.pk for drift, entry in zip(some, entries, strict=True) if entry.outcome != BAD]
    seen.close()
    Drift.objects.filter(pk__in=kept).update(
        repair=Repair.RESERVED, repaired_at=at, repaired_by_id=user_id, updated_at=at
    )
    return Repaired(repaired=len(kept), left=open_ones.count())


def _assign(drift: Drift, at: datetime, user_id: UUID | None) -> None:
    if drift.seen_subscription_id is None:
        raise NobodySeen(address=drift.address)
    address = _target(drift)
    subnet = space.subnet_around(vrf_id=drift.vrf_id, address=address)
    if subnet is None:
        raise DriftOutdated(address=address, state="in no subnet")
    allocation.allocate(
        at=at,
        subnet_id=subnet.pk,
        address=address,
        subscription_id=drift.seen_subscription_id,
        user_id=user_id,
    )


def _reserve(drift: Drift, at: datetime, user_id: UUID | None) -> None:
    """Keep an address back, also one that rests: its next holder would meet who uses it."""
    address = _target(drift)
    subnet = space.subnet_around(vrf_id=drift.vrf_id, address=address)
    if subnet is None:
        raise DriftOutdated(address=address, state="in no subnet")
    row: Address = naming.lock_row(naming.locate(address, pool=None, subnet=subnet), at=at)
    if row.state == AddressState.ASSIGNED:
        raise DriftOutdated(address=address, state="assigned")
    if row.state != AddressState.RESERVED:
        row.state, row.reserved_for = AddressState.RESERVED, _reason(drift)
        row.free_since = row.quarantined_until = None
        row.changed_by_id = user_id
        row.save()


def _target(drift: Drift) -> str:
    """Return what is kept back or assigned: the free prefix in which an address was seen, or the address."""
    return str(drift.record.address if drift.record else drift.address)


def _reason(drift: Drift) -> str:
    seen_in = SeenIn(drift.reconciliation.seen_in).label.lower()
    return f"In use by the {seen_in}{f': {drift.seen_as}' if drift.seen_as else ''}"[:120]
