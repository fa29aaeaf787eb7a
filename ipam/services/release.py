"""Giving addresses back, and keeping them back."""

from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from ipam.models import Address, AddressState, PastAssignment, Pool, Subnet
from ipam.models.pools import DAY_SECONDS
from ipam.services import naming, pools, ranges, space
from ipam.services.allocation import COLUMNS, LineUnknown
from ispcore.errors import DomainError, NotRegistered
from ispcore.tenants.context import current_tenant_id
from subscribers.models import Subscription

_LISTED = ", ".join(f"gone.{name}" for name in COLUMNS)
LOCK_SQL = "SELECT id FROM ipam_address WHERE tenant_id = %s AND id = ANY (%s) ORDER BY id FOR UPDATE"

# One statement: the address rests, who had it is kept, and the event is written.
RELEASE_SQL = f"""
WITH gone AS (
    UPDATE ipam_address AS gone
    SET state = CASE WHEN hold.seconds = 0 THEN 'free' ELSE 'quarantined' END,
        free_since = CASE WHEN hold.seconds = 0 THEN %(at)s END,
        quarantined_until = CASE WHEN hold.seconds > 0 THEN %(at)s + make_interval(secs => hold.seconds) END,
        subscription_id = NULL, assigned_to = '', hostname = '', assigned_at = NULL, updated_at = %(at)s,
        changed_by_id = %(user)s
    FROM (
        SELECT held.id AS address_id, COALESCE(pool.hold_seconds, %(hold)s) AS seconds
        FROM ipam_address AS held
        LEFT JOIN ipam_pool AS pool ON pool.tenant_id = %(tenant)s AND pool.id = held.pool_id
        WHERE held.tenant_id = %(tenant)s AND held.id = ANY (%(ids)s)
    ) AS hold
    WHERE gone.tenant_id = %(tenant)s AND gone.id = hold.address_id AND gone.state = 'assigned'
          AND (%(line)s::uuid IS NULL OR gone.subscription_id = %(line)s)
    RETURNING gone.*, old.subscription_id AS line, old.assigned_to AS holder, old.hostname AS old_hostname,
              old.assigned_at AS began_at
), past AS (
    INSERT INTO ipam_pastassignment (id, tenant_id, created_at, updated_at, vrf_id, pool_id, address,
        subscription_id, assigned_to, hostname, began_at, ended_at, ended_by_id, reason)
    SELECT uuidv7(), tenant_id, %(at)s, %(at)s, vrf_id, pool_id, address, line, holder, old_hostname,
           LEAST(began_at, %(at)s), %(at)s, %(user)s, %(reason)s
    FROM gone
), told AS (
    INSERT INTO events_event (id, tenant_id, created_at, updated_at, name, payload)
    SELECT uuidv7(), tenant_id, %(at)s, %(at)s, 'ipam.address_released',
           jsonb_build_object('address_id', id, 'subscription_id', COALESCE(line::text, ''))
    FROM gone
)
SELECT {_LISTED} FROM gone ORDER BY gone.address
"""  # noqa: S608  (only column names are put in)


class AddressUnknown(NotRegistered):
    message = "There is no such address."
    field = "address_id"


class NotHolder(DomainError):
    code = "not_holder"
    message = "The service does not hold {what}."
    field = "service_id"


class SeveralHeld(DomainError):
    code = "several_held"
    message = "The service holds {addresses}. Say which, by `pool_id` or by `address_id`."
    field = "service_id"


class NotAssigned(DomainError):
    code = "not_assigned"
    message = "{address} is {state}, not assigned."


