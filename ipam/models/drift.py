"""Where the book and the network disagree."""

from django.db import models
from django.db.models import Q

from ipam.models.addresses import Address
from ipam.models.fields import InetField
from ipam.models.space import Vrf
from ispcore.files.models import StoredFile
from ispcore.jobs.models import DoneByJobs, Job
from ispcore.tenants.base import TenantModel
from ispcore.tenants.fields import TenantForeignKey
from ispcore.tenants.models import User
from subscribers.models import Subscription


class SeenIn(models.TextChoices):
    SESSIONS = "sessions", "Live sessions"
    ARP = "arp", "ARP list"
    DHCP = "dhcp", "DHCP leases"


class ReconciliationStatus(models.TextChoices):
    RUNNING = "running", "Running"
    DONE = "done", "Done"
    FAILED = "failed", "Failed"


class DriftKind(models.TextChoices):
    USED_BUT_FREE = "used_but_free", "Used, and free in the book"
    USED_BY_OTHER = "used_by_other", "Used by another than its holder"
    ASSIGNED_NOT_SEEN = "assigned_not_seen", "Assigned, and not seen"
    UNKNOWN_ADDRESS = "unknown_address", "In no subnet"


class Repair(models.TextChoices):
    RESERVED = "reserved", "Kept back"
    ASSIGNED = "assigned", "Assigned to who uses it"
    DISMISSED = "dismissed", "Dismissed"


class Reconciliation(DoneByJobs, TenantModel):
    """One comparison of the book with what was seen in use."""

    RUNNING = (ReconciliationStatus.RUNNING,)

    vrf = TenantForeignKey(Vrf, models.CASCADE, related_name="+", verbose_name="VRF")
    seen_in = models.CharField(max_length=8, choices=SeenIn)
    file = TenantForeignKey(StoredFile, models.SET_NULL, null=True, related_name="+")
    job = TenantForeignKey(Job, models.PROTECT, null=True, related_name="+")
    status = models.CharField(
        max_length=7, choices=ReconciliationStatus, default=ReconciliationStatus.RUNNING
    )
    message = models.CharField(max_length=500, blank=True)
    addresses_seen = models.PositiveIntegerField(default=0)
    drifts_found = models.PositiveIntegerField(default=0)
    created_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+", db_index=False)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=ReconciliationStatus.values), name="reconciliation_status_known"
            ),
        ]
        indexes = [
            models.Index(fields=["tenant", "-started_at"], name="reconciliation_newest"),
            models.Index(fields=["tenant", "vrf"], name="reconciliation_by_vrf"),
        ]

    def __str__(self) -> str:
        return f"{self.get_seen_in_display()} {self.started_at:%Y-%m-%d %H:%M}"


class Drift(TenantModel):
    """One address on which the book and a reconciliation disagree."""

    reconciliation = TenantForeignKey(Reconciliation, models.CASCADE, related_name="drifts")
    vrf = TenantForeignKey(Vrf, models.CASCADE, related_name="+", verbose_name="VRF")
    address = InetField()
    kind = models.CharField(max_length=17, choices=DriftKind)
    record = TenantForeignKey(
        Address, models.SET_NULL, null=True, related_name="drifts", help_text="The address in the book."
    )
    holder = TenantForeignKey(
        Subscription, models.SET_NULL, null=True, related_name="+", help_text="The line it is assigned to."
    )
    seen_subscription = TenantForeignKey(
        Subscription,
        models.SET_NULL,
        null=True,
        related_name="+",
        help_text="The line that was seen using it.",
    )
    seen_as = models.CharField(max_length=120, blank=True, help_text="A user name, a MAC address.")
    seen_at = models.DateTimeField(null=True)
    repair = models.CharField(max_length=9, choices=Repair, blank=True)
    repaired_at = models.DateTimeField(null=True)
    repaired_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+", db_index=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "reconciliation", "vrf", "address", "kind"],
                name="drift_once_per_reconciliation",
            ),
            models.CheckConstraint(condition=Q(kind__in=DriftKind.values), name="drift_kind_known"),
            models.CheckConstraint(
                condition=Q(repaired_at=None, repair="") | Q(repaired_at__isnull=False) & ~Q(repair=""),
                name="drift_repair_has_time",
            ),
        ]
        indexes = [
            models.Index(fields=["tenant", "record"], name="drift_by_record"),
            models.Index(fields=["tenant", "kind", "-id"], condition=Q(repaired_at=None), name="drift_open"),
        ]

    def __str__(self) -> str:
        return f"{self.address}: {self.get_kind_display()}"
