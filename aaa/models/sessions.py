"""Sessions, what they used, attempts to begin one, and what we asked NASes to do about them.

The packet path (aaa/sql) writes these tables, thousands of rows a second. Their keys to tenant, account and NAS are
not checked by the database: each check would lock the NAS' row for every packet.
"""

from typing import Any

from django.db import models
from django.db.models import Q

from aaa.models.accounts import Account
from aaa.models.fields import LONGEST_TEXT
from aaa.models.nas import Nas
from aaa.models.words import (
    ActionCause,
    ActionKind,
    ActionOutcome,
    ActionState,
    Context,
    EndedBy,
    Reason,
)
from ipam.models.fields import InetField
from ispcore.tenants.base import TenantManager, TenantModel
from ispcore.tenants.fields import TenantForeignKey, TenantKey, UncheckedTenantKey, new_id
from ispcore.tenants.models import User


class SessionColumns(models.Model):
    """One stay of one device on one NAS, as accounting tells it. Octets: 4 is IPv4 (or all, where a NAS has one
    counter), 6 is IPv6; in is what the subscriber sent.
    """

    id = models.UUIDField(default=new_id, editable=False)
    tenant = TenantKey(db_constraint=False)
    account = UncheckedTenantKey(Account, related_name="%(class)ss", null=True)
    nas = UncheckedTenantKey(Nas, related_name="%(class)ss", null=True, verbose_name="NAS")
    unique_key = models.UUIDField(help_text="Made of the NAS, the session id and our Class.")
    acct_session_id = models.CharField(
        "session id", max_length=LONGEST_TEXT, help_text="As the NAS calls it."
    )
    class_token = models.UUIDField(null=True, help_text="Ours, given at log-in and echoed by the NAS.")
    username = models.CharField("user name", max_length=LONGEST_TEXT, help_text="As the NAS spells it.")
    station = models.CharField("device", max_length=LONGEST_TEXT, blank=True, help_text="Calling-Station-Id.")
    station_key = models.CharField(max_length=LONGEST_TEXT, blank=True)
    called = models.CharField(max_length=LONGEST_TEXT, blank=True, help_text="Called-Station-Id.")
    nas_port_id = models.CharField("port", max_length=LONGEST_TEXT, blank=True)
    nas_ip_reported = InetField("NAS-IP-Address", null=True)
    framed_ip = InetField("IPv4 address", null=True)
    framed_ipv6_prefix = InetField("IPv6 prefix", null=True)
    delegated_prefix = InetField(null=True)
    started_at = models.DateTimeField()
    last_event_at = models.DateTimeField(help_text="The NAS' time of its newest report.")
    last_seen_at = models.DateTimeField(help_text="When we last received a report.")
    session_seconds = models.BigIntegerField(default=0)
    in4_bytes = models.BigIntegerField(default=0)
    out4_bytes = models.BigIntegerField(default=0)
    in6_bytes = models.BigIntegerField(default=0)
    out6_bytes = models.BigIntegerField(default=0)
    terminate_cause = models.CharField(max_length=40, blank=True, help_text="Acct-Terminate-Cause.")
    ended_by = models.CharField(max_length=10, choices=EndedBy, blank=True)
    context = models.CharField(max_length=9, choices=Context, default=Context.ACTIVE)
    applied = models.CharField(
        max_length=80, blank=True, help_text="What the NAS was last told, in the words of Account.wanted."
    )
    # Where counting stands: the counters as last received, when, at which age of the session, and their sums.
    counted_at = models.DateTimeField()
    counted_seconds = models.BigIntegerField(default=-1)
    last_in = models.BigIntegerField(default=0)
    last_out = models.BigIntegerField(default=0)
    last_in6 = models.BigIntegerField(default=0)
    last_out6 = models.BigIntegerField(default=0)
    total_in = models.BigIntegerField(default=0)
    total_out = models.BigIntegerField(default=0)

    objects: TenantManager[Any] = TenantManager()

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.username} {self.acct_session_id}"


class Session(SessionColumns):
    """A session that runs, or ended within the last quarter of an hour."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    stopped_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "unique_key"], name="session_unique_key"),
            models.CheckConstraint(
                condition=Q(stopped_at=None, ended_by="") | Q(stopped_at__isnull=False) & ~Q(ended_by=""),
                name="session_ended_by_something",
            ),
        ]
        # Interim reports write no column of an index, so that they stay in their page (HOT).
        indexes = [
            models.Index(
                fields=["tenant", "account"], condition=Q(stopped_at=None), name="session_open_account"
            ),
            models.Index(
                fields=["tenant", "nas", "framed_ip"], condition=Q(stopped_at=None), name="session_open_nas"
            ),
            models.Index(
                fields=["tenant", "-started_at", "-id"],
                condition=Q(stopped_at=None),
                name="session_open_newest",
            ),
            models.Index(
                fields=["tenant", "stopped_at"], condition=Q(stopped_at__isnull=False), name="session_closed"
            ),
        ]


class PastSession(SessionColumns):
    """A session that is over; partitioned by the month of its end."""

    pk = models.CompositePrimaryKey("tenant_id", "stopped_at", "id")
    stopped_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["tenant", "account", "-started_at"], name="past_session_account"),
            models.Index(fields=["tenant", "unique_key"], name="past_session_key"),
        ]


class DailyUsage(models.Model):
    """Bytes of an account on one day, which began at midnight in the account's time zone."""

    pk = models.CompositePrimaryKey("tenant_id", "account_id", "day")
    tenant = TenantKey(db_constraint=False)
    account = UncheckedTenantKey(Account, related_name="daily_usage")
    day = models.DateField()
    in4_bytes = models.BigIntegerField(default=0)
    out4_bytes = models.BigIntegerField(default=0)
    in6_bytes = models.BigIntegerField(default=0)
    out6_bytes = models.BigIntegerField(default=0)

    objects: TenantManager[Any] = TenantManager()

    class Meta:
        verbose_name_plural = "daily usage"

    def __str__(self) -> str:
        return f"{self.account_id} {self.day}"


