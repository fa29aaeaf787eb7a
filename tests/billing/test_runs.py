"""Billing runs: planned, approved by their hash, issued, discarded."""

from decimal import Decimal

import pytest
from django.db.models import Sum

from billing.models import (
    BillingPosition,
    Invoice,
    InvoiceStatus,
    RunStatus,
    RunTotal,
    SubscriberBalance,
    TaxRate,
    Transfer,
)
from tests.billing.cycles import issued, make_lines, make_settings

pytestmark = pytest.mark.django_db


@pytest.fixture
def settings(acting):
    return make_settings()


def test_a_run_from_plan_to_ledger(settings):
    make_lines(3)
    TaxRate.objects.create(name="VAT", percent=20, starts_on="2020-01-01")

    run = issued()

    assert (run.status, run.invoices_planned, run.invoices_issued) == (RunStatus.ISSUED, 3, 3)
    invoices = Invoice.objects.order_by("number")
    assert [one.number for one in invoices] == ["INV-2026-000001", "INV-2026-000002", "INV-2026-000003"]
    assert {(one.status, one.total, one.open_amount) for one in invoices} == {(InvoiceStatus.ISSUED, 36, 36)}
    assert {(one.issued_on.isoformat(), one.due_on.isoformat()) for one in invoices} == {
        ("2026-03-01", "2026-03-15")
    }
    booked = Transfer.objects.values_list("debit", "credit").annotate(sum=Sum("amount")).order_by("credit")
    assert list(booked) == [("receivable", "revenue", 90), ("receivable", "tax_payable", 18)]
    assert set(SubscriberBalance.objects.values_list("balance", flat=True)) == {Decimal(36)}
    assert {str(day) for day in BillingPosition.objects.values_list("billed_until", flat=True)} == {
        "2026-04-01"
    }
    total = RunTotal.objects.get(run=run)
    assert (total.invoices, total.net, total.tax, total.total, total.previous_total) == (3, 90, 18, 108, 0)
