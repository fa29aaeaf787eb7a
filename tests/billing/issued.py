"""Issued invoices for tests."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from billing.models import BillingIdentity, Invoice
from billing.services import invoices
from billing.services.invoices import DraftLine
from tests.factories import BillingProfileFactory, SubscriberFactory

AT = datetime(2026, 3, 10, 9, tzinfo=UTC)
IBAN = "DE89370400440532013000"  # The example of the IBAN registry.


def make_customer(**fields: Any) -> Any:
    profile = BillingProfileFactory(currency=fields.pop("currency", "EUR"), due_days=10)
    return SubscriberFactory(
        **{"full_name": "Zoë Müller", "email": "zoe@customer.example", "billing_profile": profile, **fields}
    )


def make_issued(customer: Any = None, *prices: str, at: datetime = AT) -> Invoice:
    lines = [
        DraftLine(f"Item {number}", Decimal(price)) for number, price in enumerate(prices or ("100.00",))
    ]
    draft = invoices.create_draft(subscriber_id=(customer or make_customer()).pk, lines=lines, at=at)
    return invoices.issue(invoice_id=draft.pk, at=at)


def make_identity(**fields: Any) -> BillingIdentity:
    shown: BillingIdentity = BillingIdentity.objects.create(
        **{
            "legal_name": "Fibra S.L.",
            "email": "billing@isp.example",
            "address": "Calle Mayor 1\n28013 Madrid",
            **fields,
        }
    )
    return shown
