"""Working days, as a country has them."""

from collections.abc import Iterable
from datetime import date, timedelta
from functools import lru_cache

import holidays

from billing.models import DunningPolicy

# Monday is 0. Where a policy names no country.
WEEKEND = frozenset({5, 6})
LONGEST_REST = 30  # No country rests that long; a table that says so is not followed further.
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def rests_on(on: date, *, country: str = "", subdivision: str = "") -> str:
    """Say why a day is no working day: the holiday's name or the day of the weekend; empty when it is one.

    Holidays and weekends as the library `holidays` 0.109 knows them, a Saturday that is worked for another day
    included.
    """
    if not country:
        return WEEKDAYS[on.weekday()] if on.weekday() in WEEKEND else ""
    known = _holidays(country, subdivision, on.year)
    if known.is_working_day(on):
        return ""
    return known.get(on) or WEEKDAYS[on.weekday()]


def first_working_day(on: date, *, country: str = "", subdivision: str = "") -> date:
    """Return the day itself, or the next one that is worked."""
    for days in range(LONGEST_REST):
        day = on + timedelta(days=days)
        if not rests_on(day, country=country, subdivision=subdivision):
            return day
    return on


def is_country(country: str, subdivision: str = "") -> bool:
    """Tell whether the holidays of a country, and of that part of it, are known."""
    known = _countries()
    return country in known and (not subdivision or subdivision in known[country])


def resting(policies: Iterable[DunningPolicy], *, on: date) -> dict[DunningPolicy, str]:
    """Return the policies that do not cut on a day, each with the reason."""
    found = {
        policy: rests_on(on, country=policy.country, subdivision=policy.subdivision)
        for policy in policies
        if policy.business_days_only
    }
    return {policy: why for policy, why in found.items() if why}


@lru_cache(maxsize=1)
def _countries() -> dict[str, list[str]]:
    return holidays.list_supported_countries()


@lru_cache(maxsize=256)
def _holidays(country: str, subdivision: str, year: int) -> holidays.HolidayBase:
    # The default language is the country's own; English where the library has it, as the rest of the screens.
    return holidays.country_holidays(country, subdiv=subdivision or None, years=year, language="en_US")
