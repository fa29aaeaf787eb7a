"""A diagnosis in a customer's words: what they need to know and can do, and nothing of how the network is built."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import models

from support.services.diagnosis import Cause, diagnose


class Tone(models.TextChoices):
    GOOD = "good", "In order"
    WAIT = "wait", "Worth a look"
    BAD = "bad", "Not working"


@dataclass(frozen=True)
class LineStatus:
    tone: Tone
    title: str
    advice: str


_CALL = "Please open a ticket or call us."
_RESTART = "Switch your router off for ten seconds and on again. If that does not help, open a ticket."
_CABLE = "Check that your fibre box has power and that its cable is plugged in. If it is, open a ticket."
_PAY = "Pay what is open: the service comes back by itself within minutes."
_KNOWN = "We know about it and are working on it. You need do nothing."

ONLINE = LineStatus(Tone.GOOD, "Your line is in order", "")
_BARRED = LineStatus(Tone.BAD, "Your service is barred", _CALL)
_OUTAGE = LineStatus(Tone.BAD, "There is an outage in your area", _KNOWN)
_FAULT = LineStatus(Tone.BAD, "There is a fault on our side", _CALL)
_DARK = LineStatus(Tone.BAD, "Your fibre box is not connected", _CABLE)
_REFUSED = LineStatus(Tone.BAD, "Your router does not get in", _CALL)
_NOT_DIALLING = LineStatus(Tone.BAD, "Your router is not online", _RESTART)
_SOON = LineStatus(
    Tone.WAIT, "Your service is coming back", "Give it a few minutes, then restart your router."
)

STATUSES: dict[Cause, LineStatus] = {
    Cause.ENDED: LineStatus(Tone.WAIT, "This service has ended", "To come back, please call us."),
    Cause.CANCELLED: LineStatus(Tone.WAIT, "This order was called off", "To order again, please call us."),
    Cause.NOT_ACTIVATED: LineStatus(
        Tone.WAIT, "Your service is being installed", "We will tell you when it is ready."
    ),
    Cause.HELD_FRAUD: _BARRED,
    Cause.HELD_ABUSE: _BARRED,
    Cause.HELD_STAFF: _BARRED,
    Cause.HELD_VACATION: LineStatus(
        Tone.WAIT, "Your service is paused, as you asked", "Open a ticket to have it back sooner."
    ),
    Cause.PREPAID_OVER: LineStatus(
        Tone.BAD, "Your prepaid time is over", "Add credit: the service comes back by itself within minutes."
    ),
    Cause.HELD_NON_PAYMENT: LineStatus(Tone.BAD, "Your service is barred: an invoice is overdue", _PAY),
    Cause.SUSPENDED: _BARRED,
    Cause.NEVER_PROVISIONED: LineStatus(Tone.WAIT, "Your service is being set up", _CALL),
    Cause.ACCOUNT_DISABLED: _BARRED,
    Cause.ACCOUNT_EXPIRED: LineStatus(Tone.BAD, "Your service has run out", _CALL),
    Cause.QUOTA_USED: LineStatus(Tone.BAD, "Your data of this period is used up", "Open a ticket to add data."),
    Cause.NOT_SETTLED: _SOON,
    Cause.OUTAGE_CONFIRMED: _OUTAGE,
    Cause.OUTAGE_SUSPECTED: LineStatus(
        Tone.BAD, "There may be an outage in your area", "We are looking into it. You need do nothing."
    ),
    Cause.OLT_UNREACHABLE: _FAULT,
    Cause.PON_DOWN: _FAULT,
    Cause.ONU_GONE: _DARK,
    Cause.ONU_DISABLED: _FAULT,
    Cause.ONU_NO_POWER: LineStatus(
        Tone.BAD, "Your fibre box has no power", "Check its plug and its power supply. Then open a ticket."
    ),
    Cause.ONU_LOS: _DARK,
    Cause.ONU_OFFLINE: _DARK,
    Cause.ONU_NOT_ONLINE: _DARK,
    Cause.WRONG_PASSWORD: LineStatus(
        Tone.BAD, "Your router logs in with a wrong password", "Was it reset or exchanged? Open a ticket."
    ),
    Cause.MAC_LOCKED: LineStatus(
        Tone.BAD, "Another router is connected than the one we know", "If it is yours, open a ticket."
    ),
    Cause.SESSION_LIMIT: _REFUSED,
    Cause.REFUSED_BEFORE: _NOT_DIALLING,
    Cause.NAS_UNKNOWN: _FAULT,
    Cause.NAS_SILENT: _FAULT,
    Cause.NEVER_LOGGED_IN: _NOT_DIALLING,
    Cause.NOT_LOGGED_IN: _NOT_DIALLING,
    Cause.SESSION_STALE: _NOT_DIALLING,
    Cause.GARDEN_REMAINS: _SOON,
    Cause.POOL_FULL: _FAULT,
    Cause.ADDRESS_MISSING: _FAULT,
    Cause.NO_ACCOUNTING: ONLINE,
    Cause.NO_SESSION: _NOT_DIALLING,
    Cause.ADDRESS_MISMATCH: LineStatus(
        Tone.WAIT, "Your line is online", "If a page does not open, restart your router."
    ),
    Cause.WEAK_SIGNAL: LineStatus(Tone.WAIT, "Your line is online, but its signal is weak", _CALL),
    Cause.THROTTLED: LineStatus(
        Tone.WAIT, "Your line is online and slower", "Your data of this period is used up."
    ),
    Cause.OLT_SILENT: ONLINE,
    Cause.UNSURE: LineStatus(
        Tone.WAIT, "We see no fault on your line", "If it does not work, restart your router, then open a ticket."
    ),
    Cause.FINE: ONLINE,
}  # fmt: skip


def line_status(*, subscription_id: UUID, at: datetime) -> LineStatus:
    """Tell a customer how their line is, from what is on record. Raises Subscription.DoesNotExist."""
    found = diagnose(subscription_id=subscription_id, at=at, with_amounts=False)
    return STATUSES[Cause(found.verdict_code)]
