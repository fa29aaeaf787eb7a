"""A diagnosis in a customer's words: what they need to know and can do, and nothing of how the network is built."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import models

from support.services.diagnosis import Cause, diagnose
from support.services.portal.words import Words


class Tone(models.TextChoices):
    GOOD = "good", "In order"
    WAIT = "wait", "Worth a look"
    BAD = "bad", "Not working"


@dataclass(frozen=True)
class LineStatus:
    tone: Tone
    title: str
    advice: str


@dataclass(frozen=True)
class _Said:
    """The words of `words.WORDS` for a cause."""

    tone: Tone
    title: str
    advice: str = ""


_GOOD, _WAIT, _BAD = Tone.GOOD, Tone.WAIT, Tone.BAD
_ONLINE = _Said(_GOOD, "line_fine")
_BARRED = _Said(_BAD, "line_barred", "do_call")
_FAULT = _Said(_BAD, "line_fault", "do_call")
_DARK = _Said(_BAD, "line_dark", "do_cable")
_NOT_DIALLING = _Said(_BAD, "line_not_online", "do_restart")
_SOON = _Said(_WAIT, "line_soon", "do_wait")

STATUSES: dict[Cause, _Said] = {
    Cause.ENDED: _Said(_WAIT, "line_ended", "do_come_back"),
    Cause.CANCELLED: _Said(_WAIT, "line_cancelled", "do_order_again"),
    Cause.NOT_ACTIVATED: _Said(_WAIT, "line_installing", "do_wait_for_us"),
    Cause.HELD_FRAUD: _BARRED,
    Cause.HELD_ABUSE: _BARRED,
    Cause.HELD_STAFF: _BARRED,
    Cause.HELD_VACATION: _Said(_WAIT, "line_paused", "do_ask_back"),
    Cause.PREPAID_OVER: _Said(_BAD, "line_prepaid_over", "do_add_credit"),
    Cause.HELD_NON_PAYMENT: _Said(_BAD, "line_unpaid", "do_pay"),
    Cause.SUSPENDED: _BARRED,
    Cause.NEVER_PROVISIONED: _Said(_WAIT, "line_setting_up", "do_call"),
    Cause.ACCOUNT_DISABLED: _BARRED,
    Cause.ACCOUNT_EXPIRED: _Said(_BAD, "line_run_out", "do_call"),
    Cause.QUOTA_USED: _Said(_BAD, "line_quota", "do_add_data"),
    Cause.NOT_SETTLED: _SOON,
    Cause.OUTAGE_CONFIRMED: _Said(_BAD, "line_outage", "do_nothing"),
    Cause.OUTAGE_SUSPECTED: _Said(_BAD, "line_outage_perhaps", "do_nothing_yet"),
    Cause.OLT_UNREACHABLE: _FAULT,
    Cause.PON_DOWN: _FAULT,
    Cause.ONU_GONE: _DARK,
    Cause.ONU_DISABLED: _FAULT,
    Cause.ONU_NO_POWER: _Said(_BAD, "line_no_power", "do_power"),
    Cause.ONU_LOS: _DARK,
    Cause.ONU_OFFLINE: _DARK,
    Cause.ONU_NOT_ONLINE: _DARK,
    Cause.WRONG_PASSWORD: _Said(_BAD, "line_wrong_password", "do_ask_password"),
    Cause.MAC_LOCKED: _Said(_BAD, "line_other_router", "do_if_yours"),
    Cause.SESSION_LIMIT: _Said(_BAD, "line_refused", "do_call"),
    Cause.REFUSED_BEFORE: _NOT_DIALLING,
    Cause.NAS_UNKNOWN: _FAULT,
    Cause.NAS_SILENT: _FAULT,
    Cause.NEVER_LOGGED_IN: _NOT_DIALLING,
    Cause.NOT_LOGGED_IN: _NOT_DIALLING,
    Cause.SESSION_STALE: _NOT_DIALLING,
    Cause.GARDEN_REMAINS: _SOON,
    Cause.POOL_FULL: _FAULT,
    Cause.ADDRESS_MISSING: _FAULT,
    Cause.NO_ACCOUNTING: _ONLINE,
    Cause.NO_SESSION: _NOT_DIALLING,
    Cause.ADDRESS_MISMATCH: _Said(_WAIT, "line_online", "do_if_pages"),
    Cause.WEAK_SIGNAL: _Said(_WAIT, "line_weak", "do_call"),
    Cause.THROTTLED: _Said(_WAIT, "line_slower", "do_data_used"),
    Cause.OLT_SILENT: _ONLINE,
    Cause.UNSURE: _Said(_WAIT, "line_unsure", "do_if_not"),
    Cause.FINE: _ONLINE,
}


def line_status(*, subscription_id: UUID, at: datetime, words: Words) -> LineStatus:
    """Tell a customer how their line is, from what is on record. Raises Subscription.DoesNotExist."""
    found = diagnose(subscription_id=subscription_id, at=at, with_amounts=False)
    said = STATUSES[Cause(found.verdict_code)]
    return LineStatus(said.tone, words[said.title], words[said.advice] if said.advice else "")
