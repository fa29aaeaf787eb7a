"""What an OLT's page shows: a picture of its slots and ports, how it is polled, what can be done with it."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html

from hardware import drivers, selectors
from hardware.admin.signals import (
    CAUSE_WORDS,
    OUTCOME_TONES,
    TELEMETRY_TONES,
    dbm,
    mbps,
    outage_pill,
)
from hardware.drivers import Capability
from hardware.models import (
    CliProtocol,
    DiscoveryRun,
    Olt,
    OltPolling,
    Outage,
    OutageCause,
    PonClass,
    PonPort,
    ProvisioningAction,
    RunOutcome,
    WaitingOnu,
)
from hardware.selectors import PortSignals, telemetry_of_olt
from hardware.services import planning
from ispcore.admin.dashboard import share
from ispcore.admin.formats import DASH, age, duration, moment, pill

# Nominal bit rates to the subscribers: ITU-T G.984.2 (GPON), G.9807.1 (XGS-PON), IEEE 802.3 clause 65 (EPON).
DOWN_BPS = {
    PonClass.B_PLUS: 2_488_320_000,
    PonClass.C_PLUS: 2_488_320_000,
    PonClass.C_PLUS_PLUS: 2_488_320_000,
    PonClass.EPON: 1_000_000_000,
    PonClass.N1: 9_953_280_000,
    PonClass.N2: 9_953_280_000,
}
GOOD_SHARE, FAIR_SHARE = 90, 75  # Percent of a port's ONUs that are online.
PACE_WORDS = {25: "", 10: "Asked for fewer rows at a time, after answers were lost", 1: "Asked row by row"}
READS = (
    (Capability.OPTICS, "Signal levels"),
    (Capability.COUNTERS, "Traffic of its ports"),
    (Capability.CARDS, "Its cards"),
    (Capability.WAITING, "ONUs that wait for authorisation"),
)
CHANGES = (
    (ProvisioningAction.AUTHORIZE, "Authorising an ONU from here"),
    (ProvisioningAction.UNAUTHORIZE, "Removing an ONU from here"),
    (ProvisioningAction.REBOOT, "Restarting an ONU from here"),
)


def context(request: HttpRequest, olt: Any) -> dict[str, Any]:
    """Read one OLT's page; its cost does not grow with its ports or ONUs in queries."""
    ports = selectors.ports_of(olt)
    signals = selectors.signals_by_port([olt.pk])
    outages = list(selectors.open_outages([olt.pk]))
    onus = reverse("admin:hardware_onu_changelist")
    waiting = WaitingOnu.objects.filter(olt=olt).count()
    telemetry = telemetry_of_olt(olt, timezone.now())
    return {
        "telemetry": pill(str(telemetry.label), TELEMETRY_TONES[telemetry]),
        "facts": _facts(olt),
        "slots": _slots(olt, ports, signals, outages),
        "load": _load(ports),
        "outages": [_outage(outage) for outage in outages],
        "waiting": waiting,
        "waiting_url": f"{reverse('admin:hardware_waitingonu_changelist')}?olt__id__exact={olt.pk}",
        "map_url": reverse("admin:hardware_olt_map"),
        "polling": _polling(olt),
        "cards": [_card(card) for card in olt.cards],
        "capabilities": _capabilities(olt),
        "runs": [_run(run) for run in selectors.last_runs(olt)],
        "onus_url": f"{onus}?olt__id__exact={olt.pk}",
    }


def health(online: int, total: int) -> tuple[str, str]:
    """Return the colour of a port by the share of its ONUs that is online, and what it means."""
    if not total:
        return "plain", "No ONU"
    percent = 100 * online / total
    if percent >= GOOD_SHARE:
        return "good", "Good"
    return ("warning", "Some offline") if percent >= FAIR_SHARE else ("danger", "Many offline")


