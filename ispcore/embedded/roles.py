"""The four database roles and what each may do, created where we are allowed to.

docs/adr/0003-embedded-servers.md says why these attributes. `manage.py check_roles` refuses to serve
without them.
"""

from collections.abc import Mapping
from urllib.parse import quote, urlsplit, urlunsplit

import psycopg
from psycopg import sql

from ispcore.embedded.process import EmbeddedError

OWNER, APP, PLATFORM, RADIUS = "isp_owner", "isp_app", "isp_platform", "isp_radius"
ROLE_NAMES = (OWNER, APP, PLATFORM, RADIUS)
# pg_roles columns and the attribute each stands for. The order is that of the tuples below.
ATTRIBUTES = {
    "rolcanlogin": "LOGIN",
    "rolsuper": "SUPERUSER",
    "rolinherit": "INHERIT",
    "rolcreatedb": "CREATEDB",
    "rolcreaterole": "CREATEROLE",
    "rolbypassrls": "BYPASSRLS",
}
WANTED = {
    # The owner needs BYPASSRLS: under FORCE ROW LEVEL SECURITY a data migration would silently see no rows.
    OWNER: (True, False, True, True, False, True),
    APP: (True, False, True, False, False, False),
    PLATFORM: (True, False, True, False, False, False),
    RADIUS: (True, False, True, False, False, False),
}
# What FreeRADIUS asks touches a row or two and is asked on connections that stay: plans are made once, and never for a
# table as small as it was on the first day.
SETTINGS = (
    (PLATFORM, "default_transaction_read_only", "on"),
    (RADIUS, "enable_seqscan", "off"),
    (RADIUS, "plan_cache_mode", "force_generic_plan"),
    (RADIUS, "jit", "off"),
)
GRANTS = f"""
ALTER SCHEMA public OWNER TO {OWNER};
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO {APP}, {PLATFORM}, {RADIUS};
ALTER DEFAULT PRIVILEGES FOR ROLE {OWNER} IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES
TO {APP};
ALTER DEFAULT PRIVILEGES FOR ROLE {OWNER} IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO {APP};
ALTER DEFAULT PRIVILEGES FOR ROLE {OWNER} IN SCHEMA public GRANT SELECT ON TABLES TO {PLATFORM};
"""


def url_for(url: str, *, role: str, password: str, database: str | None = None) -> str:
    """Return the URL of the same server and parameters for another role, and database if given."""
    parts = urlsplit(url)
    address = parts.netloc.rpartition("@")[2]
    path = parts.path if database is None else f"/{quote(database, safe='')}"
    return urlunsplit(parts._replace(netloc=f"{quote(role)}:{quote(password, safe='')}@{address}", path=path))


def may_create_roles(url: str) -> bool:
    """Tell whether the URL's role is a superuser or has CREATEROLE.

    Raises EmbeddedError when the server does not let it in.
    """
    with _connect(url, fallback="postgres") as connection:
        row = connection.execute(
            "SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user"
        ).fetchone()
    return bool(row and row[0])


def ensure_roles(admin_url: str, *, passwords: Mapping[str, str], ours: bool) -> None:
    """Create the four roles, or bring their attributes back to what they should be.

    Safe to repeat. `ours` says that the server is the embedded one: there a role's password is simply set; on
    a server of somebody else's a role that exists with another password belongs to another installation.
    Raises EmbeddedError for such a role, and when the administrator may not grant what is needed.
    """
    columns = sql.SQL(", ").join(map(sql.Identifier, ATTRIBUTES))
    query = sql.SQL("SELECT rolname, {} FROM pg_roles").format(columns)
    with _connect(url_for_maintenance(admin_url)) as connection:
        present = {str(row[0]): row[1:] for row in connection.execute(query)}
        try:
            for role in ROLE_NAMES:
                lets_in = role in present and _lets_in(
                    url_for(admin_url, role=role, password=passwords[role])
                )
                if role in present and not lets_in and not ours:
                    raise EmbeddedError(
                        f"The role {role} already exists on the server in DATABASE_URL with a password that "
                        "is not in secrets.env: it belongs to another installation. Set DATABASE_URL to its "
                        "isp_app role (and DATABASE_OWNER_URL to isp_owner for migrations), or use a server "
                        "of its own."
                    )
                if not lets_in or present[role] != WANTED[role]:
                    _write_role(connection, role, passwords[role], exists=role in present)
            for role, setting, value in SETTINGS:
                connection.execute(
                    sql.SQL("ALTER ROLE {} SET {} = {}").format(
                        sql.Identifier(role), sql.Identifier(setting), sql.Literal(value)
                    )
                )
        except psycopg.errors.InsufficientPrivilege as error:
            raise EmbeddedError(
                "The role in DATABASE_URL cannot create the roles ISPCore needs: "
                f"{error.diag.message_primary}. Use a superuser once (isp_owner needs BYPASSRLS), or create "
                "the roles as docs/runbooks/local-servers.md shows and set DATABASE_URL to isp_app and "
                "DATABASE_OWNER_URL to isp_owner."
            ) from error


