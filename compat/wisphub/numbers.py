"""Ids as whole numbers, which is what this product's clients store.

Services and tickets have human numbers. Zones, plans and people have none: theirs are 53 bits of their UUID, all of
them random (RFC 9562 §5.7), and the most that a double holds exactly (RFC 7493 §2.2).
"""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet

MOST = 2**53 - 1
TICKET = "TKT-{:06d}"
MOST_TICKET = 10**12


def number_of(pk: UUID) -> int:
    return pk.int & MOST


def key_of(rows: QuerySet[Any], number: int) -> UUID | None:
    """Return the key of the row with a number; for tables of some hundred rows, since it looks at each."""
    keys = rows.order_by().values_list("pk", flat=True).iterator()
    return next((pk for pk in keys if number_of(pk) == number), None)


def ticket_number(ticket: str) -> int:
    """Return 42 for `TKT-000042`."""
    return int(ticket.rpartition("-")[2])


def whole(text: str) -> int | None:
    """Read a number in a path; None for what is none, or none of ours."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 16 else None
