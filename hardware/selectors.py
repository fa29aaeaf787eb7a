"""Reads across hardware for pages: signal classes, counts, an ONU's readings."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Case, Count, OuterRef, Q, QuerySet, Subquery, TextChoices, Value, When
from django.db.models.functions import Coalesce

from hardware.models import DiscoveryRun, Olt, Onu, OnuStatus, PonPort, Reading, RunOutcome, Signal
from hardware.models.signal import CRITICAL_BELOW_DBM, OVERLOAD_ABOVE_DBM, WARNING_BELOW_DBM

CHART_POINTS = 2000
STALE_AFTER_INTERVALS = 3


SIGNAL_HINTS = {
    Signal.GOOD: "−8 to −25 dBm",
    Signal.WARNING: "−25 to −27 dBm",
    Signal.CRITICAL: "below −27 dBm",
    Signal.OVERLOAD: "above −8 dBm",
    Signal.NONE: "not measured",
}


def signal_of(rx_power_dbm: float | None) -> Signal:
    """Return the class of what an ONU receives, by the usual limits; an Onu's own is in its `signal`."""
    if rx_power_dbm is None:
        return Signal.NONE
    if rx_power_dbm > OVERLOAD_ABOVE_DBM:
        return Signal.OVERLOAD
    if rx_power_dbm >= WARNING_BELOW_DBM:
        return Signal.GOOD
    return Signal.WARNING if rx_power_dbm >= CRITICAL_BELOW_DBM else Signal.CRITICAL


class Telemetry(TextChoices):
    """How much the stored values can be trusted to be those of now."""

    FRESH = "fresh", "Fresh"
    STALE = "stale", "Out of date"
    NONE = "none", "No telemetry"


def telemetry_of_onus(now: datetime) -> dict[str, Q]:
    """Return the condition of each state of an ONU's telemetry; exactly one is true of each ONU.

    None: it was never measured, as behind a device without optics. Stale: its state, or the optics of an ONU
    that is online, were last read more than three intervals ago.
    """
    none = Q(measured_at=None) | Q(observed_at=None)
    old = Q(observed_at__lt=now - STALE_AFTER_INTERVALS * timedelta(seconds=settings.OLT_STATUS_SECONDS)) | Q(
        status=OnuStatus.ONLINE,
        measured_at__lt=now - STALE_AFTER_INTERVALS * timedelta(seconds=settings.OLT_OPTICS_SECONDS),
    )
    return {Telemetry.NONE: none, Telemetry.STALE: ~none & old, Telemetry.FRESH: ~none & ~old}


def telemetry_of_olts(now: datetime) -> dict[str, Q]:
    """Return the condition of each state of an OLT's telemetry: when it answered last."""
    none = Q(last_answer_at=None)
    old = Q(last_answer_at__lt=now - STALE_AFTER_INTERVALS * timedelta(seconds=settings.OLT_STATUS_SECONDS))
    return {Telemetry.NONE: none, Telemetry.STALE: ~none & old, Telemetry.FRESH: ~none & ~old}


def with_telemetry(rows: QuerySet[Any], conditions: dict[str, Q]) -> QuerySet[Any]:
    """Add `telemetry` to each row."""
    cases = (When(condition, then=Value(str(state))) for state, condition in conditions.items())
    annotated: QuerySet[Any] = rows.annotate(telemetry=Case(*cases))
    return annotated


def age_seconds(observed_at: datetime | None, now: datetime) -> int | None:
    """Return how old a reading is; the clocks of two hosts may differ, so never less than 0."""
    return None if observed_at is None else max(0, round((now - observed_at).total_seconds()))


@dataclass(frozen=True)
class Overview:
    """The tenant's network in numbers; signal classes count online ONUs only, as others receive nothing.

    `by_olt` maps an OLT's id to its ONUs, vanished ones apart, and how many of them are online.
    """

    olts: int
    onus: dict[str, int]
    signals: dict[str, int]
    by_olt: dict[UUID, tuple[int, int]]


