"""Invoices one by one: written by hand and issued. The ledger says the same at every step."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing.models import (
    BillingRun,
    Invoice,
    InvoiceLine,
    LineTax,
    TaxExemption,
    Transfer,
)
from billing.services import invoices, payments, planning
from billing.services.invoices import DraftLine, drafting, taxing
from ispcore.events.models import Event
from ispcore.tenants.context import tenant_context
from tests.billing.writing import AT, balance, booked, drafted, issued, vat
from tests.factories import (
    BillingProfileFactory,
    PlanFactory,
    PremiseFactory,
    SubscriberFactory,
    SubscriptionFactory,
    ZoneFactory,
)

SAME_TENANT = [HealthCheck.function_scoped_fixture]  # Each example is rolled back.
pytestmark = pytest.mark.django_db


@pytest.fixture
def customer(acting: Any) -> Any:
    return SubscriberFactory(billing_profile=BillingProfileFactory(currency="EUR", due_days=10))


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

    def test_know_the_zones_around_that_of_a_service(self, customer):
        country = ZoneFactory()
        region = ZoneFactory(parent=country)
        vat("10", zone=country, name="Country")
        vat("5", zone=region, name="Region")
        vat("2", zone=ZoneFactory(parent=region), name="Another town")
        line = SubscriptionFactory(
            subscriber=customer, premise=PremiseFactory(zone=ZoneFactory(parent=region))
        )

        drafted(customer, "100.00", subscription_id=line.pk)

        assert [tax.name for tax in LineTax.objects.order_by("name")] == ["Country", "Region"]

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
                price, currency="EUR", tax_class="", zones=(),
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
        with transaction.atomic():
            issued(customer, "10.00")
            transaction.set_rollback(True)

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
