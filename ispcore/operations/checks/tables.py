"""Whether the tables are those of this release, closed between providers, and ready for next month."""

import re
from datetime import UTC, date, datetime

from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from ispcore.operations.checks.database import fetch
from ispcore.operations.checks.finding import Finding, error, ok, warning

# Found by the columns themselves, not by the models: a table made by hand counts as well. A partition is reached
# through its parent only; that nobody may reach it otherwise is checked instead.
OPEN_SQL = """
SELECT c.relname FROM pg_class c
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
  AND CASE WHEN c.relispartition THEN has_table_privilege('isp_app', c.oid, 'SELECT, INSERT, UPDATE, DELETE')
      ELSE NOT (c.relrowsecurity AND c.relforcerowsecurity
                AND EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid)) END
ORDER BY 1
"""
BOUNDS_SQL = """
SELECT parent.relname, pg_get_expr(part.relpartbound, part.oid)
FROM pg_class parent
LEFT JOIN pg_inherits i ON i.inhparent = parent.oid LEFT JOIN pg_class part ON part.oid = i.inhrelid
WHERE parent.relkind = 'p' AND parent.relnamespace = 'public'::regnamespace
"""
UPPER = re.compile(r"TO \('(\d{4}-\d\d-\d\d)")


def check_migrations() -> list[Finding]:
    """Find migrations that this release brings and the database has not had, and the other way around."""
    executor = MigrationExecutor(connection)
    pending = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if pending:
        return [
            error(
                f"{len(pending)} migrations are not applied, the first is {pending[0][0]}.",
                "Run `manage.py migrate` with DATABASE_URL set to the owner's URL.",
            )
        ]
    known = executor.loader.disk_migrations.keys()
    replaced = {key for migration in executor.loader.disk_migrations.values() for key in migration.replaces}
    ahead = sorted(set(executor.loader.applied_migrations) - known - replaced)
    if ahead:
        return [
            warning(
                f"The database has had {len(ahead)} migrations that this release does not know, such as {ahead[0]}.",
                "Right only while an upgrade is under way or was taken back: see docs/upgrades.md.",
            )
        ]
    return [ok("all are applied")]


def check_isolation() -> list[Finding]:
    """Find tables of providers' rows that row-level security does not close."""
    found = [name for (name,) in fetch(OPEN_SQL)]
    return [
        error(
            f"The table {name} shows every provider's rows to every provider.",
            f'ALTER TABLE "{name}" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY; and see that it has the policy '
            "tenant_isolation (for a partition: REVOKE ALL … FROM isp_app).",
        )
        for name in found
    ] or [ok("every table with a tenant_id is closed")]


def check_partitions() -> list[Finding]:
    """Find partitioned tables into which next month's rows would not fit."""
    ends: dict[str, date] = {}
    for table, bound in fetch(BOUNDS_SQL):
        match = UPPER.search(bound or "")
        ends[table] = max(ends.get(table, date.min), date.fromisoformat(match[1]) if match else date.min)
    needed = _month_after(_month_after(datetime.now(UTC).date()))
    short = sorted(table for table, end in ends.items() if end < needed)
    return [
        error(
            f"{table} has no partition for next month.",
            "The beat or the worker of the queue `default` is down, or fails: each night it makes three months ahead. "
            "Look for make_partitions and make_reading_partitions in the worker's log.",
        )
        for table in short
    ] or [ok(f"{len(ends)} tables are ready for next month")]


def _month_after(day: date) -> date:
    return date(day.year + day.month // 12, day.month % 12 + 1, 1)
