"""Data caps: an allowance per period, what rolls over, what is bought on top, and what follows when it is used up.

The packet path adds to `used_bytes` while an account has an allowance, and sets `depleted_at` with the event
`aaa.quota_depleted` when it is passed. A period is a day, a week from Monday or a month in the account's time zone.
What rolled over is used first, then the cap, then top-ups, the one that ends first before the others. Bytes reported
between a period's end and its roll, a minute at most, count to the period that ended.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from aaa.models import Account, AccountState, TopUp
from ispcore.errors import DomainError, NotRegistered
from ispcore.tenants.context import current_tenant_id

BATCH = 2000

LOCK_SQL = """
SELECT account_id FROM aaa_accountstate
WHERE tenant_id = %(tenant)s AND account_id = ANY (%(ids)s) ORDER BY account_id FOR NO KEY UPDATE
"""

# The allowance of the running period; a cap that is new begins one now. Top-ups count while they last.
GRANT_SQL = """
WITH term AS (
    SELECT account.id,
           CASE WHEN account.uncapped_data THEN NULL ELSE account.cap_bytes END AS cap,
           COALESCE(state.period_started_at, %(at)s) AS starts,
           -- A voucher's data is there once.
           CASE WHEN EXISTS (SELECT FROM aaa_voucher AS voucher
                             WHERE voucher.tenant_id = %(tenant)s AND voucher.account_id = account.id) THEN NULL
                ELSE COALESCE(state.period_ends_at,
                              (date_trunc(profile.cap_period, %(at)s AT TIME ZONE account.timezone)
                               + ('1 ' || profile.cap_period)::interval) AT TIME ZONE account.timezone) END AS ends,
           CASE WHEN state.period_started_at IS NULL THEN 0 ELSE state.used_bytes END AS used,
           CASE WHEN state.period_started_at IS NULL THEN 0 ELSE state.extra_bytes END AS extra,
           state.depleted_at
    FROM aaa_account AS account
    JOIN aaa_accountstate AS state ON state.tenant_id = %(tenant)s AND state.account_id = account.id
    JOIN aaa_serviceprofile AS profile
      ON profile.tenant_id = %(tenant)s AND profile.id = account.service_profile_id
    WHERE account.tenant_id = %(tenant)s AND account.id = ANY (%(ids)s)
), granted AS (
    SELECT term.*, term.cap + term.extra + COALESCE(bought.bytes, 0) AS allowance
    FROM term
    LEFT JOIN LATERAL (
        SELECT sum(top_up.bytes - top_up.used_bytes)::bigint AS bytes
        FROM aaa_topup AS top_up
        WHERE top_up.tenant_id = %(tenant)s AND top_up.account_id = term.id AND top_up.closed_at IS NULL
          AND top_up.valid_from <= %(at)s AND COALESCE(top_up.expires_at, term.ends, 'infinity') > %(at)s
    ) AS bought ON true
)
UPDATE aaa_accountstate AS state
SET period_started_at = CASE WHEN granted.cap IS NOT NULL THEN granted.starts END,
    period_ends_at = CASE WHEN granted.cap IS NOT NULL THEN granted.ends END,
    used_bytes = granted.used, extra_bytes = granted.extra, allowance_bytes = granted.allowance,
    depleted_at = CASE WHEN granted.used >= granted.allowance THEN COALESCE(granted.depleted_at, %(at)s) END
FROM granted
WHERE state.tenant_id = %(tenant)s AND state.account_id = granted.id
  AND (state.period_ends_at, state.used_bytes, state.extra_bytes, state.allowance_bytes, state.depleted_at)
      IS DISTINCT FROM (CASE WHEN granted.cap IS NOT NULL THEN granted.ends END, granted.used, granted.extra,
                        granted.allowance,
                        CASE WHEN granted.used >= granted.allowance
                             THEN COALESCE(granted.depleted_at, %(at)s) END)
