"""Take a backup: a dump and its figures, both of the same snapshot, while everything goes on."""

import os
import secrets
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

from ispcore.embedded.process import last_lines, spawn
from ispcore.operations.backups import BackupError, figures, keeping, manifest, programs
from ispcore.operations.backups.manifest import Manifest

DUMP = "dump"
# As many tables at once as help on a server that has other work to do.
JOBS = min(4, os.cpu_count() or 1)
# Half the time of the default for a dump a tenth larger.
COMPRESSION = "gzip:3"
# Gives a long transaction the time it takes, whatever the role's limits are.
SNAPSHOT = (
    "SET statement_timeout = 0",
    "SET transaction_timeout = 0",
    "SET idle_in_transaction_session_timeout = 0",
    "SET row_security = off",
    "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY",
)

Tell = Callable[[str], None]


def take_backup(*, owner_url: str, folder: Path, keep: int | None, tell: Tell) -> tuple[Path, Manifest]:
    """Write a backup into a folder of its own below `folder`, and remove all but the newest `keep` after it.

    A process that dies leaves a draft, which is no backup and goes with the next one. Raises BackupError.
    """
    with _nobody_else_reads(), keeping.working_in(folder):
        made_at = datetime.now(UTC)
        draft = folder / f"{made_at:%Y-%m-%dT%H%M%SZ}{keeping.DRAFT}"
        if draft.with_suffix("").exists():
            raise BackupError(f"{draft.with_suffix('')} exists already. Wait a second.")
        draft.mkdir(mode=0o700)
        with _snapshot(owner_url) as (database, snapshot):
            described = _dump(draft, owner_url, database, snapshot, tell)
        tell("Reading back what was written, for its checksums.")
        made = Manifest(**described, files=manifest.describe_files(draft))
        manifest.write_manifest(draft, made)
        whole = keeping.finish(draft)
        if keep is not None:
            for old in keeping.remove_old(folder, keep=keep):
                tell(f"Removed {old.name}: the newest {keep} are kept.")
    return whole, made


@contextmanager
def _nobody_else_reads() -> Iterator[None]:
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


@contextmanager
def _snapshot(owner_url: str) -> Iterator[tuple[figures.Database, str]]:
    """Give a connection that sees one moment for the block, and that moment's name for others."""
    try:
        database: figures.Database = psycopg.connect(owner_url, autocommit=True, connect_timeout=10)
    except psycopg.OperationalError as error:
        raise BackupError(f"DATABASE_OWNER_URL does not let in: {str(error).strip()}") from error
    with database:
        figures.require_all_rows(database)
        for statement in SNAPSHOT:
            database.execute(statement)
        row = database.execute("SELECT pg_export_snapshot()").fetchone()
        assert row is not None
        yield database, str(row[0])


def _dump(
    draft: Path, owner_url: str, database: figures.Database, snapshot: str, tell: Tell
) -> dict[str, Any]:
    """Run pg_dump and count beside it. Returns what the manifest says of the database."""
    major = database.info.server_version // 10_000
    program = programs.find_program("pg_dump", major=major)
    target, environment = programs.without_password(owner_url)
    log = draft / "pg_dump.log"
    process = spawn(
        [
            str(program), f"--dbname={target}", "--no-password", "--format=directory", f"--jobs={JOBS}",
            f"--compress={COMPRESSION}", f"--snapshot={snapshot}", f"--file={draft.absolute() / DUMP}",
        ],
        log=log,
        env=environment,
        die_with_parent=signal.SIGTERM,
    )  # fmt: skip
    try:
        tell(f"{program} writes; the rows of the same moment are counted beside it.")
        described = _describe(database)
        while process.poll() is None:
            time.sleep(0.05)
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait()
    if process.returncode != 0:
        raise BackupError(f"pg_dump failed with status {process.returncode}:\n{last_lines(log)}")
    log.unlink()
    return described


def _describe(database: figures.Database) -> dict[str, Any]:
    moment = database.execute("SELECT now(), current_database(), version()").fetchone()
    assert moment is not None
    salt = secrets.token_hex(16)
    return {
        "format": manifest.FORMAT,
        "made_at": moment[0].astimezone(UTC).isoformat(),
        "database": moment[1],
        "versions": {"postgresql": moment[2]},
        "migrations": figures.read_migrations(database),
        "roles": figures.read_roles(database),
        "salt": salt,
        "keys": manifest.fingerprint_keys(salt),
        "tables": figures.count_rows(database),
        "totals": figures.read_totals(database),
        "rights": figures.digest_of(figures.read_rights(database)),
    }
