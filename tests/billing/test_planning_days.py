"""What each day costs: holds, changes, add-ons, discounts and ends, alone and together."""

from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import pairwise

import pytest

from billing.models import (
    AddOn,
    BillingPosition,
    BillingRun,
    Discount,
    Invoice,
    InvoiceLine,
    OneOffCharge,
    ParkedAccount,
    RunStatus,
    TaxExemption,
    TaxRate,
)
from billing.services import planning
from subscribers.models import Cycle, Hold, Period, Plan, PlanChange, Subscription
from tests.billing.test_planning import items_of, line, plan
from tests.factories import (
    BillingProfileFactory,
    PlanFactory,
    PremiseFactory,
    SubscriberFactory,
    SubscriptionFactory,
    ZoneFactory,
)

__all__ = ["line"]  # The fixture.

ZERO = Decimal(0)
pytestmark = pytest.mark.django_db


def at(month: int, day: int, hour: int = 10, year: int = 2026) -> datetime:
    return datetime(year, month, day, hour, tzinfo=UTC)


def run_on(on: date) -> list[Invoice]:
    """Plan a run, and let positions follow as issuing does."""
    BillingRun.objects.update(status=RunStatus.DISCARDED)
    as_of = datetime(on.year, on.month, on.day, 3, tzinfo=UTC)
    run = BillingRun.objects.create(on=on, as_of=as_of)
    terms = planning.Terms(run.pk, on, as_of, "Africa/Johannesburg", date(2025, 1, 1), ["vacation", "staff"])
    planning.plan_batch(terms, planning.candidates(on=on, as_of=as_of))
    drafts = list(Invoice.objects.filter(run=run).order_by("subscriber_id"))
    for each in Subscription.objects.all():
        billed = InvoiceLine.objects.filter(subscription=each, kind="plan").order_by("-period_end").first()
        if billed:
            BillingPosition.objects.update_or_create(
                subscription=each, defaults={"billed_until": billed.period_end, "settled_at": as_of}
            )
    return drafts


def change(line: Subscription, to: Plan, on: date, applied_at: datetime) -> None:
    PlanChange.objects.create(
        subscription=line, from_plan=line.plan, to_plan=to, effective_on=on, applied_at=applied_at
    )
    line.plan = to
    line.save()


def hold(line: Subscription, since: datetime, until: datetime | None, reason: str = "vacation") -> None:
    Hold.objects.create(subscription=line, reason=reason, opened_at=since, released_at=until)