"""

# What was used beyond the cap is shared among the top-ups that are open, the one that ends first before the others.
SHARED = """
share AS (
    SELECT open.id, open.account_id, open.ends,
           GREATEST(0, LEAST(open.bytes_left, open.beyond - open.before))::bigint AS used
    FROM (
        SELECT top_up.id, top_up.account_id, COALESCE(top_up.expires_at, state.period_ends_at) AS ends,
               top_up.bytes - top_up.used_bytes AS bytes_left,
               state.used_bytes - state.extra_bytes - COALESCE(account.cap_bytes, 0) AS beyond,
               COALESCE(sum(top_up.bytes - top_up.used_bytes) OVER (
                   PARTITION BY top_up.account_id
                   ORDER BY COALESCE(top_up.expires_at, state.period_ends_at), top_up.id
                   ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS before
        FROM aaa_topup AS top_up
        JOIN aaa_accountstate AS state ON state.tenant_id = %(tenant)s AND state.account_id = top_up.account_id
        JOIN aaa_account AS account ON account.tenant_id = %(tenant)s AND account.id = top_up.account_id
        WHERE top_up.tenant_id = %(tenant)s AND top_up.account_id = ANY (%(ids)s) AND top_up.closed_at IS NULL
          AND top_up.valid_from <= %(at)s
    ) AS open
)
"""

# A top-up that ended within a period: what was used of it stays allowed, the rest is gone.
CLOSE_SQL = f"""
WITH {SHARED}, closed AS (
    UPDATE aaa_topup AS top_up
    SET used_bytes = top_up.used_bytes + share.used, closed_at = %(at)s, updated_at = %(at)s
    FROM share
    WHERE top_up.tenant_id = %(tenant)s AND top_up.id = share.id AND top_up.expires_at <= %(at)s
    RETURNING top_up.account_id, share.used
)
UPDATE aaa_accountstate AS state SET extra_bytes = state.extra_bytes + gone.used
FROM (SELECT account_id, sum(used)::bigint AS used FROM closed GROUP BY account_id) AS gone
WHERE state.tenant_id = %(tenant)s AND state.account_id = gone.account_id
"""  # noqa: S608  (only the constant above is put in)

ROLL_SQL = f"""
WITH {SHARED}, used AS (
    UPDATE aaa_topup AS top_up
    SET used_bytes = top_up.used_bytes + share.used, updated_at = %(at)s,
        closed_at = CASE WHEN share.ends <= %(at)s THEN %(at)s END
    FROM share WHERE top_up.tenant_id = %(tenant)s AND top_up.id = share.id
)
UPDATE aaa_accountstate AS state
SET period_started_at = date_trunc(profile.cap_period, %(at)s AT TIME ZONE account.timezone)
                        AT TIME ZONE account.timezone,
    period_ends_at = (date_trunc(profile.cap_period, %(at)s AT TIME ZONE account.timezone)
                      + ('1 ' || profile.cap_period)::interval) AT TIME ZONE account.timezone,
    -- Only the period that just ended rolls over: one that nobody rolled in time took its chance with it.
    extra_bytes = CASE WHEN profile.cap_rolls_over AND account.cap_bytes IS NOT NULL
        THEN LEAST(account.cap_bytes,
                   GREATEST(0, account.cap_bytes - GREATEST(0, state.used_bytes - state.extra_bytes)))
        ELSE 0 END,
    used_bytes = 0, depleted_at = NULL
FROM aaa_account AS account
JOIN aaa_serviceprofile AS profile ON profile.tenant_id = account.tenant_id AND profile.id = account.service_profile_id
WHERE state.tenant_id = %(tenant)s AND state.account_id = ANY (%(ids)s) AND state.period_ends_at <= %(at)s
  AND account.tenant_id = %(tenant)s AND account.id = state.account_id
"""  # noqa: S608  (only the constant above is put in)


class NoDataCap(DomainError):
    code = "no_data_cap"
    message = "{username} has no data cap, so there is nothing to top up."


class TopUpUnknown(NotRegistered):
    message = "There is no such top-up."


class TopUpOver(DomainError):
    code = "top_up_over"
    message = "The top-up has ended: what was used of it stays on record."


def grant_allowances(account_ids: Sequence[UUID], *, at: datetime) -> None:
    """Write what these accounts may use in the running period, within the caller's transaction. Safe to repeat."""
    values = _values(account_ids, at)
    with connection.cursor() as cursor:
        cursor.execute(LOCK_SQL, values)
        cursor.execute(GRANT_SQL, values)


@transaction.atomic
def add_top_up(
    *,
    account_id: UUID,
    bytes: int,
    at: datetime,
    expires_at: datetime | None = None,
    note: str = "",
    user_id: UUID | None = None,
) -> TopUp:
    """Give an account more data: until `expires_at`, or until its period ends. Settle it afterwards.

    Raises NoDataCap.
    """
    account = Account.objects.select_for_update(of=("self",), no_key=True).get(pk=account_id)
    if account.uncapped_data or account.cap_bytes is None:
        raise NoDataCap(username=account.username)
    top_up: TopUp = TopUp.objects.create(
        account=account, bytes=bytes, valid_from=at, expires_at=expires_at, note=note, created_by_id=user_id
    )
    grant_allowances([account_id], at=at)
    return top_up


@transaction.atomic
def end_top_up(*, account_id: UUID, top_up_id: UUID, at: datetime) -> TopUp:
    """Take back what is left of a top-up; what was used of it stays allowed. Settle the account afterwards.

    Raises TopUpUnknown, TopUpOver.
    """
    Account.objects.select_for_update(of=("self",), no_key=True).get(pk=account_id)
    top_up: TopUp | None = (
        TopUp.objects.select_for_update(of=("self",)).filter(pk=top_up_id, account=account_id).first()
    )
    if top_up is None:
        raise TopUpUnknown
    if top_up.closed_at is not None:
        raise TopUpOver
    top_up.expires_at = at
    top_up.save(update_fields=["expires_at", "updated_at"])
    _run([account_id], at, CLOSE_SQL)
    grant_allowances([account_id], at=at)
    top_up.refresh_from_db()
    return top_up


@transaction.atomic
def roll_periods(*, at: datetime) -> list[UUID]:
    """Begin the next period of up to BATCH accounts of the bound tenant, and end top-ups whose time is over.

    Returns the accounts whose allowance changed, to be settled; call again until there are none. Safe to repeat.
    """
    over = AccountState.objects.filter(period_ends_at__lte=at).order_by("period_ends_at")
    rolled = list(over.values_list("account", flat=True)[:BATCH])
    ended = TopUp.objects.filter(closed_at=None, expires_at__lte=at).order_by("expires_at")
    closed = set(ended.values_list("account", flat=True)[:BATCH]) - set(rolled)
    if closed:
        _run(sorted(closed), at, CLOSE_SQL)
    if rolled:
        _run(sorted(rolled), at, ROLL_SQL)
    changed = sorted({*rolled, *closed})
    if changed:
        grant_allowances(changed, at=at)
    return changed


def _run(account_ids: Sequence[UUID], at: datetime, sql: str) -> None:
    values = _values(account_ids, at)
    with connection.cursor() as cursor:
        cursor.execute(LOCK_SQL, values)
        cursor.execute(sql, values)


def _values(account_ids: Sequence[UUID], at: datetime) -> dict[str, Any]:
    return {"tenant": current_tenant_id(), "ids": list(account_ids), "at": at}
