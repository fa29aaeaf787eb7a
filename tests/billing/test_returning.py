"""Money that goes back: refunds and bounces, by the ledger and what they leave open."""

from datetime import date
from decimal import Decimal
from functools import partial

import pytest

from billing.models import Allocation, LedgerInvariant, Payment, Refund, Transfer
from billing.services import ledger, payments
from billing.services.payments import returning
from tests.billing.paying import NOON, balance_of, booked, open_of, owe, payer, receive

pytestmark = pytest.mark.django_db


class TestGoingBack:
    def test_a_refund_takes_credit_first_then_the_newest_allocation(self, acting):
        jane = payer()
        first, second = owe(jane, "20", due_on=date(2026, 2, 1)), owe(jane, "30")
        payment = receive(jane, "55")

        payments.refund(payment_id=payment.pk, amount=Decimal("15"), reason="asked for", at=NOON)

        assert open_of(first, second) == [(0, "paid"), (10, "partly_paid")]
        payment = Payment.objects.get(pk=payment.pk)
        assert (payment.allocated, payment.refunded, payment.status) == (40, 15, "received")
        assert balance_of(jane) == 10
        assert booked()[-1] == ("refund", "receivable", "cash", Decimal(15))

    def test_a_full_refund_opens_all(self, acting):
        jane = payer()
        first, second = owe(jane, "20", due_on=date(2026, 2, 1)), owe(jane, "30")
        payment = receive(jane, "55")

        payments.refund(payment_id=payment.pk, amount=Decimal("55"), reason="asked for", at=NOON)

        assert open_of(first, second) == [(20, "issued"), (30, "issued")]
        assert Payment.objects.get(pk=payment.pk).status == "refunded"
        assert balance_of(jane) == 50

    @pytest.mark.parametrize(("before", "asked"), [("0", "10.01"), ("4", "6.01")])
    def test_no_more_goes_back_than_came(self, acting, before, asked):
        jane = payer()
        invoice = owe(jane, "10")
        payment = receive(jane, "10")
        if Decimal(before):
            payments.refund(payment_id=payment.pk, amount=Decimal(before), reason="asked for", at=NOON)
        owed = balance_of(jane)

        with pytest.raises(returning.RefundBeyondPayment) as refusal:
            payments.refund(payment_id=payment.pk, amount=Decimal(asked), reason="asked for", at=NOON)

        assert refusal.value.code == "refund_beyond_payment"
        assert balance_of(jane) == owed
        assert open_of(invoice)[0][0] == owed

    def test_an_equal_reference_goes_back_once(self, acting):
        payment = receive(payer(), "10")
        refund = partial(
            payments.refund, payment_id=payment.pk, reason="asked for", reference="re_1", at=NOON
        )

        first, again = refund(amount=Decimal(4)), refund(amount=Decimal(4))
        with pytest.raises(returning.DuplicateRefund):
            refund(amount=Decimal(5))

        assert again == first
        assert Refund.objects.count() == 1
        assert Payment.objects.get(pk=payment.pk).refunded == 4

    def test_a_bounce_takes_all_back(self, acting):
        jane = payer()
        invoice = owe(jane, "30")
        payment = receive(jane, "40", method="bank")
        payments.refund(payment_id=payment.pk, amount=Decimal("5"), reason="asked for", at=NOON)

        for _ in range(2):
            payments.bounce(payment_id=payment.pk, reason="no funds", at=NOON)

        payment = Payment.objects.get(pk=payment.pk)
        assert (payment.status, payment.allocated, payment.refunded) == ("bounced", 0, 40)
        assert (payment.bounced_at, payment.bounce_reason) == (NOON, "no funds")
        assert open_of(invoice) == [(30, "issued")]
        assert balance_of(jane) == 30
        assert booked()[-1] == ("bounce", "receivable", "bank", Decimal(35))

    def test_nothing_goes_back_of_what_bounced(self, acting):
        payment = receive(payer(), "40")
        payments.bounce(payment_id=payment.pk, reason="no funds", at=NOON)

        with pytest.raises(returning.NothingLeft) as refusal:
            payments.refund(payment_id=payment.pk, amount=Decimal("5"), reason="asked for", at=NOON)

        assert str(refusal.value) == "The payment bounced: nothing of it is left."
        assert Transfer.objects.count() == 2

    def test_what_was_refunded_in_full_does_not_bounce(self, acting):
        payment = receive(payer(), "40")
        payments.refund(payment_id=payment.pk, amount=Decimal("40"), reason="asked for", at=NOON)

        with pytest.raises(returning.NothingLeft):
            payments.bounce(payment_id=payment.pk, reason="no funds", at=NOON)

        assert Payment.objects.get(pk=payment.pk).status == "refunded"


class TestOtherCredit:
    """What the payer has besides pays what a refund or a bounce opened again, in the same transaction."""

    def give_back(self, payment, how: str) -> None:
        if how == "bounce":
            payments.bounce(payment_id=payment.pk, reason="no funds", at=NOON)
        else:
            payments.refund(payment_id=payment.pk, amount=payment.amount, reason="asked for", at=NOON)

    @pytest.mark.parametrize("how", ["bounce", "refund"])
    def test_of_another_payment_pays_what_is_open_again(self, acting, how):
        jane = payer()
        invoice = owe(jane, "30")
        first = receive(jane, "30")
        second = receive(jane, "20")

        self.give_back(first, how)

        assert open_of(invoice) == [(10, "partly_paid")]
        assert Payment.objects.get(pk=second.pk).allocated == 20
        assert balance_of(jane) == 10
        # The invoices of these tests have no items.
        wrong = {each.invariant for each in ledger.recount()}
        assert wrong <= {LedgerInvariant.TOTALS, LedgerInvariant.NUMBERS}

    @pytest.mark.parametrize("how", ["bounce", "refund"])
    def test_of_a_credit_note_pays_what_is_open_again(self, acting, how):
        jane = payer()
        invoice = owe(jane, "30")
        first = receive(jane, "30")
        note = owe(jane, "30", kind="credit_note", corrects=invoice)

        self.give_back(first, how)

        assert open_of(invoice, note) == [(0, "paid"), (0, "paid")]
        assert balance_of(jane) == 0

    def test_in_another_currency_stays(self, acting):
        jane = payer()
        invoice = owe(jane, "30")
        first = receive(jane, "30")
        owe(jane, "10", currency="USD")
        second = receive(jane, "40", currency="USD")

        self.give_back(first, "bounce")

        assert open_of(invoice) == [(30, "issued")]
        assert Payment.objects.get(pk=second.pk).allocated == 10

    def test_what_staff_released_by_hand_stays_open(self, acting):
        """Only what goes back spends: a payment is moved to another invoice by releasing it first."""
        jane = payer()
        invoice = owe(jane, "30")
        first = receive(jane, "30")
        receive(jane, "20")

        payments.release(allocation_id=Allocation.objects.get(payment=first).pk, at=NOON)

        assert open_of(invoice) == [(30, "issued")]
