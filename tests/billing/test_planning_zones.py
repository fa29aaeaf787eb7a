"""Over clock changes and short months no day is billed twice or never, wherever the provider is."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from billing.models import BillingPosition, BillingRun, InvoiceLine, RunStatus
from billing.services import planning
from subscribers.models import Cycle, Hold
from tests.factories import BillingProfileFactory, PlanFactory, SubscriberFactory, SubscriptionFactory

# Clocks that change by an hour or half of one, north and south, at midnight, on both sides of the date line.
ZONES = [
    "Europe/Lisbon", "America/Sao_Paulo", "America/Santiago", "America/Havana", "Asia/Beirut", "Africa/Cairo",
    "Australia/Lord_Howe", "Pacific/Apia", "Pacific/Chatham", "Asia/Kathmandu",
]  # fmt: skip
DAYS = 400
STEP = 9
BEGAN = date(2024, 12, 31)
HELD = (date(2025, 3, 20), date(2025, 4, 20))  # Over the change of clocks of most.


@pytest.mark.django_db
@pytest.mark.parametrize("name", ZONES)
def test_each_day_once(acting, name: str) -> None:
    zone = ZoneInfo(name)
    lines = []
    for hour, cycle, day in (
        (0, Cycle.ANNIVERSARY, None),
        (12, Cycle.DAY_OF_MONTH, 31),
        (23, Cycle.DAY_OF_MONTH, 1),
    ):
        line = SubscriptionFactory(
            subscriber=SubscriberFactory(
                billing_profile=BillingProfileFactory(currency="EUR", cycle=cycle, cycle_day=day)
            ),
            plan=PlanFactory(price="30.00", currency="EUR"),
            status="active",
            provisioned_at=datetime(2024, 12, 31, hour, 30, tzinfo=zone),
        )
        Hold.objects.create(
            subscription=line,
            reason="vacation",
            opened_at=datetime(HELD[0].year, HELD[0].month, HELD[0].day, 0, 30, tzinfo=zone),
            released_at=datetime(HELD[1].year, HELD[1].month, HELD[1].day, 23, 30, tzinfo=zone),
        )
        lines.append(line)

    for step in range(0, DAYS, STEP):
        on = BEGAN + timedelta(days=step)
        as_of = datetime(on.year, on.month, on.day, 23, 45, tzinfo=zone).astimezone(UTC)
        BillingRun.objects.update(status=RunStatus.DISCARDED)
        run = BillingRun.objects.create(on=on, as_of=as_of)
        terms = planning.Terms(run.pk, on, as_of, name, date(2024, 1, 1), ["vacation"])
        planning.plan_batch(terms, planning.candidates(on=on, as_of=as_of))
        for line in lines:
            planned = InvoiceLine.objects.filter(invoice__run=run, subscription=line, kind="plan")
            if last := planned.order_by("-period_end").first():
                BillingPosition.objects.update_or_create(
                    subscription=line, defaults={"billed_until": last.period_end, "settled_at": as_of}
                )

    for line in lines:
        billed = InvoiceLine.objects.filter(subscription=line)
        plans = billed.filter(kind="plan").order_by("period_start")
        spans = list(plans.values_list("period_start", "period_end", "days"))
        assert spans[0][0] == BEGAN
        assert spans[-1][1] > on
        assert all(before[1] == after[0] for before, after in pairwise(spans))
        given_back = sum(billed.filter(kind="hold_credit").values_list("days", flat=True))
        free = sum((end - start).days - days for start, end, days in spans)
        assert given_back + free == (HELD[1] - HELD[0]).days
