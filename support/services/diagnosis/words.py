"""What a diagnosis is made of: its steps, the causes it may name, and what staff can do about each."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import models


class StepName(models.TextChoices):
    """The steps in the order in which they are walked."""

    ACCOUNT = "account", "Service"
    MONEY = "money", "Holds and money"
    RADIUS = "radius", "RADIUS account"
    SESSION = "session", "Session"
    ADDRESS = "address", "Address"
    ONU = "onu", "ONU"
    PON = "pon", "PON port and OLT"
    OUTAGE = "outage", "Outage"


class StepStatus(models.TextChoices):
    OK = "ok", "In order"
    PROBLEM = "problem", "Problem"
    UNKNOWN = "unknown", "Not known"


class Cause(models.TextChoices):
    """Why a line is offline. The order is that of blame: what stands first explains what stands after it.

    First what was decided (no log-in can succeed), then what the fibre is without, then a NAS that nobody answers, what
    the log says of the last log-in, and the session itself; what only makes a line slow stands last.
    """

    ENDED = "ended", "Service ended"
    CANCELLED = "cancelled", "Order called off"
    NOT_ACTIVATED = "not_activated", "Not activated yet"
    HELD_FRAUD = "held_fraud", "Held for fraud"
    HELD_ABUSE = "held_abuse", "Held for abuse"
    HELD_STAFF = "held_staff", "Held by staff"
    HELD_VACATION = "held_vacation", "Vacation"
    PREPAID_OVER = "prepaid_over", "Prepaid period over"
    HELD_NON_PAYMENT = "held_non_payment", "Held for non-payment"
    SUSPENDED = "suspended", "Suspended without a hold"
    NEVER_PROVISIONED = "never_provisioned", "Never provisioned"
    ACCOUNT_DISABLED = "account_disabled", "Account switched off"
    ACCOUNT_EXPIRED = "account_expired", "Account expired"
    QUOTA_USED = "quota_used", "Data used up"
    NOT_SETTLED = "not_settled", "Access has not followed"
    OUTAGE_CONFIRMED = "outage_confirmed", "Outage"
    OUTAGE_SUSPECTED = "outage_suspected", "Suspected outage"
    OLT_UNREACHABLE = "olt_unreachable", "OLT does not answer"
    PON_DOWN = "pon_down", "PON port down"
    ONU_GONE = "onu_gone", "ONU gone"
    ONU_DISABLED = "onu_disabled", "ONU switched off"
    ONU_NO_POWER = "onu_no_power", "ONU without power"
    ONU_LOS = "onu_los", "Fibre dark"
    ONU_OFFLINE = "onu_offline", "ONU offline"
    ONU_NOT_ONLINE = "onu_not_online", "ONU not online yet"
    NAS_UNKNOWN = "nas_unknown", "NAS not known here"
    WRONG_PASSWORD = "wrong_password", "Wrong password"
    MAC_LOCKED = "mac_locked", "Locked to another device"
    SESSION_LIMIT = "session_limit", "Too many sessions"
    REFUSED_BEFORE = "refused_before", "Refused before"
    NAS_SILENT = "nas_silent", "NAS silent"
    NEVER_LOGGED_IN = "never_logged_in", "Never logged in"
    NOT_LOGGED_IN = "not_logged_in", "Not dialling in"
    SESSION_STALE = "session_stale", "Session without reports"
    GARDEN_REMAINS = "garden_remains", "Still in the walled garden"
    POOL_FULL = "pool_full", "Pool full"
    ADDRESS_MISSING = "address_missing", "No address"
    NO_ACCOUNTING = "no_accounting", "Accounting not seen"
    NO_SESSION = "no_session", "Let in, no session"
    ADDRESS_MISMATCH = "address_mismatch", "Another address"
    WEAK_SIGNAL = "weak_signal", "Weak signal"
    THROTTLED = "throttled", "Slowed down"
    OLT_SILENT = "olt_silent", "Only the OLT is silent"
    UNSURE = "unsure", "Not all could be checked"
    FINE = "fine", "Nothing wrong"


class ActionCode(models.TextChoices):
    """What may help; the label is what its button says."""

    ACTIVATE_SERVICE = "activate_service", "Activate"
    LIFT_HOLD = "lift_hold", "Lift the hold"
    RECORD_PAYMENT = "record_payment", "Record a payment"
    TAKE_PROMISE = "take_promise", "Take a promise to pay"
    MAKE_ACCOUNT = "make_account", "Make an account"
    ENABLE_ACCOUNT = "enable_account", "Switch the account on"
    CHANGE_ACCOUNT = "change_account", "Change the account"
    ADD_TOP_UP = "add_top_up", "Add data"
    FORGET_DEVICE = "forget_device", "Forget the device"
    OPEN_ACCOUNT = "open_account", "Open the account"
    DISCONNECT_SESSION = "disconnect_session", "Disconnect"
    OPEN_NAS = "open_nas", "Open the NAS"
    ALLOCATE_ADDRESS = "allocate_address", "Allocate an address"
    OPEN_POOL = "open_pool", "Open the pool"
    READ_ONU = "read_onu", "Read the ONU now"
    RESTART_ONU = "restart_onu", "Restart the ONU"
    FIND_ONU = "find_onu", "Look for the ONU"
    DISCOVER_OLT = "discover_olt", "Ask the OLT now"
    OPEN_OUTAGE = "open_outage", "Open the outage"
    PING_SERVICE = "ping_service", "Ping the line"


# Whoever lacks it is not offered the action.
PERMISSIONS: dict[ActionCode, str] = {
    ActionCode.ACTIVATE_SERVICE: "subscribers.change",
    ActionCode.LIFT_HOLD: "subscribers.change",
    ActionCode.RECORD_PAYMENT: "billing.add",
    ActionCode.TAKE_PROMISE: "billing.add",
    ActionCode.MAKE_ACCOUNT: "aaa.manage",
    ActionCode.ENABLE_ACCOUNT: "aaa.manage",
    ActionCode.CHANGE_ACCOUNT: "aaa.manage",
    ActionCode.ADD_TOP_UP: "aaa.manage",
    ActionCode.FORGET_DEVICE: "aaa.manage",
    ActionCode.OPEN_ACCOUNT: "aaa.view",
    ActionCode.DISCONNECT_SESSION: "aaa.operate",
    ActionCode.OPEN_NAS: "aaa.view",
    ActionCode.ALLOCATE_ADDRESS: "ipam.change",
    ActionCode.OPEN_POOL: "ipam.view",
    ActionCode.READ_ONU: "hardware.operate",
    ActionCode.RESTART_ONU: "hardware.operate",
    ActionCode.FIND_ONU: "hardware.view",
    ActionCode.DISCOVER_OLT: "hardware.operate",
    ActionCode.OPEN_OUTAGE: "hardware.view",
    ActionCode.PING_SERVICE: "hardware.operate",
}


@dataclass(frozen=True)
class Action:
    """What helps, and the record it is done to."""

    code: ActionCode
    target_id: UUID

    @property
    def label(self) -> str:
        return str(self.code.label)

    @property
    def permission(self) -> str:
        return PERMISSIONS[self.code]


@dataclass(frozen=True)
class Step:
    """One thing that was looked at. `cause` is what it would be blamed for, `said` what the verdict says of it."""

    step: StepName
    status: StepStatus
    fact: str
    source: str
    observed_at: datetime | None
    action: Action | None = None
    cause: Cause | None = None
    said: dict[str, Any] = field(default_factory=dict)
    is_blamed: bool = False


@dataclass(frozen=True)
class Diagnosis:
    """The chain of one line at one moment; `verdict` says in a sentence what `verdict_code` names."""

    subscription_id: UUID
    at: datetime
    verdict_code: Cause
    verdict: str
    action: Action | None
    steps: list[Step]


def in_a_sentence(label: str) -> str:
    """Write a label as it stands within a sentence; what begins with capitals, as ONU, keeps them."""
    return label if label[:2].isupper() else label[:1].lower() + label[1:]
