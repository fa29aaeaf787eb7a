"""What Prometheus is told of the installation as a whole, read when it asks.

Apps name what is worth watching in a module `measures`: a statement and what its columns are called. All web servers
answer the same, because all read the same rows; who draws or warns takes one answer (`max`) and never their sum.

No statement may cost more the longer an installation runs: each reads a part of an index that stays small (what waits)
or the last minutes of one that is in order of time. It runs as the read-only role `isp_platform`, without sequential
scans where there is an index, and for a second at most.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import structlog
from django.db import connections, transaction
from django.utils.module_loading import autodiscover_modules
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

log = structlog.get_logger(__name__)

DATABASE = "platform"
# Prometheus gives a scrape ten seconds unless told otherwise; what is left out is said to be.
BUDGET_SECONDS = 5.0
STATEMENT_SECONDS = 1.0

Rows = Iterable[Sequence[Any]]


@dataclass(frozen=True)
class Series:
    """One name in Prometheus. A counter's name ends in `_total` there."""

    name: str
    help: str
    is_counter: bool = False


@dataclass(frozen=True)
class Measure:
    """Rows that are read together: a column for each label, then one for each series. NULL is not told."""

    name: str
    series: tuple[Series, ...]
    labels: tuple[str, ...] = ()
    sql: str = ""
    read: Callable[[], Rows] | None = None  # Instead of a statement.


_measures: dict[str, Measure] = {}


def add(measure: Measure) -> None:
    _measures[measure.name] = measure


@cache
def all_measures() -> tuple[Measure, ...]:
    """Return what all apps measure, in the order of their names."""
    autodiscover_modules("measures")
    return tuple(_measures[name] for name in sorted(_measures))


class MeasureCollector(Collector):
    """Reads every measure; one that fails is told as failed and keeps no other from being read."""

    def collect(self) -> Iterator[Metric]:
        failed = GaugeMetricFamily(
            "ispcore_measure_failed", "1 where a measure could not be read.", labels=["measure"]
        )
        seconds = GaugeMetricFamily(
            "ispcore_measure_seconds", "How long reading a measure took.", labels=["measure"]
        )
        for measure, rows, took in _read_all():
            failed.add_metric([measure.name], float(rows is None))
            seconds.add_metric([measure.name], took)
            yield from families_of(measure, rows or [])
        yield from (failed, seconds)


def families_of(measure: Measure, rows: Rows) -> Iterator[Metric]:
    """Turn rows into what Prometheus is told."""
    families = [
        (CounterMetricFamily if series.is_counter else GaugeMetricFamily)(
            series.name, series.help, labels=measure.labels
        )
        for series in measure.series
    ]
    for row in rows:
        labels = [str(value) for value in row[: len(measure.labels)]]
        for family, value in zip(families, row[len(measure.labels) :], strict=True):
            if value is not None:
                family.add_metric(labels, float(value))
    yield from families


def _read_all() -> Iterator[tuple[Measure, list[Any] | None, float]]:
    began = time.monotonic()
    for measure in all_measures():
        begin = time.monotonic()
        left = BUDGET_SECONDS - (begin - began)
        rows = _read_or_none(measure, left) if left > 0 else None
        yield measure, rows, time.monotonic() - begin
    connections[DATABASE].close()  # Kept, each serving thread would hold one for a question a minute.


def _read_or_none(measure: Measure, left: float) -> list[Any] | None:
    try:
        return list(measure.read()) if measure.read else query(measure.sql, seconds=left)
    except Exception as error:  # Whatever it is, the others are still worth telling.
        log.warning("measure_failed", measure=measure.name, error=type(error).__name__)
        return None


def query(sql: str, *, seconds: float) -> list[Any]:
    """Read with a limit on the time, and by an index where there is one, whatever the planner believes."""
    limit = min(STATEMENT_SECONDS, seconds)
    with transaction.atomic(using=DATABASE), connections[DATABASE].cursor() as cursor:
        cursor.execute(
            "SELECT set_config('statement_timeout', %s, true), set_config('enable_seqscan', 'off', true), "
            "set_config('jit', 'off', true)",
            [f"{max(1, int(limit * 1000))}ms"],
        )
        cursor.execute(sql)
        rows: list[Any] = cursor.fetchall()
    return rows
