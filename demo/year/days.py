"""A second calendar: periods walked to month by month, from where the row of them began."""

from calendar import monthrange
from collections.abc import Iterator
from datetime import date, timedelta
from functools import cache

DAY = timedelta(days=1)


@cache
def period(day: date, months: int, anchor: date, cycle_day: int) -> tuple[date, date]:
    """Return the period a day lies in, walked to from where the row of periods began."""
    year, month = anchor.year, anchor.month
    start = _on(year, month, cycle_day)
    while start > day:
        year, month = _months_on(year, month, -months)
        start = _on(year, month, cycle_day)
    while True:
        year, month = _months_on(year, month, months)
        end = _on(year, month, cycle_day)
        if day < end:
            return start, end
        start = end


def _on(year: int, month: int, day: int) -> date:
    return date(year, month, min(day, monthrange(year, month)[1]))


def _months_on(year: int, month: int, months: int) -> tuple[int, int]:
    count = year * 12 + month - 1 + months
    return count // 12, count % 12 + 1


def days_of(since: date, until: date) -> Iterator[date]:
    while since < until:
        yield since
        since += DAY
