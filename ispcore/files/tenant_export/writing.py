"""Writing: every table from one snapshot, row by row into a ZIP, with a manifest as its last entry."""

import hashlib
import json
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import IO, Any
from uuid import UUID

import psycopg
from django.db import connection
from psycopg import sql

from ispcore.files.tenant_export import contents, manifest
from ispcore.files.tenant_export.sealing import Sealer
from ispcore.tenants.models import Tenant

ROWS_AT_ONCE = 500
COMPRESSION = 3  # Half the time of the default for a file a tenth larger.

Progress = Callable[[int, int, str], None]


@contextmanager
def snapshot(tenant_id: UUID) -> Iterator[psycopg.Connection[Any]]:
    """Give a connection of its own that sees the tenant's rows as of one moment, and cannot write.

    Of its own, because what is written meanwhile, pieces of the file and the job's progress, must be seen at once.
    """
    with psycopg.connect(**{**connection.get_connection_params(), "autocommit": True}) as database:
        database.execute("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        database.execute("SET LOCAL TimeZone = 'UTC'")
        database.execute("SELECT set_config('app.tenant_id', %s, true)", [str(tenant_id)])
        yield database
        database.execute("COMMIT")


def write(
    stream: IO[bytes], tenant: Tenant, *, at: datetime, passphrase: str = "", progress: Progress
) -> dict[str, Any]:
    """Write all data of a tenant and return the manifest. Memory stays the same for any number of rows.

    The database's role decides what can be read: under row-level security nothing of another tenant. Raises
    PassphraseTooShort or NotMigrated.
    """
    sealer = Sealer(passphrase) if passphrase else None
    migrations = manifest.migrations()
    tables = contents.tables()
    total = len(tables) + 1
    with (
        snapshot(tenant.pk) as database,
        zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=COMPRESSION) as archive,
    ):
        listed: dict[str, Any] = {}
        secrets: dict[str, dict[str, Any]] = {}
        for number, table in enumerate(tables):
            tell = _teller(progress, number, total, table.label)
            part = Part(archive, table.label)
            with part.opened():
                for row, *sealed in _rows(database, table, tenant.pk):
                    if part.add(row, _secrets(table, sealed, tenant.pk, sealer, secrets)):
                        tell(part.rows)
            listed[table.label] = {**part.figures(), "columns": sorted(table.columns)}
        part = Part(archive, manifest.USERS)
        with part.opened():
            for (row,) in _copied(database, _users_sql(tables), tenant.pk):
                part.add(row, b"")
        description = {
            "format": manifest.FORMAT,
            "product": "ISPCore",
            "made_at": at.isoformat(),
            "tenant": {
                "id": str(tenant.pk),
                "slug": tenant.slug,
                "name": tenant.name,
                "timezone": tenant.timezone,
                "created_at": tenant.created_at.isoformat(),
            },
            "migrations": migrations,
            "tables": listed,
            manifest.USERS: part.figures(),
            "left_out": contents.reasons(),
            "secrets": {"are_carried": sealer is not None, "count": secrets},
            "passphrase": sealer.proof() if sealer else None,
            "totals": manifest.totals_of(database, tenant.pk, tables),
        }
        archive.writestr(manifest.MANIFEST, json.dumps(description, indent=1, sort_keys=True))
    return description


