"""A static address of an account, kept back in the address plan so that no pool hands it out to somebody else."""

from datetime import datetime
from uuid import UUID

from django.db import connection

from aaa.models import Account
from ipam.models import Address, AddressState
from ispcore.errors import DomainError
from ispcore.tenants.context import current_tenant_id

# The smallest subnet around the address, of each VRF, and the pool whose range it lies in.
PLACE_SQL = """
SELECT DISTINCT ON (subnet.vrf_id) subnet.vrf_id, subnet.id, pooled.pool_id
FROM ipam_subnet AS subnet
LEFT JOIN ipam_poolrange AS pooled
       ON pooled.tenant_id = %(tenant)s AND pooled.subnet_id = subnet.id
      AND pooled.first <= %(address)s::inet AND pooled.last >= %(address)s::inet
WHERE subnet.tenant_id = %(tenant)s
  AND subnet.first_address <= %(address)s::inet AND subnet.last_address >= %(address)s::inet
ORDER BY subnet.vrf_id, masklen(subnet.network) DESC
"""


class AddressNotFree(DomainError):
    code = "address_not_free"
    message = "{address} is not free in the address plan: it is {state}."
    field = "static_ip4"


def keep_back(account: Account, *, at: datetime, user_id: UUID | None) -> None:
    """Reserve an account's static address where it lies in a subnet of exactly one VRF. Safe to repeat.

    One that lies in none, or in several, is not managed here. One that the account's own line holds stays assigned.
    Raises AddressNotFree.
    """
    address = account.static_ip4
    if not address:
        return
    with connection.cursor() as cursor:
        cursor.execute(PLACE_SQL, {"tenant": current_tenant_id(), "address": address})
        places = cursor.fetchall()
    if len(places) != 1:
        return
    vrf_id, subnet_id, pool_id = places[0]
    Address.objects.bulk_create(
        [Address(vrf_id=vrf_id, subnet_id=subnet_id, pool_id=pool_id, address=address, free_since=at)],
        ignore_conflicts=True,
    )
    row = Address.objects.select_for_update(of=("self",)).get(vrf_id=vrf_id, address=address)
    if (
        row.state == AddressState.ASSIGNED
        and row.subscription_id
        and row.subscription_id == account.subscription_id
    ):
        return
    if row.state == AddressState.RESERVED and row.reserved_for == _reason(account):
        return
    if row.state != AddressState.FREE:
        raise AddressNotFree(address=address, state=row.get_state_display().lower())
    row.state, row.free_since, row.reserved_for = AddressState.RESERVED, None, _reason(account)
    row.changed_by_id = user_id
    row.save(update_fields=["state", "free_since", "reserved_for", "changed_by", "updated_at"])


def give_back(account: Account, address: str | None, *, at: datetime) -> None:
    """Free an address that was kept back for this account. Safe to repeat."""
    if not address:
        return
    Address.objects.filter(
        address=address, state=AddressState.RESERVED, reserved_for=_reason(account)
    ).update(state=AddressState.FREE, reserved_for="", free_since=at, updated_at=at)


def _reason(account: Account) -> str:
    """Name the account by what never changes."""
    return f"RADIUS account {account.pk}"
