"""How many rows there are, told without counting them all: a page must not cost more in a larger table."""

import time
from collections.abc import Hashable
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import QuerySet

EXACT_UP_TO = 10_000
REMEMBERED_SECONDS = 30.0
MOST_REMEMBERED = 1000


class Remembered:
    """Values that may be a moment old, kept by this process; asking again costs nothing for so long."""

    def __init__(self, seconds: float = REMEMBERED_SECONDS) -> None:
        self._seconds = seconds
        self._kept: dict[Hashable, tuple[Any, float]] = {}

    def find(self, name: Hashable) -> Any:
        """Return the value kept under `name`, None when there is none or it is too old."""
        value, until = self._kept.get(name, (None, 0.0))
        return value if time.monotonic() < until else None

    def keep(self, name: Hashable, value: Any) -> None:
        if len(self._kept) >= MOST_REMEMBERED:
            self._kept.clear()
        self._kept[name] = (value, time.monotonic() + self._seconds)


_estimates = Remembered()


def total_of(rows: QuerySet[Any], *, name: Hashable = None) -> tuple[int, bool]:
    """Return how many rows there are, and whether that is an estimate.

    Exact up to EXACT_UP_TO; beyond, what the planner expects, remembered for a moment under `name` (the query
    itself when not given), which must tell the tenant and what the rows were narrowed by.
    """
    keys = rows.order_by().values("pk")  # An index knows the keys alone.
    try:
        name = name or _text_of(keys)
    except EmptyResultSet:
        return 0, False
    estimate = _estimates.find(name)
    if estimate is None:
        bounded = keys[: EXACT_UP_TO + 1].count()
        if bounded <= EXACT_UP_TO:
            return bounded, False
        estimate = max(bounded, _planned_rows(keys))
        _estimates.keep(name, estimate)
    return estimate, True


def _text_of(rows: QuerySet[Any]) -> Hashable:
    sql, params = rows.query.sql_with_params()
    return sql, *map(str, params)


def _planned_rows(rows: QuerySet[Any]) -> int:
    sql, params = rows.query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (FORMAT JSON) {sql}", params)
        (plan,) = cursor.fetchone()
    return int(plan[0]["Plan"]["Plan Rows"])
