"""Reports: exact sums, agreeing with the ledger, in the same number of statements for any number of rows."""

import csv as csv_module
import io
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.db.models import Sum
from django.test.utils import CaptureQueriesContext

from billing.models import (
    Invoice,
    InvoiceLine,
    LineTax,
    Payment,
    SubscriberBalance,
    TaxRate,
    Transfer,
)
from billing.services import payments, reports
from billing.services.reports import debt, journal
from ispcore.files import tabular
from ispcore.tenants.context import tenant_context
from tests.billing.paying import NOON, owe, payer
from tests.factories import SubscriptionFactory

pytestmark = pytest.mark.django_db
TODAY = date(2026, 3, 31)


def pay(subscriber: Any, amount: str, *, at: datetime = NOON, **fields: Any) -> Payment:
    return payments.receive(
        subscriber_id=subscriber.pk,
        amount=Decimal(amount),
        received_at=at,
        **{"currency": "EUR", "method": "cash", **fields},
    )


class TestAgedDebt:
    def test_by_the_days_since_it_was_due(self, acting):
        one, two = payer(), payer()
        for due_on, amount in (
            (date(2026, 3, 31), "1.00"),
            (date(2026, 3, 30), "2.00"),
            (date(2026, 3, 1), "4.00"),
            (date(2026, 2, 28), "8.00"),
            (date(2026, 1, 30), "16.00"),
            (date(2026, 1, 29), "32.00"),
            (date(2025, 12, 31), "64.00"),
            (date(2025, 12, 30), "128.00"),
        ):
            owe(one, amount, due_on=due_on)
        owe(two, "500.00", due_on=date(2026, 4, 1))
        pay(two, "100.00")

        found = reports.aged_debt(on=TODAY)

        assert [
            (each.currency, each.subscribers, each.current, each.days_1_30, each.days_31_60, each.days_61_90,
             each.days_over_90, each.total)
            for each in found.totals
        ] == [("EUR", 2, 401, 6, 24, 96, 128, 655)]  # fmt: skip
        assert [(each.number, each.total, each.oldest_days) for each in found.subscribers] == [
            (two.number, 400, -1), (one.number, 255, 91),
        ]  # fmt: skip

    def test_agrees_with_the_ledger(self, acting):
        one, two = payer(), payer()
        owe(one, "29.90")
        pay(one, "50.00")
        owe(two, "10.00")

        (total,) = reports.aged_debt(on=TODAY).totals

        balance = SubscriberBalance.objects.aggregate(sum=Sum("balance"))["sum"]
        assert (total.total, total.credit, total.balance) == (10, Decimal("20.10"), balance)

    def test_keeps_currencies_apart(self, acting):
        owe(payer("EUR"), "10.00")
        owe(payer("USD"), "20.00", currency="USD")

        assert [(each.currency, each.total) for each in reports.aged_debt(on=TODAY).totals] == [
            ("EUR", 10), ("USD", 20),
        ]  # fmt: skip
        assert [each.currency for each in reports.aged_debt(on=TODAY, currency="USD").subscribers] == ["USD"]

    def test_of_all_in_pages(self, acting, monkeypatch):
        owed = sorted((payer() for _ in range(5)), key=lambda each: each.pk)
        for each in owed:
            owe(each, "3.00")
        monkeypatch.setattr(debt, "PAGE", 2)

        rows = list(reports.aged_debt_rows(tenant_id=acting.pk, on=TODAY))

        assert [(each.subscriber_id, each.total) for each in rows] == [(each.pk, 3) for each in owed]

    def test_sees_no_other_tenants(self, acting, other_tenant):
        with tenant_context(other_tenant.pk):
            owe(payer(), "10.00")

        assert reports.aged_debt(on=TODAY).totals == []


