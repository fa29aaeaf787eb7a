"""Who may log in, with what, and under which terms."""

import zoneinfo

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from aaa.models.fields import (
    LONGEST_TEXT,
    DomainField,
    RadiusSecretField,
    StationKeyField,
    UsernameKeyField,
)
from aaa.models.profiles import Policy, ServiceProfile, VirtualServer
from aaa.models.words import OverCap
from ipam.models import Pool
from ipam.models.fields import InetField
from ispcore import audit
from ispcore.tenants.base import TenantModel
from ispcore.tenants.fields import TenantForeignKey
from ispcore.tenants.models import User
from subscribers.models import Subscription

LONGEST_PURGE_HOURS = 10 * 366 * 24


def check_timezone(name: str) -> None:
    """Refuse what is no IANA time zone.

    Raises ValidationError.
    """
    if name not in zoneinfo.available_timezones():
        raise ValidationError("%(name)s is no time zone. Use an IANA name, such as Africa/Johannesburg.",
                              code="invalid", params={"name": name})  # fmt: skip


@audit.track(ignore=("username_key", "calling_station_key", "wanted", "settled_at"))
class Account(TenantModel):
    """A user name and password for access, and what whoever logs in with them gets."""

    name = models.CharField(
        max_length=120, blank=True, help_text="For people; empty: the user name is enough."
    )
    username = models.CharField(
        max_length=LONGEST_TEXT,
        help_text="Case makes no difference. A domain may follow, as jane@example.net.",
    )
    username_key = UsernameKeyField(max_length=LONGEST_TEXT, editable=False)
    domain = DomainField(max_length=LONGEST_TEXT, blank=True, editable=False)
    password = RadiusSecretField(help_text="For access only, never a portal password; stored encrypted.")
    enabled = models.BooleanField(default=True, help_text="Switched off, every log-in is refused.")
    expires_at = models.DateTimeField(null=True, blank=True, help_text="Empty: never.")
    timezone = models.CharField(
        "time zone",
        max_length=63,
        default="UTC",
        validators=[check_timezone],
        help_text="IANA name; the days of its usage begin at midnight there.",
    )
    inactive_purge_hours = models.PositiveIntegerField(
        "delete after, hours unused",
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(LONGEST_PURGE_HOURS)],
        help_text="Empty: never.",
    )
    purge_if_seen = models.BooleanField(
        "delete only if it was ever used",
        default=False,
        help_text="Otherwise one that never logged in goes too.",
    )
    uncapped_data = models.BooleanField(default=False, help_text="No data cap, whatever the plan says.")
    calling_station_id = models.CharField(
        "device",
        max_length=LONGEST_TEXT,
        blank=True,
        help_text="MAC address of the only device that may log in.",
    )
    calling_station_key = StationKeyField(max_length=LONGEST_TEXT, blank=True, editable=False)
    virtual = TenantForeignKey(
        VirtualServer,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="accounts",
        verbose_name="virtual server",
    )
    service_profile = TenantForeignKey(ServiceProfile, models.PROTECT, related_name="accounts")
    policy = TenantForeignKey(
        Policy,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="accounts",
        help_text="Empty: no rate is given. With a service it is that of the service's plan.",
    )
    keeps_policy = models.BooleanField(
        "keep this policy", default=False, help_text="Also when the service's plan says another."
    )
    pool = TenantForeignKey(
        Pool, models.PROTECT, null=True, blank=True, related_name="+", help_text="Of IPv4."
    )
    static_ip4 = InetField("static IPv4", null=True, blank=True)
    framed_ipv6_prefix = InetField("static IPv6 prefix of the link", null=True, blank=True)
    delegated_prefix = InetField("static delegated IPv6 prefix", null=True, blank=True)
    max_sessions = models.PositiveSmallIntegerField(
        "sessions at once",
        null=True,
        blank=True,
        validators=[MaxValueValidator(1000)],
        help_text="Empty: as the service profile says; 0: as many as they like.",
    )
    subscription = TenantForeignKey(
        Subscription, models.PROTECT, null=True, blank=True, related_name="accounts", verbose_name="service"
    )
    locked_tags = models.CharField(max_length=200, blank=True)

    # Kept by aaa.services.settling from the line, its holds and its addresses.
    blocked_reason = models.CharField(
        max_length=20,
        blank=True,
        editable=False,
        help_text="A hold's reason or the line's state; empty: runs.",
    )
    assigned_ip4 = InetField(null=True, editable=False, help_text="What the address plan gave the line.")
    assigned_ipv6_prefix = InetField(null=True, editable=False)
    assigned_delegated_prefix = InetField(null=True, editable=False)
    cap_bytes = models.BigIntegerField(
        "data cap, bytes",
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="Per period; empty: none. With a service it is that of the plan.",
    )
    over_cap = models.CharField("over the cap", max_length=8, choices=OverCap, default=OverCap.BLOCK)
    throttle_policy = TenantForeignKey(
        Policy, models.PROTECT, null=True, blank=True, related_name="+", help_text="When the cap is used up."
    )
    wanted = models.CharField(
        max_length=80,
        blank=True,
        editable=False,
        help_text="What its live session should have: the context, a colon, and a short name of the rest.",
    )
    settled_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "username_key"],
                name="account_username_unique_per_tenant",
                violation_error_message="An account with this user name exists already.",
            ),
            models.CheckConstraint(condition=~Q(username=""), name="account_has_a_username"),
            models.CheckConstraint(condition=Q(over_cap__in=OverCap.values), name="account_over_cap_known"),
            models.CheckConstraint(
                condition=~Q(over_cap=OverCap.THROTTLE) | Q(throttle_policy__isnull=False),
                name="account_throttles_to_a_policy",
            ),
            models.CheckConstraint(
                condition=Q(inactive_purge_hours=None) | Q(inactive_purge_hours__gt=0),
                name="account_purged_after_a_time",
            ),
            models.UniqueConstraint(
                fields=["tenant", "static_ip4"],
                condition=Q(static_ip4__isnull=False),
                name="account_static_ip4_unique_per_tenant",
                violation_error_message="Another account has this address.",
            ),
        ]
        indexes = [
            models.Index(fields=["tenant", "-id"], name="account_newest_first"),
            models.Index(
                fields=["tenant", "calling_station_key", "-id"],
                condition=~Q(calling_station_key=""),
                name="account_by_station",
            ),
            models.Index(
                fields=["tenant", "subscription"],
                condition=Q(subscription__isnull=False),
                name="account_by_service",
            ),
            models.Index(fields=["tenant", "policy"], name="account_by_policy"),
            models.Index(fields=["tenant", "service_profile"], name="account_by_profile"),
            models.Index(
                fields=["tenant", "virtual"], condition=Q(virtual__isnull=False), name="account_by_virtual"
            ),
            models.Index(
                fields=["tenant", "expires_at"],
                condition=Q(expires_at__isnull=False),
                name="account_by_expiry",
            ),
            models.Index(
                fields=["tenant", "id"],
                condition=Q(inactive_purge_hours__isnull=False),
                name="account_to_purge",
            ),
        ]

    def __str__(self) -> str:
        return self.username


