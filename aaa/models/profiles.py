"""What accounts have in common: the virtual server, the RADIUS service, the bandwidth."""

from functools import reduce
from operator import or_

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower

from aaa.models.words import CapPeriod, MacLock, NasType
from ispcore import audit
from ispcore.tenants.base import TenantModel
from ispcore.tenants.fields import TenantForeignKey
from subscribers.models import Plan
from subscribers.models.catalogue import MAX_KBPS

LONGEST_SECONDS = 366 * 24 * 3600
INTERIM_SECONDS = 300
LEAST_INTERIM_SECONDS = 60  # RFC 2869 section 5.16: MUST NOT be smaller.


@audit.track()
class VirtualServer(TenantModel):
    """A group of accounts with a realm of its own, as one RADIUS server serves several brands."""

    name = models.CharField(max_length=80)
    description = models.CharField(max_length=200, blank=True)
    realm = models.CharField(
        max_length=253, blank=True, help_text="What follows the @ of its user names, in lower case."
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "name"], name="virtual_server_name_unique_per_tenant"),
            models.CheckConstraint(condition=Q(realm=Lower("realm")), name="virtual_server_realm_lower_case"),
        ]

    def __str__(self) -> str:
        return self.name


def _seconds(label: str, low: int, help_text: str) -> "models.PositiveIntegerField[int | None, int | None]":
    return models.PositiveIntegerField(
        label,
        null=True,
        blank=True,
        validators=[MinValueValidator(low), MaxValueValidator(LONGEST_SECONDS)],
        help_text=help_text,
    )


def printable(name: str, *fields: str) -> models.CheckConstraint:
    """Refuse control characters in what is sent to a NAS: aaa_authorize separates its fields by two of them."""
    return models.CheckConstraint(
        condition=~reduce(or_, (Q((f"{field}__regex", "[[:cntrl:]]")) for field in fields)),
        name=name,
        violation_error_message="What a NAS is sent may not hold control characters, such as line breaks.",
    )


@audit.track()
class ServiceProfile(TenantModel):
    """How sessions of a kind of service run, such as PPPoE: timers, pools, how many at once, from which device."""

    name = models.CharField(max_length=80)
    interim_seconds = models.PositiveIntegerField(
        "report every, seconds",
        default=INTERIM_SECONDS,
        validators=[MinValueValidator(LEAST_INTERIM_SECONDS), MaxValueValidator(24 * 3600)],
        help_text="How often the NAS reports usage; 300 to 600 suits most.",
    )
    session_timeout = _seconds("session ends after, seconds", 60, "Empty: runs until somebody ends it.")
    idle_timeout = _seconds("idle session ends after, seconds", 60, "Empty: never.")
    max_sessions = models.PositiveSmallIntegerField(
        "sessions at once",
        default=1,
        validators=[MaxValueValidator(1000)],
        help_text="From different devices; 0: as many as they like.",
    )
    framed_pool = models.CharField(
        "IPv4 pool", max_length=80, blank=True, help_text="Name of the pool on the NAS (Framed-Pool)."
    )
    ipv6_pool = models.CharField(
        "IPv6 pool", max_length=80, blank=True, help_text="Name of the pool on the NAS (Framed-IPv6-Pool)."
    )
    delegated_pool = models.CharField(
        "delegated prefix pool",
        max_length=80,
        blank=True,
        help_text="Name of the pool on the NAS (Delegated-IPv6-Prefix-Pool).",
    )
    mac_lock = models.CharField("device", max_length=5, choices=MacLock, default=MacLock.FIXED)
    cap_period = models.CharField(
        "data cap per",
        max_length=5,
        choices=CapPeriod,
        default=CapPeriod.MONTH,
        help_text="It begins anew at midnight in the account's time zone.",
    )
    cap_rolls_over = models.BooleanField(
        "unused data rolls over",
        default=False,
        help_text="Into the next period, once: at most a whole cap.",
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "name"], name="service_profile_name_unique_per_tenant"),
            models.CheckConstraint(
                condition=Q(interim_seconds__gte=LEAST_INTERIM_SECONDS),
                name="service_profile_interim_bearable",
            ),
            models.CheckConstraint(
                condition=Q(mac_lock__in=MacLock.values), name="service_profile_mac_lock_known"
            ),
            models.CheckConstraint(
                condition=Q(cap_period__in=CapPeriod.values), name="service_profile_cap_period_known"
            ),
            printable("service_profile_printable", "framed_pool", "ipv6_pool", "delegated_pool"),
        ]

    def __str__(self) -> str:
        return self.name


