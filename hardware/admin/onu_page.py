"""What an ONU's page shows: its state in words, its measurements over one time axis, what happened to it."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone

from hardware import drivers, selectors
from hardware.admin.signals import (
    EVENT_TONES,
    PROVISIONING_TONES,
    SIGNAL_TONES,
    STATUS_TONES,
    TELEMETRY_TONES,
    dbm,
    event_words,
    metres,
    olt_zones_of,
    outage_pill,
    signal,
    since,
    status_words,
    telemetry_words,
    zones_of,
)
from hardware.models import (
    OPEN_OUTAGE,
    Onu,
    OnuEvent,
    OnuEventKind,
    OnuStatus,
    OutageOnu,
    ProvisioningJob,
    ProvisioningStatus,
    WaitingOnu,
)
from hardware.selectors import Measurement, Telemetry, olt_signal_of
from hardware.services.rates import Count, bits_per_second
from hardware.services.signal import limits_of
from ispcore.admin import charts, links
from ispcore.admin.charts import Mark, Series
from ispcore.admin.formats import DASH, moment, pill

WINDOWS = {1: "Day", 7: "Week", 31: "Month"}
USUAL_DAYS = 7
SMALL = 150
HAPPENED = "What happened"
EVENTS_LISTED = 12
CHANGES_LISTED = 8
GONE = (OnuStatus.REMOVED, OnuStatus.VANISHED)


def context(request: HttpRequest, onu: Any) -> dict[str, Any]:
    """Read one ONU's page; its charts read at most a month."""
    now = timezone.now()
    wanted = request.GET.get("days", "")
    days = int(wanted) if wanted.isdecimal() and int(wanted) in WINDOWS else USUAL_DAYS
    begin = now - timedelta(days=days)
    events = selectors.events_of([onu.pk], since=begin)
    found = selectors.measurements_of(onu, since=begin, until=now)
    status = OnuStatus(onu.status)
    return {
        "light": {
            "tone": STATUS_TONES[status],
            "words": status_words(onu),
            "since": since(onu),
        },
        "telemetry": {
            "tone": TELEMETRY_TONES[onu.telemetry],
            "words": telemetry_words(onu),
            "is_fresh": onu.telemetry == Telemetry.FRESH,
        },
        "signal": signal(onu.rx_power_dbm, onu.signal),
        "outage": _outage_of(onu),
        "facts": _facts(onu),
        "measured": _measured(onu),
        "service": service_of(onu),
        "windows": [(window, name, window == days) for window, name in WINDOWS.items()],
        "charts": _charts(onu, found, begin=begin, now=now, events=events),
        "has_readings": bool(found),
        "events": [event_row(event) for event in events[:EVENTS_LISTED]],
        "more_events": max(0, len(events) - EVENTS_LISTED),
        "changes": changes_of(onu),
        "authorise_url": _authorise_url(request, onu),
    }


def to_changes(
    request: HttpRequest, changes: Sequence[ProvisioningJob], *, asked: bool
) -> HttpResponse | None:
    """Lead to the change that was asked for, or to the list of several."""
    if not asked:
        messages.warning(request, "None of the chosen ONUs is online: nothing was asked for.")
    if len(changes) == 1:
        return redirect("admin:hardware_provisioningjob_change", changes[0].pk)
    return redirect("admin:hardware_provisioningjob_changelist") if changes else None


def service_of(onu: Onu) -> dict[str, Any] | None:
    line = onu.subscription
    if line is None:
        return None
    return {
        "url": links.url_of("service", line.pk),
        "name": f"#{line.number}",
        "customer": line.subscriber.full_name,
        "customer_url": links.url_of("subscriber", line.subscriber_id),
        "status": line.get_status_display(),
    }


def event_row(event: OnuEvent) -> dict[str, Any]:
    return {
        "at": moment(event.at),
        "what": event_words(event),
        "tone": EVENT_TONES[OnuEventKind(event.kind)],
        "serial": event.onu.serial,
        "url": reverse("admin:hardware_onu_change", args=[event.onu_id]),
    }


def changes_of(onu: Onu) -> list[dict[str, Any]]:
    rows = ProvisioningJob.objects.filter(onu=onu).order_by("-created_at")[:CHANGES_LISTED]
    return [
        {
            "url": reverse("admin:hardware_provisioningjob_change", args=[change.pk]),
            "what": change.get_action_display(),
            "status": pill(
                change.get_status_display(), PROVISIONING_TONES[ProvisioningStatus(change.status)]
            ),
            "at": moment(change.created_at),
            "message": change.message,
        }
        for change in rows
    ]


def _authorise_url(request: HttpRequest, onu: Onu) -> str:
    """Return where an ONU that is gone is authorised again, while its OLT sees it waiting."""
    if onu.status not in GONE or not request.user.has_perm("hardware.operate"):
        return ""
    waiting = WaitingOnu.objects.filter(serial=onu.serial).order_by("-last_seen_at").first()
    return reverse("admin:hardware_waitingonu_authorise", args=[waiting.pk]) if waiting else ""


