"""Changing plans, and what the rest of the period costs."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from uuid import UUID

import pytest

from ispcore.events.models import Event
from ispcore.tenants.context import tenant_context
from subscribers import tasks
from subscribers.models import BillingProfile, Cycle, Period, PlanChange, ServiceStatus, Subscription
from subscribers.services import lines, plan_changes
from subscribers.services.periods import Span, local_date, period_around
from tests.factories import BillingProfileFactory, PlanFactory, SubscriberFactory, SubscriptionFactory

AT = datetime(2026, 4, 16, 12, tzinfo=UTC)
ON = date(2026, 4, 16)
NOBODY = UUID(int=0)  # Rows that are never stored.


def on_day(day: int) -> BillingProfile:
    return BillingProfile(tenant_id=NOBODY, cycle=Cycle.DAY_OF_MONTH, cycle_day=day)


ANNIVERSARY = BillingProfile(tenant_id=NOBODY, cycle=Cycle.ANNIVERSARY)


@pytest.mark.parametrize(
    ("profile", "period", "began_on", "on", "start", "end"),
    [
        (None, "month", "2026-01-20", "2026-04-16", "2026-04-01", "2026-05-01"),
        (None, "month", "2026-01-20", "2026-04-01", "2026-04-01", "2026-05-01"),
        (None, "month", "2026-01-20", "2026-12-31", "2026-12-01", "2027-01-01"),
        (None, "quarter", "2026-01-20", "2026-06-30", "2026-04-01", "2026-07-01"),
        (None, "year", "2026-06-20", "2026-04-16", "2026-01-01", "2027-01-01"),
        (on_day(15), "month", "2026-01-20", "2026-04-15", "2026-04-15", "2026-05-15"),
        (on_day(15), "month", "2026-01-20", "2026-04-14", "2026-03-15", "2026-04-15"),
        (on_day(31), "month", "2026-01-20", "2026-02-27", "2026-01-31", "2026-02-28"),
        (on_day(31), "month", "2026-01-20", "2026-02-28", "2026-02-28", "2026-03-31"),
        (on_day(29), "month", "2026-01-20", "2028-02-29", "2028-02-29", "2028-03-29"),
        (on_day(30), "month", "2026-01-20", "2028-02-29", "2028-02-29", "2028-03-30"),
        (on_day(15), "year", "2026-01-20", "2026-01-14", "2025-01-15", "2026-01-15"),
        (ANNIVERSARY, "month", "2026-01-31", "2026-04-29", "2026-03-31", "2026-04-30"),
        (ANNIVERSARY, "quarter", "2026-01-20", "2026-04-19", "2026-01-20", "2026-04-20"),
        (ANNIVERSARY, "quarter", "2026-01-20", "2026-04-20", "2026-04-20", "2026-07-20"),
        (ANNIVERSARY, "year", "2024-02-29", "2025-02-28", "2025-02-28", "2026-02-28"),
        (ANNIVERSARY, "month", "2026-06-20", "2026-04-16", "2026-03-20", "2026-04-20"),
    ],
)
def test_a_period_is_half_open_and_clips_to_the_month(profile, period, began_on, on, start, end):
    span = period_around(
        on=date.fromisoformat(on), period=period, profile=profile, began_on=date.fromisoformat(began_on)
    )

    assert (span.start.isoformat(), span.end.isoformat()) == (start, end)


@pytest.mark.parametrize("profile", [None, on_day(29), on_day(31), ANNIVERSARY])
@pytest.mark.parametrize("period", Period)
def test_periods_follow_each_other_without_gap(profile, period):
    began_on = date(2024, 1, 31)
    spans: list[Span] = []
    for n in range(1500):
        day = began_on + timedelta(days=n)
        span = period_around(on=day, period=period, profile=profile, began_on=began_on)
        assert span.start <= day < span.end
        if not spans or spans[-1] != span:
            spans.append(span)

    assert all(one.end == other.start for one, other in pairwise(spans))


def make_line(*, price="30.00", profile=None, **fields) -> Subscription:
    return SubscriptionFactory(
        status=fields.pop("status", ServiceStatus.ACTIVE),
        subscriber=SubscriberFactory(billing_profile=profile),
        plan=PlanFactory(price=Decimal(price)),
        provisioned_at=fields.pop("provisioned_at", datetime(2026, 1, 20, tzinfo=UTC)),
        **fields,
    )


def plan_of(line: Subscription):
    line.refresh_from_db()
    return line.plan


def change(line, plan, *, effective_on=ON, on=ON, at=AT):
    return plan_changes.change_plan(
        subscription_id=line.pk, to_plan_id=plan.pk, effective_on=effective_on, on=on, at=at
    )


@pytest.mark.django_db
class TestProration:
    def test_credits_and_charges_the_days_left(self, acting):
        line, plan = make_line(price="30.00"), PlanFactory(price=Decimal("60.00"))

        told = plan_changes.preview_plan_change(subscription_id=line.pk, to_plan_id=plan.pk, on=ON)

        assert (told.period_start, told.period_end) == (date(2026, 4, 1), date(2026, 5, 1))
        assert (told.days_in_period, told.days_left) == (30, 15)
        assert (told.credit, told.charge, told.net) == (Decimal("15.00"), Decimal("30.00"), Decimal("15.00"))
        assert (plan_of(line).price, PlanChange.objects.count()) == (Decimal("30.00"), 0)

    @pytest.mark.parametrize(
        ("price", "on", "credit"),
        [
            ("0.01", date(2026, 4, 16), "0.01"),  # 0.005 rounds up.
            ("10.00", date(2026, 4, 30), "0.33"),
            ("20.00", date(2026, 4, 30), "0.67"),
            ("29.90", date(2026, 4, 1), "29.90"),
        ],
    )
    def test_rounds_half_up_to_the_cent(self, price, on, credit, acting):
        line, plan = make_line(price=price), PlanFactory(price=Decimal("0.00"))

        told = plan_changes.preview_plan_change(subscription_id=line.pk, to_plan_id=plan.pk, on=on)

        assert (told.credit, told.net) == (Decimal(credit), -Decimal(credit))

    def test_follows_the_customers_profile(self, acting):
        line = make_line(price="31.00", profile=BillingProfileFactory(cycle_day=31))
        plan = PlanFactory(price=Decimal("62.00"))

        told = plan_changes.preview_plan_change(subscription_id=line.pk, to_plan_id=plan.pk, on=ON)

        assert (told.period_start, told.period_end, told.days_left) == (
            date(2026, 3, 31), date(2026, 4, 30), 14,
        )  # fmt: skip
        assert (told.credit, told.charge) == (Decimal("14.47"), Decimal("28.93"))

    def test_a_yearly_price_is_spread_over_its_year(self, acting):
        line, plan = make_line(price="30.00"), PlanFactory(price=Decimal("365.00"), period=Period.YEAR)

        told = plan_changes.preview_plan_change(subscription_id=line.pk, to_plan_id=plan.pk, on=ON)

        assert (told.credit, told.charge) == (Decimal("15.00"), Decimal("15.00"))

    def test_a_line_that_never_ran_costs_nothing(self, acting):
        line = make_line(status=ServiceStatus.PENDING_INSTALLATION, provisioned_at=None)

        told = plan_changes.preview_plan_change(subscription_id=line.pk, to_plan_id=PlanFactory().pk, on=ON)

        assert (told.credit, told.charge, told.net) == (Decimal(0), Decimal(0), Decimal(0))


@pytest.mark.django_db
class TestChange:
    def test_of_today_is_made_at_once(self, acting, admin_user):
        line, plan = make_line(), PlanFactory()
        before = line.plan_id

        plan_changes.change_plan(
            subscription_id=line.pk, to_plan_id=plan.pk, effective_on=ON, on=ON, at=AT, user_id=admin_user.pk
        )

        assert plan_of(line) == plan
        made = PlanChange.objects.get()
        assert (made.from_plan_id, made.to_plan_id, made.applied_at) == (before, plan.pk, AT)
        assert made.requested_by_id == admin_user.pk
        assert [event.name for event in Event.objects.all()] == ["subscribers.subscription_changed"]

    def test_of_a_later_day_waits_and_is_made_once(self, acting):
        line, plan = make_line(), PlanFactory()
        before = line.plan
        change(line, plan, effective_on=date(2026, 5, 1))

        too_early = plan_changes.apply_due_plan_changes(on=date(2026, 4, 30), at=AT)
        assert (too_early, plan_of(line)) == (0, before)
        due = [plan_changes.apply_due_plan_changes(on=date(2026, 5, 2), at=AT) for _ in range(2)]

        assert (due, plan_of(line)) == ([1, 0], plan)
        assert (PlanChange.objects.get().applied_at, Event.objects.count()) == (AT, 1)

    def test_waits_alone(self, acting):
        line, plan = make_line(), PlanFactory()
        change(line, plan, effective_on=date(2026, 5, 1))

        for day in (ON, date(2026, 6, 1)):
            with pytest.raises(plan_changes.PlanChangeWaiting, match="2026-05-01"):
                change(line, PlanFactory(), effective_on=day)

        assert (PlanChange.objects.get().to_plan, PlanChange.objects.count()) == (plan, 1)

    def test_that_waits_can_be_called_off(self, acting):
        line = make_line()
        before = line.plan
        change(line, PlanFactory(), effective_on=date(2026, 5, 1))

        called_off = [plan_changes.cancel_plan_change(subscription_id=line.pk, at=AT) for _ in range(2)]
        applied = plan_changes.apply_due_plan_changes(on=date(2026, 5, 1), at=AT)

        assert (called_off, applied, plan_of(line)) == ([True, False], 0, before)

    def test_that_waits_ends_with_the_line(self, acting):
        line = make_line()
        change(line, PlanFactory(), effective_on=date(2026, 5, 1))

        lines.terminate_service(subscription_id=line.pk, at=AT)

        assert PlanChange.objects.get().cancelled_at == AT
        assert plan_changes.apply_due_plan_changes(on=date(2026, 5, 1), at=AT) == 0

    def test_is_refused_where_it_makes_no_sense(self, acting):
        line, ended = make_line(), make_line(status=ServiceStatus.TERMINATED)
        refusals = [
            (line, line.plan, ON, plan_changes.PlanUnchanged),
            (line, PlanFactory(currency="USD"), ON, plan_changes.CurrencyDiffers),
            (line, PlanFactory(sold_until=ON), ON, lines.PlanNotSold),
            (line, PlanFactory(), ON - timedelta(days=1), plan_changes.PlanChangeInThePast),
            (ended, PlanFactory(), ON, plan_changes.ServiceEnded),
        ]

        for each, plan, day, refusal in refusals:
            with pytest.raises(refusal):
                change(each, plan, effective_on=day)

        assert (PlanChange.objects.count(), Event.objects.count()) == (0, 0)

    def test_of_many_lines_costs_what_one_does_but_for_the_events(self, acting, query_count):
        plan = PlanFactory()

        def apply(count: int) -> int:
            for _ in range(count):
                change(make_line(), plan, effective_on=date(2026, 5, 1))
            return int(query_count(plan_changes.apply_due_plan_changes, on=date(2026, 5, 1), at=AT))

        assert apply(6) - apply(1) == 5


@pytest.mark.django_db
def test_the_day_is_the_providers(make_tenant):
    for slug, zone, day in (("auckland", "Pacific/Auckland", 17), ("utc", "UTC", 16)):
        with tenant_context(make_tenant(slug, timezone=zone).pk):
            assert local_date(AT.replace(hour=20)) == date(2026, 4, day)


@pytest.mark.django_db(databases=["default", "platform"], transaction=True)
def test_the_clock_applies_what_is_due_in_every_tenant(tenant, other_tenant):
    for each in (tenant, other_tenant):
        with tenant_context(each.pk):
            change(make_line(), PlanFactory(code="NEW"), effective_on=date(2026, 5, 1))

    assert [tasks.apply_due_plan_changes(), tasks.apply_due_plan_changes()] == [2, 0]

    for each in (tenant, other_tenant):
        with tenant_context(each.pk):
            assert Subscription.objects.get().plan.code == "NEW"
