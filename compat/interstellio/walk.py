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
KEYS = ("username_key", "calling_station_key")
COLUMNS = (*(SOURCES.get(name, name) for name in FIELDS), *KEYS)
PLACES = {"id": 0, "username_key": -2, "calling_station_key": -1}

Row = tuple[Any, ...]


def show(row: Row) -> dict[str, Any]:
    """Return a row as the page shows an account."""
    return dict(zip(FIELDS, row, strict=False))


def walk(
    rows: QuerySet[Account], *, tenant_id: UUID, order: str, descending: bool, part: int = PART
) -> Iterator[list[Row]]:
    """Give the rows of `rows`, which has the native API's annotations, in parts of at most `part`.

    Rows made or changed meanwhile come where their order has them, once or not at all.
    """
    for leg, terms in _legs(rows, order, descending):
        after = Q()
        while True:
            with tenant_context(tenant_id):
                found = list(leg.filter(after).order_by(*terms).values_list(*COLUMNS)[:part])
            if found:
                yield found
            if len(found) < part:
                break
            after = _after(terms, found[-1])


def _legs(
    rows: QuerySet[Account], order: str, descending: bool
) -> list[tuple[QuerySet[Account], tuple[str, ...]]]:
    """Return the queries whose rows, one after the other, are the list; each is in the order of an index."""
    turn = "-" * descending
    if order == "id":
        return [(rows, (f"{turn}id",))]
    if order == "username":
        return [(rows, (f"{turn}username_key",))]
    # Most accounts name no device, and those that do have the index for themselves.
    ties = "id" if descending else "-id"
    legs = [
        (rows.filter(calling_station_key=""), (ties,)),
        (rows.filter(calling_station_key__gt=""), (f"{turn}calling_station_key", ties)),
    ]
    return legs[::-1] if descending else legs


def _after(terms: tuple[str, ...], row: Row) -> Q:
    """Return the condition of all that follows a row, the first column's range aloud: an index serves that."""
    first, *ties = terms
    name = first.removeprefix("-")
    value, beyond = row[PLACES[name]], "lt" if first.startswith("-") else "gt"
    behind = Q(**{f"{name}__{beyond}": value})
    if not ties:
        return behind
    return Q(**{f"{name}__{beyond}e": value}) & (behind | Q(**{name: value}) & _after(tuple(ties), row))
