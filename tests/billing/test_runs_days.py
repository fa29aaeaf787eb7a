"""Four hundred nights of runs in ten time zones: no day of a line is billed twice, and none never."""

from datetime import date, datetime, time, timedelta
from random import Random
from zoneinfo import ZoneInfo

import pytest

from billing.models import InvoiceLine, ParkedAccount
from billing.services import ledger, planning
from ispcore.tenants.models import Tenant
from subscribers.models import Cycle, Hold, Period, Subscription
from tests.billing.cycles import issued, make_settings
from tests.factories import BillingProfileFactory, PlanFactory, SubscriberFactory, SubscriptionFactory

DAYS = 400
FIRST = date(2025, 10, 1)
ZONES = [
    "Africa/Johannesburg",
    "America/New_York",
    "America/Santiago",
    "America/St_Johns",
    "Asia/Kathmandu",
    "Asia/Tehran",
    "Australia/Lord_Howe",  # Its clocks change by half an hour.
    "Europe/Lisbon",
    "Pacific/Apia",
    "Pacific/Chatham",
]

pytestmark = pytest.mark.django_db


class Life:
    """A line that begins, rests and ends at moments of its own, near midnight where days are easily lost."""

    def __init__(self, chance: Random, zone: ZoneInfo, period: str, cycle_day: int | None) -> None:
        def moment(day: date) -> datetime:
            return datetime.combine(
                day, chance.choice([time(0, 0, 1), time(0, 59), time(12), time(23, 59)]), zone
            )

        begins = FIRST + timedelta(days=chance.randrange(20))
        self.ends_on = begins + timedelta(days=chance.randrange(150, 390))
        self.rests_on = begins + timedelta(days=chance.randrange(30, 100))
        self.back_on = self.rests_on + timedelta(days=chance.randrange(1, 40))
        self.begins_on, self.ends, self.rests, self.back = (
            begins, moment(self.ends_on), moment(self.rests_on), moment(self.back_on),
        )  # fmt: skip
        profile = BillingProfileFactory(
            currency="EUR", cycle=Cycle.DAY_OF_MONTH if cycle_day else Cycle.ANNIVERSARY, cycle_day=cycle_day
        )
        self.line: Subscription = SubscriptionFactory(
            subscriber=SubscriberFactory(billing_profile=profile), plan=PlanFactory(price=31, period=period),
            status="active", provisioned_at=moment(begins),
        )  # fmt: skip
        self.hold: Hold | None = None

    def live_until(self, now: datetime) -> None:
        """Let happen to the line what happened by now."""
        if self.hold is None and self.rests < now:
            self.hold = Hold.objects.create(subscription=self.line, reason="vacation", opened_at=self.rests)
            self._becomes("suspended")
        if self.hold and self.hold.released_at is None and self.back < now:
            self.hold.released_at = self.back
            self.hold.save()
            self._becomes("active")
        if self.line.status == "active" and self.ends < now:
            self.line.terminated_at = self.ends
            self._becomes("terminated")

    def _becomes(self, status: str) -> None:
        self.line.status = status
        self.line.save()


@pytest.mark.parametrize("name", ZONES)
def test_each_day_is_billed_once(acting, name):
    Tenant.objects.filter(pk=acting.pk).update(timezone=name)
    make_settings(bills_from=FIRST)
    chance, zone = Random(name), ZoneInfo(name)
    lives = [
        Life(chance, zone, Period.MONTH, chance.randint(28, 31)),
        Life(chance, zone, Period.MONTH, None),
        Life(chance, zone, Period.QUARTER, chance.randint(1, 31)),
    ]

    for day in range(DAYS):
        on = FIRST + timedelta(days=day)
        now = datetime.combine(on, time(3), zone)
        for life in lives:
            life.live_until(now)
        if planning.candidates(on=on, as_of=now):
            issued(now)

    for life in lives:
        items = InvoiceLine.objects.filter(subscription=life.line)
        until = life.begins_on
        for first, end in (
            items.filter(kind="plan").order_by("period_start").values_list("period_start", "period_end")
        ):
            assert first == until, "a gap, or a day twice"
            until = end
        assert until >= life.ends_on
        days = {"plan": 0, "hold_credit": 0, "end_credit": 0}
        for kind, count in items.values_list("kind", "days"):
            days[kind] += count
        lived = (life.ends_on - life.begins_on).days - (life.back_on - life.rests_on).days
        assert days["plan"] - days["hold_credit"] - days["end_credit"] == lived
    assert not ParkedAccount.objects.exists()
    assert ledger.recount() == []
