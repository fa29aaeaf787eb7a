"""How signal levels and states look: words first, colour second."""

from datetime import datetime
from typing import Any

from django.utils.html import format_html

from hardware.models import (
    DownCause,
    OnuEvent,
    OnuEventKind,
    OnuStatus,
    Outage,
    OutageCause,
    OutageStatus,
    ProvisioningStatus,
    RunOutcome,
    Signal,
    SignalLimits,
    StepState,
)
from hardware.selectors import Telemetry, signal_of, telemetry_of_olt
from ispcore.admin.charts import Zone
from ispcore.admin.formats import DASH, age, pill

SIGNAL_TONES = {
    Signal.GOOD: "good",
    Signal.WARNING: "warning",
    Signal.CRITICAL: "danger",
    Signal.OVERLOAD: "danger",
    Signal.NONE: "plain",
}
STATUS_TONES = {
    OnuStatus.ONLINE: "good",
    OnuStatus.OFFLINE: "danger",
    OnuStatus.UNKNOWN: "plain",
    OnuStatus.VANISHED: "warning",
    OnuStatus.AUTHORISED: "info",
    OnuStatus.REMOVED: "plain",
}
OUTCOME_TONES = {
    RunOutcome.RUNNING: "info",
    RunOutcome.COMPLETE: "good",
    RunOutcome.PARTIAL: "warning",
    RunOutcome.FAILED: "danger",
}
PROVISIONING_TONES = {
    ProvisioningStatus.PLANNED: "plain",
    ProvisioningStatus.RUNNING: "info",
    ProvisioningStatus.SUCCEEDED: "good",
    ProvisioningStatus.FAILED: "danger",
    ProvisioningStatus.ROLLED_BACK: "warning",
}
STEP_TONES = {
    StepState.PLANNED: "plain",
    StepState.STARTED: "warning",
    StepState.UNKNOWN: "warning",
    StepState.DONE: "good",
    StepState.FOUND: "good",
    StepState.UNDONE: "info",
}
OUTAGE_TONES = {
    OutageStatus.SUSPECTED: "warning",
    OutageStatus.CONFIRMED: "danger",
    OutageStatus.RESOLVED: "good",
    OutageStatus.CLOSED: "plain",
}
CAUSE_WORDS = {
    OutageCause.FIBRE: "Fibre or splitter",
    OutageCause.POWER: "Power failure",
    OutageCause.OLT: "OLT silent",
    OutageCause.UNKNOWN: "Cause unknown",
}
TELEMETRY_TONES = {Telemetry.FRESH: "good", Telemetry.STALE: "warning", Telemetry.NONE: "plain"}
EVENT_TONES = {
    OnuEventKind.ONLINE: "good",
    OnuEventKind.OFFLINE: "danger",
    OnuEventKind.SIGNAL: "warning",
    OnuEventKind.AUTHORISED: "info",
    OnuEventKind.REMOVED: "plain",
    OnuEventKind.RESTARTED: "info",
}
WEAKEST_DBM, STRONGEST_DBM = -30.0, -8.0  # The ends of the bar: below one nothing is received.


def dbm(value: float | None) -> str:
    """Write a level with a true minus sign."""
    return DASH if value is None else f"{value:.1f} dBm".replace("-", "−")


def level(value: float) -> str:
    """Write a limit without a decimal that says nothing."""
    return f"{value:g}".replace("-", "−")


def zones_of(limits: SignalLimits) -> list[Zone]:
    """Return the classes of what an ONU should receive, for a chart."""
    over, warning, critical = limits.overload_above_dbm, limits.warning_below_dbm, limits.critical_below_dbm
    return [
        Zone("Overload", f"above {level(over)} dBm", over, over + 2, "danger"),
        Zone("Good", f"{level(over)} to {level(warning)} dBm", warning, over, "good"),
        Zone("Warning", f"{level(warning)} to {level(critical)} dBm", critical, warning, "warning"),
        Zone("Critical", f"below {level(critical)} dBm", critical - 4, critical, "danger"),
    ]


def olt_zones_of(limits: SignalLimits) -> list[Zone]:
    """Return the classes of what the OLT should receive, for a chart."""
    warning, critical = limits.olt_warning_below_dbm, limits.olt_critical_below_dbm
    return [
        Zone("Good", f"above {level(warning)} dBm", warning, warning + 16, "good"),
        Zone("Warning", f"{level(warning)} to {level(critical)} dBm", critical, warning, "warning"),
        Zone("Critical", f"below {level(critical)} dBm", critical - 4, critical, "danger"),
    ]


