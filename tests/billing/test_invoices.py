"""Invoices one by one: written by hand, issued, made void, credited. The ledger says the same at every step."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.db.models import Sum
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing.models import (
    Allocation,
    BillingPosition,
    BillingRun,
    Invoice,
    InvoiceLine,
    InvoiceStatus,
    LineTax,
    SubscriberBalance,
    TaxExemption,
    TaxRate,
    Transfer,
)
from billing.services import invoices, payments, planning
from billing.services.invoices import CreditedLine, DraftLine, crediting, drafting, taxing, voiding
from billing.services.invoices.numbers import draw_numbers
from billing.services.invoices.rows import billing_settings
from ispcore.events.models import Event
from ispcore.tenants.context import tenant_context
from subscribers.models import Cycle, Period
from tests.factories import (
    BillingProfileFactory,
    PlanFactory,
    PremiseFactory,
    SubscriberFactory,
    SubscriptionFactory,
    ZoneFactory,
)

AT = datetime(2026, 3, 10, 9, tzinfo=UTC)
SAME_TENANT = [HealthCheck.function_scoped_fixture]  # Each example is rolled back.
pytestmark = pytest.mark.django_db


@pytest.fixture
def customer(acting: Any) -> Any:
    return SubscriberFactory(billing_profile=BillingProfileFactory(currency="EUR", due_days=10))


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


class TestDrafts:
    def test_are_taxed_and_owed_by_nobody(self, customer):
        vat()

        draft = drafted(customer, "10.00", "-2.50", quantity=Decimal(2))

        assert (draft.status, draft.number, draft.issued_on) == ("draft", "", None)
        assert (draft.net, draft.tax, draft.total) == (Decimal(15), Decimal(3), Decimal(18))
        rows = list(
            draft.lines.order_by("position").values_list("kind", "quantity", "unit_price", "net", "tax")
        )
        assert rows == [("manual", 2, 10, 20, 4), ("manual", 2, Decimal("-2.5"), -5, -1)]
        assert balance(customer) == 0

    def test_round_a_quantity_and_keep_what_is_left(self, customer):
        draft = drafted(customer, "3.33", quantity=Decimal("0.3333"))

        line = draft.lines.get()
        assert line.net == Decimal("1.11")
        assert line.remainder == Decimal("-0.000111")

    def test_know_the_zone_of_a_service(self, customer):
        here, elsewhere = ZoneFactory(), ZoneFactory()
        vat("10", zone=here, name="Here")
        vat("15", zone=elsewhere, name="Elsewhere")
        line = SubscriptionFactory(subscriber=customer, premise=PremiseFactory(zone=here))

        draft = drafted(customer, "100.00", subscription_id=line.pk)

        assert [tax.name for tax in LineTax.objects.all()] == ["Here"]
        assert draft.total == 110

    def test_of_an_exempt_customer_bear_no_tax(self, customer):
        TaxExemption.objects.create(
            subscriber=customer, rate=vat(), reason="Embassy", starts_on=date(2026, 1, 1)
        )

        assert drafted(customer, "100.00").total == 100

    @pytest.mark.parametrize(
        ("lines", "refusal"),
        [
            ([], drafting.NoLines),
            ([DraftLine("A", Decimal("1.001"))], drafting.BadPrice),
            ([DraftLine("A", Decimal("NaN"))], drafting.BadPrice),
            ([DraftLine("A", Decimal("1e12"))], drafting.BadPrice),
            ([DraftLine("A", Decimal(1), quantity=Decimal(0))], drafting.BadQuantity),
            ([DraftLine("A", Decimal(1), quantity=Decimal("-1"))], drafting.BadQuantity),
            ([DraftLine("A", Decimal(1), quantity=Decimal("0.00001"))], drafting.BadQuantity),
            ([DraftLine("A", Decimal(-1))], drafting.TakesOffMore),
            ([DraftLine("A", Decimal(1))] * 201, drafting.TooManyLines),
        ],
    )
    def test_with_a_mistake_are_refused(self, customer, lines, refusal):
        with pytest.raises(refusal), transaction.atomic():
            invoices.create_draft(subscriber_id=customer.pk, lines=lines, at=AT)

        assert not Invoice.objects.exists()

    def test_name_no_service_of_another(self, customer):
        theirs = SubscriptionFactory()

        with pytest.raises(drafting.ServiceOfAnother), transaction.atomic():
            drafted(customer, "1.00", subscription_id=theirs.pk)

        assert not Invoice.objects.exists()

    def test_in_another_currency_are_refused(self, customer):
        with pytest.raises(drafting.CurrencyDiffers), transaction.atomic():
            invoices.create_draft(
                subscriber_id=customer.pk, lines=[DraftLine("A", Decimal(1))], at=AT, currency="USD"
            )

        assert not Invoice.objects.exists()

    def test_are_discarded(self, customer):
        vat()
        draft = drafted(customer, "1.00")

        invoices.discard_draft(invoice_id=draft.pk)

        assert not Invoice.objects.exists()
        assert not InvoiceLine.objects.exists()

    @settings(max_examples=30, deadline=None, suppress_health_check=SAME_TENANT)
    @given(
        price=st.decimals(Decimal("0.01"), Decimal("99999.99"), places=2),
        percents=st.lists(
            st.tuples(st.decimals(Decimal("0.0001"), Decimal(40), places=4), st.booleans()), max_size=4
        ),
    )
    def test_are_taxed_as_a_run_taxes(self, tenant, price, percents):
        with tenant_context(tenant.pk):
            sid = transaction.savepoint()
            for number, (percent, is_inclusive) in enumerate(percents):
                vat(str(percent), name=f"T{number}", is_inclusive=is_inclusive)
            line = SubscriptionFactory(
                subscriber=SubscriberFactory(billing_profile=BillingProfileFactory(currency="EUR")),
                plan=PlanFactory(price=price, currency="EUR"),
                status="active",
                provisioned_at=datetime(2026, 3, 1, tzinfo=UTC),
            )
            run = BillingRun.objects.create(on=date(2026, 3, 1), as_of=AT)
            planning.plan_batch(
                planning.Terms(run.pk, run.on, AT, "UTC", date(2026, 3, 1), []), [line.subscriber_id]
            )
            planned = Invoice.objects.get()

            net, taxes = taxing.tax(
                price, currency="EUR", tax_class="", zone_id=None,
                rates=taxing.rates_of(subscriber_id=line.subscriber_id, on=run.on),
            )  # fmt: skip

            found = LineTax.objects.order_by("name").values_list("name", "base", "amount")
            assert [(tax.rate.name, tax.base, tax.amount) for tax in taxes] == list(found)
            assert net == planned.net
            transaction.savepoint_rollback(sid)


class TestIssuing:
    def test_gives_the_number_of_its_year_and_books_what_is_owed(self, customer):
        vat()

        first, second = issued(customer, "100.00"), issued(customer, "50.00")

        assert (first.number, second.number) == ("INV-2026-000001", "INV-2026-000002")
        assert (first.status, first.open_amount) == ("issued", 120)
        assert (first.issued_on, first.due_on) == (date(2026, 3, 10), date(2026, 3, 20))
        assert booked(first) == [
            ("invoice", "receivable", "revenue", 100),
            ("invoice", "receivable", "tax_payable", 20),
        ]
        assert balance(customer) == 180
        assert Event.objects.filter(name="billing.invoice_issued").count() == 2

    def test_goes_by_the_day_and_year_at_the_provider(self, customer, acting):
        acting.timezone = "Asia/Tokyo"
        acting.save()
        draft = drafted(customer, "1.00")

        invoice = invoices.issue(invoice_id=draft.pk, at=datetime(2026, 12, 31, 20, tzinfo=UTC))

        assert invoice.issued_on == date(2027, 1, 1)
        assert invoice.number == "INV-2027-000001"

    def test_uses_the_credit_there_is(self, customer):
        payments.receive(
            subscriber_id=customer.pk, amount=Decimal(30), currency="EUR", method="cash", received_at=AT
        )

        first, second = issued(customer, "20.00"), issued(customer, "20.00")

        assert (first.status, first.open_amount) == ("paid", 0)
        assert (second.status, second.open_amount) == ("partly_paid", 10)
        assert balance(customer) == 10

    def test_of_nothing_is_paid_at_once(self, customer):
        invoice = issued(customer, "10.00", "-10.00")

        assert (invoice.status, invoice.total, invoice.paid_at) == ("paid", 0, AT)
        assert booked(invoice) == []

    def test_a_second_time_is_refused(self, customer):
        invoice = issued(customer, "10.00")

        with pytest.raises(drafting.InvoiceNotDraft):
            invoices.issue(invoice_id=invoice.pk, at=AT)

        assert balance(customer) == 10

    def test_that_fails_leaves_no_gap(self, customer):
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            issued(customer, "10.00")
            raise ZeroDivisionError

        assert issued(customer, "10.00").number == "INV-2026-000001"

    def test_is_for_good(self, customer):
        invoice = issued(customer, "10.00")

        for change in (
            lambda: Invoice.objects.filter(pk=invoice.pk).update(total=1, net=1, open_amount=1),
            lambda: Invoice.objects.filter(pk=invoice.pk).delete(),
            lambda: InvoiceLine.objects.filter(invoice=invoice).update(net=1),
        ):
            with pytest.raises(IntegrityError), transaction.atomic():
                change()

        assert Invoice.objects.get().total == 10

    def test_leaves_a_run_its_drafts(self, customer):
        run = BillingRun.objects.create(on=date(2026, 3, 1), as_of=AT)
        draft = Invoice.objects.create(subscriber=customer, currency="EUR", run=run)

        with pytest.raises(drafting.DraftOfRun):
            invoices.issue(invoice_id=draft.pk, at=AT)

        assert not Transfer.objects.exists()


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
    invoices.issuing.booking.book_invoice(invoice, on=on, user_id=None)
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
            ({"lines": [CreditedLine(AT, Decimal(1))]}, crediting.LineUnknown),
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