class AccountState(TenantModel):
    """What packets say of an account: when it was seen, what it has used. Made with it, by a trigger.

    Written by the packet path; the rest of the application changes period and allowance only.
    """

    account = TenantForeignKey(Account, models.CASCADE, related_name="states")
    last_seen_at = models.DateTimeField(
        null=True, help_text="Its last Start or Stop, or the last report when that is an hour older."
    )
    last_nas_id = models.UUIDField(null=True)
    last_ip = InetField(null=True)
    period_started_at = models.DateTimeField(null=True)
    period_ends_at = models.DateTimeField(null=True)
    used_bytes = models.BigIntegerField(default=0, help_text="Since the period began, up and down.")
    allowance_bytes = models.BigIntegerField(
        null=True, help_text="The cap and what was bought on top of it; empty: nothing is counted."
    )
    extra_bytes = models.BigIntegerField(
        default=0,
        db_default=0,
        help_text="On top of the cap in this period: what rolled over, and what was used of top-ups that ended in it.",
    )
    depleted_at = models.DateTimeField(null=True, help_text="When the allowance was used up.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "account"], name="account_state_one_per_account")
        ]
        # What a packet writes is in no index, so that it stays in its page (HOT).
        indexes = [
            models.Index(
                fields=["tenant", "period_ends_at"],
                condition=Q(period_ends_at__isnull=False),
                name="account_state_period_ends",
            )
        ]

    def __str__(self) -> str:
        return f"state of {self.account_id}"


@audit.track()
class TopUp(TenantModel):
    """Data bought on top of the cap."""

    account = TenantForeignKey(Account, models.CASCADE, related_name="top_ups")
    bytes = models.BigIntegerField(validators=[MinValueValidator(1)])
    valid_from = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, blank=True, help_text="Empty: the end of the period.")
    used_bytes = models.BigIntegerField(
        default=0, editable=False, help_text="In periods that are over, or all when it has ended."
    )
    closed_at = models.DateTimeField(null=True, editable=False, help_text="When its end was reckoned.")
    note = models.CharField(max_length=200, blank=True)
    created_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+", db_index=False)

    class Meta:
        verbose_name = "top-up"
        constraints = [
            models.CheckConstraint(condition=Q(bytes__gt=0), name="top_up_adds_something"),
            models.CheckConstraint(
                condition=Q(expires_at=None) | Q(expires_at__gt=models.F("valid_from")),
                name="top_up_valid_for_a_time",
            ),
        ]
        indexes = [
            models.Index(fields=["tenant", "account", "-valid_from"], name="top_up_newest_first"),
            models.Index(
                fields=["tenant", "expires_at"],
                condition=Q(closed_at=None, expires_at__isnull=False),
                name="top_up_ends",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.bytes} bytes for {self.account_id}"
