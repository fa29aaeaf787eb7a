"""What the fibre says of a line: its ONU, the port and OLT it hangs on, and the outage that covers it."""

from django.conf import settings

from hardware.models import AdminState, DownCause, Onu, OnuStatus, OutageCause, OutageStatus, Signal
from hardware.selectors import LOW_SIGNALS
from support.services.diagnosis.reading import Found, is_old
from support.services.diagnosis.words import (
    Action,
    ActionCode,
    Cause,
    Step,
    StepName,
    StepStatus,
    in_a_sentence,
)

DOWN = {
    DownCause.LOS: Cause.ONU_LOS,
    DownCause.DYING_GASP: Cause.ONU_NO_POWER,
    DownCause.ADMIN: Cause.ONU_DISABLED,
}
LEVELS = {Signal.WARNING: "weak", Signal.CRITICAL: "much too weak", Signal.OVERLOAD: "too strong"}


def onu_step(found: Found) -> Step:
    """Judge the ONU as its OLT last reported it."""
    onu = found.onu
    if onu is None:
        return Step(
            step=StepName.ONU,
            status=StepStatus.UNKNOWN,
            fact="No ONU is recorded for this service.",
            source="ONUs",
            observed_at=found.at,
            action=Action(ActionCode.FIND_ONU, found.line.pk),
        )
    cause = _cause(onu)
    status = StepStatus.PROBLEM if cause else StepStatus.OK
    note = ""
    if onu.status == OnuStatus.UNKNOWN:
        status = StepStatus.UNKNOWN
    elif onu.status in (OnuStatus.ONLINE, OnuStatus.OFFLINE) and is_old(found.onu_seen_at, found.at):
        # What was true then says little of now.
        status, cause, note = StepStatus.UNKNOWN, None, " when it was last read"
    if status == StepStatus.PROBLEM and cause != Cause.WEAK_SIGNAL and found.was_heard_since_down:
        status, cause, note = (
            StepStatus.UNKNOWN,
            None,
            "; the router has dialled in since, so the line carries light",
        )
    gone = onu.status in (OnuStatus.VANISHED, OnuStatus.REMOVED)
    code = ActionCode.FIND_ONU if gone else ActionCode.READ_ONU if cause else ActionCode.RESTART_ONU
    if status == StepStatus.UNKNOWN and not gone:
        code = ActionCode.READ_ONU
    return Step(
        step=StepName.ONU,
        status=status,
        fact=f"{onu.serial}: {_state(onu, found)}{note}{_light(onu)}.",
        source=f"OLT {onu.olt.name}",
        observed_at=found.onu_seen_at,
        action=Action(code, onu.pk),
        cause=cause,
        said={
            "olt": onu.olt.name,
            "serial": onu.serial,
            "since": found.since(onu.status_changed_at),
            "level": LEVELS.get(Signal(onu.signal), ""),
            "power": _powers(onu),
        },
    )


def _cause(onu: Onu) -> Cause | None:
    status = OnuStatus(onu.status)
    if status in (OnuStatus.VANISHED, OnuStatus.REMOVED):
        return Cause.ONU_GONE
    if onu.admin_state == AdminState.INACTIVE:
        return Cause.ONU_DISABLED
    if status == OnuStatus.AUTHORISED:
        return Cause.ONU_NOT_ONLINE
    if status == OnuStatus.OFFLINE:
        known = onu.last_down_cause in DownCause.values
        return DOWN.get(DownCause(onu.last_down_cause), Cause.ONU_OFFLINE) if known else Cause.ONU_OFFLINE
    if status == OnuStatus.ONLINE and onu.signal in LOW_SIGNALS:
        return Cause.WEAK_SIGNAL
    return None


def _state(onu: Onu, found: Found) -> str:
    words = str(onu.get_status_display()).lower()
    if onu.admin_state == AdminState.INACTIVE:
        words += ", deactivated"
    if onu.status == OnuStatus.OFFLINE and onu.last_down_cause:
        words += f", {str(onu.get_last_down_cause_display()).lower()}"
    at = onu.vanished_at or onu.status_changed_at
    return f"{words} {found.since(at)}" if at else words


def _light(onu: Onu) -> str:
    if onu.status != OnuStatus.ONLINE or onu.rx_power_dbm is None:
        return ""
    return f", receives {_dbm(onu.rx_power_dbm)} ({str(Signal(onu.signal).label).lower()})"


def _powers(onu: Onu) -> str:
    said = []
    if onu.rx_power_dbm is not None:
        said.append(f"the ONU receives {_dbm(onu.rx_power_dbm)}")
    if onu.olt_rx_power_dbm is not None:
        said.append(f"the OLT {_dbm(onu.olt_rx_power_dbm)}")
    return ", ".join(said)


def _dbm(value: float) -> str:
    return f"{value:.1f} dBm".replace("-", "−")