def bill(
    subscriber: Any,
    *items: tuple[str, str, str, str],
    line: Any = None,
    days: tuple[int, int] | None = None,
    issued_on: date = date(2026, 1, 1),
) -> Invoice:
    """An issued invoice of items (kind, from, until, net)."""
    line = line or SubscriptionFactory(subscriber=subscriber)
    net = sum(Decimal(item[3]) for item in items)
    invoice = Invoice.objects.create(
        subscriber=subscriber, currency="EUR", net=net, total=net, open_amount=net
    )
    for position, (kind, first, until, amount) in enumerate(items, 1):
        part, whole = days or (None, None)
        InvoiceLine.objects.create(
            invoice=invoice, position=position, kind=kind, subscription=line, description=kind, period_start=first,
            period_end=until, unit_price=amount, net=amount, days=part, period_days=whole,
        )  # fmt: skip
    Invoice.objects.filter(pk=invoice.pk).update(
        status="issued" if net else "paid", number=f"R-{invoice.pk.hex[-10:]}", issued_on=issued_on,
        issued_at=datetime(2026, 1, 1, tzinfo=UTC),
    )  # fmt: skip
    return invoice


def recurring(first: date = date(2026, 1, 1), last: date = date(2026, 3, 1)) -> list[tuple[Any, ...]]:
    return [
        (
            each.month.month,
            each.mrr,
            each.new,
            each.reactivated,
            each.expansion,
            each.contraction,
            each.churned,
        )
        for each in reports.recurring(first=first, last=last, on=TODAY)
    ]


JAN, FEB, MAR, APR = "2026-01-01", "2026-02-01", "2026-03-01", "2026-04-01"


class TestRecurring:
    def test_new_expanded_contracted_churned_and_reactivated(self, acting):
        stays, grows, shrinks, leaves, returns = (payer() for _ in range(5))
        for first, until in ((JAN, FEB), (FEB, MAR), (MAR, APR)):
            bill(stays, ("plan", first, until, "10.00"))
        bill(grows, ("plan", JAN, FEB, "20.00"))
        bill(grows, ("plan", FEB, MAR, "25.00"))
        bill(grows, ("plan", MAR, APR, "25.00"))
        bill(shrinks, ("plan", JAN, FEB, "30.00"))
        bill(shrinks, ("plan", FEB, MAR, "28.00"))
        bill(shrinks, ("plan", MAR, APR, "28.00"))
        bill(leaves, ("plan", JAN, FEB, "40.00"))
        bill(returns, ("plan", JAN, FEB, "50.00"))
        bill(returns, ("plan", MAR, APR, "55.00"))

        assert recurring() == [
            (1, 150, 150, 0, 0, 0, 0),
            (2, 63, 0, 0, 5, 2, 90),
            (3, 118, 0, 55, 0, 0, 0),
        ]
        months = reports.recurring(first=date(2026, 1, 1), last=date(2026, 3, 1), on=TODAY)
        assert [(each.subscribers, each.subscribers_churned, each.churn_percent) for each in months] == [
            (5, 0, 0), (3, 2, Decimal("40.0")), (4, 0, 0),
        ]  # fmt: skip
        for each in months:
            assert each.mrr == (
                each.before + each.new + each.reactivated + each.expansion - each.contraction - each.churned
            )

    def test_quarters_and_years_are_made_months(self, acting):
        bill(payer(), ("plan", JAN, APR, "90.00"))
        bill(payer(), ("plan", JAN, "2027-01-01", "120.00"))

        assert [row[1] for row in recurring()] == [40, 40, 40]

    def test_part_of_a_period_counts_as_its_whole_price(self, acting):
        bill(payer(), ("plan", "2026-01-16", FEB, "16.00"), days=(16, 31))

        assert recurring(last=date(2026, 1, 1)) == [(1, 31, 31, 0, 0, 0, 0)]

    def test_a_line_that_is_off_or_changed_counts_as_it_stands_on_the_last_day(self, acting):
        subscriber = payer()
        line = SubscriptionFactory(subscriber=subscriber)
        bill(subscriber, ("plan", JAN, FEB, "31.00"), line=line)
        bill(subscriber, ("plan_change", "2026-01-22", FEB, "3.10"), line=line, days=(10, 31))
        gone = payer()
        line = SubscriptionFactory(subscriber=gone)
        bill(gone, ("plan", JAN, FEB, "31.00"), line=line)
        bill(
            gone,
            ("add_on", JAN, FEB, "5.00"),
            ("end_credit", "2026-01-22", FEB, "-5.00"),
            line=line,
            days=(31, 31),
        )

        (month,) = reports.recurring(first=date(2026, 1, 1), last=date(2026, 1, 1), on=TODAY)

        assert month.mrr == Decimal("40.61") + 31

    def test_void_and_drafts_do_not_count(self, acting):
        void = bill(payer(), ("plan", JAN, FEB, "10.00"))
        Invoice.objects.filter(pk=void.pk).update(status="void", open_amount=0, voided_at=NOON)
        Invoice.objects.create(subscriber=payer(), currency="EUR", net=5, total=5, open_amount=5)

        assert recurring() == []

    def test_of_too_many_months_is_refused(self, acting):
        with pytest.raises(Exception, match="at most 36 months"):
            recurring(first=date(2020, 1, 1))


