"""Invoices written by hand for tests, and what the ledger says of them."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from django.db.models import Sum

from billing.models import (
    Invoice,
    SubscriberBalance,
    TaxRate,
    Transfer,
)
from billing.services import invoices
from billing.services.invoices import DraftLine

AT = datetime(2026, 3, 10, 9, tzinfo=UTC)


def drafted(customer: Any, *prices: str, **fields: Any) -> Invoice:
    lines = [DraftLine(f"Item {number}", Decimal(price), **fields) for number, price in enumerate(prices)]
    return invoices.create_draft(subscriber_id=customer.pk, lines=lines, at=AT)


def issued(customer: Any, *prices: str, **fields: Any) -> Invoice:
    return invoices.issue(invoice_id=drafted(customer, *prices, **fields).pk, at=AT)


def vat(percent: str = "20", **fields: Any) -> TaxRate:
    rate: TaxRate = TaxRate.objects.create(
        name=fields.pop("name", "VAT"), percent=Decimal(percent), starts_on=date(2020, 1, 1), **fields
    )
    return rate


def balance(customer: Any) -> Decimal:
    """What the subscriber owes, by the kept balance and by the transfers alike."""
    kept = SubscriberBalance.objects.filter(subscriber=customer).values_list("balance", flat=True).first()
    sums = Transfer.objects.filter(subscriber=customer)
    owed = sums.filter(debit="receivable").aggregate(all=Sum("amount"))["all"] or 0
    paid = sums.filter(credit="receivable").aggregate(all=Sum("amount"))["all"] or 0
    assert (kept or 0) == owed - paid
    return Decimal(owed - paid)


def booked(invoice: Invoice) -> list[tuple[str, str, str, Decimal]]:
    rows = Transfer.objects.filter(invoice=invoice).order_by("id")
    return [(row.kind, row.debit, row.credit, row.amount) for row in rows]
