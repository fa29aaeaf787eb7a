"""Credit first: periods bought when they begin, lines held without, back with a top-up."""

import threading
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection

from billing.models import (
    AddOn,
    BillingPosition,
    Discount,
    Invoice,
    PrepaidLine,
    TaxRate,
)
from billing.services import planning, runs
from billing.services.prepaid import buying, outlook, renewing
from ispcore.tenants.context import tenant_context
from subscribers.models import Hold
from subscribers.services import lines
from tests.billing import cycles, owing
from tests.billing.prepaying import AT, prepaid_line, renew, stands, top_up
from tests.factories import PremiseFactory, ZoneFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def line(acting):
    return prepaid_line()


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

    def test_wait_for_a_run_that_bills_the_line_still(self, acting):
        cycles.make_settings()
        (line,) = cycles.make_lines()
        run = cycles.planned()
        line.subscriber.billing_profile = owing.make_profile(payment_kind="prepaid")
        line.subscriber.save()

        top_up(line, "60.00", cycles.MARCH)
        assert not PrepaidLine.objects.exists()

        runs.approve_run(run_id=run.pk, plan_hash=run.plan_hash, at=cycles.MARCH)
        runs.issue_run(runs.Inline(), run_id=run.pk, at=cycles.MARCH)
        assert renew(line, cycles.MARCH) == 0
        assert stands(line) == ("active", date(2026, 4, 1), Decimal(30))
        assert renew(line, cycles.APRIL) == 1

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