class TestHolds:
    def test_a_hold_over_a_change_gives_back_each_day_at_the_price_it_had(self, line: Subscription) -> None:
        dearer = PlanFactory(price=Decimal("59.00"), currency="EUR", period=Period.MONTH)
        hold(line, at(2, 8), at(2, 22))
        change(line, dearer, date(2026, 2, 15), at(2, 15))

        (draft,) = plan()

        # Of February stay 7 days at 31 and 7 at 59 of 28: 22.50, of which 31 were billed.
        assert items_of(draft) == [
            ("hold_credit", "-31.00 × 7 / 28 days", Decimal("-7.75"), ZERO),
            ("plan_change", "28.00 × 14 / 28 days", Decimal(14), ZERO),
            ("hold_credit", "-59.00 × 7 / 28 days", Decimal("-14.75"), ZERO),
            ("plan", "", Decimal(59), ZERO),
        ]
        assert sum(item[2] for item in items_of(draft)[:3]) == Decimal("22.50") - 31

    def test_two_holds_at_a_time_give_a_day_back_once(self, line: Subscription) -> None:
        hold(line, at(2, 8), at(2, 15))
        hold(line, at(2, 11), at(2, 22), reason="staff")

        (draft,) = run_on(date(2026, 3, 1))

        assert items_of(draft)[0] == ("hold_credit", "-31.00 × 14 / 28 days", Decimal("-15.5"), ZERO)

    def test_nothing_is_billed_while_held_and_the_days_after_when_it_ends(self, line: Subscription) -> None:
        hold(line, at(2, 22), None)
        assert run_on(date(2026, 3, 1)) == []
        Hold.objects.update(released_at=at(3, 11))

        (draft,) = run_on(date(2026, 3, 12))

        assert items_of(draft) == [
            ("hold_credit", "-31.00 × 7 / 28 days", Decimal("-7.75"), ZERO),
            ("plan", "31.00 × 21 / 31 days", Decimal(21), ZERO),
        ]
        assert run_on(date(2026, 3, 13)) == []

    def test_a_hold_that_ended_after_the_runs_moment_is_for_the_next_run(self, line: Subscription) -> None:
        hold(line, at(2, 22), at(3, 1, 23))

        assert plan() == []

    def test_add_ons_rest_with_the_line_on_just_its_days(self, line: Subscription) -> None:
        AddOn.objects.create(
            subscription=line, name="TV", price=Decimal("15.50"), currency="EUR", starts_on=date(2026, 3, 11)
        )
        BillingPosition.objects.update(settled_at=at(3, 8))
        hold(line, at(3, 3), at(3, 7))

        (draft,) = run_on(date(2026, 3, 20))

        # The hold is over before the add-on begins: all of its 21 days are billed.
        assert items_of(draft) == [
            ("plan", "31.00 × 27 / 31 days", Decimal(27), ZERO),
            ("add_on", "15.50 × 21 / 31 days", Decimal("10.5"), ZERO),
        ]

    def test_an_add_on_billed_before_the_hold_is_given_back_with_the_plan(self, line: Subscription) -> None:
        AddOn.objects.create(
            subscription=line, name="TV", price=Decimal("15.50"), currency="EUR", starts_on=date(2026, 3, 1)
        )
        run_on(date(2026, 3, 1))
        hold(line, at(3, 11), at(3, 21))

        (draft,) = run_on(date(2026, 4, 1))

        assert items_of(draft) == [
            ("hold_credit", "-31.00 × 10 / 31 days", Decimal(-10), ZERO),
            ("hold_credit", "-15.50 × 10 / 31 days", Decimal(-5), ZERO),
            ("plan", "", Decimal(31), ZERO),
            ("add_on", "", Decimal("15.5"), ZERO),
        ]
        assert items_of(run_on(date(2026, 5, 1))[0]) == [
            ("plan", "", Decimal(31), ZERO),
            ("add_on", "", Decimal("15.5"), ZERO),
        ]


class TestChanges:
    def test_days_not_billed_yet_cost_what_the_plan_of_the_day_costs(self, line: Subscription) -> None:
        dearer = PlanFactory(price=Decimal("62.00"), currency="EUR", period=Period.MONTH)
        change(line, dearer, date(2026, 3, 11), at(3, 11))

        (draft,) = run_on(date(2026, 3, 20))

        assert items_of(draft) == [
            ("plan", "31.00 × 10 / 31 days", Decimal(10), ZERO),
            ("plan", "62.00 × 21 / 31 days", Decimal(42), ZERO),
        ]

    def test_two_changes_in_a_billed_period_settle_each_step(self, line: Subscription) -> None:
        BillingPosition.objects.update(billed_until=date(2026, 4, 1), settled_at=at(3, 1))
        change(line, PlanFactory(price=62, currency="EUR", period="month"), date(2026, 3, 11), at(3, 11))
        change(line, PlanFactory(price=93, currency="EUR", period="month"), date(2026, 3, 21), at(3, 21))

        (draft,) = run_on(date(2026, 4, 1))

        assert items_of(draft) == [
            ("plan_change", "31.00 × 21 / 31 days", Decimal(21), ZERO),
            ("plan_change", "31.00 × 11 / 31 days", Decimal(11), ZERO),
            ("plan", "", Decimal(93), ZERO),
        ]

    def test_a_change_applied_after_the_runs_moment_is_for_the_next_run(self, line: Subscription) -> None:
        change(line, PlanFactory(price=62, currency="EUR", period="month"), date(2026, 3, 1), at(3, 1, 5))

        assert items_of(run_on(date(2026, 3, 1))[0]) == [("plan", "", Decimal(31), ZERO)]
        assert items_of(run_on(date(2026, 4, 1))[0]) == [
            ("plan_change", "", Decimal(31), ZERO),
            ("plan", "", Decimal(62), ZERO),
        ]

    def test_a_month_becomes_a_year_by_each_ones_own_period(self, line: Subscription) -> None:
        BillingPosition.objects.update(billed_until=date(2026, 4, 1), settled_at=at(3, 1))
        change(line, PlanFactory(price=365, currency="EUR", period="year"), date(2026, 3, 11), at(3, 11))

        (draft,) = run_on(date(2026, 4, 1))

        assert items_of(draft) == [
            ("end_credit", "-31.00 × 21 / 31 days", Decimal(-21), ZERO),
            ("plan_change", "365.00 × 21 / 365 days", Decimal(21), ZERO),
            ("plan", "365.00 × 275 / 365 days", Decimal(275), ZERO),
        ]

    def test_a_new_price_of_a_plan_gives_back_what_was_billed(self, line: Subscription) -> None:
        run_on(date(2026, 3, 1))
        Plan.objects.filter(pk=line.plan_id).update(price=62)
        hold(line, at(3, 11), at(3, 21))

        (draft,) = run_on(date(2026, 4, 1))

        assert items_of(draft) == [
            ("hold_credit", "-31.00 × 10 / 31 days", Decimal(-10), ZERO),
            ("plan", "", Decimal(62), ZERO),
        ]


