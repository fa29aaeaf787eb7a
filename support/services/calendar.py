"""Working time: the helpdesk's opening hours in its own time zone, without public holidays. Pure.

Durations are real ones: the day a clock is put forward has an hour less, if the helpdesk is open that hour.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import holidays

DAY = timedelta(days=1)
LONGEST_LOOK = 3700  # Days: longer than any duration allowed takes, with one short working day a week.


@dataclass(frozen=True)
class Calendar:
    """When the helpdesk works: `hours` are minutes since midnight for Monday to Sunday, None for a day off."""

    zone: ZoneInfo
    hours: tuple[tuple[int, int] | None, ...]
    country: str = ""
    subdivision: str = ""

    def works_on(self, on: date) -> bool:
        return self.hours[on.weekday()] is not None and not holiday_of(on, self.country, self.subdivision)

    def opening(self, on: date) -> tuple[datetime, datetime] | None:
        """Return from when until when a day is worked, half-open, in UTC; None on a day off."""
        hours = self.hours[on.weekday()]
        if hours is None or not self.works_on(on):
            return None
        opens, closes = (self._moment(on, minutes) for minutes in hours)
        return (opens, closes) if opens < closes else None

    def add(self, at: datetime, working: timedelta) -> datetime:
        """Return when so much working time has passed since `at`; of a moment off duty, since the next opening."""
        at, left = at.astimezone(UTC), working  # In one zone of its own Python would count by the wall clock.
        for opens, closes in self._openings_from(at):
            begins = max(opens, at)
            if closes - begins >= left:
                return begins + left
            left -= closes - begins
        return at + working  # A week without a working hour: the clock on the wall.

    def between(self, start: datetime, end: datetime) -> timedelta:
        """Return the working time in [start, end); nothing when `end` is not after `start`."""
        start, end = start.astimezone(UTC), end.astimezone(UTC)
        total = timedelta(0)
        for opens, closes in self._openings_from(start, until=end):
            total += max(timedelta(0), min(closes, end) - max(opens, start))
        return total

    def subtract(self, at: datetime, working: timedelta) -> datetime:
        """Return the latest moment with so much working time between it and `at`."""
        at, left = at.astimezone(UTC), working
        day = at.astimezone(self.zone).date()
        for back in range(LONGEST_LOOK):
            opening = self.opening(day - back * DAY)
            if opening is None or opening[0] >= at:
                continue
            ends = min(opening[1], at)
            if ends - opening[0] >= left:
                return ends - left
            left -= ends - opening[0]
        return at - working

    def add_days(self, at: datetime, days: int) -> datetime:
        """Return the same time of day so many working days later, within that day's hours.

        A moment off duty counts from the next opening.
        """
        start = self.add(at, timedelta(0))
        day, left = start.astimezone(self.zone).date(), days
        for _ in range(LONGEST_LOOK):
            if left == 0:
                break
            day += DAY
            left -= self.opening(day) is not None
        opening = self.opening(day)
        if left or opening is None:
            return at + days * DAY
        clock = start.astimezone(self.zone)
        wanted = self._moment(day, clock.hour * 60 + clock.minute) + timedelta(seconds=clock.second)
        return min(max(wanted, opening[0]), opening[1])

    def _openings_from(
        self, at: datetime, *, until: datetime | None = None
    ) -> Iterator[tuple[datetime, datetime]]:
        day = at.astimezone(self.zone).date()
        for ahead in range(LONGEST_LOOK):
            on = day + ahead * DAY
            opening = self.opening(on)
            if until is not None and on > until.astimezone(self.zone).date():
                return
            if opening is not None and opening[1] > at:
                yield opening

    def _moment(self, on: date, minutes: int) -> datetime:
        days, minutes = divmod(minutes, 24 * 60)
        clock = time(minutes // 60, minutes % 60)
        return datetime.combine(on + days * DAY, clock, tzinfo=self.zone).astimezone(UTC)


def hours_of(text: str) -> tuple[int, int] | None:
    """Read `09:00-18:00` as minutes since midnight; nothing is a day off. Raises ValueError for what is neither."""
    if not text:
        return None
    opens, _, closes = text.partition("-")
    found = (_minutes(opens), _minutes(closes))
    if found[0] >= found[1]:
        raise ValueError(text)
    return found


def holiday_of(on: date, country: str, subdivision: str) -> str:
    """Return the name of a public holiday, as the library `holidays` 0.109 knows it; empty on other days."""
    if not country:
        return ""
    return _holidays(country, subdivision, on.year).get(on) or ""


def _minutes(text: str) -> int:
    hours, _, minutes = text.partition(":")
    return int(hours) * 60 + int(minutes)


@lru_cache(maxsize=256)
def _holidays(country: str, subdivision: str, year: int) -> holidays.HolidayBase:
    return holidays.country_holidays(country, subdiv=subdivision or None, years=year, language="en_US")
