"""Lines to bill, and whole runs over them, for tests."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from billing.models import BillingRun, BillingSettings
from billing.services import runs
from billing.services.runs import starting
from subscribers.models import Cycle, Subscriber, Subscription
from tests.factories import (
    BillingProfileFactory,
    PlanFactory,
    PremiseFactory,
    SubscriberFactory,
    SubscriptionFactory,
)

BEGAN = datetime(2025, 6, 1, tzinfo=UTC)
MARCH = datetime(2026, 3, 1, 3, tzinfo=UTC)
APRIL = datetime(2026, 4, 1, 3, tzinfo=UTC)


def make_settings(**fields: Any) -> BillingSettings:
    made: BillingSettings = BillingSettings.objects.create(
        bills_from=fields.pop("bills_from", date(2026, 3, 1)), **fields
    )
    return made


def make_lines(count: int = 1, *, price: str = "30.00", currency: str = "EUR") -> list[Subscription]:
    """Make lines in operation since long, each of a subscriber billed on the first of the month."""
    profile = BillingProfileFactory(currency=currency, cycle=Cycle.DAY_OF_MONTH, cycle_day=1, due_days=14)
    plan = PlanFactory(price=Decimal(price), currency=currency)
    return [
        SubscriptionFactory(
            subscriber=SubscriberFactory(billing_profile=profile),
            plan=plan,
            status="active",
            provisioned_at=BEGAN,
        )
        for _ in range(count)
    ]


def make_many_lines(count: int) -> None:
    """Make as many lines of a plan at 30.00 EUR, in a few statements."""
    profile = BillingProfileFactory(currency="EUR", cycle=Cycle.DAY_OF_MONTH, cycle_day=1, due_days=14)
    plan, premise = PlanFactory(price=Decimal("30.00"), currency="EUR"), PremiseFactory()
    people = Subscriber.objects.bulk_create(
        SubscriberFactory.build(billing_profile=profile) for _ in range(count)
    )
    Subscription.objects.bulk_create(
        Subscription(
            number=500_000 + place, subscriber=person, plan=plan, premise=premise, status="active",
            provisioned_at=BEGAN,
        )
        for place, person in enumerate(people)
    )  # fmt: skip


def planned(at: datetime = MARCH, on: date | None = None) -> BillingRun:
    """Open a run and plan it, in the transaction that is open."""
    run = starting.open_run(on=on, at=at)
    runs.plan_run(runs.Inline(), run_id=run.pk, at=at)
    run.refresh_from_db()
    return run


def issued(at: datetime = MARCH, on: date | None = None) -> BillingRun:
    """Plan, approve and issue a run, in the transaction that is open."""
    run = planned(at, on)
    runs.approve_run(run_id=run.pk, plan_hash=run.plan_hash, at=at)
    runs.issue_run(runs.Inline(), run_id=run.pk, at=at)
    run.refresh_from_db()
    return run
