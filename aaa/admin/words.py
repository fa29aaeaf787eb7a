"""How access reads: data, speeds, states and what NASes say, in words first and colour second."""

from datetime import datetime
from typing import Any

from django.utils import formats, timezone

from aaa.models import (
    Account,
    ActionOutcome,
    ActionState,
    Context,
    EndedBy,
    OverCap,
    Policy,
    Reason,
    VoucherState,
)
from aaa.selectors import Verdict
from ispcore.admin import links
from ispcore.admin.formats import DASH, bitrate, pill
from subscribers.models import HoldReason, ServiceStatus

CONTEXT_TONES = {
    Context.ACTIVE: "good",
    Context.THROTTLED: "warning",
    Context.BLOCKED: "danger",
    Context.EXPIRED: "danger",
}
ACTION_TONES = {
    ActionState.QUEUED: "plain",
    ActionState.SENT: "info",
    ActionState.DONE: "good",
    ActionState.FAILED: "danger",
}
OUTCOME_TONES = {
    ActionOutcome.ACK: "good",
    ActionOutcome.NAK: "danger",
    ActionOutcome.TIMEOUT: "danger",
    ActionOutcome.GONE: "info",
    ActionOutcome.FALLBACK: "warning",
    ActionOutcome.SUPERSEDED: "plain",
    ActionOutcome.UNSENDABLE: "danger",
}
VOUCHER_TONES = {
    VoucherState.UNUSED: "info",
    VoucherState.ACTIVE: "good",
    VoucherState.USED_UP: "plain",
    VoucherState.REVOKED: "danger",
}
VERDICT_TONES = {
    Verdict.NEVER_SEEN: "warning",
    Verdict.OK: "good",
    Verdict.NO_ACCOUNTING: "danger",
    Verdict.SILENT: "danger",
    Verdict.INACTIVE: "plain",
}
VERDICT_ADVICE = {
    Verdict.NEVER_SEEN: "No packet of it was ever seen. Point its RADIUS client at this server with the secret given "
    "here, and check that its packets come from the address above: others are dropped unanswered.",
    Verdict.OK: "",
    Verdict.NO_ACCOUNTING: "Log-ins arrive and accounting does not, so no session and no usage is known. Switch on "
    "RADIUS accounting on the NAS, and let the port after that of log-ins through.",
    Verdict.SILENT: "Nothing was heard of it for an hour. Check its power and its way to this server; a changed "
    "secret or source address looks the same.",
    Verdict.INACTIVE: "Its packets are dropped. Tick 'Is active' below to answer it again.",
}
REASON_ADVICE = {
    Reason.UNKNOWN: "Make an account with this user name, or correct it on the customer's router.",
    Reason.DISABLED: "Switch the account on.",
    Reason.EXPIRED: "Give the account a later date of expiry, or none.",
    Reason.QUOTA: "Add a top-up, or wait for the next period.",
    Reason.BLOCKED: "Lift the hold of the service.",
    Reason.MAC: "Forget the device of the account if the customer has a new one.",
    Reason.SESSIONS: "Disconnect the other session, or allow more at once.",
    Reason.PASSWORD: "Compare the password on the customer's router with that of the account.",
}
# RFC 5176 section 3.5, by name.
ERROR_CAUSES = {
    201: "Residual Session Context Removed",
    202: "Invalid EAP Packet",
    401: "Unsupported Attribute",
    402: "Missing Attribute",
    403: "NAS Identification Mismatch",
    404: "Invalid Request",
    405: "Unsupported Service",
    406: "Unsupported Extension",
    407: "Invalid Attribute Value",
    501: "Administratively Prohibited",
    502: "Request Not Routable",
    503: "Session Context Not Found",
    504: "Session Context Not Removable",
    505: "Other Proxy Processing Error",
    506: "Resources Unavailable",
    507: "Request Initiated",
    508: "Multiple Session Selection Unsupported",
}
# RFC 2866 section 5.10.
TERMINATE_CAUSES = {
    "User-Request": "the subscriber hung up",
    "Lost-Carrier": "the line went away",
    "Lost-Service": "the service went away",
    "Idle-Timeout": "nothing was sent for too long",
    "Session-Timeout": "its time was over",
    "Admin-Reset": "somebody reset it on the NAS",
    "Admin-Reboot": "somebody restarted the NAS",
    "Port-Error": "an error of the port",
    "NAS-Error": "an error of the NAS",
    "NAS-Request": "the NAS ended it",
    "NAS-Reboot": "the NAS restarted",
    "User-Error": "an error of the subscriber's device",
    "Host-Request": "the host ended it",
}
BARRED_BY = {
    **{reason.value: f"suspended: {str(reason.label).lower()}" for reason in HoldReason},
    **{status.value: str(status.label).lower() for status in ServiceStatus},
}
GIGABYTE = 10**9


def data(count: int | None) -> str:
    """Write bytes in the largest unit in which they are at least 1 (powers of ten)."""
    if count is None:
        return DASH
    for size, unit in ((10**12, "TB"), (10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if count >= size:
            value = count / size
            return f"{value:.2f}\u00a0{unit}" if value < 10 else f"{value:.1f}\u00a0{unit}"
    return f"{count}\u00a0B"


def both_ways(down: int, up: int) -> str:
    return f"{data(down)} down, {data(up)} up"


def speed(policy: Policy | None) -> str:
    """Write a policy's speed, download first."""
    if policy is None or (policy.down_kbps is None and policy.up_kbps is None):
        return "not limited"
    down, up = (bitrate(rate) if rate else "not limited" for rate in (policy.down_kbps, policy.up_kbps))
    return f"{down} down, {up} up"


def standing(account: Account, state: Any, at: datetime) -> tuple[str, str]:
    """Say whether an account may log in, and why not, as the first reason that counts; with its colour."""
    if not account.enabled:
        return "Switched off", "plain"
    if account.expires_at is not None and account.expires_at <= at:
        day = formats.date_format(timezone.localtime(account.expires_at), "j M Y")
        return f"Expired {day}", "danger"
    if state is not None and state.allowance_bytes is not None and state.used_bytes >= state.allowance_bytes:
        if account.over_cap == OverCap.THROTTLE:
            return "Data used up: slowed down", "warning"
        return "Data used up", "danger"
    if account.blocked_reason:
        return f"Service {barred(account.blocked_reason)}", "warning"
    return "May log in", "good"


def barred(reason: str) -> str:
    return BARRED_BY.get(reason, reason.replace("_", " "))


def reason_words(reason: str) -> str:
    return str(Reason(reason).label) if reason in Reason.values else reason.replace("_", " ").capitalize()


def ended_words(session: Any) -> str:
    """Say why a session is over: what told us, and the NAS' own cause."""
    if not session.ended_by:
        return "Still online"
    words = str(EndedBy(session.ended_by).label)
    cause = TERMINATE_CAUSES.get(session.terminate_cause, session.terminate_cause.replace("-", " ").lower())
    return f"{words}: {cause}" if cause else words


def error_cause(number: int | None) -> str:
    if number is None:
        return DASH
    return f"{ERROR_CAUSES.get(number, 'Not named by any standard')} ({number})"


def customer_link(account: Account | None) -> str:
    """Link the service of an account with its customer's name."""
    line = account.subscription if account else None
    if line is None:
        return DASH
    return links.link(links.url_of("service", line.pk), f"#{line.number} {line.subscriber.full_name}")


def verdict_pill(verdict: Verdict) -> str:
    return pill(str(verdict.label), VERDICT_TONES[verdict])
