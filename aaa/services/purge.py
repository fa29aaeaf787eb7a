"""What is no longer wanted: accounts that nobody used for as long as they say, old attempts and old sessions."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Max

from aaa.models import AuthAttempt, PastSession, RadiusSettings
from aaa.services.accounts import purge_accounts
from aaa.services.settings import radius_settings
from ispcore.tenants.context import current_tenant_id

BATCH = 1000

# Unused since it was last seen or, if it never was, since it was made. Who is online is in use.
IDLE_SQL = """
SELECT account.id
FROM aaa_account AS account
LEFT JOIN aaa_accountstate AS state ON state.tenant_id = %(tenant)s AND state.account_id = account.id
WHERE account.tenant_id = %(tenant)s AND account.inactive_purge_hours IS NOT NULL
  AND (state.last_seen_at IS NOT NULL OR NOT account.purge_if_seen)
  AND COALESCE(state.last_seen_at, account.created_at)
      <= %(at)s::timestamptz - make_interval(hours => account.inactive_purge_hours)
  AND NOT EXISTS (
      SELECT FROM aaa_session AS session
      WHERE session.tenant_id = %(tenant)s AND session.account_id = account.id AND session.stopped_at IS NULL)
ORDER BY account.id LIMIT %(batch)s
"""


def purge_idle_accounts(*, at: datetime) -> int:
    """Delete up to BATCH accounts of the bound tenant that nobody used for their `inactive_purge_hours`.

    `purge_if_seen` spares those that never logged in. Returns how many; call again until it is 0. Safe to repeat.
    """
    with connection.cursor() as cursor:
        cursor.execute(IDLE_SQL, {"tenant": current_tenant_id(), "at": at, "batch": BATCH})
        ids: list[UUID] = [row[0] for row in cursor.fetchall()]
    return purge_accounts(account_ids=ids, at=at) if ids else 0


def forget_old_records(*, at: datetime) -> int:
    """Delete the bound tenant's attempts and past sessions that are older than it keeps them; return how many.

    Months that no tenant keeps are dropped whole by `drop_old_months`; these are what is left within.
    """
    settings = radius_settings()
    attempts, _ = AuthAttempt.objects.filter(at__lt=at - timedelta(days=settings.attempt_days)).delete()
    sessions, _ = PastSession.objects.filter(
        stopped_at__lt=at - timedelta(days=settings.session_days)
    ).delete()
    return attempts + sessions


def drop_old_months(*, at: datetime) -> int:
    """Drop the partitions of attempts and past sessions that are older than any tenant keeps them; return how many."""
    kept = RadiusSettings._base_manager.using("platform").aggregate(
        attempts=Max("attempt_days"), sessions=Max("session_days")
    )
    days = {
        "aaa_authattempt": max(kept["attempts"] or 0, _default("attempt_days")),
        "aaa_pastsession": max(kept["sessions"] or 0, _default("session_days")),
    }
    dropped = 0
    with connection.cursor() as cursor:
        for parent, most in days.items():
            cursor.execute("SELECT aaa_drop_partitions(%s, %s)", [parent, at - timedelta(days=most)])
            dropped += int(cursor.fetchone()[0])
    return dropped


def _default(name: str) -> int:
    field: Any = RadiusSettings._meta.get_field(name)
    return int(field.default)
