"""What lines used, for whoever charges for it."""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from django.db import connection

from ispcore.tenants.context import current_tenant_id

# Days are those of each account's own zone. Data that was bought on top was paid for: of an account with top-ups that
# began within these days, what they hold is taken off.
USED_SQL = """
SELECT account.subscription_id, sum(GREATEST(0, used.bytes - COALESCE(bought.bytes, 0)))::bigint
FROM aaa_account AS account
CROSS JOIN LATERAL (
    SELECT sum(day.in4_bytes + day.out4_bytes + day.in6_bytes + day.out6_bytes) AS bytes
    FROM aaa_dailyusage AS day
    WHERE day.tenant_id = %(tenant)s AND day.account_id = account.id AND day.day >= %(since)s AND day.day < %(until)s
) AS used
LEFT JOIN LATERAL (
    SELECT sum(top_up.bytes) AS bytes FROM aaa_topup AS top_up
    WHERE top_up.tenant_id = %(tenant)s AND top_up.account_id = account.id
      AND (top_up.valid_from AT TIME ZONE account.timezone)::date >= %(since)s
      AND (top_up.valid_from AT TIME ZONE account.timezone)::date < %(until)s
) AS bought ON true
WHERE account.tenant_id = %(tenant)s AND account.subscription_id = ANY (%(lines)s) AND used.bytes IS NOT NULL
GROUP BY account.subscription_id
"""


def bytes_of_lines(subscription_ids: Sequence[UUID], since: date, until: date) -> dict[UUID, int]:
    """Return what the accounts of each line used from `since` up to and without `until`. One query."""
    with connection.cursor() as cursor:
        cursor.execute(
            USED_SQL,
            {"tenant": current_tenant_id(), "lines": list(subscription_ids), "since": since, "until": until},
        )
        return dict(cursor.fetchall())
