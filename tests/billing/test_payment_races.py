"""What happens to one subscriber's money happens in a row, whoever comes at the same moment."""

from decimal import Decimal

import pytest

from billing.models import Allocation, Payment, Refund, Transfer
from billing.services import payments
from billing.services.payments import receiving
from ispcore.tenants.context import tenant_context
from tests.billing.paying import NOON, balance_of, open_of, owe, payer
from tests.races import at_once

pytestmark = pytest.mark.django_db(transaction=True)


def pay(subscriber, amount="20", **told):
    told = {"currency": "EUR", "method": "cash", "received_at": NOON, **told}
    return lambda: payments.receive(subscriber_id=subscriber.pk, amount=Decimal(amount), **told)


def test_64_equal_references_are_one_payment(tenant):
    with tenant_context(tenant.pk):
        jane = payer()
        invoice = owe(jane, "50")

    answers = at_once(tenant, [pay(jane, reference="slip 7")] * 64)

    assert len({one.pk for one in answers}) == 1
    with tenant_context(tenant.pk):
        assert Payment.objects.count() == 1
        assert Transfer.objects.filter(kind="payment").count() == 1
        assert open_of(invoice) == [(30, "partly_paid")]
        assert balance_of(jane) == 30


def test_one_reference_of_two_subscribers_is_the_firsts(tenant):
    with tenant_context(tenant.pk):
        payers = [payer() for _ in range(8)]

    answers = at_once(tenant, [pay(one, reference="slip 7") for one in payers])

    refused = [one for one in answers if isinstance(one, receiving.DuplicatePayment)]
    assert len(refused) == 7
    with tenant_context(tenant.pk):
        assert Payment.objects.count() == Transfer.objects.count() == 1


def test_payments_for_one_invoice_pay_it_once(tenant):
    with tenant_context(tenant.pk):
        jane = payer()
        invoice = owe(jane, "50")

    at_once(tenant, [pay(jane)] * 8)

    with tenant_context(tenant.pk):
        assert open_of(invoice) == [(0, "paid")]
        assert sum(one.amount for one in Allocation.objects.all()) == 50
        assert sum(one.allocated for one in Payment.objects.all()) == 50
        assert balance_of(jane) == -110


def test_no_more_goes_back_than_came(tenant):
    with tenant_context(tenant.pk):
        jane = payer()
        invoice = owe(jane, "20")
        payment = pay(jane)()

    def give_back():
        return payments.refund(payment_id=payment.pk, amount=Decimal(8), reason="asked for", at=NOON)

    answers = at_once(tenant, [give_back] * 8)

    assert sum(isinstance(one, Refund) for one in answers) == 2
    with tenant_context(tenant.pk):
        assert Payment.objects.get().refunded == 16
        assert open_of(invoice) == [(16, "partly_paid")]
        assert balance_of(jane) == 16


def test_credit_is_spent_once(tenant):
    with tenant_context(tenant.pk):
        jane = payer()
        pay(jane, "30")()
        invoices = [owe(jane, "20"), owe(jane, "20")]

    spent = at_once(tenant, [lambda: payments.spend_credit(subscriber=jane, at=NOON)] * 8)

    assert sorted(spent)[-1] == sum(spent) == 30
    with tenant_context(tenant.pk):
        assert sum(amount for amount, _ in open_of(*invoices)) == 10
        assert Payment.objects.get().allocated == 30


def test_a_bounce_and_payments_at_once_add_up(tenant):
    with tenant_context(tenant.pk):
        jane = payer()
        invoice = owe(jane, "100")
        first = pay(jane, "60")()

    at_once(
        tenant,
        [lambda: payments.bounce(payment_id=first.pk, reason="no funds", at=NOON)] * 4
        + [pay(jane, "15")] * 4,
    )

    with tenant_context(tenant.pk):
        assert balance_of(jane) == 40
        assert Transfer.objects.filter(kind="bounce").count() == 1
        (open_amount, _), used = open_of(invoice)[0], sum(one.allocated for one in Payment.objects.all())
        assert open_amount == 100 - used
