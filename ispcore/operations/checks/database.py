"""Whether the database server is one that the tables and queries were made for."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import psycopg
from django.db import OperationalError, connection, connections

from ispcore.operations.checks.finding import Finding, error, ok, warning

OLDEST_MAJOR = 18  # uuidv7(), NOT ENFORCED and temporal keys came with it.
COMMON_ZONES = ("UTC", "Europe/Berlin", "America/Bogota", "Africa/Johannesburg", "Asia/Kolkata")
LOCALE_SQL = """
SELECT pg_encoding_to_char(encoding), datlocprovider, datcollversion, pg_database_collation_actual_version(oid)
FROM pg_database WHERE datname = current_database()
"""


def fetch(
    query: str, parameters: list[Any] | None = None, *, using: str = "default"
) -> list[tuple[Any, ...]]:
    with connections[using].cursor() as cursor:
        cursor.execute(query, parameters)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows


def check_version() -> list[Finding]:
    """Find a server that does not answer or is too old."""
    try:
        number = int(fetch("SHOW server_version_num")[0][0])
    except OperationalError as failure:
        reason = str(failure).strip().splitlines()[0]
        return [error(f"PostgreSQL does not let us in: {reason}", "Start it, or correct DATABASE_URL.")]
    major = number // 10000
    if major < OLDEST_MAJOR:
        return [
            error(
                f"PostgreSQL is version {major}; {OLDEST_MAJOR} is the oldest that works.",
                "Upgrade it (pg_upgrade).",
            )
        ]
    return [ok(f"PostgreSQL {major}.{number % 10000}")]


def check_text() -> list[Finding]:
    """Find an encoding that cannot hold every name, and a collation whose indexes no longer sort as the system does."""
    encoding, provider, recorded, actual = fetch(LOCALE_SQL)[0]
    if encoding != "UTF8":
        return [
            error(
                f"The database's encoding is {encoding}.",
                "Make a new one with ENCODING 'UTF8' TEMPLATE template0 and restore a dump into it.",
            )
        ]
    if recorded != actual:
        return [
            error(
                f"The system sorts text otherwise ({actual}) than when the indexes were built ({recorded}): "
                "rows may not be found.",
                "REINDEX DATABASE, then ALTER DATABASE … REFRESH COLLATION VERSION.",
            )
        ]
    return [ok(f"UTF8, locale provider {provider}, collation version {actual or 'none'}")]


def check_time_zones() -> list[Finding]:
    """Find time zones that PostgreSQL and Python do not know, or know differently; a bill's day depends on them."""
    tenants = {zone for (zone,) in fetch("SELECT DISTINCT timezone FROM tenants_tenant", using="platform")}
    at = datetime.now(UTC)
    differing = [zone for zone in sorted(tenants.union(COMMON_ZONES)) if not _agrees(zone, at)]
    if differing:
        return [
            error(
                f"PostgreSQL and Python disagree on the time in {', '.join(differing)}.",
                "Bring both up to date: the package tzdata on PostgreSQL's machine and on this one (pip's tzdata "
                "where the system has none).",
            )
        ]
    return [ok(f"{len(tenants.union(COMMON_ZONES))} zones are the same in PostgreSQL and Python")]


def _agrees(zone: str, at: datetime) -> bool:
    """Tell whether both show the same local time now and half a year off, when summer time differs."""
    try:
        here = [
            at.replace(month=month, day=1).astimezone(ZoneInfo(zone)).replace(tzinfo=None) for month in (1, 7)
        ]
        there = [
            fetch("SELECT %s::timestamptz AT TIME ZONE %s", [at.replace(month=month, day=1), zone])[0][0]
            for month in (1, 7)
        ]
    except (ZoneInfoNotFoundError, ValueError, psycopg.Error, OSError):
        return False
    except Exception as failure:  # Django wraps what PostgreSQL says of a zone it does not know.
        if isinstance(failure.__cause__, psycopg.Error):
            connection.close()
            return False
        raise
    return here == there


def check_pooler() -> list[Finding]:
    """Find a PgBouncer whose mode ends our transactions early."""
    connection.ensure_connection()
    info = connection.connection.info  # Of several hosts in the URL, the one that answered.
    asked = info.port
    served = fetch("SELECT inet_server_port()")[0][0]
    if served in (None, asked):
        return [ok("none: this process speaks to PostgreSQL itself")]
    mode = _pool_mode(info)
    if mode == "statement":
        return [
            error(
                "PgBouncer's pool_mode is `statement`: every transaction would fail.",
                "Set pool_mode = transaction in pgbouncer.ini.",
            )
        ]
    if mode is None:
        return [
            warning(
                f"A pooler listens on port {asked} before PostgreSQL on {served}, and does not tell its mode.",
                "Name this role in stats_users of pgbouncer.ini; pool_mode must be transaction or session.",
            )
        ]
    return [ok(f"PgBouncer in {mode} mode")]


def _pool_mode(info: psycopg.ConnectionInfo) -> str | None:
    """Return what PgBouncer's console says, None where it is closed to us."""
    try:
        with psycopg.connect(
            host=info.host,
            port=info.port,
            user=info.user,
            password=info.password,
            dbname="pgbouncer",
            autocommit=True,
            connect_timeout=3,
            cursor_factory=psycopg.ClientCursor,
        ) as console:
            databases = console.execute("SHOW DATABASES")
            columns = [column.name for column in databases.description or ()]
            rows = [dict(zip(columns, row, strict=True)) for row in databases.fetchall()]
            mine = next((row for row in rows if row["name"] == info.dbname), {})
            config = {row[0]: row[1] for row in console.execute("SHOW CONFIG").fetchall()}
    except psycopg.Error:
        return None
    return mine.get("pool_mode") or config.get("pool_mode")