def cell(
    port: PonPort, *, signals: PortSignals | None, outage: Outage | None, pon_class: str
) -> dict[str, Any]:
    """Say one port in words and numbers, and in which colour."""
    tone, words = health(port.online_count, port.onu_count)
    if port.is_up is False:
        tone, words = ("danger", "Down") if port.onu_count else ("plain", "Down, not in use")
    if outage:
        tone, words = "danger", CAUSE_WORDS[OutageCause(outage.cause)]
    elif signals and signals.critical and tone == "good":
        tone, words = "warning", f"{signals.critical} critical"
    percent = round(100 * port.online_count / port.onu_count) if port.onu_count else 0
    used = None if port.down_bps is None else 100 * port.down_bps / DOWN_BPS[PonClass(pon_class)]
    return {
        "index": port.index,
        "number": port.index.rpartition("/")[2],
        "url": f"{reverse('admin:hardware_onu_changelist')}?pon_port__id__exact={port.pk}",
        "tone": tone,
        "words": words,
        "online": port.online_count,
        "total": port.onu_count,
        "percent": percent,
        "used": None if used is None else min(100, round(used)),
        "down": mbps(port.down_bps) if port.down_bps is not None else "",
        "up": mbps(port.up_bps) if port.up_bps is not None else "",
        "worst": dbm(signals.worst_dbm) if signals and signals.worst_dbm is not None else "",
        "tx": dbm(port.tx_power_dbm) if port.tx_power_dbm is not None else "",
        "temperature": "" if port.temperature_c is None else f"{port.temperature_c:.0f} °C",
    }


def cells_of(
    ports: Iterable[PonPort],
    signals: dict[UUID, PortSignals],
    outages: Iterable[Outage],
    pon_class: str,
) -> list[dict[str, Any]]:
    by_port = {outage.pon_port_id: outage for outage in outages}
    whole = by_port.get(None)
    return [
        cell(
            port,
            signals=signals.get(port.pk),
            outage=by_port.get(port.pk, whole),
            pon_class=pon_class,
        )
        for port in ports
    ]


def _slots(
    olt: Olt, ports: list[PonPort], signals: dict[UUID, PortSignals], outages: list[Outage]
) -> list[dict[str, Any]]:
    """Group ports by what stands before the last stroke of their index: shelf and slot."""
    slots: dict[str, list[dict[str, Any]]] = {}
    for drawn in cells_of(ports, signals, outages, olt.pon_class):
        slots.setdefault(drawn["index"].rpartition("/")[0], []).append(drawn)
    return [
        {
            "name": f"Slot {name}" if name else "PON ports",
            "ports": found,
            "online": sum(port["online"] for port in found),
            "total": sum(port["total"] for port in found),
        }
        for name, found in slots.items()
    ]


def _load(ports: list[PonPort]) -> dict[str, str] | None:
    counted = [port for port in ports if port.down_bps is not None]
    if not counted:
        return None
    newest = max((port.counted_at for port in counted if port.counted_at), default=None)
    return {
        "down": mbps(sum(port.down_bps or 0 for port in counted)),
        "up": mbps(sum(port.up_bps or 0 for port in counted)),
        "age": age(newest) if newest else "",
    }


def _facts(olt: Any) -> list[tuple[str, Any]]:
    address = olt.ip if olt.snmp_port == 161 else f"{olt.ip}:{olt.snmp_port}"
    return [
        ("Vendor and model", " ".join(filter(None, (olt.get_vendor_display(), olt.model)))),
        ("Address", address),
        ("Calls itself", olt.sys_name or DASH),
        ("Describes itself as", olt.sys_descr or DASH),
        ("Up for", duration(olt.uptime_seconds)),
        ("Optics class", olt.get_pon_class_display()),
        ("Last answer", moment(olt.last_answer_at, empty="never")),
    ]


def _polling(olt: Olt) -> dict[str, Any]:
    """Say when each reading was last taken and is due, and whether the device needs patience."""
    row = OltPolling.objects.filter(olt=olt).first()
    if not olt.is_polled:
        return {"state": pill("Off"), "note": "It is read only when somebody presses Discover.", "passes": []}
    if row is None:
        return {"state": pill("Not begun"), "note": "Its first reading is due within a minute.", "passes": []}
    now = timezone.now()
    if row.claimed_until and row.claimed_until > now:
        state = pill("Being read now", "info")
    elif row.failures:
        state = pill("Does not answer", "danger")
    else:
        state = pill("Regular", "good")
    notes = []
    if row.failures:
        lost = "The last reading was" if row.failures == 1 else f"The last {row.failures} readings were"
        notes.append(
            f"{lost} not answered; the pause grows each time, up to half an hour. It is asked again "
            f"{_due(row.status_due_at)}."
        )
    pace = PACE_WORDS.get(row.max_repetitions) or (
        f"Asked for {row.max_repetitions} rows at a time" if row.max_repetitions < 25 else ""
    )
    if pace:
        notes.append(f"{pace}{f', since {age(row.slowed_at)}' if row.slowed_at else ''}.")
    passes = [
        ("State of ports and ONUs", row.status_read_at, row.status_due_at),
        ("Signal levels", row.optics_read_at, row.optics_due_at),
        ("Inventory: names, cards, waiting ONUs", row.inventory_read_at, row.inventory_due_at),
    ]
    return {
        "state": state,
        "note": " ".join(notes),
        "passes": [
            {"what": what, "read": moment(read, empty="not yet"), "due": _due(due)}
            for what, read, due in passes
        ],
    }


