"""Live sessions that have something else than their accounts want, and what is done about each.

The texts compared are those `aaa.services.settling` writes: `<context>:<rate>.<slots>.<list>.<address>`.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.db import connection

from aaa import rendering
from aaa.models import ActionCause, NasType
from aaa.services import actions
from ispcore.tenants.context import current_tenant_id

# Before what a NAS did not do, or did not do as told, is asked of it anew.
AGAIN_AFTER = timedelta(minutes=15)
# The types of NAS whose sessions no CoA can change.
WITHOUT_COA = sorted(each for each in NasType.values if not rendering.coa_pairs(each, ("x",) * 6))

# One action per session. A difference that no attribute of the session's type of NAS expresses is none: there the
# session is only said to have what is wanted.
ACT_SQL = """
WITH differing AS (
    SELECT session.id, session.account_id, session.nas_id, session.applied, nas.nas_type,
           COALESCE(account.wanted, 'refused:gone') AS wanted,
           split_part(session.applied, ':', 1) AS was_context,
           split_part(COALESCE(account.wanted, 'refused:gone'), ':', 1) AS context,
           split_part(split_part(session.applied, ':', 2), '.', 1) AS was_rate,
           split_part(split_part(account.wanted, ':', 2), '.', 1) AS rate,
           ('x' || lpad(split_part(session.applied, '.', 2), 16, '0'))::bit(64)::bigint
               >> (6 * (array_position(%(types)s::text[], nas.nas_type::text) - 1)) & 63 AS was_slots,
           ('x' || lpad(COALESCE(split_part(account.wanted, '.', 2), ''), 16, '0'))::bit(64)::bigint
               >> (6 * (array_position(%(types)s::text[], nas.nas_type::text) - 1)) & 63 AS slots,
           split_part(session.applied, '.', 3) AS was_list, split_part(account.wanted, '.', 3) AS list,
           split_part(session.applied, '.', 4) AS was_address, split_part(account.wanted, '.', 4) AS address
    FROM aaa_session AS session
    LEFT JOIN aaa_account AS account ON account.tenant_id = %(tenant)s AND account.id = session.account_id
    JOIN aaa_nas AS nas ON nas.tenant_id = %(tenant)s AND nas.id = session.nas_id
    WHERE session.tenant_id = %(tenant)s AND session.stopped_at IS NULL AND session.account_id IS NOT NULL
      AND (%(ids)s::uuid[] IS NULL OR session.account_id = ANY (%(ids)s::uuid[]))
      AND (account.id IS NULL OR account.wanted <> '' AND account.wanted <> session.applied)
      -- What a session without our Class was given is not known; only to end it needs no knowing.
      AND (session.applied LIKE '%%.%%.%%' OR account.id IS NULL OR account.wanted ^@ 'refused:'
           OR split_part(session.applied, ':', 1) NOT IN ('', split_part(account.wanted, ':', 1)))
), judged AS (
    SELECT *,
           context = 'refused'
               OR context <> was_context
                  AND (context IN ('blocked', 'expired') OR was_context IN ('blocked', 'expired'))
               OR was_address <> '' AND address <> was_address
               OR nas_type = ANY (%(without_coa)s::text[]) AND slots + was_slots > 0 AND rate <> was_rate
               OR was_slots & ~slots <> 0
               OR nas_type = 'mikrotik' AND was_list <> '' AND list <> was_list AS must_end,
           slots + was_slots > 0 OR context <> was_context AS tells
    FROM differing
), told AS (
    UPDATE aaa_session AS session SET applied = judged.wanted, context = judged.context
    FROM judged
    WHERE session.tenant_id = %(tenant)s AND session.id = judged.id AND NOT judged.must_end AND NOT judged.tells
)
INSERT INTO aaa_sessionaction AS action
    (id, tenant_id, created_at, updated_at, kind, session_id, account_id, nas_id, cause, wanted, state, outcome,
     message, attempts, next_at)
SELECT uuidv7(), %(tenant)s, %(at)s, %(at)s, CASE WHEN must_end THEN 'disconnect' ELSE 'coa' END, judged.id,
       CASE WHEN wanted <> 'refused:gone' THEN account_id END, nas_id,
       CASE WHEN wanted = 'refused:expired' OR context = 'expired' OR was_context = 'expired' THEN 'expiry'
            WHEN wanted = 'refused:quota' OR context = 'throttled' OR was_context = 'throttled' THEN 'quota'
            WHEN wanted IN ('refused:disabled', 'refused:gone') THEN 'account'
            WHEN wanted = 'refused:blocked' OR context = 'blocked' THEN 'hold'
            WHEN was_context = 'blocked' THEN 'release'
            WHEN rate = was_rate AND address <> was_address THEN 'address'
            ELSE %(cause)s END,
       wanted, 'queued', '', '', 0, %(at)s
FROM judged
WHERE (must_end OR tells)
  AND NOT EXISTS (
      SELECT FROM aaa_sessionaction AS earlier
      WHERE earlier.tenant_id = %(tenant)s AND earlier.session_id = judged.id AND earlier.wanted = judged.wanted
        AND earlier.finished_at > %(again_since)s)
ORDER BY judged.id
ON CONFLICT (tenant_id, session_id) WHERE finished_at IS NULL DO UPDATE
SET wanted = EXCLUDED.wanted, cause = EXCLUDED.cause, updated_at = EXCLUDED.updated_at, next_at = EXCLUDED.next_at,
    kind = CASE WHEN action.kind = 'disconnect' THEN 'disconnect' ELSE EXCLUDED.kind END
-- One that is under way stays as it was sent; when it is over, the difference that is left gets the next.
WHERE action.state = 'queued' AND action.claim_token IS NULL AND action.wanted <> EXCLUDED.wanted
"""


def act_on_differences(
    *, at: datetime, account_ids: Sequence[UUID] | None = None, cause: str = ActionCause.POLICY
) -> int:
    """Queue an action for each live session that has something else than its account wants; return how many.

    One statement, of all the tenant's sessions or of those of some accounts; a session of an account that is gone is
    ended. `cause` is what a change of the rate alone is put down to. A session has one open action at most, and one
    that ended without making the session what is wanted is not repeated before AGAIN_AFTER. Safe to repeat.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            ACT_SQL,
            {
                "tenant": current_tenant_id(),
                "ids": list(account_ids) if account_ids is not None else None,
                "at": at,
                "again_since": at - AGAIN_AFTER,
                "types": list(NasType.values),
                "without_coa": WITHOUT_COA,
                "cause": cause,
            },
        )
        queued = int(cursor.rowcount)
    if queued:
        actions.wake()
    return queued