def taxed(
    subscriber: Any, net: str, *taxes: tuple[TaxRate, str], kind: str = "invoice", **fields: Any
) -> Any:
    """An issued invoice or credit note with one item, and its bookings."""
    base = Decimal(net)
    tax = sum((Decimal(amount) for _, amount in taxes), Decimal(0))
    issued_on = fields.pop("issued_on", date(2026, 3, 10))
    invoice = Invoice.objects.create(
        subscriber=subscriber, currency="EUR", kind=kind, net=base, tax=tax, total=base + tax,
        open_amount=base + tax, **fields,
    )  # fmt: skip
    item = InvoiceLine.objects.create(
        invoice=invoice, position=1, kind="manual", description="x", unit_price=base, net=base, tax=tax
    )
    for rate, amount in taxes:
        LineTax.objects.create(
            line=item, rate=rate, name=rate.name, percent=rate.percent, base=base, amount=amount
        )
    Invoice.objects.filter(pk=invoice.pk).update(
        status="issued", number=f"T-{invoice.pk.hex[-10:]}", issued_on=issued_on, issued_at=NOON
    )
    if tax:
        sides = ("receivable", "tax_payable") if kind == "invoice" else ("tax_payable", "receivable")
        Transfer.objects.create(
            entry=invoice.pk, kind=kind, debit=sides[0], credit=sides[1], amount=tax, currency="EUR",
            subscriber=subscriber, invoice=invoice, booked_on=issued_on,
        )  # fmt: skip
    return invoice


class TestTaxes:
    @pytest.fixture
    def vat(self, acting) -> Any:
        return TaxRate.objects.create(name="VAT", percent=20, starts_on="2020-01-01")

    def report(self) -> reports.TaxReport:
        return reports.taxes(since=date(2026, 3, 1), until=date(2026, 4, 1))

    def test_by_rate_with_credit_notes_taken_off(self, vat):
        city = TaxRate.objects.create(name="City", percent=1, starts_on="2020-01-01")
        subscriber = payer()
        first = taxed(subscriber, "100.00", (vat, "20.00"), (city, "1.00"))
        taxed(subscriber, "50.00", (vat, "10.00"))
        taxed(subscriber, "7.00")
        taxed(subscriber, "10.00", (vat, "2.00"), kind="credit_note", corrects=first)
        taxed(subscriber, "1000.00", (vat, "200.00"), issued_on=date(2026, 4, 1))

        found = self.report()

        assert [(row.name, row.percent, row.base, row.tax) for row in found.rates] == [
            ("VAT", 20, 140, 28), ("City", 1, 100, 1), ("", 0, 7, 0),
        ]  # fmt: skip
        (total,) = found.totals
        assert (total.net, total.tax, total.booked_tax, total.invoices, total.given_back) == (
            147,
            29,
            29,
            3,
            1,
        )

    def test_an_invoice_made_void_is_taken_off_on_that_day(self, vat):
        subscriber = payer()
        void = taxed(subscriber, "100.00", (vat, "20.00"), issued_on=date(2026, 2, 10))
        Invoice.objects.filter(pk=void.pk).update(
            status="void", open_amount=0, voided_at=datetime(2026, 3, 5, tzinfo=UTC)
        )
        Transfer.objects.create(
            entry=void.pk, kind="void", debit="tax_payable", credit="receivable", amount=20, currency="EUR",
            subscriber=subscriber, invoice=void, booked_on=date(2026, 3, 5),
        )  # fmt: skip

        before = reports.taxes(since=date(2026, 2, 1), until=date(2026, 3, 1)).totals
        after = self.report().totals

        assert [(each.tax, each.booked_tax) for each in (*before, *after)] == [(20, 20), (-20, -20)]

    @pytest.mark.parametrize("until", [date(2026, 3, 1), date(2026, 2, 1), date(2027, 4, 1)])
    def test_of_no_period_is_refused(self, until, acting):
        with pytest.raises(Exception, match="`from` comes before `until`"):
            reports.taxes(since=date(2026, 3, 1), until=until)


