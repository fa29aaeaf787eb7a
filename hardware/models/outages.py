"""Many ONUs gone at once: one outage with a probable cause."""

from django.db import models
from django.db.models import Q

from hardware.models.olt import Olt, PonPort
from hardware.models.onu import Onu
from ispcore import audit
from ispcore.tenants.base import TenantModel
from ispcore.tenants.fields import TenantForeignKey
from ispcore.tenants.models import User


class OutageCause(models.TextChoices):
    FIBRE = "fibre", "Fibre or splitter (loss of signal)"
    POWER = "power", "Power failure in the area (dying gasp)"
    OLT = "olt", "OLT does not answer"
    UNKNOWN = "unknown", "Unknown"


class OutageStatus(models.TextChoices):
    SUSPECTED = "suspected", "Suspected"
    CONFIRMED = "confirmed", "Confirmed"
    RESOLVED = "resolved", "Resolved"
    CLOSED = "closed", "Closed"


OPEN_OUTAGE = (OutageStatus.SUSPECTED, OutageStatus.CONFIRMED)


@audit.track(ignore=("onus_affected", "customers_affected"))
class Outage(TenantModel):
    """ONUs of one PON port, or a whole OLT, that went down together.

    suspected -> confirmed (by a second poll or by staff) -> resolved (enough are back) -> closed (by staff).
    """

    olt = TenantForeignKey(Olt, models.CASCADE, related_name="outages")
    pon_port = TenantForeignKey(
        PonPort, models.CASCADE, null=True, related_name="outages", help_text="Empty: the whole OLT."
    )
    cause = models.CharField(max_length=8, choices=OutageCause, default=OutageCause.UNKNOWN)
    status = models.CharField(max_length=10, choices=OutageStatus, default=OutageStatus.SUSPECTED)
    onus_affected = models.PositiveIntegerField(default=0, help_text="At its worst.")
    customers_affected = models.PositiveIntegerField(default=0, help_text="At its worst.")
    note = models.CharField(max_length=500, blank=True)
    started_at = models.DateTimeField()
    confirmed_at = models.DateTimeField(null=True)
    resolved_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)
    closed_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+", db_index=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "olt", "pon_port"],
                condition=Q(status__in=OPEN_OUTAGE),
                nulls_distinct=False,
                name="outage_one_open_per_port",
            ),
            models.CheckConstraint(condition=Q(status__in=OutageStatus.values), name="outage_status_known"),
            models.CheckConstraint(condition=Q(cause__in=OutageCause.values), name="outage_cause_known"),
        ]
        indexes = [
            models.Index(fields=["tenant", "status", "-started_at"], name="outage_by_status"),
        ]

    def __str__(self) -> str:
        return f"{self.get_cause_display()} since {self.started_at:%Y-%m-%d %H:%M}"


class OutageOnu(TenantModel):
    """An ONU that an outage took down, and when it came back."""

    outage = TenantForeignKey(Outage, models.CASCADE, related_name="members")
    onu = TenantForeignKey(Onu, models.CASCADE, related_name="outages")
    down_at = models.DateTimeField()
    up_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = "affected ONU"
        constraints = [models.UniqueConstraint(fields=["tenant", "outage", "onu"], name="outage_onu_once")]
        indexes = [models.Index(fields=["tenant", "onu"], name="outage_onu_by_onu")]

    def __str__(self) -> str:
        return str(self.onu_id)
