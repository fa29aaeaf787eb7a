"""A static address of an account, kept back in the address plan so that no pool hands it out to somebody else."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from aaa.models import Account
from ipam.services import naming, release
from ispcore.errors import DomainError


class AddressNotFree(DomainError):
    code = "address_not_free"
    message = "{address} is not free in the address plan: it is {state}."
    field = "static_ip4"


def keep_back(account: Account, *, at: datetime, user_id: UUID | None) -> None:
    """Reserve an account's static address where it lies in a subnet of exactly one VRF. Safe to repeat.

    One that lies in none, or in several, is not managed here. One that the account's own line holds stays assigned.
    Raises AddressNotFree.
    """
    if not account.static_ip4:
        return
    try:
        release.reserve_for_owner(
            at=at,
            address=account.static_ip4,
            owner=_owner(account),
            subscription_id=account.subscription_id,
            user_id=user_id,
        )
    except naming.AddressTaken as taken:
        raise AddressNotFree(**taken.details) from taken


def give_back(
    accounts: Collection[Account], addresses: Collection[str], *, at: datetime, user_id: UUID | None = None
) -> None:
    """Free those of the addresses that were kept back for one of the accounts. Safe to repeat."""
    release.unreserve_for_owners(
        at=at, addresses=addresses, owners=[_owner(each) for each in accounts], user_id=user_id
    )


def _owner(account: Account) -> str:
    """Name the account by what never changes."""
    return f"RADIUS account {account.pk}"