def _write_role(
    connection: "psycopg.Connection[tuple[object, ...]]", role: str, password: str, *, exists: bool
) -> None:
    words = [
        word if wanted else f"NO{word}"
        for word, wanted in zip(ATTRIBUTES.values(), WANTED[role], strict=True)
    ]
    # The verifier, not the password: the statement may end up in the server's log.
    verifier = connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256")
    statement = sql.SQL("{} ROLE {} {} PASSWORD {}").format(
        sql.SQL("ALTER" if exists else "CREATE"),
        sql.Identifier(role),
        sql.SQL(" ".join(words)),
        sql.Literal(verifier.decode()),
    )
    connection.execute(statement)


def ensure_database(admin_url: str, *, database: str, owner_password: str) -> None:
    """Create the database when it is missing, hand it to isp_owner and set the default privileges in it.

    Safe to repeat. Raises EmbeddedError when the database holds tables of somebody else.
    """
    name = sql.Identifier(database)
    owner = sql.Identifier(OWNER)
    with _connect(url_for_maintenance(admin_url)) as connection:
        # ALTER DATABASE … OWNER asks a mere CREATEROLE administrator to be a member of the new owner.
        if not _is_superuser(connection):
            connection.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(owner))
        row = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database]).fetchone()
        if row is None:
            connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(name, owner))
    with _connect(_with_database(admin_url, database)) as connection:
        _refuse_foreign_tables(connection, database)
        connection.execute(sql.SQL("ALTER DATABASE {} OWNER TO {}").format(name, owner))
    prepare_database(url_for(admin_url, role=OWNER, password=owner_password, database=database))


def prepare_database(owner_url: str) -> None:
    """Give the roles their default rights in one database, before its first migration.

    Default privileges belong to a database, so a test database needs this once as well. Safe to repeat.
    """
    with _connect(owner_url) as connection, connection.transaction():
        # Two starts at once would change the same catalogue rows.
        connection.execute("SELECT pg_advisory_xact_lock(hashtext('ispcore.embedded.prepare_database'))")
        connection.execute(GRANTS)


def url_for_maintenance(admin_url: str) -> str:
    """Return the URL with the database `postgres`, which exists everywhere."""
    return _with_database(admin_url, "postgres")


def _with_database(url: str, database: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{quote(database, safe='')}"))


def _refuse_foreign_tables(connection: "psycopg.Connection[tuple[object, ...]]", database: str) -> None:
    row = connection.execute(
        "SELECT tableowner, count(*) FROM pg_tables WHERE schemaname = 'public' AND tableowner <> %s GROUP "
        "BY 1",
        [OWNER],
    ).fetchone()
    if row is not None:
        raise EmbeddedError(
            f"The database {database} already holds {row[1]} tables of the role {row[0]}. Name an empty "
            "database in "
            "DATABASE_URL; it is created when it does not exist."
        )


def _is_superuser(connection: "psycopg.Connection[tuple[object, ...]]") -> bool:
    row = connection.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetchone()
    return bool(row and row[0])


def _lets_in(url: str) -> bool:
    try:
        psycopg.connect(_with_database(url, "postgres"), connect_timeout=5).close()
    except psycopg.OperationalError:
        return False
    return True


def _connect(url: str, fallback: str | None = None) -> "psycopg.Connection[tuple[object, ...]]":
    """Connect in autocommit mode, to the `fallback` database when the URL's does not exist."""
    try:
        return psycopg.connect(url, autocommit=True, connect_timeout=10)
    except psycopg.OperationalError as error:
        if fallback is not None and "does not exist" in str(error):
            return _connect(_with_database(url, fallback))
        address = urlsplit(url).netloc.rpartition("@")[2]
        raise EmbeddedError(f"Cannot log in to PostgreSQL at {address}: {str(error).strip()}") from error