def overview() -> Overview:
    """Count OLTs and ONUs in two queries; the ONUs are passed over once, whatever is counted of them."""
    found = Overview(
        olts=Olt.objects.count(),
        onus=dict.fromkeys(OnuStatus.values, 0),
        signals=dict.fromkeys(Signal.values, 0),
        by_olt={},
    )
    groups = Onu.objects.values("olt_id", "status", "signal").annotate(count=Count("pk")).order_by()
    for group in groups:
        status, count = group["status"], group["count"]
        is_online = status == OnuStatus.ONLINE
        found.onus[status] += count
        if is_online:
            found.signals[group["signal"]] += count
        if status != OnuStatus.VANISHED:
            total, online = found.by_olt.get(group["olt_id"], (0, 0))
            found.by_olt[group["olt_id"]] = (total + count, online + count * is_online)
    return found


def with_onu_counts(olts: QuerySet[Olt]) -> QuerySet[Olt]:
    """Add `onu_total` (vanished ones apart) and `onu_online` to each OLT.

    Counted per row of the page from the index on status; a join would first group every ONU there is.
    """
    present = [status for status in OnuStatus.values if status != OnuStatus.VANISHED]
    return olts.annotate(onu_total=_count_of(present), onu_online=_count_of([OnuStatus.ONLINE]))


def _count_of(statuses: list[str]) -> Coalesce:
    onus = Onu.objects.filter(olt=OuterRef("pk"), status__in=statuses).order_by().values("olt")
    return Coalesce(Subquery(onus.annotate(count=Count("pk")).values("count")), 0)


def with_last_outcome(olts: QuerySet[Olt]) -> QuerySet[Olt]:
    """Add `last_outcome`, that of each OLT's newest discovery, to each OLT."""
    runs = DiscoveryRun.objects.filter(olt=OuterRef("pk")).order_by("-started_at")
    return olts.annotate(last_outcome=Subquery(runs.values("outcome")[:1]))


def troubled_olts(limit: int) -> list[Any]:
    """Return OLTs whose last discovery found a fault, the longest silent first."""
    return list(with_last_outcome(Olt.objects.exclude(last_error="")).order_by("last_answer_at")[:limit])


def failed_runs(since: datetime, limit: int) -> list[DiscoveryRun]:
    """Return runs that failed since then at OLTs that have answered again, newest first."""
    return list(
        DiscoveryRun.objects.filter(outcome=RunOutcome.FAILED, started_at__gte=since, olt__last_error="")
        .select_related("olt")
        .order_by("-started_at")[:limit]
    )


def ports_of(olt: Olt) -> list[PonPort]:
    """Return an OLT's PON ports in the order of their numbers."""
    return sorted(PonPort.objects.filter(olt=olt), key=lambda port: numbers_in(port.index))


def numbers_in(index: str) -> list[tuple[int, Any]]:
    """Make 0/2/0 sort before 0/10/0; what is no number sorts after them, as text."""
    return [(0, int(part)) if part.isdecimal() else (1, part) for part in index.split("/")]


def last_runs(olt: Olt, limit: int = 8) -> list[DiscoveryRun]:
    return list(DiscoveryRun.objects.filter(olt=olt).order_by("-started_at")[:limit])


def readings_of(onu: Onu, *, until: datetime, days: int) -> list[tuple[datetime, float | None]]:
    """Return when an ONU was read and what it received, oldest first, thinned to what a chart can show."""
    since = until - timedelta(days=days)
    rows: Iterable[tuple[datetime, float | None]] = (
        Reading.objects.filter(onu=onu, at__gte=since, at__lte=until)
        .order_by("-at")
        .values_list("at", "rx_power_dbm")[: CHART_POINTS * 4]
    )
    found = list(rows)[::-1]
    step = max(1, len(found) // CHART_POINTS)
    return found[::step]