class TestAddOns:
    def test_one_that_begins_in_a_billed_period_is_billed_from_its_day(self, line: Subscription) -> None:
        run_on(date(2026, 3, 1))
        AddOn.objects.create(
            subscription=line, name="TV", price=Decimal("15.50"), currency="EUR", starts_on=date(2026, 3, 11)
        )

        (draft,) = run_on(date(2026, 4, 1))

        assert items_of(draft) == [
            ("add_on", "15.50 × 21 / 31 days", Decimal("10.5"), ZERO),
            ("plan", "", Decimal(31), ZERO),
            ("add_on", "", Decimal("15.5"), ZERO),
        ]

    def test_one_that_ended_in_a_billed_period_is_given_back_once(self, line: Subscription) -> None:
        extra = AddOn.objects.create(
            subscription=line, name="TV", price=Decimal("15.50"), currency="EUR", starts_on=date(2026, 3, 1)
        )
        run_on(date(2026, 3, 1))
        AddOn.objects.filter(pk=extra.pk).update(ends_on=date(2026, 3, 1 + 10), price=99)

        (draft,) = run_on(date(2026, 4, 1))

        assert items_of(draft) == [
            ("end_credit", "-15.50 × 21 / 31 days", Decimal("-10.5"), ZERO),
            ("plan", "", Decimal(31), ZERO),
        ]
        assert items_of(run_on(date(2026, 5, 1))[0]) == [("plan", "", Decimal(31), ZERO)]


class TestDiscounts:
    def test_one_that_ends_in_a_period_takes_off_its_days(self, line: Subscription) -> None:
        Discount.objects.create(
            subscriber=line.subscriber, name="Welcome", percent=50,
            starts_on=date(2026, 1, 1), ends_on=date(2026, 3, 11),
        )  # fmt: skip

        (draft,) = plan()

        assert items_of(draft) == [("plan", "", Decimal(31), ZERO), ("discount", "", Decimal(-5), ZERO)]

    def test_what_it_took_off_is_not_given_back(self, line: Subscription) -> None:
        Discount.objects.create(
            subscriber=line.subscriber, name="Staff", percent=100, starts_on=date(2026, 1, 1)
        )
        run_on(date(2026, 3, 1))
        hold(line, at(3, 1), at(3, 21))

        (draft,) = run_on(date(2026, 4, 1))

        assert draft.total == 0
        assert items_of(draft) == [
            ("hold_credit", "-31.00 × 20 / 31 days", Decimal(-20), ZERO),
            ("hold_credit", "", Decimal(20), ZERO),
            ("plan", "", Decimal(31), ZERO),
            ("discount", "", Decimal(-31), ZERO),
        ]

    def test_several_take_off_no_more_than_the_price(self, line: Subscription) -> None:
        for name, amount in (("A", Decimal("20.00")), ("B", Decimal("20.00"))):
            Discount.objects.create(
                subscriber=line.subscriber,
                subscription=line,
                name=name,
                amount=amount,
                starts_on=date(2026, 1, 1),
            )

        (draft,) = plan()

        assert [item[2] for item in items_of(draft)] == [31, -20, -11]
        assert not ParkedAccount.objects.exists()


