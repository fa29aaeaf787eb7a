"""Restore a backup beside the database, compare it, and put it in its place by a change of names.

Until that change, one transaction, nothing is different for anybody; a restore that is killed is begun anew.
"""

import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psycopg
from django.db.migrations.loader import MigrationLoader
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from ispcore.embedded.process import last_lines, spawn
from ispcore.operations.backups import BackupError, figures, manifest, positions, programs
from ispcore.operations.backups.manifest import Manifest
from ispcore.operations.backups.taking import DUMP, JOBS, Tell

DRAFT = "_restoring"
LONGEST_NAME = 63 - len("_before_20260131000000")
LOCK = "ispcore.operations.restore"


@dataclass(frozen=True)
class Restored:
    """What was done; `set_aside` is the name of the database that was there before."""

    manifest: Manifest
    warnings: list[str]
    set_aside: str | None


def check_backup(folder: Path, *, without_keys: bool) -> tuple[Manifest, list[str]]:
    """Look at everything that can be looked at before anything is written, and return what to warn of.

    Raises BackupError for damage, for keys that are missing and for a backup of a newer ISPCore.
    """
    found = manifest.read_manifest(folder)
    manifest.check_files(folder, found)
    warnings = (
        ["The keys were not looked at: secrets that were made with others do not open."]
        if without_keys
        else manifest.check_keys(found)
    )
    return found, warnings + _check_migrations(found)


def restore_backup(
    *, owner_url: str, folder: Path, replace: bool, without_keys: bool, tell: Tell
) -> Restored:
    """Restore into the database that the URL names, which must be empty or missing unless `replace` is set.

    Safe to repeat after it was killed. What was there is kept under another name. Raises BackupError, and then
    the database is as it was.
    """
    tell("Checking the manifest, the files and the keys.")
    found, warnings = check_backup(folder, without_keys=without_keys)
    name = str(conninfo_to_dict(owner_url).get("dbname") or "")
    if not 0 < len(name) <= LONGEST_NAME:
        raise BackupError(f"DATABASE_OWNER_URL names no database, or one longer than {LONGEST_NAME} letters.")
    with _server(owner_url) as server:
        _check_server(server, found)
        has_tables = _look_at(server, owner_url, name, replace=replace)
        draft = f"{name}{DRAFT}"
        _make_draft(server, draft, like=name)
        draft_url = make_conninfo(owner_url, dbname=draft)
        tell(f"Restoring {found.rows} rows of {found.made_at} into {draft}.")
        _load(folder, draft_url, major=server.info.server_version // 10_000)
        tell("Comparing rows, totals, rights and guards with the manifest.")
        with _connected(draft_url) as database:
            warnings += compare(database, found)
            if positions.renumber(database):
                warnings.append(positions.RENUMBERED)
            database.execute("ANALYZE")
        set_aside = _put_in_place(server, name, draft, has_tables=has_tables)
    return Restored(found, warnings, set_aside)


def compare(database: figures.Database, wanted: Manifest) -> list[str]:
    """Raise BackupError when what was restored is not what was backed up; returns what could not be compared."""
    counted = figures.count_rows(database)
    wrong = [
        f"{table}: {counted.get(table, 'no table')} instead of {wanted.tables.get(table, 'no table')}"
        for table in sorted(counted.keys() | wanted.tables.keys())
        if counted.get(table) != wanted.tables.get(table)
    ]
    if figures.digest_of(figures.read_rights(database)) != wanted.rights:
        wrong.append("owners, grants, policies, triggers or constraints differ")
    warnings = []
    try:
        totals = figures.read_totals(database)
    except (psycopg.errors.UndefinedColumn, psycopg.errors.UndefinedTable):
        warnings.append("The totals of money were not compared: the backup is of an older ISPCore.")
    else:
        wrong += [
            f"{tenant}: the totals are {totals.get(tenant)} instead of {wanted.totals.get(tenant)}"
            for tenant in sorted(totals.keys() | wanted.totals.keys())
            if totals.get(tenant) != wanted.totals.get(tenant)
        ]
    if wrong:
        raise BackupError(f"What was restored is not what was backed up: {'; '.join(wrong)}.")
    return warnings


def _check_migrations(found: Manifest) -> list[str]:
    """Raise BackupError for migrations that this code does not have; warn of those the backup does not have."""
    loader = MigrationLoader(None, ignore_no_migrations=True)
    known = set(loader.disk_migrations)
    known |= {old for each in loader.disk_migrations.values() for old in each.replaces}
    applied = {(app, name) for app, names in found.migrations.items() for name in names}
    ours = {app for app, _ in known}
    newer = sorted(f"{app}.{name}" for app, name in applied - known if app in ours)
    if newer:
        raise BackupError(
            f"This backup is of a newer ISPCore, whose migrations are not here: {', '.join(newer)}. "
            "Install that version first."
        )
    if all(each in applied or _replaced(loader, each, applied) for each in loader.disk_migrations):
        return []
    return ["The backup is of an older ISPCore: run `manage.py migrate` as the owner before anything starts."]


def _replaced(loader: MigrationLoader, key: tuple[str, str], applied: set[tuple[str, str]]) -> bool:
    replaces = loader.disk_migrations[key].replaces
    return bool(replaces) and set(replaces) <= applied


@contextmanager
def _server(owner_url: str) -> Iterator[figures.Database]:
    """Give a connection beside the database, which holds off a second restore for the block."""
    with _connected(make_conninfo(owner_url, dbname="postgres")) as server:
        row = server.execute("SELECT pg_try_advisory_lock(hashtext(%s))", [LOCK]).fetchone()
        if row is None or not row[0]:
            raise BackupError("Another restore is running on this server.")
        yield server


@contextmanager
def _connected(url: str) -> Iterator[figures.Database]:
    try:
        database: figures.Database = psycopg.connect(url, autocommit=True, connect_timeout=10)
    except psycopg.OperationalError as error:
        raise BackupError(f"DATABASE_OWNER_URL does not let in: {str(error).strip()}") from error
    with database:
        for setting in ("statement_timeout", "transaction_timeout", "idle_in_transaction_session_timeout"):
            database.execute(f"SET {setting} = 0")
        yield database


def _check_server(server: figures.Database, found: Manifest) -> None:
    figures.require_all_rows(server)
    row = server.execute(
        "SELECT rolsuper OR rolcreatedb FROM pg_roles WHERE rolname = current_user"
    ).fetchone()
    if row is None or not row[0]:
        raise BackupError("The role in DATABASE_OWNER_URL may not create a database: it needs CREATEDB.")
    present = {name for (name,) in server.execute("SELECT rolname FROM pg_roles")}
    missing = sorted(set(found.roles) - present)
    if missing:
        raise BackupError(
            f"The server has no role {', '.join(missing)}, on which the backup's grants depend. Create the roles as "
            "docs/runbooks/local-servers.md shows."
        )


def _look_at(server: figures.Database, owner_url: str, name: str, *, replace: bool) -> bool:
    """Return whether the database has tables. Raises BackupError when it may not be touched."""
    if server.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone() is None:
        return False
    users = server.execute(
        "SELECT coalesce(usename, '?'), count(*) FROM pg_stat_activity WHERE datname = %s "
        "AND backend_type = 'client backend' GROUP BY 1 ORDER BY 1",
        [name],
    ).fetchall()
    if users:
        listed = ", ".join(f"{count} of {user}" for user, count in users)
        raise BackupError(
            f"The database {name} is in use: {listed}. Stop web, workers, beat, FreeRADIUS and PgBouncer first."
        )
    with _connected(owner_url) as database:
        has_tables = bool(database.execute(figures.TABLES).fetchall())
    if has_tables and not replace:
        raise BackupError(
            f"The database {name} is not empty, so nothing was restored. Name an empty one, or give --replace "
            "(REPLACE=1 make restore): then it is kept under another name."
        )
    return has_tables


def _make_draft(server: figures.Database, draft: str, *, like: str) -> None:
    """Create an empty database with the sorting of the one it takes the place of."""
    server.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(draft)))
    found = server.execute(
        "SELECT pg_encoding_to_char(encoding), datlocprovider::text, datcollate, datctype, datlocale FROM pg_database "
        "WHERE datname = %s",
        [like],
    ).fetchone()
    statement = sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(draft))
    if found is not None:
        encoding, provider, collate, ctype, locale = found
        statement += sql.SQL(" ENCODING {} LC_COLLATE {} LC_CTYPE {}").format(encoding, collate, ctype)
        if provider == "b":
            statement += sql.SQL(" LOCALE_PROVIDER builtin BUILTIN_LOCALE {}").format(locale)
        elif provider == "i":
            statement += sql.SQL(" LOCALE_PROVIDER icu ICU_LOCALE {}").format(locale)
        else:
            statement += sql.SQL(" LOCALE_PROVIDER libc")
    server.execute(statement)


