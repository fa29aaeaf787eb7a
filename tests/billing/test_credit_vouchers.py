"""Credit vouchers: made in batches, sold, each a payment once."""

import threading
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.db.models import Q

from billing import tasks
from billing.models import (
    CreditVoucher,
    CreditVoucherBatch,
    LedgerInvariant,
    Payment,
    Transfer,
)
from billing.services import ledger, reports
from billing.services.prepaid import selling, vouchers
from ispcore.files.services import open_file
from ispcore.jobs.models import Job
from ispcore.tenants.context import tenant_context
from ispcore.vouchers.codes import hash_code, new_codes
from subscribers.models import Subscriber
from tests.billing.prepaying import AT, prepaid_line, renew, stands
from tests.factories import SubscriberFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def line(acting):
    return prepaid_line()


class TestVouchers:
    def make(self, **fields) -> tuple[list[str], Job]:
        values: dict[str, Any] = {
            "name": "Shop",
            "quantity": 3,
            "amount": Decimal("20.00"),
            "currency": "EUR",
            "user_id": None,
        }
        batch, job = vouchers.create_batch(**values | fields)
        codes = new_codes(batch.quantity, prefix=batch.prefix, random_signs=12)
        CreditVoucher.objects.bulk_create(
            CreditVoucher(batch=batch, code_hash=hash_code(code), shown=code[:4]) for code in codes
        )
        return codes, job

    def test_are_made_and_printed_once(self, acting):
        pytest.importorskip("typst")
        batch, job = vouchers.create_batch(
            name="Shop", quantity=25, amount=Decimal(20), currency="EUR", prefix="sh-op", user_id=None
        )

        for _ in range(2):
            tasks.make_credit_vouchers(tenant_id=str(acting.pk), job_id=str(job.pk))

        batch.refresh_from_db()
        job.refresh_from_db()
        assert (job.status, (job.result or {})["vouchers"], batch.vouchers.count()) == ("succeeded", 25, 25)
        assert batch.vouchers.earliest("pk").shown[:4] == "SHOP"
        with open_file(batch.sheet) as stream:
            assert stream.read().startswith(b"%PDF-")

    def test_are_made_by_a_worker_that_is_bound_to_nobody(self, tenant):
        pytest.importorskip("typst")
        with tenant_context(tenant.pk):
            batch, job = vouchers.create_batch(
                name="Shop", quantity=2, amount=Decimal(20), currency="EUR", user_id=None
            )

        tasks.make_credit_vouchers(tenant_id=str(tenant.pk), job_id=str(job.pk))

        with tenant_context(tenant.pk):
            job.refresh_from_db()
            assert (job.status, batch.vouchers.count()) == ("succeeded", 2)

    def test_become_a_payment_and_bring_a_line_back(self, line):
        renew(line)
        assert stands(line)[0] == "suspended"
        codes, _ = self.make()

        payment = vouchers.redeem(subscriber_id=line.subscriber_id, code=codes[0].lower(), at=AT)

        assert (payment.method, payment.amount) == ("voucher", 20)
        assert stands(line) == ("active", date(2026, 2, 28), Decimal(0))
        used = CreditVoucher.objects.get(state="used")
        assert (used.payment_id, used.subscriber_id, used.used_at) == (payment.pk, line.subscriber_id, AT)

    @pytest.mark.parametrize("code", ["", "AAAA-BBBB-CCCC", "\x00"])
    def test_that_do_not_exist_are_refused(self, line, code):
        with pytest.raises(vouchers.CreditVoucherUnknown):
            vouchers.redeem(subscriber_id=line.subscriber_id, code=code, at=AT)

        assert not Payment.objects.exists()

    def test_out_of_date_or_revoked_are_refused(self, line):
        old, _ = self.make(use_before=AT)
        gone, _ = self.make(name="Gone")
        vouchers.revoke_batch(batch_id=CreditVoucher.objects.latest("pk").batch_id, at=AT)

        for code in (old[0], gone[0]):
            with pytest.raises(vouchers.CreditVoucherOver):
                vouchers.redeem(subscriber_id=line.subscriber_id, code=code, at=AT)

        assert not Payment.objects.exists()

    @pytest.mark.parametrize(
        ("amount", "currency"), [("0", "EUR"), ("-1", "EUR"), ("1.001", "EUR"), ("0.5", "JPY")]
    )
    def test_are_worth_an_amount_there_is(self, acting, amount, currency):
        with pytest.raises(vouchers.VoucherAmountInvalid):
            self.make(amount=Decimal(amount), currency=currency)