class TestPeriods:
    @pytest.mark.parametrize(
        ("began", "on", "expected"),
        [
            (date(2026, 1, 31), date(2026, 3, 5), [(1, 31, 2, 28), (2, 28, 3, 31)]),
            (date(2026, 1, 29), date(2026, 3, 1), [(1, 29, 2, 28), (2, 28, 3, 29)]),
        ],
    )
    def test_an_anniversary_on_a_day_some_months_lack(self, line, began, on, expected) -> None:
        BillingPosition.objects.all().delete()
        profile = BillingProfileFactory(currency="EUR", cycle=Cycle.ANNIVERSARY, cycle_day=None)
        line.subscriber.billing_profile = profile
        line.subscriber.save()
        line.provisioned_at = datetime(began.year, began.month, began.day, 12, tzinfo=UTC)
        line.save()

        (draft,) = run_on(on)

        found = draft.lines.order_by("position").values_list("period_start", "period_end", "net")
        assert list(found) == [(date(2026, a, b), date(2026, c, d), Decimal(31)) for a, b, c, d in expected]

    @pytest.mark.parametrize(
        ("period", "price", "formula", "net"),
        [
            ("quarter", "90.00", "90.00 × 31 / 90 days", "31"),
            ("year", "365.00", "365.00 × 306 / 365 days", "306"),
        ],
    )
    def test_quarters_and_years_follow_the_calendar(self, line, period, price, formula, net) -> None:
        Plan.objects.filter(pk=line.plan_id).update(period=period, price=price)

        (draft,) = run_on(date(2026, 3, 1))

        assert items_of(draft) == [("plan", formula, Decimal(net), ZERO)]

    @pytest.mark.parametrize(
        ("currency", "price", "net", "remainder"),
        [("JPY", "3100.00", "1218", "-0.1428571429"), ("KWD", "3.10", "1.218", "-0.0001428571")],
    )
    def test_currencies_with_none_and_three_digits(self, line, currency, price, net, remainder) -> None:
        BillingPosition.objects.all().delete()
        Plan.objects.filter(pk=line.plan_id).update(price=price, currency=currency)
        type(line.subscriber.billing_profile).objects.update(currency=currency)
        line.provisioned_at = at(2, 18)
        line.save()

        (draft,) = run_on(date(2026, 2, 20))

        item = draft.lines.get()
        assert (item.net, item.remainder) == (Decimal(net), Decimal(remainder))

    def test_no_day_is_billed_twice_or_never_over_a_change_of_clocks(self, line: Subscription) -> None:
        for month in range(3, 12):
            run_on(date(2026, month, 1))

        spans = list(
            InvoiceLine.objects.filter(kind="plan")
            .order_by("period_start")
            .values_list("period_start", "period_end")
        )
        assert spans[0][0] == date(2026, 3, 1)
        assert spans[-1][1] == date(2026, 12, 1)
        assert all(before[1] == after[0] for before, after in pairwise(spans))


