"""Credit first: periods bought when they begin, lines held without, back with a top-up."""

import threading
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.db.models import Q

from billing import tasks
from billing.models import (
    AddOn,
    BillingPosition,
    CreditVoucher,
    CreditVoucherBatch,
    Discount,
    Invoice,
    LedgerInvariant,
    Payment,
    PrepaidLine,
    SubscriberBalance,
    TaxRate,
    Transfer,
)
from billing.services import ledger, payments, planning, reports
from billing.services.prepaid import buying, outlook, renewing, selling, vouchers
from ispcore.files.services import open_file
from ispcore.jobs.models import Job
from ispcore.tenants.context import tenant_context
from ispcore.vouchers.codes import hash_code, new_codes
from subscribers.models import Hold, Subscriber, Subscription
from subscribers.services import lines
from tests.billing import owing
from tests.factories import PlanFactory, PremiseFactory, SubscriberFactory, ZoneFactory

AT = datetime(2026, 1, 31, 8, tzinfo=UTC)
pytestmark = pytest.mark.django_db


def prepaid_line(**fields) -> Subscription:
    profile = owing.make_profile(payment_kind="prepaid")
    plan = PlanFactory(price=Decimal("20.00"), currency="EUR", period=fields.pop("period", "month"))
    return owing.make_line(profile, plan=plan, **fields)


@pytest.fixture
def line(acting):
    return prepaid_line()


def top_up(line: Subscription, amount: str, at: datetime = AT) -> None:
    payments.receive(
        subscriber_id=line.subscriber_id,
        amount=Decimal(amount),
        currency="EUR",
        method="cash",
        received_at=at,
    )


def renew(line: Subscription, at: datetime = AT) -> int:
    return renewing.renew_line(subscription_id=line.pk, at=at)


def stands(line: Subscription) -> tuple[str, date, Decimal]:
    line.refresh_from_db()
    state = PrepaidLine.objects.get(subscription=line)
    balance = SubscriberBalance.objects.filter(subscriber=line.subscriber).first()
    return line.status, state.paid_until, -balance.balance if balance else Decimal(0)


class TestPeriods:
    def test_are_bought_from_credit_when_they_begin(self, line):
        top_up(line, "50.00")

        invoice = Invoice.objects.get()
        assert (invoice.status, invoice.total, invoice.open_amount) == ("paid", 20, 0)
        assert (invoice.period_start, invoice.period_end) == (date(2026, 1, 31), date(2026, 2, 28))
        assert stands(line) == ("active", date(2026, 2, 28), Decimal(30))

    def test_bear_the_taxes_of_the_zones_around(self, acting):
        region = ZoneFactory()
        TaxRate.objects.create(name="Levy", percent=5, zone=region, starts_on=date(2026, 1, 1))
        line = prepaid_line(premise=PremiseFactory(zone=ZoneFactory(parent=region)))

        top_up(line, "50.00")

        assert (Invoice.objects.get().total, stands(line)[2]) == (21, Decimal(29))

    def test_keep_the_day_they_began_on(self, line):
        top_up(line, "90.00")

        for at in (datetime(2026, 2, 28, 1, tzinfo=UTC), datetime(2026, 3, 31, 1, tzinfo=UTC)):
            assert renew(line, at) == 1

        starts = list(Invoice.objects.order_by("period_start").values_list("period_start", "period_end"))
        assert starts == [
            (date(2026, 1, 31), date(2026, 2, 28)),
            (date(2026, 2, 28), date(2026, 3, 31)),
            (date(2026, 3, 31), date(2026, 4, 30)),
        ]

    def test_are_bought_once(self, line):
        top_up(line, "90.00")

        assert renew(line) == 0
        assert renew(line, AT + timedelta(days=20)) == 0
        assert Invoice.objects.count() == 1

    def test_without_credit_hold_the_line_and_begin_with_the_top_up(self, line):
        top_up(line, "25.00")
        over = datetime(2026, 2, 28, 0, 5, tzinfo=UTC)

        assert renew(line, over) == 0
        assert stands(line) == ("suspended", date(2026, 2, 28), Decimal(5))
        assert PrepaidLine.objects.get().missing == 15
        assert list(Hold.objects.values_list("reason", "note")) == [
            ("non_payment", "Prepaid until 27 Feb 2026")
        ]

        top_up(line, "14.99", over + timedelta(days=5))
        assert stands(line)[0] == "suspended"

        top_up(line, "0.01", over + timedelta(days=10))
        assert stands(line) == ("active", date(2026, 4, 10), Decimal(0))
        assert Invoice.objects.latest("period_start").period_start == date(2026, 3, 10)

    def test_go_on_where_they_ended_after_a_stop_of_the_clock(self, line):
        top_up(line, "60.00")

        assert renew(line, datetime(2026, 4, 2, tzinfo=UTC)) == 2
        assert stands(line)[1:] == (date(2026, 4, 30), Decimal(0))

    def test_wait_for_a_hold_of_another_kind(self, line):
        top_up(line, "90.00")
        back = datetime(2026, 3, 15, 12, tzinfo=UTC)
        lines.open_hold(subscription_id=line.pk, reason="vacation", at=AT + timedelta(days=9))

        assert renew(line, datetime(2026, 3, 1, tzinfo=UTC)) == 0

        lines.release_hold(subscription_id=line.pk, reason="vacation", at=back)
        assert renew(line, back) == 1
        assert stands(line) == ("active", date(2026, 4, 15), Decimal(50))

    def test_cost_add_ons_and_taxes_less_discounts(self, line):
        AddOn.objects.create(
            subscription=line, name="Static IP", price=5, currency="EUR", starts_on=date(2026, 1, 1)
        )
        Discount.objects.create(
            subscriber=line.subscriber, name="Welcome", percent=10, starts_on=date(2026, 1, 1)
        )
        TaxRate.objects.create(name="VAT", percent=20, starts_on=date(2020, 1, 1))

        top_up(line, "100.00")

        invoice = Invoice.objects.get()
        assert (invoice.net, invoice.tax, invoice.total) == (23, Decimal("4.60"), Decimal("27.60"))
        kinds = invoice.lines.order_by("position").values_list("kind", "net")
        assert list(kinds) == [("plan", 20), ("add_on", 5), ("discount", -2)]

    def test_contain_the_taxes_their_price_contains(self, line):
        TaxRate.objects.create(name="VAT", percent=25, is_inclusive=True, starts_on=date(2020, 1, 1))

        top_up(line, "20.00")

        item = Invoice.objects.get().lines.get()
        assert (item.unit_price, item.net, item.tax) == (20, 16, 4)
        assert stands(line)[2] == 0

    def test_begin_where_invoices_ended(self, line):
        BillingPosition.objects.create(subscription=line, billed_until=date(2026, 2, 10), settled_at=AT)

        top_up(line, "20.00")
        assert stands(line) == ("active", date(2026, 2, 10), Decimal(20))

        assert renew(line, datetime(2026, 2, 10, tzinfo=UTC)) == 1
        assert stands(line) == ("active", date(2026, 3, 10), Decimal(0))

    def test_of_two_lines_are_bought_as_far_as_the_credit_goes(self, line):
        second = owing.make_line(None, subscriber=line.subscriber, plan=line.plan)

        top_up(line, "39.99")
        first, other = sorted((line, second), key=lambda each: each.pk)

        assert stands(first)[:2] == ("active", date(2026, 2, 28))
        other.refresh_from_db()
        assert other.status == "suspended"
        assert PrepaidLine.objects.get(subscription=other).missing == Decimal("0.01")

    def test_are_found_by_the_clock_where_the_provider_is(self, acting):
        acting.timezone = "Pacific/Kiritimati"
        acting.save()
        line = prepaid_line()
        top_up(line, "40.00")

        assert renewing.renew_tenant(acting.pk, at=datetime(2026, 2, 27, 9, 59, tzinfo=UTC)) == 0
        assert renewing.renew_tenant(acting.pk, at=datetime(2026, 2, 27, 10, 0, tzinfo=UTC)) == 1
        assert renewing.renew_tenant(acting.pk, at=datetime(2026, 2, 27, 10, 0, tzinfo=UTC)) == 0