def _cause_of_silence(found: Found, cause: Cause) -> Cause | None:
    """Return what a silent OLT is blamed for: `cause`, unless what passes through it is not silent."""
    if found.is_online:
        return Cause.OLT_SILENT
    return None if found.passes_the_olt else cause


def pon_step(found: Found) -> Step:
    """Judge the port with all its ONUs, and whether the OLT answers."""
    onu = found.onu
    if onu is None:
        return Step(
            step=StepName.PON,
            status=StepStatus.UNKNOWN,
            fact="Without an ONU, no port is known.",
            source="ONUs",
            observed_at=found.at,
        )
    olt, port = onu.olt, onu.pon_port
    ask = Action(ActionCode.DISCOVER_OLT, olt.pk)
    counted = (
        f"{found.port_online} of {found.port_total} ONUs of port {port.index} are online" if port else ""
    )
    heard_since = found.was_heard_since_down
    if found.olt_is_silent:
        heard = (
            f"its last answer was {found.moment(olt.last_answer_at)}"
            if olt.last_answer_at
            else "it never did"
        )
        return Step(
            step=StepName.PON,
            status=StepStatus.PROBLEM,
            fact=f"{olt.name} does not answer; {heard}.",
            source=f"Polls of OLT {olt.name}",
            observed_at=olt.last_answer_at,
            action=ask,
            cause=_cause_of_silence(found, Cause.OLT_UNREACHABLE),
            said={"olt": olt.name, "since": found.since(olt.last_answer_at)},
        )
    if port is None:
        return Step(
            step=StepName.PON,
            status=StepStatus.UNKNOWN,
            fact=f"{olt.name} does not say on which port the ONU is.",
            source=f"OLT {olt.name}",
            observed_at=olt.last_answer_at,
            action=ask,
        )
    dark = found.port_total > 0 and found.port_online == 0
    words = f"{counted}{', and the port is down' if port.is_up is False else ''}"
    if dark and (heard_since or is_old(found.onu_seen_at, found.at)):
        note = "; this line's router has dialled in since" if heard_since else ", when it was last read"
        return Step(
            step=StepName.PON,
            status=StepStatus.UNKNOWN,
            fact=f"{words}{note}, at {olt.name}.",
            source=f"OLT {olt.name}",
            observed_at=found.onu_seen_at,
            action=ask,
        )
    # A port goes down with the last of its ONUs: of two, the ONU's own cause says more.
    is_down = dark and found.port_total >= settings.OUTAGE_MIN_ONUS
    powerless = found.port_powerless * 2 > found.port_total
    return Step(
        step=StepName.PON,
        status=StepStatus.PROBLEM if dark else StepStatus.OK,
        fact=f"{words}, at {olt.name}.",
        source=f"OLT {olt.name}",
        observed_at=olt.last_answer_at or found.onu_seen_at,
        action=ask,
        cause=Cause.PON_DOWN if is_down else None,
        said={
            "count": found.port_total,
            "port": port.index,
            "why": "they lost their power" if powerless else "the port, its fibre or its splitter is down",
        },
    )


def outage_step(found: Found) -> Step:
    """Tell whether an open outage took this line's ONU down."""
    outage = found.outage
    if found.onu is None or outage is None:
        known = found.onu is not None
        return Step(
            step=StepName.OUTAGE,
            status=StepStatus.OK if known else StepStatus.UNKNOWN,
            fact="No open outage covers this line."
            if known
            else "Outages are told by the ONU; none is recorded.",
            source="Outages",
            observed_at=found.at,
        )
    confirmed = outage.status == OutageStatus.CONFIRMED
    cause = Cause.OUTAGE_CONFIRMED if confirmed else Cause.OUTAGE_SUSPECTED
    is_whole_olt = outage.cause == OutageCause.OLT
    blames = (
        _cause_of_silence(found, cause) if is_whole_olt else None if found.was_heard_since_down else cause
    )
    where = (
        f"PON port {outage.pon_port.index} of {outage.olt.name}"
        if outage.pon_port
        else f"all of {outage.olt.name}"
    )
    what = in_a_sentence(str(outage.get_cause_display()))
    onus, customers = outage.onus_affected, outage.customers_affected
    affected = f"Affected: {onus} ONU{'s' * (onus != 1)}, {customers} customer{'s' * (customers != 1)}"
    words = f"{OutageStatus(outage.status).label} on {where} {found.since(outage.started_at)}: {what}. {affected}."
    heard_since = blames not in (cause, Cause.OLT_SILENT)
    return Step(
        step=StepName.OUTAGE,
        status=StepStatus.UNKNOWN if heard_since else StepStatus.PROBLEM,
        fact=f"{words} This line's router has dialled in since." if heard_since else words,
        source="Outages",
        observed_at=outage.confirmed_at or outage.started_at,
        action=Action(ActionCode.OPEN_OUTAGE, outage.pk),
        cause=blames,
        said={
            "since": found.since(outage.started_at),
            "cause": f"{what} on {where}",
            "affected": affected,
            "olt": outage.olt.name,
        },
    )