def test_the_end_gives_back_what_was_billed_after_it(line: Subscription) -> None:
    AddOn.objects.create(
        subscription=line, name="TV", price=Decimal("15.50"), currency="EUR", starts_on=date(2026, 3, 1)
    )
    other = SubscriptionFactory(
        subscriber=line.subscriber, plan=PlanFactory(price=Decimal("99.00"), currency="EUR", period="month"),
        status="active", provisioned_at=at(1, 1, year=2025),
    )  # fmt: skip
    BillingPosition.objects.create(subscription=other, billed_until=date(2026, 3, 1), settled_at=at(2, 1))
    run_on(date(2026, 3, 1))
    Subscription.objects.filter(pk=line.pk).update(status="terminated", terminated_at=at(3, 21))

    (draft,) = run_on(date(2026, 4, 1))

    assert sorted(items_of(draft)) == [
        ("end_credit", "-15.50 × 11 / 31 days", Decimal("-5.5"), ZERO),
        ("end_credit", "-31.00 × 11 / 31 days", Decimal(-11), ZERO),
        ("plan", "", Decimal(99), ZERO),
    ]


def test_instalments_make_up_the_amount(line: Subscription) -> None:
    OneOffCharge.objects.create(
        subscriber=line.subscriber, name="Router", amount=100, currency="EUR", due_on=date(2026, 1, 31),
        instalments=3,
    )  # fmt: skip

    (draft,) = run_on(date(2026, 3, 31))

    found = draft.lines.filter(kind="one_off").order_by("period_start")
    assert list(found.values_list("description", "period_start", "net")) == [
        ("Router, 1 of 3", date(2026, 1, 31), Decimal("33.33")),
        ("Router, 2 of 3", date(2026, 2, 28), Decimal("33.34")),
        ("Router, 3 of 3", date(2026, 3, 31), Decimal("33.33")),
    ]


class TestTaxes:
    def test_a_tax_of_a_zone_is_one_of_the_zones_within_and_of_charges(self, line: Subscription) -> None:
        country = ZoneFactory()
        town = ZoneFactory(parent=country)
        line.premise = PremiseFactory(zone=town)
        line.save()
        TaxRate.objects.create(name="VAT", percent=10, zone=country, starts_on=date(2020, 1, 1))
        TaxRate.objects.create(name="Elsewhere", percent=50, zone=ZoneFactory(), starts_on=date(2020, 1, 1))
        OneOffCharge.objects.create(
            subscriber=line.subscriber, name="Visit", amount=10, currency="EUR", due_on=date(2026, 3, 1)
        )

        (draft,) = plan()

        assert (draft.net, draft.tax) == (41, Decimal("4.1"))

    def test_who_is_exempt_from_a_contained_tax_pays_the_price_without_it(self, line: Subscription) -> None:
        contained = TaxRate.objects.create(
            name="VAT", percent=20, is_inclusive=True, starts_on=date(2020, 1, 1)
        )
        TaxRate.objects.create(name="Levy", percent=4, is_inclusive=True, starts_on=date(2020, 1, 1))
        TaxExemption.objects.create(
            subscriber=line.subscriber, rate=contained, reason="Embassy", starts_on=date(2020, 1, 1)
        )

        (draft,) = plan()

        assert (draft.net, draft.tax, draft.total) == (Decimal(25), Decimal(1), Decimal(26))

    def test_a_contained_tax_of_nothing(self, line: Subscription) -> None:
        TaxRate.objects.create(name="Zero", percent=0, is_inclusive=True, starts_on=date(2020, 1, 1))

        (draft,) = plan()

        assert (draft.net, draft.tax) == (31, 0)
        assert draft.lines.get().taxes.get().base == 31


def test_a_charge_in_another_currency_than_the_profiles_parks_the_account(line: Subscription) -> None:
    OneOffCharge.objects.create(
        subscriber=line.subscriber, name="Visit", amount=10, currency="USD", due_on=date(2026, 3, 1)
    )

    assert plan() == []
    assert ParkedAccount.objects.get().reason == "currency"


def test_a_customers_first_bill_while_others_are_left_alone(line: Subscription) -> None:
    SubscriptionFactory(subscriber=SubscriberFactory(), status="draft", provisioned_at=None)

    assert [draft.subscriber_id for draft in plan()] == [line.subscriber_id]
