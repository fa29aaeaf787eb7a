from typing import Any

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from ispcore import audit
from ispcore.crypto import SecretField
from ispcore.jobs.models import Job
from ispcore.tenants.base import TenantManager, TenantModel
from ispcore.tenants.fields import TenantForeignKey, TenantKey


class Vendor(models.TextChoices):
    HUAWEI = "huawei", "Huawei SmartAX"
    UFIBER = "ufiber", "Ubiquiti UFiber"


class SnmpVersion(models.TextChoices):
    V1 = "1", "v1"
    V2C = "2c", "v2c"


class OnuStatus(models.TextChoices):
    ONLINE = "online", "Online"
    OFFLINE = "offline", "Offline"
    UNKNOWN = "unknown", "Unknown"
    VANISHED = "vanished", "Vanished"


class DownCause(models.TextChoices):
    LOS = "los", "Loss of signal"
    DYING_GASP = "dying_gasp", "Power failure (dying gasp)"
    ADMIN = "admin", "Switched off by staff"
    RESET = "reset", "Restarted"
    REGISTRATION = "registration", "Registration failed"
    ROGUE = "rogue", "Rogue: sends out of turn"
    UNKNOWN = "unknown", "Unknown"


class RunOutcome(models.TextChoices):
    RUNNING = "running", "Running"
    COMPLETE = "complete", "Complete"
    PARTIAL = "partial", "Partial"
    FAILED = "failed", "Failed"


@audit.track(
    ignore=(
        "sys_name",
        "sys_descr",
        "sys_object_id",
        "model",
        "uptime_seconds",
        "last_answer_at",
        "last_error",
    )
)
class Olt(TenantModel):
    """An optical line terminal and how to reach it."""

    name = models.CharField(max_length=80, help_text="What staff call it, for example 'Central 1'.")
    vendor = models.CharField(max_length=20, choices=Vendor, help_text="Decides which driver reads it.")
    ip = models.GenericIPAddressField(
        verbose_name="IP address", help_text="Management address that answers SNMP."
    )
    snmp_port = models.PositiveIntegerField(
        "SNMP port", default=161, validators=[MinValueValidator(1), MaxValueValidator(65535)]
    )
    snmp_version = models.CharField(
        "SNMP version", max_length=2, choices=SnmpVersion, default=SnmpVersion.V2C
    )
    community = SecretField(help_text="SNMP read community; stored encrypted and never shown again.")
    site = models.CharField(max_length=80, blank=True, help_text="Where it stands.")
    notes = models.TextField(blank=True, max_length=2000)

    # What it said of itself when last discovered.
    sys_name = models.CharField(max_length=255, blank=True, editable=False)
    sys_descr = models.CharField(max_length=255, blank=True, editable=False)
    sys_object_id = models.CharField(max_length=128, blank=True, editable=False)
    model = models.CharField(max_length=80, blank=True, editable=False)
    uptime_seconds = models.BigIntegerField(null=True, editable=False)
    last_answer_at = models.DateTimeField(null=True, editable=False)
    last_error = models.CharField(max_length=500, blank=True, editable=False)

    class Meta:
        verbose_name = "OLT"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "name"], name="olt_name_unique_per_tenant"),
            models.UniqueConstraint(
                fields=["tenant", "ip", "snmp_port"],
                name="olt_ip_unique_per_tenant",
                violation_error_message="An OLT with this IP address and SNMP port is already registered.",
            ),
            models.CheckConstraint(condition=Q(vendor__in=Vendor.values), name="olt_vendor_known"),
            models.CheckConstraint(condition=Q(snmp_port__range=(1, 65535)), name="olt_snmp_port_in_range"),
        ]

    def __str__(self) -> str:
        return self.name


class PonPort(TenantModel):
    """A PON port of an OLT, named as its vendor names it: shelf/slot/port."""

    olt = TenantForeignKey(Olt, models.CASCADE, related_name="pon_ports")
    index = models.CharField(max_length=32, help_text="shelf/slot/port, for example 0/1/0.")
    if_index = models.BigIntegerField(null=True, help_text="IF-MIB ifIndex; passes 2^31 on Huawei.")
    name = models.CharField(max_length=80, blank=True)
    is_up = models.BooleanField(null=True)
    tx_power_dbm = models.FloatField(null=True)
    temperature_c = models.FloatField(null=True)
    onu_count = models.PositiveIntegerField(default=0)
    online_count = models.PositiveIntegerField(default=0)
    last_seen_at = models.DateTimeField()

    class Meta:
        verbose_name = "PON port"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "olt", "index"], name="pon_port_unique_per_olt"),
        ]

    def __str__(self) -> str:
        return f"{self.olt} {self.index}"


