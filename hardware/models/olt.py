"""The OLT, its ports, and how its discoveries and polls go."""

from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Q

from hardware.models.words import CliProtocol, PonClass, RunOutcome, SnmpVersion, Vendor
from ispcore import audit
from ispcore.crypto import SecretField
from ispcore.jobs.models import Job
from ispcore.tenants.base import TenantModel
from ispcore.tenants.fields import TenantForeignKey

HOST_KEY = RegexValidator(
    r"^[A-Za-z0-9@.-]{1,64} SHA256:[A-Za-z0-9+/]{43}\Z",
    "A host key is its kind and its fingerprint, such as ssh-ed25519 SHA256: and 43 characters.",
)


@audit.track(
    ignore=(
        "sys_name",
        "sys_descr",
        "sys_object_id",
        "model",
        "uptime_seconds",
        "last_answer_at",
        "last_error",
        "dialect",
        "cards",
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
    write_community = SecretField(
        blank=True,
        default="",
        help_text="SNMP write community, where ONUs are authorised by SNMP; encrypted, never shown again.",
    )
    cli_protocol = models.CharField(
        "command line",
        max_length=6,
        choices=CliProtocol,
        default=CliProtocol.NONE,
        help_text="How ONUs are authorised on Huawei and ZTE.",
    )
    cli_port = models.PositiveIntegerField(
        "command line port",
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(65535)],
        help_text="Empty: 22 for SSH, 23 for Telnet.",
    )
    cli_username = models.CharField("command line user", max_length=64, blank=True)
    cli_password = SecretField("command line password", blank=True, default="")
    cli_host_key = models.CharField(
        "SSH host key",
        max_length=120,
        blank=True,
        validators=[HOST_KEY],
        help_text="Kept from the first log-in; another one is refused. Empty it after the device was replaced.",
    )
    pon_class = models.CharField(
        "optics class",
        max_length=8,
        choices=PonClass,
        default=PonClass.B_PLUS,
        help_text="Decides its signal limits.",
    )
    is_polled = models.BooleanField(
        "polled",
        default=True,
        help_text="Read in the background: status every few minutes, optics more rarely.",
    )
    site = models.CharField(max_length=80, blank=True, help_text="Where it stands.")
    notes = models.TextField(blank=True, max_length=2000)

    # What it said of itself when last discovered.
    sys_name = models.CharField(max_length=255, blank=True, editable=False)
    sys_descr = models.CharField(max_length=255, blank=True, editable=False)
    sys_object_id = models.CharField(max_length=128, blank=True, editable=False)
    model = models.CharField(max_length=80, blank=True, editable=False)
    dialect = models.CharField(
        max_length=20, blank=True, editable=False, help_text="Which of the vendor's table trees it answers."
    )
    cards = models.JSONField(
        default=list, editable=False, help_text="Its boards: index, name, model, serial."
    )
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
    up_bytes = models.DecimalField(
        max_digits=20, decimal_places=0, null=True, help_text="Counter of bytes from the subscribers."
    )
    down_bytes = models.DecimalField(
        max_digits=20, decimal_places=0, null=True, help_text="Counter of bytes to the subscribers."
    )
    counted_at = models.DateTimeField(null=True, help_text="When the counters were read.")
    up_bps = models.BigIntegerField(null=True, help_text="Bits per second between the last two counts.")
    down_bps = models.BigIntegerField(null=True, help_text="Bits per second between the last two counts.")
    last_seen_at = models.DateTimeField()

    class Meta:
        verbose_name = "PON port"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "olt", "index"], name="pon_port_unique_per_olt"),
        ]

    def __str__(self) -> str:
        return f"{self.olt} {self.index}"


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


class OltPolling(TenantModel):
    """When each pass over an OLT is due next, and how patiently it must be asked. Written by every poll.

    `claimed_until` is one poller's hold on the device: one request in flight, never two pollers.
    """

    olt = TenantForeignKey(Olt, models.CASCADE, related_name="polling")
    status_due_at = models.DateTimeField()
    optics_due_at = models.DateTimeField()
    inventory_due_at = models.DateTimeField()
    claimed_until = models.DateTimeField(null=True)
    claim_token = models.UUIDField(null=True)
    failures = models.PositiveIntegerField(
        default=0, help_text="Passes lost in a row; each doubles the pause."
    )
    max_repetitions = models.PositiveSmallIntegerField(
        default=25, help_text="Rows an answer may carry: 25, 10 after losses, 1 asks one by one."
    )
    slowed_at = models.DateTimeField(
        null=True, help_text="When it was last asked for fewer rows, or for more again."
    )
    status_read_at = models.DateTimeField(null=True)
    optics_read_at = models.DateTimeField(null=True)
    inventory_read_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "olt"], name="olt_polling_one_per_olt")]
        indexes = [
            models.Index(fields=["tenant", "status_due_at"], name="olt_polling_status_due"),
        ]

    def __str__(self) -> str:
        return f"polling of {self.olt_id}"
