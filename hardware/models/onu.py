"""The ONU: what it is, what was measured of it, and what happened to it."""

from typing import Any

from django.db import models
from django.db.models import Q

from hardware.models.olt import Olt, PonPort
from hardware.models.words import AdminState, DownCause, OnuStatus, Signal
from ipam.models import Address
from ispcore.tenants.base import TenantManager, TenantModel
from ispcore.tenants.fields import TenantForeignKey, TenantKey
from subscribers.models import Subscription


class Onu(TenantModel):
    """A customer's optical unit as the OLT reports it. Never deleted by a discovery: marked as vanished.

    Keyed by serial: OLTs use an index again after a unit was removed.
    """

    olt = TenantForeignKey(Olt, models.CASCADE, related_name="onus")
    pon_port = TenantForeignKey(PonPort, models.SET_NULL, null=True, related_name="onus")
    subscription = TenantForeignKey(
        Subscription, models.SET_NULL, null=True, related_name="onus", help_text="The service it feeds."
    )
    management_address = TenantForeignKey(
        Address,
        models.SET_NULL,
        null=True,
        related_name="onus",
        help_text="Given to it of a management pool.",
    )
    index = models.CharField(max_length=40, help_text="shelf/slot/port/ONU, for example 0/1/0/3.")
    serial = models.CharField(max_length=32, help_text="Vendor code and number, for example HWTC12345678.")
    onu_id = models.PositiveIntegerField(null=True, help_text="Its number on the port.")
    line_profile = models.CharField(max_length=80, blank=True)
    service_profile = models.CharField(max_length=80, blank=True)
    admin_state = models.CharField(max_length=8, choices=AdminState, blank=True)
    signal = models.CharField(
        max_length=10,
        choices=Signal,
        default=Signal.NONE,
        help_text="The worse class of what it receives and what the OLT receives of it, by the limits.",
    )
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
    status_changed_at = models.DateTimeField(null=True, help_text="Since when it is online or offline.")
    observed_at = models.DateTimeField(null=True, help_text="When its status was last read.")
    authorised_at = models.DateTimeField(null=True, help_text="When we authorised it.")
    measured_at = models.DateTimeField(null=True, help_text="When its optics were last read.")
    vanished_at = models.DateTimeField(null=True, help_text="Since when no discovery lists it.")

    class Meta:
        verbose_name = "ONU"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "olt", "serial"], name="onu_serial_unique_per_olt"),
            models.UniqueConstraint(
                fields=["tenant", "subscription"],
                condition=Q(subscription__isnull=False),
                name="onu_one_per_service",
            ),
            models.UniqueConstraint(
                fields=["tenant", "management_address"],
                condition=Q(management_address__isnull=False),
                name="onu_one_per_management_address",
            ),
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


class OnuEventKind(models.TextChoices):
    ONLINE = "online", "Came online"
    OFFLINE = "offline", "Went offline"
    SIGNAL = "signal", "Signal class changed"
    AUTHORISED = "authorised", "Authorised"
    REMOVED = "removed", "Removed"
    RESTARTED = "restarted", "Restarted by staff"


class OnuEvent(TenantModel):
    """Something that happened to an ONU, as polls or staff noticed it."""

    onu = TenantForeignKey(Onu, models.CASCADE, related_name="events")
    at = models.DateTimeField()
    kind = models.CharField(max_length=10, choices=OnuEventKind)
    detail = models.CharField(max_length=80, blank=True, help_text="A down cause, or a signal class.")

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(kind__in=OnuEventKind.values), name="onu_event_kind_known")
        ]
        indexes = [models.Index(fields=["tenant", "onu", "-at"], name="onu_event_newest")]

    def __str__(self) -> str:
        return f"{self.onu_id} {self.kind}"


class WaitingOnu(TenantModel):
    """An ONU an OLT sees and nobody has authorised; gone from here when the OLT no longer lists it."""

    olt = TenantForeignKey(Olt, models.CASCADE, related_name="waiting_onus")
    pon_port = models.CharField(max_length=32, help_text="shelf/slot/port.")
    serial = models.CharField(max_length=32)
    equipment_id = models.CharField(max_length=80, blank=True)
    software = models.CharField(max_length=80, blank=True)
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()

    class Meta:
        verbose_name = "waiting ONU"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "olt", "serial"], name="waiting_onu_once_per_olt")
        ]
        indexes = [models.Index(fields=["tenant", "serial"], name="waiting_onu_by_serial")]

    def __str__(self) -> str:
        return self.serial