def test_a_run_leaves_prepaid_lines_out(line):
    top_up(line, "20.00")
    later = datetime(2026, 9, 1, tzinfo=UTC)

    assert planning.candidates(on=later.date(), as_of=later) == []


@pytest.mark.django_db(transaction=True)
def test_a_period_is_bought_once_by_many_at_once(tenant):
    with tenant_context(tenant.pk):
        line = prepaid_line()
        owing.credit(line.subscriber, "100.00")
    start = threading.Barrier(8)

    def buy():
        start.wait()
        with tenant_context(tenant.pk):
            renew(line)
        connection.close()

    together(buy, 8)

    with tenant_context(tenant.pk):
        assert Invoice.objects.count() == 1
        assert stands(line)[2] == 80


def together(work, count: int) -> None:
    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


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


def test_buying_needs_a_prepaid_profile(acting):
    line = owing.make_line(owing.make_profile())
    owing.credit(line.subscriber, "100.00")

    assert buying.buy_due(subscriber=line.subscriber, at=AT) == 0
    assert not Invoice.objects.exists()


class TestOutlook:
    """How long a line goes on, as staff see it."""

    @pytest.mark.parametrize(
        ("credit", "lasts_until", "missing"),
        [("20", date(2026, 2, 28), 20), ("50", date(2026, 3, 31), 0), ("60", date(2026, 4, 30), 0)],
    )
    def test_counts_the_periods_the_credit_buys(self, line, credit, lasts_until, missing):
        top_up(line, credit)
        renew(line)

        seen = outlook.outlook(line)

        assert seen is not None
        assert (seen.paid_until, seen.lasts_until, seen.missing) == (date(2026, 2, 28), lasts_until, missing)
        assert (seen.credit, seen.price, seen.other_lines) == (Decimal(credit) - 20, 20, 0)

    def test_of_a_line_that_waits_says_what_is_missing(self, line):
        top_up(line, "15")
        renew(line)

        seen = outlook.outlook(line)

        assert seen is not None
        assert (seen.waits_since, seen.missing, seen.credit) == (AT, 5, 15)

    def test_is_of_prepaid_lines_alone(self, acting):
        assert outlook.outlook(owing.make_line(owing.make_profile())) is None
