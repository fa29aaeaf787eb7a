"""What a database holds, in figures: asked of a backup's snapshot, and of what was restored from it."""

import hashlib
from typing import Any

from psycopg import Connection, sql

from ispcore.files.tenant_export import contents
from ispcore.operations.backups import BackupError

TABLES = """
    SELECT nspname, relname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE relkind = 'r' AND relpersistence <> 't' AND nspname <> 'information_schema' AND nspname !~ '^pg_'
    ORDER BY 1, 2
"""
# Whoever objects here belong to, or is granted something on them.
ROLES = """
    SELECT DISTINCT rolname FROM pg_shdepend AS d JOIN pg_roles AS r ON r.oid = d.refobjid
    WHERE refclassid = 'pg_authid'::regclass AND dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
    ORDER BY 1
"""
# One line for each thing that keeps providers apart or histories whole.
RIGHTS = """
    WITH ours AS (SELECT oid, nspname, nspowner, nspacl FROM pg_namespace
                  WHERE nspname <> 'information_schema' AND nspname !~ '^pg_'),
    granted AS (
        SELECT 'schema ' || nspname AS what, nspowner AS owner, coalesce(nspacl, acldefault('n', nspowner)) AS acl
        FROM ours
        UNION ALL
        SELECT format('%s %I.%I', relkind, nspname, relname), relowner,
               coalesce(relacl, acldefault(CASE relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", relowner))
        FROM pg_class JOIN ours ON ours.oid = relnamespace WHERE relkind IN ('r', 'p', 'v', 'm', 'S')
        UNION ALL
        SELECT format('function %I.%I(%s) %s %s', nspname, proname, pg_get_function_identity_arguments(p.oid),
                      prosecdef, proconfig), proowner, coalesce(proacl, acldefault('f', proowner))
        FROM pg_proc AS p JOIN ours ON ours.oid = pronamespace
        UNION ALL
        SELECT format('column %I.%I', attrelid::regclass, attname), NULL, attacl FROM pg_attribute
        JOIN pg_class AS c ON c.oid = attrelid JOIN ours ON ours.oid = relnamespace WHERE attacl IS NOT NULL
        UNION ALL
        SELECT format('default %s %s', defaclrole::regrole, defaclobjtype), defaclrole, defaclacl
        FROM pg_default_acl JOIN ours ON ours.oid = defaclnamespace
    )
    SELECT format('%s owner %s', what, owner::regrole) FROM granted
    UNION ALL
    SELECT format('%s grant %s %s %s', what, CASE grantee WHEN 0 THEN 'public' ELSE grantee::regrole::text END,
                  privilege_type, is_grantable) FROM granted, aclexplode(acl)
    UNION ALL
    SELECT format('rows of %I.%I %s %s', nspname, relname, relrowsecurity, relforcerowsecurity)
    FROM pg_class JOIN ours ON ours.oid = relnamespace WHERE relkind IN ('r', 'p')
    UNION ALL
    SELECT format('policy %s', to_jsonb(p)) FROM pg_policies AS p
    UNION ALL
    SELECT format('trigger %s on %s %s %s %s %s', tgname, tgrelid::regclass, tgenabled, tgtype, tgfoid::regprocedure,
                  encode(tgargs, 'escape')) FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL
    SELECT format('constraint %s %s %s%s %s', conrelid::regclass, conname, convalidated, conenforced,
                  -- Conditions that were restored are printed with casts and brackets in other places.
                  CASE contype WHEN 'c' THEN '' ELSE pg_get_constraintdef(c.oid) END)
    FROM pg_constraint AS c JOIN ours ON ours.oid = connamespace WHERE conrelid <> 0
    ORDER BY 1
"""

Database = Connection[Any]


def require_all_rows(database: Database) -> None:
    """Raise BackupError for a role that row-level security would show a part of the rows."""
    found = database.execute(
        "SELECT current_user, rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user"
    ).fetchone()
    assert found is not None
    if not found[1]:
        raise BackupError(
            f"The role {found[0]} does not see every provider's rows. Set DATABASE_OWNER_URL to isp_owner, "
            "which has BYPASSRLS."
        )


def count_rows(database: Database) -> dict[str, int]:
    """Return the number of rows of every table, partitions each by themselves."""
    counted = {}
    for schema, table in database.execute(TABLES).fetchall():
        query = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(schema, table))
        row = database.execute(query).fetchone()
        assert row is not None
        counted[f"{schema}.{table}"] = int(row[0])
    return counted


def read_totals(database: Database) -> dict[str, dict[str, dict[str, str]]]:
    """Return the amounts of money of every provider that has any, as the apps name them (`contents.add_total`)."""
    tenants = database.execute("SELECT slug, id FROM tenants_tenant ORDER BY slug").fetchall()
    totals = {slug: _totals_of(database, tenant_id) for slug, tenant_id in tenants}
    return {slug: found for slug, found in totals.items() if found}


def read_migrations(database: Database) -> dict[str, list[str]]:
    """Return the migrations that were applied, by app; empty where there is no table of them."""
    exists = database.execute("SELECT to_regclass('public.django_migrations')").fetchone()
    if exists is None or exists[0] is None:
        return {}
    applied: dict[str, list[str]] = {}
    for app, name in database.execute("SELECT app, name FROM django_migrations ORDER BY app, name"):
        applied.setdefault(app, []).append(name)
    return applied


def read_roles(database: Database) -> list[str]:
    """Return the roles that what is in this database needs."""
    return [str(name) for (name,) in database.execute(ROLES)]


def read_rights(database: Database) -> list[str]:
    """Return owners, grants, row-level security, policies, triggers and constraints, a line each."""
    with database.transaction():
        database.execute("SET LOCAL search_path = ''")  # Names come out the same whoever asks.
        return sorted(str(line) for (line,) in database.execute(RIGHTS))


def digest_of(lines: list[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _totals_of(database: Database, tenant_id: Any) -> dict[str, dict[str, str]]:
    totals = {}
    for name, statement in contents.totals().items():
        amounts = database.execute(statement, {"tenant": tenant_id}).fetchall()
        if amounts:
            totals[name] = {str(currency): str(amount) for currency, amount in amounts}
    return totals