class Part:
    """One entry of the archive while it is written: lines gathered, counted, and digested twice.

    `content_sha256` leaves the secrets out, so that a restored table can be compared by it; without an archive it is
    all that is made.
    """

    def __init__(self, archive: zipfile.ZipFile | None, label: str) -> None:
        self._archive, self._label = archive, label
        self._entry: IO[bytes] | None = None
        self._lines: list[bytes] = []
        self._bare: list[bytes] = []
        self._digest, self._content = hashlib.sha256(), hashlib.sha256()
        self.rows = self.bytes = 0

    @contextmanager
    def opened(self) -> Iterator[None]:
        if self._archive is None:
            yield
            self._flush()
            return
        with self._archive.open(manifest.entry_of(self._label), "w", force_zip64=True) as self._entry:
            yield
            self._flush()

    def add(self, row: bytes, secrets: bytes) -> bool:
        """Add a row as JSON and its secrets as more members of it; tell whether lines went out by it."""
        self._bare.append(row)
        if secrets:
            self._lines.append(row[:-1] + secrets + b"}")
        self.rows += 1
        if len(self._bare) < ROWS_AT_ONCE and len(row) < 100_000:
            return False
        self._flush()
        return True

    def figures(self) -> dict[str, Any]:
        return {
            "rows": self.rows,
            "bytes": self.bytes,
            "sha256": self._digest.hexdigest(),
            "content_sha256": self._content.hexdigest(),
        }

    def _flush(self) -> None:
        if not self._bare:
            return
        bare = b"\n".join(self._bare) + b"\n"
        lines = b"\n".join(self._lines) + b"\n" if self._lines else bare
        self._content.update(bare)
        self._digest.update(lines)
        self.bytes += len(lines)
        if self._entry is not None:
            self._entry.write(lines)
        self._bare.clear()
        self._lines.clear()


def content_of(database: psycopg.Connection[Any], table: contents.Table, tenant_id: UUID) -> tuple[int, str]:
    """Return how many rows a table has and the digest of all but their secrets, read as the export reads them."""
    part = Part(None, table.label)
    with part.opened():
        for row, *_ in _rows(database, table, tenant_id):
            part.add(row, b"")
    figures = part.figures()
    return figures["rows"], figures["content_sha256"]


def _rows(database: psycopg.Connection[Any], table: contents.Table, tenant_id: UUID) -> Iterator[list[bytes]]:
    return _copied(database, table.read_sql(), tenant_id)


def _copied(database: psycopg.Connection[Any], statement: str, tenant_id: UUID) -> Iterator[list[bytes]]:
    """Give what a statement selects, as the columns' texts in COPY's format, JSON as it was."""
    query = sql.SQL("COPY ({}) TO STDOUT").format(
        sql.SQL(statement.replace("%(tenant)s", "{tenant}").replace("%%", "%")).format(
            tenant=sql.Literal(str(tenant_id))
        )
    )
    with database.cursor() as cursor, cursor.copy(query) as copy:
        for line in copy:
            first, *rest = bytes(line).rstrip(b"\n").split(b"\t")
            # JSON escapes what COPY would escape, but for its own escape character.
            yield [first.replace(b"\\\\", b"\\"), *rest]


def _secrets(
    table: contents.Table,
    stored: list[bytes],
    tenant_id: UUID,
    sealer: Sealer | None,
    counts: dict[str, dict[str, Any]],
) -> bytes:
    """Return a row's secrets as members of its JSON: sealed anew, or left out and counted."""
    told = b""
    for each, value in zip(table.secrets, stored, strict=True):
        text: str | None = None if value == b"\\N" else value.decode()
        if text:
            place = f"{table.label}.{each.column}"
            entry = counts.setdefault(place, {"rows": 0, "what": str(each.verbose_name)})
            entry["rows"] += 1
            if sealer is None:
                text = contents.LEFT_OUT
            else:
                bound_to = f"{table.name}.{each.column}:{tenant_id}"
                text = sealer.seal(each.decrypt(text, bound_to=bound_to), bound_to=bound_to)
        told += f',"{each.column}":{json.dumps(text)}'.encode()
    return told


def _users_sql(tables: list[contents.Table]) -> str:
    """Return the statement for the people whom the rows name, without what is theirs alone: no password, no log-in."""
    named = " UNION ".join(
        f'SELECT t."{column}" FROM "{table.name}" AS t WHERE t.tenant_id = %(tenant)s'  # noqa: S608
        for table in tables
        for column in table.users
    )
    return (
        "SELECT row_to_json(v) FROM (SELECT u.id, u.email, u.full_name, u.is_active, u.created_at "  # noqa: S608
        f"FROM tenants_user AS u WHERE u.id IN ({named}) ORDER BY u.id) AS v"
    )


def _teller(progress: Progress, number: int, total: int, label: str) -> Callable[[int], None]:
    progress(number, total, label)
    return lambda rows: progress(number, total, f"{label}: {rows} rows")
