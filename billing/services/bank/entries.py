"""What a statement says, whatever it is written in."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal

from ispcore.errors import DomainError
from ispcore.money import is_whole

MAX_BYTES = 20 * 1024 * 1024
MAX_LINES = 50_000
TOO_MUCH = Decimal(10) ** 13  # The columns hold one digit more.
AHEAD = timedelta(days=1)  # A bank's calendar may be a day before ours.


class StatementUnreadable(DomainError):
    code = "statement_unreadable"
    message = "{why} Nothing of the file was taken in."
    status = 422
    field = "file"


@dataclass
class Entry:
    """One movement; below zero: money that went out."""

    line_number: int
    booked_on: date
    amount: Decimal
    currency: str
    payer_name: str = ""
    payer_account: str = ""
    text: str = ""
    end_to_end_id: str = ""
    servicer_reference: str = ""
    is_reversal: bool = False
    note: str = ""
    account: str = ""


@dataclass
class Statement:
    """All that a file tells; its balances are None where it has none, or several accounts."""

    file_format: str
    account: str = ""
    currency: str = ""
    from_on: date | None = None
    to_on: date | None = None
    opening_balance: Decimal | None = None
    closing_balance: Decimal | None = None
    entries: list[Entry] = field(default_factory=list)


def checked(statement: Statement, *, today: date) -> Statement:
    """Return the statement with its days filled in, or refuse what cannot be. Raises StatementUnreadable."""
    for entry in statement.entries:
        where = f"Line {entry.line_number}"
        if entry.booked_on > today + AHEAD:
            why = f"{where} is dated {entry.booked_on}, which is still to come. Are day and month exchanged?"
            raise StatementUnreadable(why=why)
        if entry.booked_on.year < 2000:
            raise StatementUnreadable(why=f"{where} is dated {entry.booked_on}, which cannot be.")
        if abs(entry.amount) >= TOO_MUCH:
            raise StatementUnreadable(why=f"{where}: {entry.amount:.6} cannot be an amount.")
        if not is_whole(entry.amount, entry.currency):
            why = f"{where}: {entry.amount} has more digits after the point than {entry.currency} has."
            raise StatementUnreadable(why=why)
    days = [entry.booked_on for entry in statement.entries]
    if days:
        statement.from_on = min([*days, *([statement.from_on] if statement.from_on else [])])
        statement.to_on = max([*days, *([statement.to_on] if statement.to_on else [])])
    return statement


def keyed(entries: Iterable[Entry]) -> Iterator[tuple[Entry, str, int]]:
    """Give each entry its content key and its place among equal ones.

    Two equal payments in one file are two; the same one told by two overlapping statements has the same key and
    place in both.
    """
    seen: dict[tuple[str, str], int] = {}
    for entry in entries:
        parts = [entry.booked_on.isoformat(), f"{entry.amount:.4f}", entry.currency, entry.end_to_end_id]
        # The bank's own reference names the movement; without it all that is told of it does.
        parts += (
            [entry.servicer_reference]
            if entry.servicer_reference
            else ["", entry.payer_name, entry.payer_account, entry.text]
        )
        key = hashlib.blake2b("\x1f".join(parts).encode(), digest_size=16).hexdigest()
        place = seen.get((entry.account, key), 0)
        seen[entry.account, key] = place + 1
        yield entry, key, place
