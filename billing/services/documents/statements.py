"""A subscriber's account over a time: what was booked, and the balance after it. From the ledger alone."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from django.db.models import Case, F, Sum, Value, When
from django.db.models.functions import Coalesce

from billing.models import LedgerAccount, Transfer, TransferKind
from billing.models.fields import MoneyField
from billing.services.documents import typesetting
from billing.services.documents.identity import billing_identity
from billing.services.documents.invoices import frame
from billing.services.documents.languages import Words, words_of
from ispcore.errors import DomainError
from ispcore.money import minor_units
from subscribers.models import Subscriber

MOST_ENTRIES = 5000
NAMES = {
    TransferKind.INVOICE: "invoice",
    TransferKind.CREDIT_NOTE: "credit_note",
    TransferKind.VOID: "void",
    TransferKind.PAYMENT: "payment",
    TransferKind.REFUND: "refund",
    TransferKind.BOUNCE: "bounce",
    TransferKind.WRITE_OFF: "write_off",
    TransferKind.OPENING: "opening",
}


class StatementTooLong(DomainError):
    code = "statement_too_long"
    message = f"More than {MOST_ENTRIES} bookings lie in this time. Ask for a shorter one."
    field = "from"


class SpanTurned(DomainError):
    code = "validation_error"
    message = "The last day lies before the first."
    status = 422
    field = "to"


@dataclass(frozen=True)
class Entry:
    """One booking: `amount` above zero is owed, below zero paid or credited; `balance` is that after it."""

    booked_on: date
    kind: str
    reference: str
    amount: Decimal
    balance: Decimal


@dataclass(frozen=True)
class Statement:
    """What happened on an account from `first` to `last`, both included."""

    subscriber: Subscriber
    currency: str
    first: date
    last: date
    opening: Decimal
    entries: Sequence[Entry]

    @property
    def closing(self) -> Decimal:
        return self.entries[-1].balance if self.entries else self.opening


def statement_of(subscriber: Subscriber, *, currency: str, first: date, last: date) -> Statement:
    """Read a statement from the ledger: one row for each entry. Raises SpanTurned, StatementTooLong."""
    if last < first:
        raise SpanTurned
    own = Transfer.objects.filter(subscriber=subscriber, currency=currency).annotate(
        signed=Case(
            When(debit=LedgerAccount.RECEIVABLE, then=F("amount")),
            When(credit=LedgerAccount.RECEIVABLE, then=-F("amount")),
            default=Value(Decimal(0)),
            output_field=MoneyField(),
        )
    )
    opening = own.filter(booked_on__lt=first).aggregate(sum=Coalesce(Sum("signed"), Decimal(0)))["sum"]
    rows = (
        own.filter(booked_on__range=(first, last))
        .values("booked_on", "entry", "kind", "memo", "invoice__number", "payment__reference")
        .annotate(sum=Sum("signed"))
        .exclude(sum=0)
        .order_by("booked_on", "entry")[: MOST_ENTRIES + 1]
    )
    found = list(rows)
    if len(found) > MOST_ENTRIES:
        raise StatementTooLong
    entries, balance = [], opening
    for row in found:
        balance += row["sum"]
        reference = row["invoice__number"] or row["payment__reference"] or row["memo"]
        entries.append(Entry(row["booked_on"], row["kind"], reference, row["sum"], balance))
    return Statement(subscriber, currency, first, last, opening, entries)


def statement_csv(statement: Statement) -> str:
    """Return a statement as CSV: amounts with a point, days as ISO 8601, whatever the language."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(["date", "kind", "reference", "amount", "balance", "currency"])
    digits = minor_units(statement.currency)
    writer.writerow(
        [statement.first, "opening_balance", "", "", f"{statement.opening:.{digits}f}", statement.currency]
    )
    for entry in statement.entries:
        writer.writerow(
            [
                entry.booked_on, entry.kind, harmless(entry.reference), f"{entry.amount:.{digits}f}",
                f"{entry.balance:.{digits}f}", statement.currency,
            ]
        )  # fmt: skip
    return out.getvalue()


def statement_pdf(statement: Statement, *, at: datetime, language: str = "", kind: str = "pdf") -> bytes:
    """Return a statement as PDF/A-2b."""
    identity = billing_identity()
    words = words_of(language or identity.language)
    heading = words.say("statement")
    values = {
        **frame(identity, words),
        "title": f"{heading} {statement.subscriber.number}",
        "heading": heading,
        "customer": {"name": statement.subscriber.full_name, "number": statement.subscriber.number},
        "span": f"{words.day(statement.first)} – {words.day(statement.last)}",
        "columns": [words.say(name) for name in ("date", "description", "owed", "received", "balance")],
        "rows": [
            ["", words.say("opening"), "", "", words.money(statement.opening, statement.currency)],
            *(_row(entry, statement.currency, words) for entry in statement.entries),
        ],
        "nothing": words.say("no_bookings"),
        "closing": f"{words.say('closing')}: {words.money(statement.closing, statement.currency)}",
    }
    return typesetting.render("statement.typ", values, at=at, kind=kind)


def _row(entry: Entry, currency: str, words: Words) -> list[str]:
    amount = words.money(abs(entry.amount), currency)
    name = words.say(NAMES[TransferKind(entry.kind)])
    return [
        words.day(entry.booked_on),
        f"{name} {entry.reference}".strip(),
        amount if entry.amount > 0 else "",
        amount if entry.amount < 0 else "",
        words.money(entry.balance, currency),
    ]


def harmless(text: str) -> str:
    """Keep a spreadsheet from taking a text for a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
