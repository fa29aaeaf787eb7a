"""Any order of paying, allocating, giving back and voiding leaves the books in order."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection, transaction
from django.db.models import Sum
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from billing.models import Allocation, Invoice, Payment, SubscriberBalance, Transfer
from billing.services import payments
from billing.services.invoices import voiding
from billing.services.payments import Share
from ispcore.errors import DomainError
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant
from tests.billing.paying import owe, payer

AMOUNTS = st.integers(1, 9_999).map(lambda cents: Decimal(cents) / 100)
BEGINNING = datetime(2026, 3, 1, 12, tzinfo=UTC)
pytestmark = pytest.mark.django_db


class Books(RuleBasedStateMachine):
    """One subscriber's invoices and payments, in one transaction that is thrown away."""

    tenant: Tenant

    @initialize()
    def begin(self):
        self.binding = tenant_context(self.tenant.pk)
        self.binding.__enter__()
        self.savepoint = transaction.savepoint()
        self.jane = payer()
        self.at = BEGINNING
        owe(self.jane, "50")

    def teardown(self):
        transaction.savepoint_rollback(self.savepoint)
        self.binding.__exit__(None, None, None)

    def now(self) -> datetime:
        self.at += timedelta(minutes=1)
        return self.at

    def pick(self, model, number, **which):
        rows = list(model.objects.filter(**which).order_by("pk"))
        return rows[number % len(rows)] if rows else None

    @rule(amount=AMOUNTS, days=st.integers(-40, 40))
    def issue(self, amount, days):
        owe(self.jane, str(amount), due_on=date(2026, 3, 1) + timedelta(days=days))

    @rule(amount=AMOUNTS, method=st.sampled_from(["cash", "bank", "card"]))
    def pay(self, amount, method):
        payments.receive(
            subscriber_id=self.jane.pk, amount=amount, currency="EUR", method=method, received_at=self.now()
        )

    @rule(amount=AMOUNTS)
    def pay_and_keep_as_credit(self, amount):
        payments.receive(
            subscriber_id=self.jane.pk,
            amount=amount,
            currency="EUR",
            method="cash",
            received_at=self.now(),
            allocations=[],
        )

    @rule(payment=st.integers(0, 99), invoice=st.integers(0, 99), amount=AMOUNTS)
    def allocate(self, payment, invoice, amount):
        payment, invoice = self.pick(Payment, payment), self.pick(Invoice, invoice)
        if payment is not None:
            self.attempt(
                lambda: payments.allocate(
                    payment_id=payment.pk, shares=[Share(invoice.pk, amount)], at=self.now()
                )
            )

    @rule(allocation=st.integers(0, 99))
    def release(self, allocation):
        if found := self.pick(Allocation, allocation):
            payments.release(allocation_id=found.pk, at=self.now())

    @rule()
    def spend_credit(self):
        payments.spend_credit(subscriber=self.jane, at=self.now())

    @rule(payment=st.integers(0, 99), amount=AMOUNTS)
    def refund(self, payment, amount):
        if found := self.pick(Payment, payment):
            self.attempt(
                lambda: payments.refund(payment_id=found.pk, amount=amount, reason="x", at=self.now())
            )

    @rule(payment=st.integers(0, 99))
    def bounce(self, payment):
        if found := self.pick(Payment, payment):
            self.attempt(lambda: payments.bounce(payment_id=found.pk, reason="x", at=self.now()))

    @rule(invoice=st.integers(0, 99))
    def void(self, invoice):
        found = self.pick(Invoice, invoice)
        self.attempt(lambda: voiding.void(invoice_id=found.pk, reason="x", at=self.now()))

    def attempt(self, call):
        """Do what may be refused; a refusal changes nothing."""
        before = self.picture()
        try:
            call()
        except DomainError:
            assert self.picture() == before

    def picture(self):
        return (
            list(Payment.objects.order_by("pk").values_list("pk", "allocated", "refunded", "status")),
            list(Invoice.objects.order_by("pk").values_list("pk", "open_amount", "status")),
            list(Allocation.objects.order_by("pk").values_list("pk", "amount", "released_at")),
            Transfer.objects.count(),
        )

    @invariant()
    def the_balance_is_the_sum_of_the_transfers(self):
        moved = Decimal(0)
        for one in Transfer.objects.all():
            moved += one.amount * ((one.debit == "receivable") - (one.credit == "receivable"))
        assert SubscriberBalance.objects.get(subscriber=self.jane).balance == moved

    @invariant()
    def the_balance_is_what_is_open_less_what_is_credit(self):
        owed = Invoice.objects.filter(kind="invoice").aggregate(sum=Sum("open_amount"))["sum"]
        credit = sum(one.amount - one.allocated - one.refunded for one in Payment.objects.all())
        assert SubscriberBalance.objects.get(subscriber=self.jane).balance == owed - credit

    @invariant()
    def payments_are_spent_once(self):
        for payment in Payment.objects.all():
            used = sum(one.amount for one in payment.allocations.filter(released_at=None))
            assert payment.allocated == used
            assert used + payment.refunded <= payment.amount
            if payment.status == "bounced":
                assert used == 0

    @invariant()
    def open_amounts_are_right(self):
        for invoice in Invoice.objects.exclude(status="void"):
            paid = sum(one.amount for one in invoice.allocations.filter(released_at=None))
            assert invoice.open_amount == invoice.total - paid
            assert (invoice.paid_at is not None) == (invoice.status == "paid")

    @invariant()
    @precondition(lambda self: connection.in_atomic_block)
    def nothing_is_paid_for_a_void_invoice(self):
        assert not Allocation.objects.filter(invoice__status="void", released_at=None).exists()


def test_any_order_leaves_the_books_in_order(tenant):
    Books.tenant = tenant
    run_state_machine_as_test(
        Books,
        settings=settings(
            max_examples=40,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
