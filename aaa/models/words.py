"""What states and kinds there are."""

from django.db import models


class NasType(models.TextChoices):
    MIKROTIK = "mikrotik", "MikroTik RouterOS"
    CISCO = "cisco", "Cisco IOS, IOS XE"
    JUNIPER = "juniper", "Juniper MX, ERX"
    HUAWEI = "huawei", "Huawei NE, ME60"
    ZTE = "zte", "ZTE"
    NOKIA = "nokia", "Nokia 7750"
    ACCEL_PPP = "accel_ppp", "accel-ppp"
    WISPR = "wispr", "Hotspot (WISPr)"
    OTHER = "other", "Other"


# RFC 5176 section 2.1 gives 3799; Cisco IOS listens on 1700 unless told otherwise.
COA_PORT = 3799
COA_PORTS: dict[str, int] = {NasType.CISCO: 1700}


class OctetsMode(models.TextChoices):
    """What the octet counters of a NAS hold, and its vendor's IPv6 counters beside them."""

    COMBINED = "combined", "IPv4 and IPv6 in one counter"
    V6_INCLUDED = "v6_included", "IPv6 has its own counter and is in the total as well"
    V6_SEPARATE = "v6_separate", "IPv6 has its own counter, the other holds IPv4 alone"


class MacLock(models.TextChoices):
    NONE = "none", "Any device"
    LEARN = "learn", "The first device that logs in"
    FIXED = "fixed", "The device the account names, if it names one"


class OverCap(models.TextChoices):
    BLOCK = "block", "Refuse until the next period"
    THROTTLE = "throttle", "Slow down until the next period"


class CapPeriod(models.TextChoices):
    """After which a data cap begins anew, at midnight where the account is."""

    DAY = "day", "Day"
    WEEK = "week", "Week, from Monday"
    MONTH = "month", "Month"


class Barred(models.TextChoices):
    """What becomes of a line that is suspended, unpaid or expired."""

    REJECT = "reject", "Refuse the log-in"
    GARDEN = "garden", "Let it in to the walled garden"


class Context(models.TextChoices):
    """Under which terms a session runs."""

    ACTIVE = "active", "Active"
    THROTTLED = "throttled", "Slowed down"
    BLOCKED = "blocked", "Walled garden: suspended"
    EXPIRED = "expired", "Walled garden: expired"


class Reason(models.TextChoices):
    """Why a log-in was refused, in the order in which it is looked at."""

    UNKNOWN = "unknown", "No such user name"
    DISABLED = "disabled", "Account switched off"
    EXPIRED = "expired", "Account expired"
    QUOTA = "quota", "Data used up"
    BLOCKED = "blocked", "Service suspended"
    MAC = "mac", "Another device than the account's"
    SESSIONS = "sessions", "Already in use elsewhere"
    PASSWORD = "password", "Wrong password"


class EndedBy(models.TextChoices):
    """What told us that a session was over."""

    STOP = "stop", "The NAS said so"
    NAS = "nas", "The NAS restarted"
    STALE = "stale", "The NAS fell silent about it"
    REPLACED = "replaced", "A new session took its place"
    DISCONNECT = "disconnect", "Ended by us"


class ActionKind(models.TextChoices):
    COA = "coa", "Change of authorisation"
    DISCONNECT = "disconnect", "Disconnect"


class ActionCause(models.TextChoices):
    PLAN_CHANGE = "plan_change", "Plan changed"
    POLICY = "policy", "Policy changed"
    HOLD = "hold", "Service suspended"
    RELEASE = "release", "Service resumed"
    EXPIRY = "expiry", "Account expired"
    QUOTA = "quota", "Data used up"
    ADDRESS = "address", "Address changed"
    ACCOUNT = "account", "Account changed"
    STAFF = "staff", "Staff"
    API = "api", "API"


class ActionState(models.TextChoices):
    QUEUED = "queued", "Queued"
    SENT = "sent", "Sent"
    DONE = "done", "Done"
    FAILED = "failed", "Failed"


class ActionOutcome(models.TextChoices):
    NONE = "", "None yet"
    ACK = "ack", "Acknowledged"
    NAK = "nak", "Refused by the NAS"
    TIMEOUT = "timeout", "No answer"
    GONE = "gone", "The session was over already"
    FALLBACK = "fallback", "Refused, and disconnected instead"
    SUPERSEDED = "superseded", "A newer action took its place"
    UNSENDABLE = "unsendable", "Could not be sent"


class VoucherState(models.TextChoices):
    UNUSED = "unused", "Unused"
    ACTIVE = "active", "In use"
    USED_UP = "used_up", "Used up"
    REVOKED = "revoked", "Revoked"