def _load(folder: Path, url: str, *, major: int) -> None:
    program = programs.find_program("pg_restore", major=major)
    target, environment = programs.without_password(url)
    with tempfile.TemporaryDirectory() as directory:
        log = Path(directory) / "pg_restore.log"
        process = spawn(
            [
                str(program), f"--dbname={target}", "--no-password", "--exit-on-error", f"--jobs={JOBS}",
                str(folder.absolute() / DUMP),
            ],
            log=log,
            env=environment,
            die_with_parent=signal.SIGTERM,
        )  # fmt: skip
        try:
            while process.poll() is None:
                time.sleep(0.05)
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()
        if process.returncode != 0:
            raise BackupError(f"pg_restore failed with status {process.returncode}:\n{last_lines(log)}")


def _put_in_place(server: figures.Database, name: str, draft: str, *, has_tables: bool) -> str | None:
    """Give the restored database its name, in one transaction with taking it from the one before.

    Raises BackupError when somebody has connected meanwhile.
    """
    before = f"{name}_before_{datetime.now(UTC):%Y%m%d%H%M%S}"
    exists = server.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone() is not None
    rename = sql.SQL("ALTER DATABASE {} RENAME TO {}")
    try:
        with server.transaction():
            if exists:
                server.execute(rename.format(sql.Identifier(name), sql.Identifier(before)))
            server.execute(rename.format(sql.Identifier(draft), sql.Identifier(name)))
    except psycopg.errors.ObjectInUse as error:
        raise BackupError(
            f"Somebody connected to {name} while it was restored: {error.diag.message_detail}. Nothing was changed. "
            "Stop web, workers, beat, FreeRADIUS and PgBouncer, and restore again."
        ) from error
    if exists and not has_tables:
        server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(before)))
        return None
    return before if exists else None