def release(
    *,
    at: datetime,
    address_id: UUID | None = None,
    vrf_id: UUID | None = None,
    address: str | None = None,
    subscription_id: UUID | None = None,
    pool_id: UUID | None = None,
    reason: str = "",
    user_id: UUID | None = None,
) -> Address:
    """Take one address back: it rests for its pool's time. Named by id, by VRF and address, or by its line.

    With a line beside it, only when that line holds it. Safe to repeat: what is free or rests already is answered
    as it is. Raises AddressUnknown, NotHolder, SeveralHeld, NotAssigned for one that is kept back.
    """
    row = _find(address_id, vrf_id, address, subscription_id, pool_id)
    if row.state == AddressState.ASSIGNED:
        if subscription_id not in (None, row.subscription_id):
            raise NotHolder(what=row.address)
        return release_all(at=at, address_ids=[row.pk], reason=reason, user_id=user_id)[0]
    if subscription_id and not naming.was_last_held_by(row, subscription_id):
        raise NotHolder(what=row.address)
    if row.state == AddressState.RESERVED:
        raise NotAssigned(address=row.address, state="kept back")
    return row


def release_line(
    *,
    at: datetime,
    subscription_id: UUID,
    pool_id: UUID | None = None,
    reason: str = "",
    user_id: UUID | None = None,
) -> list[Address]:
    """Take back all a line holds, or what it holds of one pool. Safe to repeat: then there is nothing."""
    held = Address.objects.filter(subscription_id=subscription_id)
    if pool_id:
        held = held.filter(pool_id=pool_id)
    keys = list(held.values_list("pk", flat=True))
    if not keys:
        return []
    return release_all(
        at=at, address_ids=keys, subscription_id=subscription_id, reason=reason, user_id=user_id
    )


def release_all(
    *,
    at: datetime,
    address_ids: list[UUID],
    subscription_id: UUID | None = None,
    reason: str = "",
    user_id: UUID | None = None,
) -> list[Address]:
    """Take back those of the addresses that are assigned, to the line when one is given; return them as they are."""
    with connection.cursor() as cursor:
        if len(address_ids) > 1:  # In key order, so that two callers never wait for each other.
            cursor.execute(LOCK_SQL, [current_tenant_id(), address_ids])
        cursor.execute(
            RELEASE_SQL,
            {
                "tenant": current_tenant_id(),
                "ids": address_ids,
                "line": subscription_id,
                "at": at,
                "user": user_id,
                "reason": reason,
                "hold": DAY_SECONDS,
            },
        )
        return [Address.from_db("default", COLUMNS, row) for row in cursor.fetchall()]


def reserve(
    *,
    at: datetime,
    address: str,
    reserved_for: str,
    pool_id: UUID | None = None,
    subnet_id: UUID | None = None,
    user_id: UUID | None = None,
) -> tuple[Address, bool]:
    """Keep an address of a pool or subnet back, until it is given by name or let go; tell whether it is new.

    Safe to repeat. Raises PoolUnknown, SubnetUnknown, WrongFamily, WrongLength, AddressNotAllowed, AddressTaken.
    """
    pool = Pool.objects.filter(pk=pool_id).first() if pool_id else None
    subnet = Subnet.objects.filter(pk=subnet_id).first() if subnet_id else None
    if pool_id and pool is None:
        raise pools.PoolUnknown
    if pool is None and subnet is None:
        raise space.SubnetUnknown
    row = naming.lock_row(naming.locate(address, pool=pool, subnet=subnet), at=at)
    is_new = row.state != AddressState.RESERVED
    naming.refuse_unless_available(row, None, at=at, take_reserved=True)
    _keep_back(row, reserved_for, user_id)
    return row, is_new


