"""What becomes of issued invoices: made void, credited. The ledger says the same at every step."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.db import transaction
from django.db.models import Sum
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing.models import (
    Allocation,
    BillingPosition,
    BillingRun,
    Invoice,
    InvoiceStatus,
)
from billing.services import invoices, payments, planning
from billing.services.invoices import CreditedLine, booking, crediting, voiding
from billing.services.invoices.numbers import draw_numbers
from billing.services.invoices.rows import billing_settings
from ispcore.tenants.context import tenant_context
from subscribers.models import Cycle, Period
from tests.billing.writing import AT, balance, booked, drafted, issued, vat
from tests.factories import (
    BillingProfileFactory,
    PlanFactory,
    SubscriberFactory,
    SubscriptionFactory,
)

SAME_TENANT = [HealthCheck.function_scoped_fixture]  # Each example is rolled back.
pytestmark = pytest.mark.django_db


@pytest.fixture
def customer(acting: Any) -> Any:
    return SubscriberFactory(billing_profile=BillingProfileFactory(currency="EUR", due_days=10))


@pytest.fixture
def billed(customer: Any) -> tuple[Invoice, Any]:
    """An issued invoice of March, as a run writes it, and its line billed until April."""
    line = SubscriptionFactory(
        subscriber=customer,
        plan=PlanFactory(price=Decimal("31.00"), currency="EUR", period=Period.MONTH),
        status="active",
        provisioned_at=datetime(2025, 6, 1, tzinfo=UTC),
    )
    profile = customer.billing_profile
    profile.cycle, profile.cycle_day = Cycle.DAY_OF_MONTH, 1
    profile.save()
    BillingPosition.objects.create(
        subscription=line, billed_until=date(2026, 3, 1), settled_at=datetime(2026, 2, 1, tzinfo=UTC)
    )
    return bill(line, date(2026, 3, 1)), line


def bill(line: Any, on: date) -> Invoice:
    run = BillingRun.objects.create(on=on, as_of=datetime(on.year, on.month, 1, 3, tzinfo=UTC))
    planning.plan_batch(
        planning.Terms(run.pk, on, run.as_of, "UTC", date(2026, 1, 1), ["vacation"]), [line.subscriber_id]
    )
    BillingRun.objects.filter(pk=run.pk).update(status="issued")
    invoice: Invoice = Invoice.objects.get(run=run)
    Invoice.objects.filter(pk=invoice.pk).update(
        number=draw_numbers("invoice", on=on, settings=billing_settings())[0],
        status="issued", issued_on=on, issued_at=run.as_of, due_on=on,
    )  # fmt: skip
    invoice.refresh_from_db()
    booking.book_invoice(invoice, on=on, user_id=None)
    BillingPosition.objects.filter(subscription=line).update(
        billed_until=invoice.period_end, settled_at=run.as_of
    )
    return invoice


class TestVoiding:
    def test_moves_all_bookings_back(self, customer):
        vat()
        invoice = issued(customer, "100.00")

        invoice = invoices.void(invoice_id=invoice.pk, reason="Wrong customer", at=AT)

        assert (invoice.status, invoice.open_amount, invoice.reason) == ("void", 0, "Wrong customer")
        assert booked(invoice)[2:] == [
            ("void", "revenue", "receivable", 100),
            ("void", "tax_payable", "receivable", 20),
        ]
        assert balance(customer) == 0
        assert issued(customer, "1.00").number == "INV-2026-000002"

    def test_is_safe_to_repeat(self, customer):
        invoice = issued(customer, "100.00")

        for _ in range(2):
            invoices.void(invoice_id=invoice.pk, reason="Twice", at=AT)

        assert len(booked(invoice)) == 2

    def test_lets_the_period_be_billed_again(self, billed):
        invoice, line = billed

        invoices.void(invoice_id=invoice.pk, reason="Wrong price", at=AT)
        again = bill(line, date(2026, 3, 1))

        assert BillingPosition.objects.get().billed_until == date(2026, 4, 1)
        assert [row.is_void for row in invoice.lines.all()] == [True]
        assert (again.total, again.period_start) == (31, date(2026, 3, 1))
        assert balance(line.subscriber) == 31

    def test_goes_backwards_in_time(self, billed):
        march, line = billed
        april = bill(line, date(2026, 4, 1))

        with pytest.raises(voiding.LaterPeriodBilled):
            invoices.void(invoice_id=march.pk, reason="Wrong price", at=AT)
        assert balance(line.subscriber) == 62

        invoices.void(invoice_id=april.pk, reason="Wrong price", at=AT)
        invoices.void(invoice_id=march.pk, reason="Wrong price", at=AT)
        assert BillingPosition.objects.get().billed_until == date(2026, 3, 1)
        assert balance(line.subscriber) == 0

    @pytest.mark.parametrize("amount", ["40.00", "100.00"])
    def test_is_refused_when_something_is_paid(self, customer, amount):
        invoice = issued(customer, "100.00")
        payments.receive(
            subscriber_id=customer.pk, amount=Decimal(amount), currency="EUR", method="cash", received_at=AT
        )

        with pytest.raises(voiding.NotVoidable):
            invoices.void(invoice_id=invoice.pk, reason="Paid", at=AT)

        assert Invoice.objects.get().status != InvoiceStatus.VOID
        assert balance(customer) == 100 - Decimal(amount)

    def test_is_refused_of_a_draft(self, customer):
        with pytest.raises(voiding.NotVoidable):
            invoices.void(invoice_id=drafted(customer, "1.00").pk, reason="x", at=AT)


class TestCreditNotes:
    def test_over_the_whole_close_the_invoice(self, customer):
        vat()
        invoice = issued(customer, "100.00", "-10.00")

        note = invoices.credit(invoice_id=invoice.pk, reason="Never delivered", at=AT)

        invoice.refresh_from_db()
        assert (note.kind, note.number, note.corrects_id) == ("credit_note", "CRN-2026-000001", invoice.pk)
        assert (note.net, note.tax, note.total) == (90, 18, 108)
        assert (invoice.status, invoice.open_amount) == ("paid", 0)
        assert (note.status, note.open_amount) == ("paid", 0)
        assert booked(note) == [
            ("credit_note", "revenue", "receivable", 90),
            ("credit_note", "tax_payable", "receivable", 18),
        ]
        assert balance(customer) == 0

    def test_over_a_paid_invoice_are_credit_that_pays_others(self, customer):
        first = issued(customer, "100.00")
        payments.receive(
            subscriber_id=customer.pk, amount=Decimal(100), currency="EUR", method="cash", received_at=AT
        )
        second = issued(customer, "30.00")

        note = invoices.credit(invoice_id=first.pk, reason="Too slow", at=AT, amount=Decimal(50))

        second.refresh_from_db()
        assert (note.status, note.open_amount) == ("partly_paid", 20)
        assert (second.status, second.open_amount) == ("paid", 0)
        assert balance(customer) == -20

    def test_pay_their_own_invoice_first(self, customer):
        older = issued(customer, "40.00")
        newer = issued(customer, "100.00")

        invoices.credit(invoice_id=newer.pk, reason="Too slow", at=AT, amount=Decimal(60))

        older.refresh_from_db()
        newer.refresh_from_db()
        assert (older.open_amount, newer.open_amount) == (40, 40)
        assert Allocation.objects.get().amount == 60

    def test_over_a_part_of_a_line(self, customer):
        vat()
        invoice = issued(customer, "100.00", "50.00")
        line = invoice.lines.get(position=2)

        note = invoices.credit(
            invoice_id=invoice.pk, reason="Half", at=AT, lines=[CreditedLine(line.pk, Decimal("30.00"))]
        )

        assert [(row.source, row.net, row.tax) for row in note.lines.all()] == [(line.pk, 25, 5)]
        with pytest.raises(crediting.CreditBeyondInvoice):
            invoices.credit(
                invoice_id=invoice.pk, reason="More", at=AT, lines=[CreditedLine(line.pk, Decimal("30.01"))]
            )
        assert balance(customer) == 150

    @settings(max_examples=25, deadline=None, suppress_health_check=SAME_TENANT)
    @given(
        prices=st.lists(st.decimals(Decimal("0.01"), Decimal("500"), places=2), min_size=1, max_size=5),
        parts=st.lists(st.integers(1, 100), min_size=1, max_size=6),
        is_inclusive=st.booleans(),
    )
    def test_together_are_the_invoice_exactly(self, tenant, prices, parts, is_inclusive):
        with tenant_context(tenant.pk):
            sid = transaction.savepoint()
            customer = SubscriberFactory(billing_profile=BillingProfileFactory(currency="EUR"))
            vat("23", is_inclusive=is_inclusive)
            vat("1.5", name="Levy")
            invoice = issued(customer, *map(str, prices))
            for part in parts:
                left = invoice.total - crediting.credited(invoice)
                amount = (left * part / 100).quantize(Decimal("0.01"))
                if 0 < amount < left:
                    note = invoices.credit(invoice_id=invoice.pk, reason="Part", at=AT, amount=amount)
                    assert note.total == amount
            last = invoices.credit(invoice_id=invoice.pk, reason="Rest", at=AT)

            assert crediting.credited(invoice) == invoice.total
            sums = Invoice.objects.filter(corrects=invoice).aggregate(net=Sum("net"), tax=Sum("tax"))
            assert sums == {"net": invoice.net, "tax": invoice.tax}
            assert last.number == f"CRN-2026-{Invoice.objects.filter(kind='credit_note').count():06d}"
            assert balance(customer) == 0
            transaction.savepoint_rollback(sid)

    @pytest.mark.parametrize(
        ("given", "refusal"),
        [
            ({"amount": Decimal("100.01")}, crediting.CreditBeyondInvoice),
            ({"amount": Decimal(0)}, crediting.BadCreditAmount),
            ({"amount": Decimal(-5)}, crediting.BadCreditAmount),
            ({"amount": Decimal("0.001")}, crediting.BadCreditAmount),
            ({"lines": [CreditedLine(UUID(int=0), Decimal(1))]}, crediting.LineUnknown),
        ],
    )
    def test_beyond_the_invoice_are_refused(self, customer, given, refusal):
        invoice = issued(customer, "100.00")

        with pytest.raises(refusal), transaction.atomic():
            invoices.credit(invoice_id=invoice.pk, reason="No", at=AT, **given)

        assert Invoice.objects.count() == 1
        assert balance(customer) == 100

    def test_over_what_is_credited_already_are_refused(self, customer):
        invoice = issued(customer, "100.00")
        note = invoices.credit(invoice_id=invoice.pk, reason="All", at=AT)

        for pk in (invoice.pk, note.pk):
            with pytest.raises(crediting.NotCreditable):
                invoices.credit(invoice_id=pk, reason="Again", at=AT)
        with pytest.raises(voiding.NotVoidable):
            invoices.void(invoice_id=invoice.pk, reason="No", at=AT)

        assert balance(customer) == 0
