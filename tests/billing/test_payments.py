"""Money that comes in, what it pays, and what goes back."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction

from billing.models import Allocation, Invoice, Payment, Transfer
from billing.services import payments
from billing.services.payments import Share, allocating, checks, receiving
from ispcore.errors import DomainError
from ispcore.events.models import Event
from subscribers.models import Hold, Subscription
from tests.billing.paying import NOON, balance_of, booked, open_of, owe, payer, receive
from tests.factories import SubscriptionFactory

pytestmark = pytest.mark.django_db


class TestReceiving:
    def test_pays_the_oldest_due_first(self, acting):
        jane = payer()
        later = owe(jane, "30", due_on=date(2026, 3, 1))
        first = owe(jane, "20", due_on=date(2026, 2, 1))

        payment = receive(jane, "35.50")

        assert open_of(first, later) == [(0, "paid"), (Decimal("14.50"), "partly_paid")]
        assert Invoice.objects.get(pk=first.pk).paid_at == NOON
        assert (payment.allocated, payment.refunded) == (Decimal("35.50"), 0)
        assert balance_of(jane) == Decimal("14.50")
        assert booked() == [("payment", "cash", "receivable", Decimal("35.50"))]

    def test_leaves_an_over_payment_as_credit(self, acting):
        jane = payer()
        invoice = owe(jane, "20")

        payment = receive(jane, "50")

        assert open_of(invoice) == [(0, "paid")]
        assert payment.allocated == 20
        assert balance_of(jane) == -30

    def test_tells_of_it(self, acting):
        jane = payer()

        payment = receive(jane, "50")

        told = Event.objects.get(name="billing.payment_received")
        assert told.payload == {"payment_id": str(payment.pk), "subscriber_id": str(jane.pk)}

    @pytest.mark.parametrize(
        ("method", "account"),
        [("cash", "cash"), ("bank", "bank"), ("card", "card_clearing"), ("voucher", "vouchers")],
    )
    def test_lies_where_its_method_says(self, acting, method, account):
        receive(payer(), "1", method=method)

        assert booked() == [("payment", account, "receivable", Decimal(1))]

    def test_is_booked_on_the_providers_day(self, make_tenant):
        from ispcore.tenants.context import tenant_context

        east = make_tenant("east", timezone="Pacific/Auckland")
        with tenant_context(east.pk):
            receive(payer(), "1", received_at=datetime(2026, 3, 10, 18, tzinfo=UTC))

            assert Transfer.objects.get().booked_on == date(2026, 3, 11)

    def test_leaves_invoices_of_another_currency_alone(self, acting):
        jane = payer()
        euros, dollars = owe(jane, "20"), owe(jane, "20", currency="USD", due_on=date(2026, 1, 1))

        receive(jane, "50")

        assert open_of(euros, dollars) == [(0, "paid"), (20, "issued")]

    def test_pays_what_it_is_told(self, acting):
        jane = payer()
        first, second = owe(jane, "20", due_on=date(2026, 2, 1)), owe(jane, "30")

        payment = receive(jane, "45", allocations=[Share(second.pk, Decimal("30"))])

        assert open_of(first, second) == [(20, "issued"), (0, "paid")]
        assert payment.allocated == 30

    def test_pays_nothing_when_told_so(self, acting):
        jane = payer()
        invoice = owe(jane, "20")

        payment = receive(jane, "45", allocations=[])

        assert open_of(invoice) == [(20, "issued")]
        assert payment.allocated == 0


class TestDebt:
    def held_for(self, jane) -> Subscription:
        line = SubscriptionFactory(subscriber=jane, status="suspended")
        Hold.objects.create(subscription=line, reason="non_payment", opened_at=NOON)
        return line

    def test_a_line_is_back_with_the_payment_that_clears_it(self, acting):
        jane = payer()
        owe(jane, "20", due_on=date(2026, 2, 1))
        line = self.held_for(jane)

        receive(jane, "20")

        assert Subscription.objects.get(pk=line.pk).status == "active"
        assert line.holds.get().released_at == NOON

    def test_a_line_stays_held_while_something_is_overdue(self, acting):
        jane = payer()
        owe(jane, "20", due_on=date(2026, 2, 1))
        line = self.held_for(jane)

        receive(jane, "5")

        assert Subscription.objects.get(pk=line.pk).status == "suspended"

    def test_a_line_is_back_when_credit_is_used_for_the_debt(self, acting):
        jane = payer()
        receive(jane, "20")
        owe(jane, "20", due_on=date(2026, 2, 1))
        line = self.held_for(jane)

        payments.spend_credit(subscriber=jane, at=NOON)

        assert Subscription.objects.get(pk=line.pk).status == "active"


class TestReferences:
    def test_an_equal_one_is_the_first(self, acting):
        jane = payer()
        invoice = owe(jane, "20")
        first = receive(jane, "5", reference="slip 7")

        again = receive(jane, "5.00", reference=" slip 7 ", received_at=NOON + timedelta(hours=1))

        assert again == first
        assert open_of(invoice) == [(15, "partly_paid")]
        assert balance_of(jane) == 15
        assert Payment.objects.count() == 1

    def test_an_equal_one_is_the_first_even_after_it_went_back(self, acting):
        jane = payer()
        first = receive(jane, "5", reference="slip 7")
        payments.bounce(payment_id=first.pk, reason="no funds", at=NOON)

        again = receive(jane, "5", reference="slip 7")

        assert (again.pk, again.status) == (first.pk, "bounced")
        assert balance_of(jane) == 0

    @pytest.mark.parametrize("other", [{"amount": "6"}, {"method": "bank"}, {"subscriber": True}])
    def test_a_different_one_is_refused(self, acting, other):
        jane = payer()
        receive(jane, "5", reference="slip 7")
        who = payer() if other.pop("subscriber", False) else jane

        with pytest.raises(receiving.DuplicatePayment) as refusal:
            receive(who, **{"amount": "5", "reference": "slip 7", **other})

        assert refusal.value.code == "duplicate_payment"
        assert str(refusal.value) == (
            f"A payment with the reference slip 7 was booked on 2026-03-10: 5.00 EUR by cash from {jane}. "
            "This one differs; give it a reference of its own."
        )
        assert Payment.objects.count() == 1
        assert Transfer.objects.count() == 1

    def test_without_one_each_is_another(self, acting):
        jane = payer()

        receive(jane, "5")
        receive(jane, "5")

        assert balance_of(jane) == -10


class TestRefusals:
    @pytest.mark.parametrize(
        ("told", "code"),
        [
            ({"amount": "0"}, "amount_not_positive"),
            ({"amount": "-1"}, "amount_not_positive"),
            ({"amount": "NaN"}, "amount_not_positive"),
            ({"amount": "Infinity"}, "amount_not_positive"),
            ({"amount": "1.001"}, "amount_too_precise"),
            ({"amount": "1E+20"}, "amount_too_large"),
            ({"currency": "USD"}, "currency_mismatch"),
            ({"received_at": NOON + timedelta(seconds=1), "at": NOON}, "received_in_future"),
        ],
    )
    def test_what_cannot_be_is_refused(self, acting, told, code):
        jane = payer()
        invoice = owe(jane, "20")

        with pytest.raises(DomainError) as refusal:
            receive(jane, **{"amount": "5", **told})

        assert refusal.value.code == code
        assert open_of(invoice) == [(20, "issued")]
        assert balance_of(jane) == 20
        assert not Payment.objects.exists()

    @pytest.mark.parametrize(
        ("currency", "amount", "passes"),
        [("JPY", "100", True), ("JPY", "100.5", False), ("KWD", "1.125", True), ("KWD", "1.1255", False)],
    )
    def test_amounts_are_whole_minor_units(self, acting, currency, amount, passes):
        jane = payer(currency)

        if passes:
            receive(jane, amount, currency=currency)
        else:
            with pytest.raises(checks.AmountTooPrecise):
                receive(jane, amount, currency=currency)

        assert Payment.objects.count() == passes

    def test_nobody_unknown_pays(self, acting):
        with pytest.raises(checks.PayerUnknown):
            payments.receive(
                subscriber_id=uuid4(), amount=Decimal(1), currency="EUR", method="cash", received_at=NOON
            )

        assert not Transfer.objects.exists()

    def test_an_old_debt_in_another_currency_may_be_paid(self, acting):
        jane = payer()
        dollars = owe(jane, "20", currency="USD")

        receive(jane, "20", currency="USD")

        assert open_of(dollars) == [(0, "paid")]

    @pytest.mark.parametrize(
        ("make", "code"),
        [
            (lambda jane: Invoice.objects.create(subscriber=jane, currency="EUR"), "invoice_not_open"),
            (lambda jane: _void(owe(jane, "20")), "invoice_not_open"),
            (lambda jane: _paid(owe(jane, "20")), "invoice_not_open"),
            (
                lambda jane: owe(jane, "20", kind="credit_note", corrects=owe(jane, "20")),
                "invoice_not_open",
            ),
            (lambda jane: owe(jane, "20", currency="USD"), "currency_mismatch"),
            (lambda jane: owe(payer(), "20"), "invoice_of_another_subscriber"),
            (lambda jane: owe(jane, "4"), "allocation_beyond_invoice"),
            (lambda jane: Invoice(), "not_found"),
        ],
    )
    def test_what_cannot_be_paid_is_refused(self, acting, make, code):
        jane = payer()
        invoice = make(jane)
        transfers = Transfer.objects.count()

        with pytest.raises(DomainError) as refusal:
            receive(jane, "50", allocations=[Share(invoice.pk, Decimal(5))])

        assert refusal.value.code == code
        assert not Payment.objects.exists()
        assert not Allocation.objects.exists()
        assert Transfer.objects.count() == transfers

    def test_no_more_is_allocated_than_came(self, acting):
        jane = payer()
        invoice = owe(jane, "20")

        with pytest.raises(allocating.PaymentOverspent):
            receive(jane, "5", allocations=[Share(invoice.pk, Decimal(6))])

        assert open_of(invoice) == [(20, "issued")]

    def test_an_invoice_is_named_once(self, acting):
        jane = payer()
        share = Share(owe(jane, "20").pk, Decimal(2))

        with pytest.raises(allocating.InvoiceNamedTwice):
            receive(jane, "5", allocations=[share, share])


def _void(invoice: Invoice) -> Invoice:
    Invoice.objects.filter(pk=invoice.pk).update(status="void", open_amount=0, voided_at=NOON)
    return invoice


def _paid(invoice: Invoice) -> Invoice:
    Invoice.objects.filter(pk=invoice.pk).update(status="paid", open_amount=0, paid_at=NOON)
    return invoice


class TestCredit:
    def test_is_spent_on_what_is_open(self, acting):
        jane = payer()
        first, second = receive(jane, "10"), receive(jane, "15")
        invoice = owe(jane, "20")

        spent = payments.spend_credit(subscriber=jane, at=NOON)

        assert spent == 20
        assert open_of(invoice) == [(0, "paid")]
        assert [Payment.objects.get(pk=one.pk).allocated for one in (first, second)] == [10, 10]
        assert payments.spend_credit(subscriber=jane, at=NOON) == 0

    def test_begins_with_credit_notes(self, acting):
        jane = payer()
        payment = receive(jane, "10")
        note = owe(jane, "8", kind="credit_note", corrects=_paid(owe(jane, "8")))
        invoice = owe(jane, "10")

        payments.spend_credit(subscriber=jane, at=NOON)

        assert open_of(invoice, note) == [(0, "paid"), (0, "paid")]
        assert Payment.objects.get(pk=payment.pk).allocated == 2

    def test_of_a_bounced_payment_is_none(self, acting):
        jane = payer()
        payments.bounce(payment_id=receive(jane, "10").pk, reason="no funds", at=NOON)
        invoice = owe(jane, "20")

        assert payments.spend_credit(subscriber=jane, at=NOON) == 0
        assert open_of(invoice) == [(20, "issued")]

    def test_is_allocated_by_hand(self, acting):
        jane = payer()
        payment = receive(jane, "10")
        first, second = owe(jane, "20", due_on=date(2026, 2, 1)), owe(jane, "30")

        payments.allocate(payment_id=payment.pk, shares=[Share(second.pk, Decimal(4))], at=NOON)
        payments.allocate(payment_id=payment.pk, at=NOON)

        assert open_of(first, second) == [(14, "partly_paid"), (26, "partly_paid")]

    def test_a_released_allocation_is_credit_again(self, acting):
        jane = payer()
        invoice = owe(jane, "20")
        payment = receive(jane, "20")

        for _ in range(2):
            payments.release(allocation_id=payment.allocations.get().pk, at=NOON)

        assert open_of(invoice) == [(20, "issued")]
        assert Invoice.objects.get(pk=invoice.pk).paid_at is None
        assert Payment.objects.get(pk=payment.pk).allocated == 0
        assert balance_of(jane) == 0


@pytest.mark.parametrize("fields", [{"allocated": 11}, {"refunded": 10}, {"status": "bounced"}])
def test_the_database_holds_what_a_payment_says(acting, fields):
    payment = receive(payer(), "10")

    with pytest.raises(IntegrityError), transaction.atomic():
        Payment.objects.filter(pk=payment.pk).update(**fields)
