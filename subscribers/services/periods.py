"""Days and billing periods, as the provider's calendar has them. A period is half-open: [start, end)."""

from calendar import monthrange
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from ispcore.tenants.context import current_tenant_id
from ispcore.tenants.models import Tenant
from subscribers.models import BillingProfile, Cycle, Period

MONTHS = {Period.MONTH: 1, Period.QUARTER: 3, Period.YEAR: 12}
# Quarters and years of customers billed on a day of the month follow the calendar's.
CALENDAR = date(2000, 1, 1)


@dataclass(frozen=True)
class Span:
    """The days from `start` up to, and without, `end`."""

    start: date
    end: date

    @property
    def days(self) -> int:
        return (self.end - self.start).days

    def days_from(self, day: date) -> int:
        return (self.end - day).days


def local_date(at: datetime) -> date:
    """Return which day it is at the bound tenant's."""
    zone = Tenant.objects.values_list("timezone", flat=True).get(pk=current_tenant_id())
    return at.astimezone(ZoneInfo(zone)).date()


def period_around(*, on: date, period: str, profile: BillingProfile | None, began_on: date) -> Span:
    """Return the billing period `on` lies in.

    By the profile's day of the month, or by the day the service began; without a profile, by the calendar.
    A month without that day uses its last one.
    """
    anchor, day = CALENDAR, 1
    if profile is not None and profile.cycle == Cycle.ANNIVERSARY:
        anchor, day = began_on, began_on.day
    elif profile is not None:
        day = profile.cycle_day or 1
    step = MONTHS[Period(period)]
    first = _month_of(anchor)
    month = first + (_month_of(on) - first) // step * step
    if _day_in(month, day) > on:
        month -= step
    return Span(_day_in(month, day), _day_in(month + step, day))


def _month_of(day: date) -> int:
    return day.year * 12 + day.month - 1


def _day_in(month: int, day: int) -> date:
    year, index = divmod(month, 12)
    return date(year, index + 1, min(day, monthrange(year, index + 1)[1]))