class Onu(TenantModel):
    """A customer's optical unit as the OLT reports it. Never deleted by a discovery: marked as vanished.

    Keyed by serial: OLTs use an index again after a unit was removed.
    """

    olt = TenantForeignKey(Olt, models.CASCADE, related_name="onus")
    pon_port = TenantForeignKey(PonPort, models.SET_NULL, null=True, related_name="onus")
    index = models.CharField(max_length=40, help_text="shelf/slot/port/ONU, for example 0/1/0/3.")
    serial = models.CharField(max_length=32, help_text="Vendor code and number, for example HWTC12345678.")
    description = models.CharField(max_length=255, blank=True)
    model = models.CharField(max_length=80, blank=True)
    status = models.CharField(max_length=10, choices=OnuStatus, default=OnuStatus.UNKNOWN)
    last_down_cause = models.CharField(max_length=12, choices=DownCause, blank=True)
    distance_m = models.PositiveIntegerField(null=True, help_text="Fibre length, metres.")
    rx_power_dbm = models.FloatField(null=True, help_text="What the ONU receives, dBm.")
    tx_power_dbm = models.FloatField(null=True, help_text="What the ONU sends, dBm.")
    olt_rx_power_dbm = models.FloatField(null=True, help_text="What the OLT receives of this ONU, dBm.")
    temperature_c = models.FloatField(null=True)
    voltage_v = models.FloatField(null=True)
    bias_ma = models.FloatField(null=True)
    up_bytes = models.DecimalField(
        max_digits=20, decimal_places=0, null=True, help_text="Counter64 of bytes from the subscriber."
    )
    down_bytes = models.DecimalField(
        max_digits=20, decimal_places=0, null=True, help_text="Counter64 of bytes to the subscriber."
    )
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField(help_text="When a discovery last listed it.")
    measured_at = models.DateTimeField(null=True, help_text="When its optics were last read.")
    vanished_at = models.DateTimeField(null=True, help_text="Since when no discovery lists it.")

    class Meta:
        verbose_name = "ONU"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "olt", "serial"], name="onu_serial_unique_per_olt"),
            models.CheckConstraint(condition=Q(status__in=OnuStatus.values), name="onu_status_known"),
            models.CheckConstraint(
                condition=Q(vanished_at=None) ^ Q(status=OnuStatus.VANISHED), name="onu_vanished_has_time"
            ),
        ]
        # None on what every reading changes, and pages with room: so updates stay in their page (HOT).
        indexes = [
            models.Index(fields=["tenant", "serial"], name="onu_by_serial"),
            models.Index(fields=["tenant", "status", "olt"], name="onu_by_status"),
            models.Index(fields=["tenant", "pon_port"], name="onu_by_port"),
        ]

    def __str__(self) -> str:
        return self.serial


class Reading(models.Model):
    """What an ONU's optics and counters were at one moment. Partitioned by month; never updated."""

    pk = models.CompositePrimaryKey("tenant_id", "onu_id", "at")
    tenant = TenantKey()
    onu = TenantForeignKey(Onu, models.CASCADE, related_name="readings")
    at = models.DateTimeField()
    is_online = models.BooleanField(null=True)
    rx_power_dbm = models.FloatField(null=True)
    tx_power_dbm = models.FloatField(null=True)
    olt_rx_power_dbm = models.FloatField(null=True)
    temperature_c = models.FloatField(null=True)
    distance_m = models.PositiveIntegerField(null=True)
    up_bytes = models.DecimalField(max_digits=20, decimal_places=0, null=True)
    down_bytes = models.DecimalField(max_digits=20, decimal_places=0, null=True)

    objects: TenantManager[Any] = TenantManager()

    def __str__(self) -> str:
        return f"{self.onu_id} {self.at:%Y-%m-%d %H:%M}"


class DiscoveryRun(TenantModel):
    """One discovery of one OLT: when, how it ended, and what it found."""

    olt = TenantForeignKey(Olt, models.CASCADE, related_name="discovery_runs")
    job = TenantForeignKey(Job, models.PROTECT, related_name="+")
    outcome = models.CharField(max_length=10, choices=RunOutcome, default=RunOutcome.RUNNING)
    message = models.CharField(max_length=1000, blank=True)
    onus_seen = models.PositiveIntegerField(default=0)
    onus_new = models.PositiveIntegerField(default=0)
    onus_vanished = models.PositiveIntegerField(default=0)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "olt"],
                condition=Q(finished_at=None),
                name="discovery_run_one_running_per_olt",
            ),
            models.CheckConstraint(
                condition=Q(outcome=RunOutcome.RUNNING, finished_at=None)
                | ~Q(outcome=RunOutcome.RUNNING) & Q(finished_at__isnull=False),
                name="discovery_run_finished_when_ended",
            ),
        ]
        indexes = [
            models.Index(fields=["tenant", "olt", "-started_at"], name="discovery_run_newest"),
            models.Index(fields=["tenant", "job"], name="discovery_run_by_job"),
        ]

    def __str__(self) -> str:
        return f"{self.olt} {self.started_at:%Y-%m-%d %H:%M}"