class TestSelling:
    """What was sold stands in the ledger until it is used."""

    def sold(self, batch_id: Any, method: str = "cash") -> CreditVoucherBatch:
        return selling.sell_batch(batch_id=batch_id, method=method, at=AT, user_id=None)

    def make(self, **fields) -> tuple[CreditVoucherBatch, list[str]]:
        codes, _ = TestVouchers().make(**fields)
        return CreditVoucherBatch.objects.latest("pk"), codes

    def vouchers_account(self) -> Decimal:
        rows = Transfer.objects.filter(Q(debit="vouchers") | Q(credit="vouchers"))
        return sum((row.amount if row.credit == "vouchers" else -row.amount for row in rows), Decimal(0))

    def test_books_the_worth_of_what_was_not_revoked(self, acting):
        batch, _ = self.make()
        vouchers.revoke_voucher(voucher_id=batch.vouchers.earliest("pk").pk)

        self.sold(batch.pk)

        batch.refresh_from_db()
        assert (batch.sold_at, batch.sold_quantity) == (AT, 2)
        (booked,) = Transfer.objects.all()
        assert (booked.kind, booked.debit, booked.credit) == ("sale", "cash", "vouchers")
        assert (booked.amount, booked.entry, booked.booked_on) == (40, batch.pk, date(2026, 1, 31))
        assert ledger.recount() == []

    def test_what_is_used_leaves_the_account_of_vouchers_sold(self, line):
        batch, codes = self.make()
        self.sold(batch.pk, "bank")

        vouchers.redeem(subscriber_id=line.subscriber_id, code=codes[0], at=AT)
        assert self.vouchers_account() == 40
        for code in codes[1:]:
            vouchers.redeem(subscriber_id=line.subscriber_id, code=code, at=AT)

        assert self.vouchers_account() == 0
        assert [each for each in ledger.recount() if each.invariant == LedgerInvariant.VOUCHERS] == []

    def test_counts_in_the_takings_of_the_day(self, acting):
        batch, _ = self.make()
        self.sold(batch.pk, "card")

        (row,) = reports.cash(since=date(2026, 1, 31), until=date(2026, 2, 1))

        assert (row.method, row.payments, row.received, row.given_back) == ("card", 1, 60, 0)

    def test_happens_once(self, acting):
        batch, _ = self.make()
        self.sold(batch.pk)

        with pytest.raises(selling.CreditBatchSold) as refusal:
            self.sold(batch.pk)

        assert str(refusal.value) == "Shop was sold on 31 Jan 2026: 3 vouchers, 60.00 EUR."
        assert Transfer.objects.count() == 1

    def test_needs_vouchers_and_money(self, acting):
        batch, _ = self.make()

        with pytest.raises(selling.SaleMethodWrong):
            self.sold(batch.pk, "voucher")
        vouchers.revoke_batch(batch_id=batch.pk, at=AT)
        with pytest.raises(selling.CreditBatchWorthless):
            self.sold(batch.pk)

        assert not Transfer.objects.exists()

    def test_keeps_the_batch(self, acting):
        batch, _ = self.make()
        self.sold(batch.pk)

        with pytest.raises(selling.CreditBatchSold):
            vouchers.remove_batch(batch_id=batch.pk)

        assert CreditVoucherBatch.objects.filter(pk=batch.pk).exists()

    def test_a_recount_finds_a_sale_that_was_not_booked(self, acting):
        batch, _ = self.make()
        CreditVoucherBatch.objects.filter(pk=batch.pk).update(sold_at=AT, sold_quantity=3)

        (found,) = ledger.recount()

        assert (found.invariant, found.record) == (LedgerInvariant.VOUCHERS, "Voucher batch Shop")
        assert found.detail == "booked 0, sold for 60 EUR"


@pytest.mark.django_db(transaction=True)
def test_a_voucher_is_used_once_by_64_at_once(tenant):
    with tenant_context(tenant.pk):
        (code, *_), _ = TestVouchers().make()
        people = [SubscriberFactory(billing_profile=None).pk for _ in range(64)]
    start = threading.Barrier(64)
    got: list[str] = []

    def redeem(pk):
        start.wait()
        try:
            with tenant_context(tenant.pk):
                vouchers.redeem(subscriber_id=pk, code=code, at=AT)
            got.append("payment")
        except vouchers.CreditVoucherUsed:
            got.append("used")
        finally:
            connection.close()

    threads = [threading.Thread(target=redeem, args=(pk,)) for pk in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (got.count("payment"), got.count("used")) == (1, 63)
    with tenant_context(tenant.pk):
        assert Payment.objects.count() == 1
        assert Subscriber.objects.filter(payments__isnull=False).count() == 1