def status_words(onu: Any) -> str:
    """Say an ONU's state, why, and since when, in one phrase."""
    words = str(onu.get_status_display())
    if onu.status == OnuStatus.OFFLINE and onu.last_down_cause:
        cause = onu.get_last_down_cause_display()
        words += f": {cause[:1].lower()}{cause[1:]}"
    elif onu.status == OnuStatus.VANISHED:
        words += ": its OLT no longer lists it"
    elif onu.status == OnuStatus.AUTHORISED:
        words += ", not seen online yet"
    return words


def since(onu: Any) -> str:
    at = onu.vanished_at if onu.status == OnuStatus.VANISHED else onu.status_changed_at
    return age(at).removesuffix(" ago") if at else ""


def telemetry_words(onu: Any) -> str:
    """Say how far what is shown of an ONU can be trusted to be of now."""
    if onu.telemetry == Telemetry.NONE:
        return "Never measured: its optics are not known."
    oldest = min(at for at in (onu.observed_at, onu.measured_at) if at)
    if onu.telemetry == Telemetry.STALE:
        return f"Out of date: last read {age(oldest)}. What is shown may have changed since."
    return f"Fresh: read {age(onu.observed_at)}, optics {age(onu.measured_at)}."


def event_words(event: OnuEvent) -> str:
    """Say an event with its detail in words."""
    kind, detail = OnuEventKind(event.kind), event.detail
    if kind == OnuEventKind.OFFLINE and detail in DownCause.values:
        return f"{kind.label}: {DownCause(detail).label.lower()}"
    if kind == OnuEventKind.SIGNAL and detail in Signal.values:
        return f"Signal became {Signal(detail).label.lower()}"
    return f"{kind.label}: {detail}" if detail else str(kind.label)


def outage_pill(outage: Outage) -> str:
    status = OutageStatus(outage.status)
    return pill(str(status.label), OUTAGE_TONES[status])


def mbps(bps: float | None) -> str:
    """Write a rate in Mbit/s, in Gbit/s from a thousand on."""
    if bps is None:
        return DASH
    megabits = bps / 1e6
    if megabits >= 1000:
        return f"{megabits / 1000:.2f} Gbit/s"
    return f"{megabits:.0f} Mbit/s" if megabits >= 10 or not megabits else f"{megabits:.1f} Mbit/s"


def metres(value: int | None) -> str:
    if value is None:
        return DASH
    return f"{value} m" if value < 1000 else f"{value / 1000:.2f} km"


def signal(value: float | None, stored: str | None = None) -> str:
    """Write a received level: number, class in words, and a bar that grows with the signal.

    `stored` is the class by the provider's limits; without it the usual ones decide.
    """
    kind = signal_of(value) if stored is None or value is None else Signal(stored)
    if value is None:
        return pill(kind.label)
    tone = SIGNAL_TONES[kind]
    share = 100 * (value - WEAKEST_DBM) / (STRONGEST_DBM - WEAKEST_DBM)
    return format_html(
        '<span class="isp-signal"><span class="isp-number">{}</span>'
        '<span class="isp-meter-track" aria-hidden="true">'
        '<span class="isp-meter-fill isp-{}" style="width:{}%"></span></span>{}</span>',
        dbm(value),
        tone,
        max(4, min(100, round(share))),
        pill(kind.label, tone),
    )


# An OLT's state is how its last discovery ended.
STATE_WORDS: dict[str | None, tuple[str, str]] = {
    None: ("Not asked yet", "plain"),
    RunOutcome.RUNNING: ("Being discovered", "info"),
    RunOutcome.COMPLETE: ("Answers", "good"),
    RunOutcome.PARTIAL: ("Answers in part", "warning"),
    RunOutcome.FAILED: ("Does not answer", "danger"),
}


def olt_state(olt: Any, now: datetime) -> tuple[str, str]:
    """Say whether an OLT answers: by its last reading, or by its last discovery where it is not polled."""
    if olt.last_outcome == RunOutcome.RUNNING:
        return STATE_WORDS[RunOutcome.RUNNING]
    telemetry = telemetry_of_olt(olt, now)
    if telemetry == Telemetry.STALE and olt.is_polled:
        return "Silent", "danger"
    if telemetry == Telemetry.FRESH and olt.last_outcome != RunOutcome.FAILED:
        return STATE_WORDS[RunOutcome.PARTIAL if olt.last_error else RunOutcome.COMPLETE]
    return STATE_WORDS[olt.last_outcome]
