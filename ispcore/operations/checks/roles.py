"""Whether each database role may do what it must, and nothing more."""

from ispcore.embedded.roles import APP, ATTRIBUTES, OWNER, PLATFORM, RADIUS, WANTED
from ispcore.operations.checks.database import fetch
from ispcore.operations.checks.finding import Finding, error, ok

# What FreeRADIUS calls (deploy/freeradius). It reads and writes through them only.
RADIUS_CALLS = ("aaa_accounting", "aaa_authorize", "aaa_client", "aaa_log_in", "aaa_post_auth")
LEAKING = {
    "rolsuper": "a superuser",
    "rolbypassrls": "not bound by row-level security",
    "rolcreaterole": "able to make roles",
}
OWNERS_SQL = """
SELECT DISTINCT pg_get_userbyid(c.relowner) FROM pg_class c
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'S')
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e') ORDER BY 1
"""
MEMBERS_SQL = """
SELECT m.rolname, g.rolname FROM pg_roles m JOIN pg_roles g ON pg_has_role(m.oid, g.oid, 'MEMBER') AND m.oid <> g.oid
WHERE m.rolname = ANY (%s) AND NOT m.rolsuper
"""
CALLABLE_SQL = """
SELECT proname FROM pg_proc p WHERE pronamespace = 'public'::regnamespace
  AND has_function_privilege(%s, p.oid, 'EXECUTE')
  AND (proname = ANY (%s) OR prosecdef AND prorettype <> 'trigger'::regtype)
"""
TABLES_SQL = """
SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm')
  AND (has_table_privilege(%s, oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE')
       OR has_any_column_privilege(%s, oid, 'SELECT, INSERT, UPDATE')) ORDER BY 1
"""
WRITABLE_SQL = """
SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
  AND has_table_privilege(%s, oid, 'INSERT, UPDATE, DELETE, TRUNCATE')
"""


def check_roles() -> list[Finding]:
    """Find roles that are missing, that could see every tenant's rows, or that this process should not have."""
    columns = ", ".join(ATTRIBUTES)
    found = {row[0]: row[1:] for row in fetch(f"SELECT rolname, {columns} FROM pg_roles")}  # noqa: S608  (constants)
    findings = [*_check_runtime(found)]
    for role, wanted in WANTED.items():
        if role not in found:
            findings.append(
                error(
                    f"The role {role} does not exist.", "Create it as docs/runbooks/local-servers.md shows."
                )
            )
            continue
        has, wants = (
            dict(zip(ATTRIBUTES, found[role], strict=True)),
            dict(zip(ATTRIBUTES, wanted, strict=True)),
        )
        findings += [
            error(f"The role {role} is {words}.", f"ALTER ROLE {role} NO{ATTRIBUTES[name]};")
            for name, words in LEAKING.items()
            if has[name] and not wants[name]
        ]
        if wants["rolbypassrls"] and not has["rolbypassrls"]:
            findings.append(
                error(
                    f"The role {role} is bound by row-level security: changes of data would see no rows.",
                    f"ALTER ROLE {role} BYPASSRLS;",
                )
            )
    findings += _check_membership()
    return findings or [ok(f"{', '.join(WANTED)} are as they should be")]


def _check_runtime(found: dict[str, tuple[bool, ...]]) -> list[Finding]:
    """Look at whoever this process is logged in as, whatever its name."""
    findings = []
    names = list(ATTRIBUTES)
    for using, wanted in (("default", APP), ("platform", PLATFORM)):
        ((user,),) = fetch("SELECT current_user", using=using)
        has = dict(zip(names, found[user], strict=True))
        if has["rolsuper"] or (has["rolbypassrls"] and user != wanted):
            variable = "DATABASE_URL" if using == "default" else "DATABASE_PLATFORM_URL"
            findings.append(
                error(
                    f"{variable} logs in as {user}, whom row-level security does not bind.",
                    f"Use the role {wanted}; the owner's URL belongs into DATABASE_OWNER_URL of migrations alone.",
                )
            )
        if using == "platform" and user == APP:
            findings.append(
                error(
                    f"What reads across providers logs in as {user}, who sees no rows without one.",
                    f"Set DATABASE_PLATFORM_URL to the role {wanted}.",
                )
            )
    ((writable,),) = fetch(WRITABLE_SQL, [PLATFORM]) if PLATFORM in found else ((0,),)
    if writable:
        findings.append(
            error(
                f"The role {PLATFORM}, which sees every provider's rows, may write to {writable} tables.",
                f"REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON ALL TABLES IN SCHEMA public FROM {PLATFORM};",
            )
        )
    return findings


def _check_membership() -> list[Finding]:
    findings = [
        error(f"The role {member} is a member of {group}.", f"REVOKE {group} FROM {member};")
        for member, group in fetch(MEMBERS_SQL, [[APP, PLATFORM, RADIUS]])
    ]
    owners = [name for (name,) in fetch(OWNERS_SQL)]
    return findings + [
        error(
            f"Tables belong to {name} and not to {OWNER}.",
            f"REASSIGN OWNED BY {name} TO {OWNER}; in this database, as a superuser.",
        )
        for name in owners
        if name != OWNER
    ]


def check_radius() -> list[Finding]:
    """Find what FreeRADIUS needs and may not do, and what it may do and does not need."""
    if not fetch("SELECT FROM pg_roles WHERE rolname = %s", [RADIUS]):
        return [
            error(f"The role {RADIUS} does not exist.", "Create it as docs/runbooks/local-servers.md shows.")
        ]
    callable_ = {name for (name,) in fetch(CALLABLE_SQL, [RADIUS, list(RADIUS_CALLS)])}
    findings = [
        error(
            f"{RADIUS} may not call {name}, so log-ins would fail.",
            f"GRANT EXECUTE ON FUNCTION {name} TO {RADIUS};",
        )
        for name in RADIUS_CALLS
        if name not in callable_
    ]
    findings += [
        error(
            f"{RADIUS} may call {name}, which it has no need of.",
            f"REVOKE ALL ON FUNCTION {name} FROM {RADIUS}, PUBLIC;",
        )
        for name in sorted(callable_.difference(RADIUS_CALLS))
    ]
    tables = [name for (name,) in fetch(TABLES_SQL, [RADIUS, RADIUS])]
    if tables:
        findings.append(
            error(
                f"{RADIUS} may touch tables itself: {', '.join(tables[:5])}{' …' if len(tables) > 5 else ''}.",
                f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {RADIUS}, PUBLIC;",
            )
        )
    return findings or [ok(f"{RADIUS} may call {len(RADIUS_CALLS)} functions and nothing else")]