def reserve_for_owner(
    *,
    at: datetime,
    address: str,
    owner: str,
    subscription_id: UUID | None = None,
    user_id: UUID | None = None,
) -> Address | None:
    """Keep an address back for something that has it for good, such as an account; `owner` names it alone.

    None where the subnets of no VRF, or of several, have the address: it is not managed here. One that the owner's
    own line holds stays assigned. Takes nothing that is not free. Safe to repeat. Raises AddressTaken.
    """
    around = Subnet.objects.filter(network__in=ranges.containers_of(address))
    vrfs = list(around.order_by().values_list("vrf_id", flat=True).distinct()[:2])
    if len(vrfs) != 1:
        return None
    row = naming.lock_row(naming.place_in(vrfs[0], address), at=at)
    is_its_own = (row.state == AddressState.RESERVED and row.reserved_for == owner) or (
        row.state == AddressState.ASSIGNED
        and subscription_id is not None
        and row.subscription_id == subscription_id
    )
    if not is_its_own:
        if row.state != AddressState.FREE:
            raise naming.AddressTaken(address=address, state=row.get_state_display().lower())
        _keep_back(row, owner, user_id)
    return row


def unreserve_for_owners(
    *, at: datetime, addresses: Collection[str], owners: Collection[str], user_id: UUID | None = None
) -> int:
    """Let go of those of the addresses that are kept back for one of the owners; return how many. Safe to repeat."""
    kept = Address.objects.filter(address__in=addresses, state=AddressState.RESERVED, reserved_for__in=owners)
    return kept.update(
        state=AddressState.FREE, reserved_for="", free_since=at, changed_by_id=user_id, updated_at=at
    )


def unreserve(*, at: datetime, address_id: UUID, user_id: UUID | None = None) -> Address:
    """Let go of an address that was kept back: it is free. Safe to repeat.

    Raises AddressUnknown, AddressTaken when somebody holds it.
    """
    row: Address | None = Address.objects.filter(pk=address_id).select_for_update(of=("self",)).first()
    if row is None:
        raise AddressUnknown
    if row.state == AddressState.ASSIGNED:
        raise naming.AddressTaken(address=row.address, state="assigned")
    if row.state == AddressState.RESERVED:
        row.state = AddressState.FREE
        row.reserved_for = ""
        row.free_since = at
        row.changed_by_id = user_id
        row.save()
    return row


def describe(*, address_id: UUID, **fields: str) -> Address:
    """Change the host name or the note of an address; what is not given stays.

    Raises AddressUnknown.
    """
    row = _find(address_id, None, None, None, None)
    for name, value in fields.items():
        setattr(row, name, value)
    row.save(update_fields=[*fields, "updated_at"])
    return row


def _keep_back(row: Address, reserved_for: str, user_id: UUID | None) -> None:
    row.state = AddressState.RESERVED
    row.reserved_for = reserved_for
    row.free_since = row.quarantined_until = None
    row.changed_by_id = user_id
    row.save()


def _find(
    address_id: UUID | None,
    vrf_id: UUID | None,
    address: str | None,
    subscription_id: UUID | None,
    pool_id: UUID | None,
) -> Address:
    """Find the one address that is named."""
    if address_id or address:
        by: dict[str, Any] = {"pk": address_id} if address_id else {"vrf_id": vrf_id, "address": address}
        found: Address | None = Address.objects.filter(**by).select_for_update(of=("self",)).first()
        if found is None:
            raise AddressUnknown
        return found
    held = Address.objects.filter(subscription_id=subscription_id)
    past = PastAssignment.objects.filter(subscription_id=subscription_id)
    if pool_id:
        held, past = held.filter(pool_id=pool_id), past.filter(pool_id=pool_id)
    rows: list[Address] = list(held.order_by("pk").select_for_update(of=("self",))[:10])
    if len(rows) > 1:
        raise SeveralHeld(addresses=", ".join(row.address for row in rows))
    if rows:
        return rows[0]
    last = past.order_by("-ended_at", "-id").first()
    if last:
        there: Address | None = Address.objects.filter(vrf_id=last.vrf_id, address=last.address).first()
        if there and there.state != AddressState.ASSIGNED:
            return there
    if not Subscription.objects.filter(pk=subscription_id).exists():
        raise LineUnknown
    raise NotHolder(what="an address" + (" of this pool" if pool_id else ""))