def _kbps(label: str, help_text: str = "") -> "models.PositiveIntegerField[int | None, int | None]":
    return models.PositiveIntegerField(
        f"{label}, kbit/s",
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(MAX_KBPS)],
        help_text=help_text,
    )


def _vendor_name(label: str) -> "models.CharField[str, str]":
    return models.CharField(
        label, max_length=80, blank=True, help_text="As it is named on the router; used instead of the rates."
    )


@audit.track()
class Policy(TenantModel):
    """A bandwidth in no vendor's words. How each type of NAS is told is kept in PolicyReply."""

    name = models.CharField(max_length=120)
    plan = TenantForeignKey(
        Plan,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="policies",
        help_text="Made from this plan, and follows it.",
    )
    down_kbps = _kbps("download", "Empty: not limited.")
    up_kbps = _kbps("upload", "Empty: not limited.")
    burst_down_kbps = _kbps("download burst")
    burst_up_kbps = _kbps("upload burst")
    threshold_down_kbps = _kbps(
        "download threshold", "Bursts are given while the average is below; empty: the rate."
    )
    threshold_up_kbps = _kbps("upload threshold", "As for the download.")
    burst_seconds = models.PositiveSmallIntegerField(
        "averaged over, seconds",
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(3600)],
    )
    priority = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(8)],
        help_text="1 is served first, 8 last.",
    )
    guaranteed_down_kbps = _kbps("guaranteed download")
    guaranteed_up_kbps = _kbps("guaranteed upload")
    session_timeout = _seconds(
        "session ends after, seconds", 60, "Empty: as the service profile says; the smaller one holds."
    )
    cisco_policy_in = _vendor_name("Cisco input policy")
    cisco_policy_out = _vendor_name("Cisco output policy")
    juniper_qos_profile = _vendor_name("Juniper QoS profile")
    huawei_qos_profile = _vendor_name("Huawei QoS profile")
    nokia_sla_profile = _vendor_name("Nokia SLA profile")
    nokia_subscriber_profile = _vendor_name("Nokia subscriber profile")
    address_list = models.CharField(
        max_length=80, blank=True, help_text="MikroTik: the session's address joins this list."
    )
    filter_id = models.CharField(
        "filter", max_length=80, blank=True, help_text="Name of a filter on the NAS (Filter-Id)."
    )

    class Meta:
        verbose_name_plural = "policies"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "name"], name="policy_name_unique_per_tenant"),
            models.UniqueConstraint(
                fields=["tenant", "plan"], condition=Q(plan__isnull=False), name="policy_one_per_plan"
            ),
            models.CheckConstraint(
                condition=(Q(burst_down_kbps=None) | Q(down_kbps__isnull=False))
                & (Q(burst_up_kbps=None) | Q(up_kbps__isnull=False)),
                name="policy_burst_needs_a_rate",
            ),
            models.CheckConstraint(
                condition=(Q(guaranteed_down_kbps=None) | Q(guaranteed_down_kbps__lte=F("down_kbps")))
                & (Q(guaranteed_up_kbps=None) | Q(guaranteed_up_kbps__lte=F("up_kbps"))),
                name="policy_guarantee_within_the_rate",
            ),
            models.CheckConstraint(
                condition=Q(priority=None) | Q(priority__range=(1, 8)), name="policy_priority_in_range"
            ),
            printable(
                "policy_printable",
                "cisco_policy_in",
                "cisco_policy_out",
                "juniper_qos_profile",
                "huawei_qos_profile",
                "nokia_sla_profile",
                "nokia_subscriber_profile",
                "address_list",
                "filter_id",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class PolicyReply(TenantModel):
    """A policy in the words of one type of NAS, made by `aaa.rendering` when the policy is saved."""

    policy = TenantForeignKey(Policy, models.CASCADE, related_name="replies")
    nas_type = models.CharField(max_length=10, choices=NasType)
    r1 = models.CharField(max_length=253, blank=True)
    r2 = models.CharField(max_length=253, blank=True)
    r3 = models.CharField(max_length=253, blank=True)
    r4 = models.CharField(max_length=253, blank=True)
    r5 = models.CharField(max_length=253, blank=True)
    r6 = models.CharField(max_length=253, blank=True)

    class Meta:
        verbose_name_plural = "policy replies"
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "policy", "nas_type"], name="policy_reply_once_per_type"
            ),
            printable("policy_reply_printable", "r1", "r2", "r3", "r4", "r5", "r6"),
        ]

    def __str__(self) -> str:
        return f"{self.policy_id} for {self.nas_type}"
