"""What states and kinds there are."""

from django.db import models


class Vendor(models.TextChoices):
    HUAWEI = "huawei", "Huawei SmartAX"
    ZTE = "zte", "ZTE ZXA10"
    VSOL = "vsol", "VSOL V1600"
    BDCOM = "bdcom", "BDCOM"
    CDATA = "cdata", "C-Data"
    FIBERHOME = "fiberhome", "FiberHome AN5516"
    UFIBER = "ufiber", "Ubiquiti UFiber"


class SnmpVersion(models.TextChoices):
    V1 = "1", "v1"
    V2C = "2c", "v2c"


class CliProtocol(models.TextChoices):
    NONE = "none", "None"
    SSH = "ssh", "SSH"
    TELNET = "telnet", "Telnet"


class PonClass(models.TextChoices):
    """Optics of a PON port: ITU-T G.984.2 Amd 1 (B+, C+), G.9807.1 (N1, N2)."""

    B_PLUS = "B+", "GPON B+"
    C_PLUS = "C+", "GPON C+"
    C_PLUS_PLUS = "C++", "GPON C++"
    EPON = "PX20+", "EPON PX20+"
    N1 = "N1", "XGS-PON N1"
    N2 = "N2", "XGS-PON N2"


class OnuStatus(models.TextChoices):
    ONLINE = "online", "Online"
    OFFLINE = "offline", "Offline"
    UNKNOWN = "unknown", "Unknown"
    VANISHED = "vanished", "Vanished"
    AUTHORISED = "authorised", "Authorised"
    REMOVED = "removed", "Removed"


class AdminState(models.TextChoices):
    ACTIVE = "active", "Active"
    INACTIVE = "inactive", "Deactivated"


class DownCause(models.TextChoices):
    LOS = "los", "Loss of signal"
    DYING_GASP = "dying_gasp", "Power failure (dying gasp)"
    ADMIN = "admin", "Switched off by staff"
    RESET = "reset", "Restarted"
    REGISTRATION = "registration", "Registration failed"
    ROGUE = "rogue", "Rogue: sends out of turn"
    UNKNOWN = "unknown", "Unknown"


class Signal(models.TextChoices):
    GOOD = "good", "Good"
    WARNING = "warning", "Warning"
    CRITICAL = "critical", "Critical"
    OVERLOAD = "overload", "Overload"
    NONE = "none", "No reading"


class RunOutcome(models.TextChoices):
    RUNNING = "running", "Running"
    COMPLETE = "complete", "Complete"
    PARTIAL = "partial", "Partial"
    FAILED = "failed", "Failed"