def _outage_of(onu: Onu) -> dict[str, Any] | None:
    member = (
        OutageOnu.objects.filter(onu=onu, up_at=None, outage__status__in=OPEN_OUTAGE)
        .select_related("outage")
        .first()
    )
    if member is None:
        return None
    outage = member.outage
    return {
        "url": reverse("admin:hardware_outage_change", args=[outage.pk]),
        "pill": outage_pill(outage),
        "cause": outage.get_cause_display(),
        "since": moment(outage.started_at),
    }


def _facts(onu: Onu) -> list[tuple[str, Any]]:
    olt = links.link(reverse("admin:hardware_olt_change", args=[onu.olt_id]), onu.olt.name)
    port: Any = DASH
    if onu.pon_port:
        url = f"{reverse('admin:hardware_onu_changelist')}?pon_port__id__exact={onu.pon_port_id}"
        port = links.link(url, onu.pon_port.index)
    return [
        ("OLT", olt),
        ("PON port", port),
        ("Index", onu.index),
        ("Distance", metres(onu.distance_m)),
        ("Model", onu.model or DASH),
        ("Optics class", onu.olt.get_pon_class_display()),
    ]


def _measured(onu: Onu) -> list[tuple[str, Any]]:
    heard = olt_signal_of(onu.olt_rx_power_dbm, limits_of(onu.olt.pon_class))
    at_olt: Any = dbm(onu.olt_rx_power_dbm)
    return [
        ("The ONU receives", signal(onu.rx_power_dbm, onu.signal)),
        ("The OLT receives", at_olt),
        (
            "Class at the OLT",
            DASH if onu.olt_rx_power_dbm is None else pill(str(heard.label), SIGNAL_TONES[heard]),
        ),
        ("The ONU sends", dbm(onu.tx_power_dbm)),
        ("Temperature", _unit(onu.temperature_c, "°C", 0)),
        ("Voltage", _unit(onu.voltage_v, "V", 2)),
        ("Laser bias", _unit(onu.bias_ma, "mA", 1)),
        ("To the subscriber, in all", _bytes(onu.down_bytes)),
        ("From the subscriber, in all", _bytes(onu.up_bytes)),
        ("Measured", moment(onu.measured_at, empty="never")),
    ]


def _charts(
    onu: Onu, found: Sequence[Measurement], *, begin: datetime, now: datetime, events: Sequence[OnuEvent]
) -> list[dict[str, Any]]:
    """Draw what was measured, each chart over the same axis; those without a value are left out."""
    limits = limits_of(onu.olt.pon_class)
    marks = [
        Mark(event.at, str(OnuEventKind(event.kind).label), EVENT_TONES[OnuEventKind(event.kind)])
        for event in reversed(events)
    ]
    axis: dict[str, Any] = {"start": begin, "end": now}
    driver = drivers.DRIVERS.get(onu.olt.vendor)
    down, up = _rates(found, driver.counter_width if driver else 64)
    drawn = [
        (
            "What the ONU receives",
            charts.line(
                [(each.at, each.rx_dbm) for each in found],
                unit="dBm", zones=zones_of(limits), marks=marks, **axis,
            ),
        ),
        (HAPPENED, charts.strip(marks, **axis)),
        (
            "What the OLT receives of it",
            charts.lines(
                [Series("", [(each.at, each.olt_rx_dbm) for each in found])],
                unit="dBm", zones=olt_zones_of(limits), marks=marks, height=190, **axis,
            ),
        ),
        (
            "Traffic",
            charts.lines(
                [Series("To the subscriber", down), Series("From the subscriber", up, "good")],
                unit="Mbit/s", marks=marks, height=190, **axis,
            ),
        ),
        (
            "What the ONU sends",
            charts.lines(
                [Series("", [(each.at, each.tx_dbm) for each in found])],
                unit="dBm", marks=marks, height=SMALL, **axis,
            ),
        ),
        (
            "Temperature",
            charts.lines(
                [Series("", [(each.at, each.temperature_c) for each in found])],
                unit="°C", marks=marks, height=SMALL, **axis,
            ),
        ),
    ]  # fmt: skip
    shown: list[dict[str, Any]] = [{"title": title, "chart": chart} for title, chart in drawn if chart]
    if len(shown) > 1 and shown[1]["title"] == HAPPENED:
        shown[0]["below"] = shown.pop(1)
    return shown


def _rates(found: Sequence[Measurement], width: int) -> tuple[list[charts.Point], list[charts.Point]]:
    """Return the mean Mbit/s between readings, to and from the subscriber."""
    down: list[charts.Point] = []
    up: list[charts.Point] = []
    for points, name in ((down, "down_bytes"), (up, "up_bytes")):
        before = Count(None, None)
        for each in found:
            now = Count(getattr(each, name), each.at)
            if now.value is None:
                continue
            bps = bits_per_second(before, now, width=width)
            points.append((each.at, None if bps is None else bps / 1e6))
            before = now
    return down, up


def _unit(value: float | None, unit: str, places: int) -> str:
    return DASH if value is None else f"{value:.{places}f} {unit}".replace("-", "−")


def _bytes(value: Any) -> str:
    """Write a counter in GB or TB (powers of ten)."""
    if value is None:
        return DASH
    gigabytes = float(value) / 1e9
    return f"{gigabytes / 1000:.2f} TB" if gigabytes >= 1000 else f"{gigabytes:.2f} GB"
