"""Customers who owe something, and lines that could be cut for it."""

from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import uuid4

from billing.models import Invoice, InvoiceStatus, LedgerAccount, Transfer, TransferKind
from subscribers.models import BillingProfile, Cycle, Subscriber, Subscription
from tests.factories import BillingProfileFactory, SubscriberFactory, SubscriptionFactory


def make_profile(**fields: Any) -> BillingProfile:
    profile: BillingProfile = BillingProfileFactory(
        **{"currency": "EUR", "cycle": Cycle.DAY_OF_MONTH, "cycle_day": 1, "grace_days": 0, **fields}
    )
    return profile


def make_line(profile: BillingProfile | None, **fields: Any) -> Subscription:
    """A running line of a customer of their own."""
    subscriber = fields.pop("subscriber", None) or SubscriberFactory(
        billing_profile=profile, status="active", email=fields.pop("email", "eva@customer.example")
    )
    line: Subscription = SubscriptionFactory(
        subscriber=subscriber, status="active", provisioned_at=datetime(2025, 6, 1, tzinfo=UTC), **fields
    )
    return line


def invoice(
    subscriber: Subscriber,
    *,
    due_on: date,
    amount: str = "31.00",
    currency: str = "EUR",
    open_amount: str = "",
) -> Invoice:
    """An issued invoice, booked as issuing books it."""
    total = Decimal(amount)
    issued: Invoice = Invoice.objects.create(
        subscriber=subscriber,
        currency=currency,
        number=f"T-{uuid4().hex[:12]}",
        status=InvoiceStatus.ISSUED,
        net=total,
        total=total,
        open_amount=total,
        issued_on=due_on,
        due_on=due_on,
        issued_at=datetime.combine(due_on, time(12), UTC),
    )
    Transfer.objects.create(
        entry=issued.pk,
        kind=TransferKind.INVOICE,
        debit=LedgerAccount.RECEIVABLE,
        credit=LedgerAccount.REVENUE,
        amount=total,
        currency=currency,
        subscriber=subscriber,
        invoice=issued,
        booked_on=due_on,
    )
    return issued


def pay(invoice: Invoice, amount: str | None = None) -> None:
    """What a payment's booking leaves behind, without the payment."""
    paid = Decimal(amount) if amount else invoice.open_amount
    left = invoice.open_amount - paid
    Invoice.objects.filter(pk=invoice.pk).update(
        open_amount=left, status=InvoiceStatus.PARTLY_PAID if left else InvoiceStatus.PAID
    )
    credit(invoice.subscriber, str(paid), invoice.currency)


def credit(subscriber: Subscriber, amount: str, currency: str = "EUR") -> None:
    """Money that came in and paid no invoice."""
    Transfer.objects.create(
        entry=uuid4(),
        kind=TransferKind.PAYMENT,
        debit=LedgerAccount.CASH,
        credit=LedgerAccount.RECEIVABLE,
        amount=Decimal(amount),
        currency=currency,
        subscriber=subscriber,
        booked_on=date(2026, 1, 1),
    )