class HourlyUsage(models.Model):
    """Bytes of an account in one hour of its time zone, `hour` being when it began; kept for a quarter."""

    pk = models.CompositePrimaryKey("tenant_id", "account_id", "hour")
    tenant = TenantKey(db_constraint=False)
    account = UncheckedTenantKey(Account, related_name="hourly_usage")
    hour = models.DateTimeField()
    in4_bytes = models.BigIntegerField(default=0)
    out4_bytes = models.BigIntegerField(default=0)
    in6_bytes = models.BigIntegerField(default=0)
    out6_bytes = models.BigIntegerField(default=0)

    objects: TenantManager[Any] = TenantManager()

    class Meta:
        verbose_name_plural = "hourly usage"

    def __str__(self) -> str:
        return f"{self.account_id} {self.hour:%Y-%m-%d %H:%M}"


class AuthAttempt(models.Model):
    """A log-in that was tried; the same refusal again within five minutes is counted on the same row."""

    pk = models.CompositePrimaryKey("tenant_id", "at", "id")
    id = models.UUIDField(default=new_id, editable=False)
    tenant = TenantKey(db_constraint=False)
    at = models.DateTimeField(help_text="The first time.")
    last_at = models.DateTimeField(help_text="The last time.")
    times = models.PositiveIntegerField(default=1)
    account = UncheckedTenantKey(Account, related_name="attempts", null=True)
    nas = UncheckedTenantKey(Nas, related_name="attempts", null=True, verbose_name="NAS")
    username = models.CharField("user name", max_length=LONGEST_TEXT)
    username_key = models.CharField(max_length=LONGEST_TEXT)
    station = models.CharField("device", max_length=LONGEST_TEXT, blank=True)
    accepted = models.BooleanField()
    reason = models.CharField(max_length=10, choices=Reason, blank=True, help_text="Empty: accepted.")
    class_token = models.UUIDField(null=True, help_text="That of the session it began.")
    source = InetField(null=True, help_text="Where the packet came from.")

    objects: TenantManager[Any] = TenantManager()

    class Meta:
        indexes = [models.Index(fields=["tenant", "username_key", "-at"], name="auth_attempt_username")]

    def __str__(self) -> str:
        return f"{self.username} {self.at:%Y-%m-%d %H:%M:%S}"


class SessionAction(TenantModel):
    """One thing asked of a NAS about one session: change it (CoA) or end it (Disconnect), and what came of it."""

    kind = models.CharField(max_length=10, choices=ActionKind)
    session_id = models.UUIDField(help_text="It may be past by now.")
    account = TenantForeignKey(Account, models.CASCADE, null=True, related_name="actions")
    nas = TenantForeignKey(Nas, models.CASCADE, related_name="actions", verbose_name="NAS")
    cause = models.CharField(max_length=12, choices=ActionCause)
    wanted = models.CharField(max_length=80, blank=True, help_text="What the session has once it is done.")
    state = models.CharField(max_length=6, choices=ActionState, default=ActionState.QUEUED)
    outcome = models.CharField(max_length=10, choices=ActionOutcome, blank=True, default="")
    error_cause = models.PositiveSmallIntegerField(null=True, help_text="RFC 5176 section 3.5.")
    message = models.CharField(max_length=300, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_at = models.DateTimeField(help_text="Not before; a worker that sends it moves this ahead.")
    claim_token = models.UUIDField(null=True)
    requested_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+", db_index=False)
    sent_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "session_id"],
                condition=Q(finished_at=None),
                name="session_action_one_open_per_session",
            ),
            models.CheckConstraint(condition=Q(kind__in=ActionKind.values), name="session_action_kind_known"),
            models.CheckConstraint(
                condition=Q(state__in=[ActionState.DONE, ActionState.FAILED], finished_at__isnull=False)
                | Q(state__in=[ActionState.QUEUED, ActionState.SENT], finished_at=None),
                name="session_action_finished_when_ended",
            ),
        ]
        indexes = [
            models.Index(
                fields=["tenant", "next_at"], condition=Q(finished_at=None), name="session_action_due"
            ),
            models.Index(fields=["tenant", "-created_at"], name="session_action_newest"),
            models.Index(fields=["tenant", "account", "-created_at"], name="session_action_account"),
            models.Index(fields=["tenant", "session_id", "-created_at"], name="session_action_session"),
            models.Index(fields=["tenant", "nas", "-created_at"], name="session_action_nas"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.session_id}"
