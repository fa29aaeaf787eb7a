"""Over clock changes and short months runs issue no day twice or never, wherever the provider is."""

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from billing.models import Invoice, InvoiceLine
from billing.services import planning
from ispcore.tenants.models import Tenant
from subscribers.models import Cycle, Hold
from tests.billing.cycles import issued, make_settings
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
def test_each_day_once(acting: Tenant, name: str) -> None:
    Tenant.objects.filter(pk=acting.pk).update(timezone=name)
    make_settings(bills_from=date(2024, 1, 1))
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
        if planning.candidates(on=on, as_of=as_of):
            issued(as_of)

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
    drawn: dict[str, list[int]] = defaultdict(list)
    for number in Invoice.objects.values_list("number", flat=True):
        drawn[number.rpartition("-")[0]].append(int(number.rpartition("-")[2]))
    assert all(sorted(numbers) == list(range(1, len(numbers) + 1)) for numbers in drawn.values())
