"""The demo's money: something of everything the billing pages show, and all of it adds up."""

from datetime import UTC, datetime

import pytest

from billing.models import BankLine, BillingRun, Invoice, OneOffCharge, Payment
from billing.services import ledger
from billing.services.dunning import tonight
from demo import billing, customers
from ispcore.tenants.models import Tenant
from subscribers.services.periods import local_date

AT = datetime(2026, 5, 20, 15, 30, tzinfo=UTC)


@pytest.mark.django_db
def test_shows_something_of_everything_and_is_made_once(acting: Tenant) -> None:
    customers.load(count=150, currency="EUR", at=AT)

    billing.load(at=AT)
    billing.load(at=AT)

    assert ledger.recount() == []
    assert list(BillingRun.objects.order_by("on").values_list("on__month", "on__day", "status")) == [
        (3, 1, "issued"),
        (3, 15, "issued"),
        (4, 1, "issued"),
        (4, 15, "issued"),
        (5, 1, "issued"),
        (5, 15, "issued"),
        (6, 1, "planned"),
    ]
    assert {"issued", "partly_paid", "paid", "draft"} == set(Invoice.objects.values_list("status", flat=True))
    assert {"bank", "cash", "card"} == set(Payment.objects.values_list("method", flat=True))
    assert {"matched", "suggested", "unmatched"} == set(BankLine.objects.values_list("state", flat=True))
    assert {"cut", "promise"} <= {row.verdict for row in tonight.tonight(on=local_date(AT))}
    assert OneOffCharge.objects.filter(charged__gt=0).exists()