def _due(at: Any) -> str:
    return "now" if at <= timezone.now() else age(at)


def _card(card: dict[str, Any]) -> dict[str, str]:
    return {name: str(card.get(name) or DASH) for name in ("index", "name", "model", "serial")}


def _capabilities(olt: Olt) -> list[tuple[str, str]]:
    """Say what can be done with this OLT as it is registered, and what stands in the way of the rest."""
    driver = drivers.DRIVERS.get(olt.vendor)
    if driver is None:
        return [("Reading it", "no: this vendor is not supported yet")]
    # A dialect of the vendor may read more than another: what one of them can, is said.
    able = frozenset().union(*(each.capabilities for each in driver.variants()))
    found = [(what, pill("yes", "good") if each in able else pill("no")) for each, what in READS]
    return found + [(what, _change_words(olt, action)) for action, what in CHANGES]


def _change_words(olt: Olt, action: ProvisioningAction) -> str:
    try:
        driver = planning.planner(olt, action)
    except planning.NotProvisionable:
        return format_html("{} use the device's own interface", pill("no"))
    if driver.cli_types is None:
        if olt.write_community:
            return format_html("{} by SNMP", pill("yes", "good"))
        return format_html("{} register its SNMP write community below", pill("not yet", "warning"))
    if olt.cli_protocol == CliProtocol.NONE:
        return format_html("{} register its command line below", pill("not yet", "warning"))
    return format_html("{} over {}", pill("yes", "good"), olt.get_cli_protocol_display())


def _outage(outage: Outage) -> dict[str, Any]:
    return {
        "url": reverse("admin:hardware_outage_change", args=[outage.pk]),
        "pill": outage_pill(outage),
        "cause": outage.get_cause_display(),
        "port": outage.pon_port.index if outage.pon_port else "the whole OLT",
        "onus": outage.onus_affected,
        "since": moment(outage.started_at),
    }


def _run(run: DiscoveryRun) -> dict[str, Any]:
    outcome = RunOutcome(run.outcome)
    return {
        "url": reverse("admin:hardware_discoveryrun_change", args=[run.pk]),
        "outcome": pill(str(outcome.label), OUTCOME_TONES[outcome]),
        "started": moment(run.started_at),
        "counts": f"{run.onus_seen} seen, {run.onus_new} new, {run.onus_vanished} vanished",
        "message": run.message,
    }


def map_rows(olts: Iterable[Olt]) -> list[dict[str, Any]]:
    """Draw the ports of some OLTs as rows of cells, in three queries."""
    shown = list(olts)
    pks = [olt.pk for olt in shown]
    signals = selectors.signals_by_port(pks)
    ports: dict[UUID, list[PonPort]] = {}
    for port in sorted(
        PonPort.objects.filter(olt__in=pks), key=lambda port: selectors.numbers_in(port.index)
    ):
        ports.setdefault(port.olt_id, []).append(port)
    outages: dict[UUID, list[Outage]] = {}
    for outage in selectors.open_outages(pks):
        outages.setdefault(outage.olt_id, []).append(outage)
    return [_map_row(olt, ports.get(olt.pk, []), signals, outages.get(olt.pk, [])) for olt in shown]


def _map_row(
    olt: Olt, ports: list[PonPort], signals: dict[UUID, PortSignals], outages: list[Outage]
) -> dict[str, Any]:
    online, total = sum(port.online_count for port in ports), sum(port.onu_count for port in ports)
    return {
        "name": olt.name,
        "site": olt.site,
        "url": reverse("admin:hardware_olt_change", args=[olt.pk]),
        "online": online,
        "total": total,
        "percent": share(online, total),
        "cells": cells_of(ports, signals, outages, olt.pon_class),
    }