class TestCash:
    def test_per_day_method_and_person(self, acting, admin_user):
        subscriber = payer()
        pay(subscriber, "10.00", created_by=admin_user.pk)
        pay(subscriber, "5.00", created_by=admin_user.pk)
        pay(subscriber, "7.00", method="bank")
        refunded = pay(subscriber, "3.00", at=datetime(2026, 3, 11, tzinfo=UTC))
        payments.refund(
            payment_id=refunded.pk, amount=Decimal(1), reason="x", at=datetime(2026, 3, 11, 9, tzinfo=UTC)
        )

        rows = reports.cash(since=date(2026, 3, 1), until=date(2026, 4, 1))

        assert [
            (row.day.day, row.method, row.user_name, row.payments, row.received, row.given_back, row.net)
            for row in rows
        ] == [
            (10, "bank", "", 1, 7, 0, 7),
            (10, "cash", "Admin", 2, 15, 0, 15),
            (11, "cash", "", 1, 3, 1, 2),
        ]  # fmt: skip
        booked = {
            side: Transfer.objects.filter(**{side: "cash"}).aggregate(sum=Sum("amount"))["sum"]
            for side in ("debit", "credit")
        }
        assert sum(row.net for row in rows if row.method == "cash") == booked["debit"] - booked["credit"]


class TestJournal:
    def rows(self, tenant: Any) -> list[list[str]]:
        pieces = tabular.pieces_of(
            reports.journal_rows(tenant_id=tenant.pk, since=date(2026, 1, 1), until=date(2026, 4, 1)),
            file_format="csv",
        )
        return list(csv_module.reader(io.StringIO(b"".join(pieces).decode("utf-8-sig"))))

    def test_has_every_transfer_once_and_in_order(self, acting, monkeypatch):
        subscriber = payer()
        for _ in range(3):
            owe(subscriber, "2.00")
        pay(subscriber, "6.00", reference="R-1")
        monkeypatch.setattr(journal, "PAGE", 2)

        header, *rows = self.rows(acting)

        assert header == list(reports.JOURNAL_HEADER)
        assert [(row[0], row[2], row[3], row[4], row[5], row[6]) for row in rows] == [
            ("2026-02-14", "Invoice", "Receivable", "Revenue", "2.00", "EUR"),
        ] * 3 + [("2026-03-10", "Payment", "Cash", "Receivable", "6.00", "EUR")]
        assert (rows[3][7], rows[3][10]) == (subscriber.number, "R-1")

    def test_runs_no_formula(self, acting):
        subscriber = payer()
        type(subscriber).objects.filter(pk=subscriber.pk).update(full_name="=1+1")
        pay(subscriber, "6.00", reference="@SUM(A1)")

        row = self.rows(acting)[1]

        assert (row[8], row[10]) == ("'=1+1", "'@SUM(A1)")

    def test_shows_nothing_of_another_tenant(self, acting, other_tenant):
        with tenant_context(other_tenant.pk):
            owe(payer(), "2.00")

        assert len(self.rows(acting)) == 1


def test_each_report_costs_the_same_for_one_row_or_many(acting):
    def cost() -> list[int]:
        counts = []
        for run in (
            lambda: reports.aged_debt(on=TODAY),
            lambda: reports.recurring(first=TODAY, last=TODAY, on=TODAY),
            lambda: reports.taxes(since=date(2026, 3, 1), until=TODAY),
            lambda: reports.cash(since=date(2026, 3, 1), until=TODAY),
        ):
            with CaptureQueriesContext(connection) as captured:
                run()
            counts.append(len(captured))
        return counts

    subscriber = payer()
    owe(subscriber, "2.00")
    pay(subscriber, "1.00")
    one = cost()
    for _ in range(5):
        each = payer()
        owe(each, "2.00")
        pay(each, "1.00")
        bill(each, ("plan", MAR, APR, "2.00"))

    assert cost() == one == [2, 1, 3, 1]
