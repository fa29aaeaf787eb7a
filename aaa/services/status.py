"""Whether an account may log in now, and why not, in words."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import Sum

from aaa.models import Account, AccountState, DailyUsage, OverCap, Reason, Session
from aaa.services.settings import radius_settings

# As aaa/sql/authorize.sql says them to the subscriber, where the provider has no words of its own.
MESSAGES = {
    Reason.DISABLED: "This account is switched off",
    Reason.EXPIRED: "This account has expired",
    Reason.QUOTA: "Account credits depleted",
    Reason.BLOCKED: "Service suspended",
}
BLOCKED = {
    "non_payment": "Service suspended for non-payment",
    "draft": "Service not active yet",
    "pending_installation": "Service not active yet",
    "terminated": "Service ended",
    "cancelled": "Service ended",
}
THROTTLED = "Data used up: slowed down until the next period"


@dataclass(frozen=True)
class Status:
    """`is_active`: would be let in with full service. Bytes are those of the period, or of the month without one."""

    is_active: bool
    messages: list[str]
    online: int
    upload_bytes: int
    download_bytes: int
    used_bytes: int
    allowance_bytes: int | None
    period_started_on: date
    period_ends_at: datetime | None


def status_of(account: Account, *, at: datetime) -> Status:
    """Return how an account stands. Constant queries."""
    state = AccountState.objects.filter(account=account).first() or AccountState(account=account)
    messages = _messages(account, state, at)
    zone = ZoneInfo(account.timezone)
    began = state.period_started_at if state.allowance_bytes is not None else None
    since = (began or at).astimezone(zone).date()
    if began is None:
        since = since.replace(day=1)
    used = DailyUsage.objects.filter(account=account, day__gte=since).aggregate(
        up4=Sum("in4_bytes"), up6=Sum("in6_bytes"), down4=Sum("out4_bytes"), down6=Sum("out6_bytes")
    )
    return Status(
        is_active=not messages,
        messages=messages,
        online=open_sessions(account.pk),
        upload_bytes=int((used["up4"] or 0) + (used["up6"] or 0)),
        download_bytes=int((used["down4"] or 0) + (used["down6"] or 0)),
        used_bytes=state.used_bytes,
        allowance_bytes=state.allowance_bytes,
        period_started_on=since,
        period_ends_at=state.period_ends_at,
    )


def open_sessions(account_id: UUID) -> int:
    return int(Session.objects.filter(account=account_id, stopped_at=None).count())


def _messages(account: Account, state: AccountState, at: datetime) -> list[str]:
    words: dict[str, Any] = radius_settings().messages
    found: list[tuple[str, str]] = []
    if not account.enabled:
        found.append((Reason.DISABLED, MESSAGES[Reason.DISABLED]))
    if account.expires_at is not None and account.expires_at <= at:
        found.append((Reason.EXPIRED, MESSAGES[Reason.EXPIRED]))
    if state.allowance_bytes is not None and state.used_bytes >= state.allowance_bytes:
        slow = account.over_cap == OverCap.THROTTLE
        found.append(("throttled", THROTTLED) if slow else (Reason.QUOTA, MESSAGES[Reason.QUOTA]))
    if account.blocked_reason:
        text = BLOCKED.get(account.blocked_reason, MESSAGES[Reason.BLOCKED])
        found.append((Reason.BLOCKED, text))
    return [str(words.get(reason, text)) for reason, text in found]
