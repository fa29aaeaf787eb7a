"""Accounts in order, some at a time: no list is longer than memory, and none is read on when nobody listens.

Each part is read in a transaction of its own and begins behind the last one's end, by an index. So a slow reader
holds no transaction open, and a reader that goes away leaves nothing running.
"""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet

from aaa.models import Account
from compat.interstellio.shapes import FIELDS
from ispcore.tenants.context import tenant_context

PART = 500
ORDERS = ("id", "username", "calling_station_id")
# A field of the page -> where it stands, where the two differ.
SOURCES = {
    "service_id": "service_profile_id", "profile_id": "policy_id", "creation_time": "created_at",
    "updated_time": "updated_at", "expire": "expires_at", "inactive_purge": "inactive_purge_hours",
    "service": "service_profile__name", "virtual": "virtual__name", "profile": "policy__name",
}  # fmt: skip
KEYS = ("id", "username_key", "calling_station_key")
COLUMNS = tuple(SOURCES.get(name, name) for name in FIELDS)

Row = tuple[Any, ...]


def show(row: Row) -> dict[str, Any]:
    """Return a row as the page shows an account."""
    return dict(zip(FIELDS, row, strict=True))


def walk(
    accounts: QuerySet[Account],
    shown: QuerySet[Account],
    *,
    tenant_id: UUID,
    order: str,
    descending: bool,
    part: int = PART,
) -> Iterator[list[Row]]:
    """Give `accounts` in parts of at most `part`, each account as `shown`, the native API's query, reads it.

    Rows made or changed meanwhile come where their order has them, once or not at all. Which accounts are next is
    asked first: joined to what is shown of them, the database would read the joined tables from their beginning.
    """
    for leg, terms in _legs(accounts, order, descending):
        after = Q()
        while True:
            with tenant_context(tenant_id):
                keys = list(leg.filter(after).order_by(*terms).values_list(*KEYS)[:part])
                these = shown.filter(pk__in=[key[0] for key in keys]).order_by(*terms)
                found = list(these.values_list(*COLUMNS)) if keys else []
            if found:
                yield found
            if len(keys) < part:
                break
            after = _after(terms, keys[-1])


def _legs(
    accounts: QuerySet[Account], order: str, descending: bool
) -> list[tuple[QuerySet[Account], tuple[str, ...]]]:
    """Return the queries whose rows, one after the other, are the list; each is in the order of an index."""
    turn = "-" * descending
    if order == "id":
        return [(accounts, (f"{turn}id",))]
    if order == "username":
        return [(accounts, (f"{turn}username_key",))]
    # Most accounts name no device, and those that do have the index for themselves.
    ties = "id" if descending else "-id"
    legs = [
        (accounts.filter(calling_station_key=""), (ties,)),
        (accounts.filter(calling_station_key__gt=""), (f"{turn}calling_station_key", ties)),
    ]
    return legs[::-1] if descending else legs


def _after(terms: tuple[str, ...], key: Row) -> Q:
    """Return the condition of all that follows an account, the first column's range aloud: an index serves that."""
    first, *ties = terms
    name = first.removeprefix("-")
    value, beyond = key[KEYS.index(name)], "lt" if first.startswith("-") else "gt"
    behind = Q(**{f"{name}__{beyond}": value})
    if not ties:
        return behind
    return Q(**{f"{name}__{beyond}e": value}) & (behind | Q(**{name: value}) & _after(tuple(ties), key))
