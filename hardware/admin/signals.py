"""How signal levels and states look: words first, colour second."""

from django.utils.html import format_html

from hardware.models import OnuStatus, RunOutcome, Signal
from hardware.models.signal import CRITICAL_BELOW_DBM, OVERLOAD_ABOVE_DBM, WARNING_BELOW_DBM
from hardware.selectors import SIGNAL_HINTS, signal_of
from ispcore.admin.charts import Zone
from ispcore.admin.formats import DASH, pill

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
ZONES = (
    Zone("Overload", SIGNAL_HINTS[Signal.OVERLOAD], OVERLOAD_ABOVE_DBM, -6.0, "danger"),
    Zone("Good", SIGNAL_HINTS[Signal.GOOD], WARNING_BELOW_DBM, OVERLOAD_ABOVE_DBM, "good"),
    Zone("Warning", SIGNAL_HINTS[Signal.WARNING], CRITICAL_BELOW_DBM, WARNING_BELOW_DBM, "warning"),
    Zone("Critical", SIGNAL_HINTS[Signal.CRITICAL], -31.0, CRITICAL_BELOW_DBM, "danger"),
)
WEAKEST_DBM, STRONGEST_DBM = -30.0, -8.0  # The ends of the bar: below one nothing is received.


def dbm(value: float | None) -> str:
    """Write a level with a true minus sign."""
    return DASH if value is None else f"{value:.1f} dBm".replace("-", "−")


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
