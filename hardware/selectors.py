"""Reads across hardware for pages: signal classes, counts, an ONU's readings."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Case, Count, Min, OuterRef, Q, QuerySet, Subquery, TextChoices, Value, When
from django.db.models.functions import Coalesce

from hardware.models import (
    OPEN_OUTAGE,
    DiscoveryRun,
    Olt,
    Onu,
    OnuEvent,
    OnuStatus,
    Outage,
    PonPort,
    Reading,
    RunOutcome,
    Signal,
    SignalLimits,
)
from ispcore import sums

CHART_POINTS = 2000
EVENTS_SHOWN = 200
LOW_SIGNALS = (Signal.CRITICAL, Signal.WARNING, Signal.OVERLOAD)
STALE_AFTER_INTERVALS = 3

SIGNAL_HINTS = {
    Signal.GOOD: "−8 to −25 dBm",
    Signal.WARNING: "−25 to −27 dBm",
    Signal.CRITICAL: "below −27 dBm",
    Signal.OVERLOAD: "above −8 dBm",
    Signal.NONE: "not measured",
}


def signal_of(rx_power_dbm: float | None, limits: SignalLimits | None = None) -> Signal:
    """Return the class of what an ONU receives, by the usual limits unless others are given.

    Of both directions the worse class is stored: it is in the Onu's `signal`.
    """
    limits = limits or SignalLimits()
    if rx_power_dbm is None:
        return Signal.NONE
    if rx_power_dbm > limits.overload_above_dbm:
        return Signal.OVERLOAD
    if rx_power_dbm >= limits.warning_below_dbm:
        return Signal.GOOD
    return Signal.WARNING if rx_power_dbm >= limits.critical_below_dbm else Signal.CRITICAL


def olt_signal_of(olt_rx_power_dbm: float | None, limits: SignalLimits) -> Signal:
    """Return the class of what the OLT receives of an ONU."""
    if olt_rx_power_dbm is None:
        return Signal.NONE
    if olt_rx_power_dbm >= limits.olt_warning_below_dbm:
        return Signal.GOOD
    return Signal.WARNING if olt_rx_power_dbm >= limits.olt_critical_below_dbm else Signal.CRITICAL


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


def telemetry_of_olt(olt: Olt, now: datetime) -> Telemetry:
    """Tell how long ago an OLT answered: never, within three intervals, or longer ago."""
    if olt.last_answer_at is None:
        return Telemetry.NONE
    limit = STALE_AFTER_INTERVALS * timedelta(seconds=settings.OLT_STATUS_SECONDS)
    return Telemetry.STALE if now - olt.last_answer_at > limit else Telemetry.FRESH


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
    """Count OLTs and ONUs; of a large provider the counts may be a minute old."""
    found = sums.read(OVERVIEW)
    by_olt = {UUID(pk): (total, online) for pk, (total, online) in found["by_olt"].items()}
    return Overview(olts=found["olts"], onus=found["onus"], signals=found["signals"], by_olt=by_olt)


def _count_network() -> tuple[dict[str, Any], int]:
    """Count in two queries; the ONUs are passed over once, whatever is counted of them."""
    onus, signals = dict.fromkeys(OnuStatus.values, 0), dict.fromkeys(Signal.values, 0)
    by_olt: dict[str, tuple[int, int]] = {}
    groups = Onu.objects.values("olt_id", "status", "signal").annotate(count=Count("pk")).order_by()
    for group in groups:
        olt, status, count = str(group["olt_id"]), group["status"], group["count"]
        is_online = status == OnuStatus.ONLINE
        onus[status] += count
        if is_online:
            signals[group["signal"]] += count
        if status != OnuStatus.VANISHED:
            total, online = by_olt.get(olt, (0, 0))
            by_olt[olt] = (total + count, online + count * is_online)
    found = {"olts": Olt.objects.count(), "onus": onus, "signals": signals, "by_olt": by_olt}
    return found, sum(onus.values())


OVERVIEW = sums.add(sums.Sum("hardware.overview", _count_network, seconds=60))


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


@dataclass(frozen=True)
class Measurement:
    """One reading of an ONU for its charts."""

    at: datetime
    rx_dbm: float | None
    tx_dbm: float | None
    olt_rx_dbm: float | None
    temperature_c: float | None
    up_bytes: int | None
    down_bytes: int | None


def measurements_of(onu: Onu, *, since: datetime, until: datetime) -> list[Measurement]:
    """Return an ONU's readings of a time span, oldest first, thinned to what a chart can show.

    The newest `4 * CHART_POINTS` rows are read at the most: five weeks of readings ten minutes apart.
    """
    fields = (
        "at",
        "rx_power_dbm",
        "tx_power_dbm",
        "olt_rx_power_dbm",
        "temperature_c",
        "up_bytes",
        "down_bytes",
    )
    rows = Reading.objects.filter(onu=onu, at__gte=since, at__lte=until).order_by("-at").values_list(*fields)
    found = list(rows[: CHART_POINTS * 4])[::-1]
    return [
        Measurement(*row[:5], *(None if count is None else int(count) for count in row[5:]))
        for row in found[:: max(1, len(found) // CHART_POINTS)]
    ]


def events_of(
    onus: Iterable[UUID], *, since: datetime | None = None, limit: int = EVENTS_SHOWN
) -> list[OnuEvent]:
    """Return what happened to some ONUs, newest first."""
    rows = OnuEvent.objects.filter(onu__in=list(onus)).select_related("onu")
    if since is not None:
        rows = rows.filter(at__gte=since)
    return list(rows.order_by("-at")[:limit])


@dataclass(frozen=True)
class PortSignals:
    """What the online ONUs of one PON port receive: the weakest, and how many are of each class."""

    worst_dbm: float | None
    classes: dict[str, int]

    @property
    def critical(self) -> int:
        return self.classes.get(Signal.CRITICAL, 0)


def signals_by_port(olt_ids: Iterable[UUID]) -> dict[UUID, PortSignals]:
    """Return the signals of each PON port of some OLTs that has an ONU online, in one query."""
    rows = (
        Onu.objects.filter(olt__in=list(olt_ids), status=OnuStatus.ONLINE, pon_port__isnull=False)
        .order_by()
        .values_list("pon_port_id", "signal")
        .annotate(Count("pk"), Min("rx_power_dbm"))
    )
    found: dict[UUID, PortSignals] = {}
    for port_id, kind, count, weakest in rows:
        known = found.get(port_id, PortSignals(None, {}))
        worst = min((each for each in (known.worst_dbm, weakest) if each is not None), default=None)
        found[port_id] = PortSignals(worst, {**known.classes, kind: count})
    return found


def open_outages(olt_ids: Iterable[UUID] | None = None) -> QuerySet[Outage]:
    """Return the outages that are not over, newest first."""
    rows = Outage.objects.filter(status__in=OPEN_OUTAGE).select_related("olt", "pon_port")
    if olt_ids is not None:
        rows = rows.filter(olt__in=list(olt_ids))
    return rows.order_by("-started_at")


def weak_onus(*, olt_id: UUID | None = None, pon_port_id: UUID | None = None) -> QuerySet[Onu]:
    """Return online ONUs outside the good class, the worst first: critical, overload, then warning."""
    severity = Case(When(signal=Signal.CRITICAL, then=0), When(signal=Signal.OVERLOAD, then=1), default=2)
    rows = Onu.objects.filter(status=OnuStatus.ONLINE, signal__in=LOW_SIGNALS)
    if olt_id is not None:
        rows = rows.filter(olt=olt_id)
    if pon_port_id is not None:
        rows = rows.filter(pon_port=pon_port_id)
    worst_first: QuerySet[Onu] = rows.annotate(severity=severity).order_by("severity", "rx_power_dbm", "pk")
    return worst_first


def weakest_ports(limit: int) -> list[tuple[PonPort, int, float | None]]:
    """Return the PON ports with the most weak ONUs, how many they are, and the weakest power.

    Several on one port point at its fibre or splitter. Names are joined to the few that are returned, not to all.
    """
    counted = list(
        Onu.objects.filter(status=OnuStatus.ONLINE, signal__in=LOW_SIGNALS, pon_port__isnull=False)
        .order_by()
        .values_list("pon_port_id")
        .annotate(weak=Count("pk"), weakest=Min("rx_power_dbm"))
        .order_by("-weak", "weakest")[:limit]
    )
    ports = PonPort.objects.select_related("olt").in_bulk([port_id for port_id, _, _ in counted])
    return [(ports[port_id], weak, weakest) for port_id, weak, weakest in counted if port_id in ports]
