"""The statements that compare what was seen with the book.

Every comparison is by equality or by a range of keys: `<<=` is not leakproof, and would read the whole table for each
row under row-level security.
"""

from typing import Any
from uuid import UUID

from ipam.models import SeenIn

MAKE_TABLE_SQL = """
CREATE TEMPORARY TABLE ipam_seen (
    address inet PRIMARY KEY, subnet_id uuid, is_kept boolean, subscription_id uuid, service text, number integer,
    seen_as text, seen_at timestamptz, record_id uuid
) ON COMMIT DROP
"""

LOAD_SQL = """
INSERT INTO ipam_seen (address, subnet_id, is_kept, subscription_id, service, number, seen_as, seen_at)
SELECT * FROM unnest(
    %s::inet[], %s::uuid[], %s::boolean[], %s::uuid[], %s::text[], %s::integer[], %s::text[], %s::timestamptz[]
)
ON CONFLICT (address) DO UPDATE SET
    subscription_id = excluded.subscription_id, service = excluded.service, number = excluded.number,
    seen_as = excluded.seen_as, seen_at = excluded.seen_at
WHERE ipam_seen.seen_at IS NULL OR excluded.seen_at IS NULL OR excluded.seen_at >= ipam_seen.seen_at
"""

# A source may name a line that is not the tenant's, or gone: then nobody is known.
FIND_LINES_SQL = (
    """
    UPDATE ipam_seen SET subscription_id = NULL
    WHERE subscription_id IS NOT NULL AND NOT EXISTS (
        SELECT FROM subscribers_subscription AS line
        WHERE line.tenant_id = %(tenant)s AND line.id = ipam_seen.subscription_id)
    """,
    """
    UPDATE ipam_seen SET subscription_id = line.id
    FROM subscribers_subscription AS line
    WHERE line.tenant_id = %(tenant)s AND line.number = ipam_seen.number AND ipam_seen.subscription_id IS NULL
    """,
    """
    UPDATE ipam_seen SET subscription_id = line.id
    FROM (SELECT isp_reference, min(id::text)::uuid AS id FROM subscribers_subscription
          WHERE tenant_id = %(tenant)s AND isp_reference <> '' GROUP BY isp_reference HAVING count(*) = 1) AS line
    WHERE line.isp_reference = ipam_seen.service AND ipam_seen.subscription_id IS NULL
    """,
)

FIND_RECORDS_SQL = """
UPDATE ipam_seen SET record_id = held.id
FROM ipam_address AS held
WHERE held.tenant_id = %(tenant)s AND held.vrf_id = %(vrf)s AND held.address = ipam_seen.address
"""

PREFIX_LENGTHS_SQL = """
SELECT family, prefix_length FROM ipam_pool WHERE tenant_id = %(tenant)s AND vrf_id = %(vrf)s AND kind = 'prefix'
UNION
SELECT family(address), masklen(address) FROM ipam_address
WHERE tenant_id = %(tenant)s AND vrf_id = %(vrf)s AND pool_id IS NULL
      AND masklen(address) < CASE family(address) WHEN 4 THEN 32 ELSE 128 END
"""

# What is used within a delegated prefix is used by its holder.
FIND_PREFIXES_SQL = """
UPDATE ipam_seen SET record_id = held.id
FROM ipam_address AS held
WHERE ipam_seen.record_id IS NULL AND family(ipam_seen.address) = %(family)s
      AND masklen(ipam_seen.address) > %(length)s
      AND held.tenant_id = %(tenant)s AND held.vrf_id = %(vrf)s
      AND held.address = network(set_masklen(ipam_seen.address, %(length)s))::inet
"""

