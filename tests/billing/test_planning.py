"""What a run asks for, computed by the database."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from billing.models import AddOn, BillingPosition, BillingRun, Discount, Invoice, ParkedAccount, TaxRate
from billing.services import planning
from ispcore.tenants.fields import new_id
from subscribers.models import BillingProfile, Cycle, Hold, Period, PlanChange
from subscribers.services.periods import period_around
from tests.factories import BillingProfileFactory, PlanFactory, SubscriberFactory, SubscriptionFactory

AS_OF = datetime(2026, 3, 1, 3, tzinfo=UTC)
ON = date(2026, 3, 1)
pytestmark = pytest.mark.django_db


def plan(on: date = ON, as_of: datetime = AS_OF, bills_from: date = date(2026, 1, 1)) -> list[Invoice]:
    run = BillingRun.objects.create(on=on, as_of=as_of)
    terms = planning.Terms(run.pk, on, as_of, "Africa/Johannesburg", bills_from, ["vacation"])
    planning.plan_batch(terms, planning.candidates(on=on, as_of=as_of))
    return list(Invoice.objects.order_by("subscriber_id"))


def items_of(invoice: Invoice) -> list[tuple[str, str, Decimal, Decimal]]:
    return [
        (line.kind, line.formula, line.net.normalize(), line.tax.normalize())
        for line in invoice.lines.order_by("position")
    ]


@pytest.fixture
def line(acting):
    """A line in operation since long, billed until the first of March."""
    profile = BillingProfileFactory(currency="EUR", cycle=Cycle.DAY_OF_MONTH, cycle_day=1)
    product = PlanFactory(price=Decimal("31.00"), currency="EUR", period=Period.MONTH)
    line = SubscriptionFactory(
        subscriber=SubscriberFactory(billing_profile=profile),
        plan=product,
        status="active",
        provisioned_at=datetime(2025, 6, 1, tzinfo=UTC),
    )
    BillingPosition.objects.create(
        subscription=line, billed_until=date(2026, 3, 1), settled_at=datetime(2026, 2, 1, tzinfo=UTC)
    )
    return line


class TestPeriods:
    @given(
        on=st.dates(date(2020, 1, 1), date(2040, 1, 1)),
        period=st.sampled_from(Period.values),
        began_on=st.dates(date(2015, 1, 1), date(2020, 1, 1)),
        day=st.one_of(st.none(), st.integers(1, 31)),
    )
    def test_are_those_of_the_catalogue(self, on, period, began_on, day):
        profile = BillingProfile(
            tenant_id=new_id(), cycle=Cycle.DAY_OF_MONTH if day else Cycle.ANNIVERSARY, cycle_day=day
        )
        expected = period_around(on=on, period=period, profile=profile, began_on=began_on)
        months = {"month": 1, "quarter": 3, "year": 12}[period]
        anchor = date(2000, 1, 1) if day else began_on

        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT lower(p), upper(p) FROM billing_period(%s, %s, %s, %s) AS p",
                [on, months, anchor, day or began_on.day],
            )
            found = cursor.fetchone()

        assert found == (expected.start, expected.end)


def test_a_period_costs_its_price(line):
    (draft,) = plan()

    assert items_of(draft) == [("plan", "", Decimal(31), Decimal(0))]
    assert (draft.period_start, draft.period_end) == (date(2026, 3, 1), date(2026, 4, 1))
    assert (draft.net, draft.tax, draft.total) == (31, 0, 31)


def test_a_line_begins_in_the_middle_of_a_period(line):
    BillingPosition.objects.all().delete()
    line.provisioned_at = datetime(2026, 2, 18, 12, tzinfo=UTC)
    line.save()

    (draft,) = plan()

    assert items_of(draft) == [
        ("plan", "31.00 × 11 / 28 days", Decimal("12.18"), Decimal(0)),
        ("plan", "", Decimal(31), Decimal(0)),
    ]
    assert draft.lines.get(position=1).remainder == Decimal("-0.0014285714")


def test_taxes_are_added_or_contained_and_make_up_the_price(line):
    TaxRate.objects.create(name="A", percent=20, is_inclusive=True, starts_on=date(2020, 1, 1))
    TaxRate.objects.create(name="B", percent=3, is_inclusive=True, starts_on=date(2020, 1, 1))
    TaxRate.objects.create(name="C", percent=10, starts_on=date(2020, 1, 1))

    (draft,) = plan()

    taxes = dict(draft.lines.get().taxes.values_list("name", "amount"))
    assert draft.net == Decimal("25.20")
    assert taxes == {"A": Decimal("5.04"), "B": Decimal("0.76"), "C": Decimal("2.52")}
    assert draft.net + taxes["A"] + taxes["B"] == 31
    assert draft.total == Decimal("33.52")


def test_an_add_on_and_a_discount(line):
    AddOn.objects.create(
        subscription=line, name="Static IP", price=5, currency="EUR", starts_on=date(2026, 3, 11)
    )
    Discount.objects.create(
        subscriber=line.subscriber, name="Welcome", percent=10, starts_on=date(2026, 3, 1)
    )

    (draft,) = plan()

    assert items_of(draft) == [
        ("plan", "", Decimal(31), Decimal(0)),
        ("discount", "", Decimal("-3.1"), Decimal(0)),
        ("add_on", "5.00 × 21 / 31 days", Decimal("3.39"), Decimal(0)),
    ]


def test_days_on_a_hold_that_is_not_billed_are_given_back(line):
    Hold.objects.create(
        subscription=line,
        reason="vacation",
        opened_at=datetime(2026, 2, 8, 12, tzinfo=UTC),
        released_at=datetime(2026, 2, 22, 12, tzinfo=UTC),
    )

    (draft,) = plan()

    assert items_of(draft) == [
        ("hold_credit", "-31.00 × 14 / 28 days", Decimal("-15.5"), Decimal(0)),
        ("plan", "", Decimal(31), Decimal(0)),
    ]


def test_a_change_of_plan_is_settled_for_the_days_billed_at_the_old_price(line):
    dearer = PlanFactory(price=Decimal("59.00"), currency="EUR", period=Period.MONTH)
    PlanChange.objects.create(
        subscription=line,
        from_plan=line.plan,
        to_plan=dearer,
        effective_on=date(2026, 2, 15),
        applied_at=datetime(2026, 2, 15, 1, tzinfo=UTC),
    )
    line.plan = dearer
    line.save()

    (draft,) = plan()

    assert items_of(draft) == [
        ("plan_change", "28.00 × 14 / 28 days", Decimal(14), Decimal(0)),
        ("plan", "", Decimal(59), Decimal(0)),
    ]


def test_an_account_in_another_currency_is_parked_and_the_rest_goes_on(line):
    other = SubscriptionFactory(
        plan=PlanFactory(price=Decimal("10.00"), currency="USD"),
        subscriber=SubscriberFactory(billing_profile=line.subscriber.billing_profile),
        status="active",
        provisioned_at=AS_OF - timedelta(days=9),
    )

    drafts = plan()

    assert [draft.subscriber_id for draft in drafts] == [line.subscriber_id]
    parked = ParkedAccount.objects.get()
    assert (parked.subscriber_id, parked.reason) == (other.subscriber_id, "currency")
