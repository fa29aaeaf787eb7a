"""Subscribers who owe something, for tests of payments."""

from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import count
from typing import Any
from uuid import uuid4

from billing.models import (
    Invoice,
    InvoiceKind,
    LedgerAccount,
    Payment,
    SubscriberBalance,
    Transfer,
    TransferKind,
)
from billing.services import payments
from subscribers.models import Subscriber
from tests.factories import BillingProfileFactory, SubscriberFactory

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
_numbers = count(1)


def payer(currency: str = "EUR") -> Subscriber:
    """A subscriber billed in a currency."""
    subscriber: Subscriber = SubscriberFactory(billing_profile=BillingProfileFactory(currency=currency))
    return subscriber


def owe(
    subscriber: Subscriber,
    amount: str,
    *,
    due_on: date = date(2026, 3, 1),
    currency: str = "EUR",
    issued_at: datetime = datetime(2026, 2, 14, 3, tzinfo=UTC),
    **fields: Any,
) -> Invoice:
    """An issued invoice and what it moved in the ledger, as issuing leaves them."""
    total = Decimal(amount)
    invoice: Invoice = Invoice.objects.create(
        subscriber=subscriber,
        number=f"T-{next(_numbers):06d}",
        status="issued",
        currency=currency,
        net=total,
        total=total,
        open_amount=total,
        issued_on=issued_at.date(),
        due_on=due_on,
        issued_at=issued_at,
        **fields,
    )
    debit, credit = LedgerAccount.RECEIVABLE, LedgerAccount.REVENUE
    kind = TransferKind.INVOICE
    if invoice.kind == InvoiceKind.CREDIT_NOTE:
        debit, credit, kind = credit, debit, TransferKind.CREDIT_NOTE
    Transfer.objects.create(
        entry=uuid4(),
        kind=kind,
        debit=debit,
        credit=credit,
        amount=total,
        currency=currency,
        subscriber=subscriber,
        invoice=invoice,
        booked_on=invoice.issued_on,
    )
    return invoice


def receive(subscriber: Subscriber, amount: str, **told: Any) -> Payment:
    """Book what a subscriber paid, in cash at noon unless told otherwise."""
    told = {"currency": "EUR", "method": "cash", "received_at": NOON, **told}
    return payments.receive(subscriber_id=subscriber.pk, amount=Decimal(amount), **told)


def booked() -> list[tuple[str, str, str, Decimal]]:
    """What the ledger was told besides invoices, in order."""
    return [
        (one.kind, one.debit, one.credit, one.amount)
        for one in Transfer.objects.exclude(kind="invoice").order_by("id")
    ]


def balance_of(subscriber: Subscriber, currency: str = "EUR") -> Decimal:
    kept: Decimal = SubscriberBalance.objects.get(subscriber=subscriber, currency=currency).balance
    return kept


def open_of(*invoices: Invoice) -> list[tuple[Any, str]]:
    """What is open of invoices, and the status that says so."""
    rows = Invoice.objects.in_bulk([one.pk for one in invoices])
    return [(rows[one.pk].open_amount, rows[one.pk].status) for one in invoices]