_DRIFT_SQL = """
INSERT INTO ipam_drift (id, tenant_id, created_at, updated_at, reconciliation_id, vrf_id, address, kind, record_id,
    holder_id, seen_subscription_id, seen_as, seen_at, repair)
SELECT uuidv7(), %(tenant)s, now(), now(), %(reconciliation)s, %(vrf)s, {columns}, ''
"""
_SEEN = (
    "seen.address, '{kind}', held.id, held.subscription_id, seen.subscription_id, seen.seen_as, seen.seen_at"
)
_FROM_SEEN = """
FROM ipam_seen AS seen
LEFT JOIN ipam_address AS held ON held.tenant_id = %(tenant)s AND held.id = seen.record_id
"""

SEEN_DRIFTS_SQL = {
    "unknown_address": "WHERE seen.subnet_id IS NULL AND held.id IS NULL",
    "used_but_free": "WHERE NOT seen.is_kept AND (held.id IS NULL AND seen.subnet_id IS NOT NULL "
    "OR held.state IN ('free', 'quarantined'))",
    "used_by_other": "WHERE held.state = 'assigned' AND seen.subscription_id IS NOT NULL "
    "AND seen.subscription_id IS DISTINCT FROM held.subscription_id",
}

# Only what such a list could have shown: its families, and prefixes only where it has some.
NOT_SEEN_SQL = """
FROM ipam_address AS held
LEFT JOIN subscribers_subscription AS line ON line.tenant_id = %(tenant)s AND line.id = held.subscription_id
LEFT JOIN ipam_pool AS pool ON pool.tenant_id = %(tenant)s AND pool.id = held.pool_id
WHERE held.tenant_id = %(tenant)s AND held.vrf_id = %(vrf)s AND held.state = 'assigned'
      AND (line.id IS NULL OR line.status = 'active')
      AND NOT EXISTS (SELECT FROM ipam_seen AS seen WHERE seen.record_id = held.id)
      AND (family(held.address), masklen(held.address) < CASE family(held.address) WHEN 4 THEN 32 ELSE 128 END)
          IN (SELECT family(address), masklen(address) < CASE family(address) WHEN 4 THEN 32 ELSE 128 END
              FROM ipam_seen)
"""
_NOT_SEEN = "held.address, 'assigned_not_seen', held.id, held.subscription_id, NULL, '', NULL"
# A session is a line's; a router's list knows the networks it has an address in; leases are of dynamic addresses.
_IN_ITS_SUBNETS = "AND held.subnet_id IN (SELECT subnet_id FROM ipam_seen)"
NOT_SEEN_BY = {
    SeenIn.SESSIONS: "AND line.id IS NOT NULL",
    SeenIn.ARP: _IN_ITS_SUBNETS,
    SeenIn.DHCP: _IN_ITS_SUBNETS + " AND pool.purpose IN ('dynamic', 'cgnat')",
}


def compare(cursor: Any, *, tenant_id: UUID, vrf_id: UUID, reconciliation_id: UUID, seen_in: str) -> None:
    """Write a drift for each address on which the book and `ipam_seen` disagree."""
    given: dict[str, Any] = {"tenant": tenant_id, "vrf": vrf_id, "reconciliation": reconciliation_id}
    cursor.execute("ANALYZE ipam_seen")
    for statement in FIND_LINES_SQL:
        cursor.execute(statement, given)
    cursor.execute(FIND_RECORDS_SQL, given)
    cursor.execute(PREFIX_LENGTHS_SQL, given)
    for family, length in sorted(cursor.fetchall(), reverse=True):
        cursor.execute(FIND_PREFIXES_SQL, {**given, "family": family, "length": length})
    cursor.execute("CREATE INDEX ON ipam_seen (record_id)")
    cursor.execute("ANALYZE ipam_seen")
    for kind, where in SEEN_DRIFTS_SQL.items():
        cursor.execute(_DRIFT_SQL.format(columns=_SEEN.format(kind=kind)) + _FROM_SEEN + where, given)
    where = NOT_SEEN_SQL + NOT_SEEN_BY[SeenIn(seen_in)]
    cursor.execute(_DRIFT_SQL.format(columns=_NOT_SEEN) + where, given)
