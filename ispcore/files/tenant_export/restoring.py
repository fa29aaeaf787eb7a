"""Restoring: a whole provider into an installation that does not have it, in one transaction, or not at all.

Runs as the owner of the tables, the only role that may set triggers aside: they wrote, where the rows come from, what
the file brings with them (histories, balances, counts).
"""

import base64
import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
from django.db import connection
from psycopg import sql

from ispcore.errors import DomainError
from ispcore.files.tenant_export import contents, manifest, writing
from ispcore.files.tenant_export.reading import Archive, NotAnExport
from ispcore.files.tenant_export.sealing import Sealer, WrongPassphrase

ROWS_AT_ONCE = 20_000
BYTES_AT_ONCE = 16 * 1024 * 1024
UNUSABLE_PASSWORD = "!"  # noqa: S105  (Django's mark of an account without one.)

Tell = Callable[[str], None]


class NotTheOwner(DomainError):
    code = "not_the_owner"
    message = (
        "Restoring needs the owner of the tables: set DATABASE_URL to the role isp_owner for this one command. "
        "This is {role}."
    )


class TenantExists(DomainError):
    code = "tenant_exists"
    message = "There is a provider {slug} here already, or one with its id. A restore never adds to one or replaces it."


class PassphraseNeeded(DomainError):
    code = "passphrase_needed"
    message = (
        "This file holds secrets under a passphrase: name the file that holds it with --passphrase-file."
    )


class NotAsWritten(DomainError):
    code = "not_as_written"
    message = "What was restored differs from the file: {differences}. Nothing was kept."


class Refused(DomainError):
    code = "rows_refused"
    message = "The database refused {what}: {why} Nothing was kept."


@dataclass(frozen=True)
class Restored:
    """What came of it: the manifest, the totals as counted here, people known already, secrets to enter anew."""

    manifest: dict[str, Any]
    totals: dict[str, Any]
    known_people: list[str]
    new_people: int


def restore(path: Path, *, passphrase: str = "", tell: Tell) -> Restored:
    """Restore a provider from its export and compare every table and total; any difference undoes all of it.

    Ids stay; what belongs to an installation is drawn anew. The provider comes switched off. A process that dies
    leaves nothing, and may be started again. Raises NotAnExport, OtherFormat, OtherMigrations, WrongPassphrase,
    PassphraseNeeded, TenantExists, NotTheOwner, Refused, NotAsWritten.
    """
    tables = contents.tables()
    with Archive(path, tables) as archive, _transaction() as database:
        _refuse_another_role(database)
        sealer = _sealer(archive.manifest, passphrase)
        work = _Work(archive, database, sealer)
        with work.refusals("the provider"):
            work.make_tenant()
        with work.refusals("people"):
            people = work.take_people()
        with _triggers_aside(database, tables):
            for table in _what_is_pointed_at_first(database, tables):
                with work.refusals(table.label):
                    work.take(table)
                tell(f"{table.label}: {archive.figures(table.label)['rows']} rows")
            with work.refusals("rows that point at others"):
                database.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for table in tables:
            database.execute(sql.SQL("ANALYZE {}").format(sql.Identifier(table.name)))
        totals = work.compare(tables)
        work.record()
    return Restored(archive.manifest, totals, people, archive.figures(manifest.USERS)["rows"] - len(people))


class _Work:
    def __init__(self, archive: Archive, database: psycopg.Connection[Any], sealer: Sealer | None) -> None:
        self._archive, self._database, self._sealer = archive, database, sealer
        self._tenant_id = UUID(archive.manifest["tenant"]["id"])
        self._has_other_ids = False

    @contextmanager
    def refusals(self, what: str) -> Iterator[None]:
        try:
            yield
        except psycopg.errors.UniqueViolation as error:
            if error.diag.table_name == "tenants_tenant":
                raise TenantExists(slug=self._archive.manifest["tenant"]["slug"]) from error
            raise Refused(what=what, why=_said(error)) from error
        except (psycopg.errors.IntegrityError, psycopg.errors.DataError) as error:
            raise Refused(what=what, why=_said(error)) from error

    def make_tenant(self) -> None:
        given = self._archive.manifest["tenant"]
        self._database.execute(
            "INSERT INTO tenants_tenant (id, slug, name, timezone, created_at, is_active) "
            "VALUES (%(id)s, %(slug)s, %(name)s, %(timezone)s, %(created_at)s, false)",
            given,
        )

    def take_people(self) -> list[str]:
        """Make accounts for people unknown here, without a password; return whose account is kept as it is.

        An account is known by its e-mail address. An id that somebody else has here is drawn anew.
        """
        self._database.execute(
            "CREATE TEMPORARY TABLE people (id uuid, email text, full_name text, is_active bool, "
            "created_at timestamptz, here uuid) ON COMMIT DROP"
        )
        for lines in self._archive.lines(manifest.USERS):
            self._stage(lines)
            self._database.execute(
                "INSERT INTO people SELECT r.* FROM incoming, json_populate_record(NULL::people, line) AS r"
            )
            self._database.execute("TRUNCATE incoming")
        self._database.execute(
            "UPDATE people SET here = (SELECT u.id FROM tenants_user AS u WHERE u.email = people.email)"
        )
        known = self._database.execute(
            "SELECT email FROM people WHERE here IS NOT NULL ORDER BY 1"
        ).fetchall()
        self._database.execute(
            "UPDATE people SET here = CASE WHEN id IN (SELECT u.id FROM tenants_user AS u) THEN uuidv7() ELSE id END "
            "WHERE here IS NULL"
        )
        self._database.execute(
            "INSERT INTO tenants_user (id, password, email, full_name, is_active, is_platform_staff, created_at) "
            "SELECT here, %s || gen_random_uuid()::text, email, full_name, is_active, false, created_at FROM people "
            "WHERE email NOT IN (SELECT u.email FROM tenants_user AS u)",
            [UNUSABLE_PASSWORD],
        )
        self._database.execute(
            "CREATE TEMPORARY TABLE other_ids ON COMMIT DROP AS "
            "SELECT id AS was, here FROM people WHERE id <> here"
        )
        row = self._database.execute("SELECT EXISTS (SELECT FROM other_ids)").fetchone()
        self._has_other_ids = bool(row and row[0])
        return [email for (email,) in known]

    def take(self, table: contents.Table) -> None:
        """Bring a table's rows in, some thousand at a time."""
        waiting: list[bytes] = []
        size = rows = 0
        for lines in self._archive.lines(table.label):
            if table.secrets:
                lines = [self._unsealed(table, line) for line in lines]
            waiting += lines
            rows += len(lines)
            size += sum(map(len, lines))
            if len(waiting) >= ROWS_AT_ONCE or size >= BYTES_AT_ONCE:
                self._insert(table, waiting)
                waiting, size = [], 0
        if waiting:
            self._insert(table, waiting)
        if rows != self._archive.figures(table.label)["rows"]:
            raise NotAnExport(why=f"{table.label} has {rows} rows, its manifest says otherwise")

    def compare(self, tables: list[contents.Table]) -> dict[str, Any]:
        """Read all back as an export would, and return the totals. Raises NotAsWritten."""
        different = []
        for table in tables:
            figures = self._archive.figures(table.label)
            rows, digest = writing.content_of(self._database, table, self._tenant_id)
            if rows != figures["rows"]:
                different.append(f"{table.label}: {figures['rows']} rows in the file, {rows} here")
            elif digest != figures["content_sha256"] and not (self._has_other_ids and table.users):
                different.append(f"{table.label}: other values")
        totals = manifest.totals_of(self._database, self._tenant_id, tables)
        for kind, named in self._archive.manifest["totals"].items():
            for name, wanted in named.items():
                if totals.get(kind, {}).get(name) != wanted:
                    different.append(f"{name}: {wanted} in the file, {totals.get(kind, {}).get(name)} here")
        if different:
            raise NotAsWritten(differences="; ".join(different))
        return totals

    def record(self) -> None:
        self._database.execute(
            "INSERT INTO tenants_auditentry (id, tenant_id, created_at, updated_at, action, detail, request_id) "
            "VALUES (uuidv7(), %s, now(), now(), 'restored from an export', %s, '')",
            [self._tenant_id, f"made at {self._archive.manifest['made_at']}"[:200]],
        )

    def _stage(self, lines: list[bytes]) -> None:
        self._database.execute("CREATE TEMPORARY TABLE IF NOT EXISTS incoming (line json) ON COMMIT DROP")
        with self._database.cursor() as cursor, cursor.copy("COPY incoming FROM STDIN") as copy:
            copy.write(b"\n".join(lines).replace(b"\\", b"\\\\") + b"\n")

    def _insert(self, table: contents.Table, lines: list[bytes]) -> None:
        self._stage(lines)
        if table.rule.make_partition:
            self._database.execute(
                "SELECT {} FROM (SELECT DISTINCT date_trunc('month', (line->>'{}')::timestamptz AT TIME ZONE "  # noqa: S608
                "'UTC')::date AS day FROM incoming) AS months".format(
                    table.rule.make_partition.replace("%s", "day"), table.rule.partition_by
                )
            )
        self._database.execute(self._insert_sql(table))
        self._database.execute("TRUNCATE incoming")

    def _insert_sql(self, table: contents.Table) -> sql.Composed:
        drawn = {name: value for name, value in table.rule.drawn.items() if value}
        brought = [*table.columns, *table.secret_columns]
        names = ["tenant_id", *brought, *drawn]
        values = [
            sql.Literal(self._tenant_id),
            *(self._value(table, name) for name in brought),
            *(sql.SQL(value) for value in drawn.values()),
        ]
        name = sql.Identifier(table.name)
        return sql.SQL(
            "INSERT INTO {table} ({names}) "
            "SELECT {values} FROM incoming, json_populate_record(NULL::{table}, line) AS r"
        ).format(
            table=name,
            names=sql.SQL(", ").join(map(sql.Identifier, names)),
            values=sql.SQL(", ").join(values),
        )

    def _value(self, table: contents.Table, column: str) -> sql.Composable:
        value = sql.SQL("r.{}").format(sql.Identifier(column))
        if self._has_other_ids and column in table.users:
            return sql.SQL("COALESCE((SELECT here FROM other_ids WHERE was = {v}), {v})").format(v=value)
        return value

    def _unsealed(self, table: contents.Table, line: bytes) -> bytes:
        """Return a row with its secrets as this installation keeps them."""
        pattern = "".join(rf',"{re.escape(name)}":(null|"[^"\\]*")' for name in table.secret_columns)
        found = re.search(pattern.encode() + rb"\}\Z", line)
        if found is None:
            raise NotAnExport(why=f"{table.label} has a row without its secrets")
        told = b""
        for field, written in zip(table.secrets, found.groups(), strict=True):
            text = json.loads(written)
            if text:
                bound_to = f"{table.name}.{field.column}:{self._tenant_id}"
                if text != contents.LEFT_OUT:
                    if self._sealer is None:
                        raise NotAnExport(why=f"{table.label} has secrets, and its manifest says it has none")
                    text = field.encrypt(self._sealer.open(text, bound_to=bound_to), bound_to=bound_to)
                elif field.blank:
                    text = ""
                else:
                    # Never an empty one, which would open: one that nobody knows, until another is entered.
                    text = field.encrypt(base64.b64encode(os.urandom(24)).decode(), bound_to=bound_to)
            told += f',"{field.column}":{json.dumps(text)}'.encode()
        return line[: found.start()] + told + b"}"


@contextmanager
def _transaction() -> Iterator[psycopg.Connection[Any]]:
    with (
        psycopg.connect(**{**connection.get_connection_params(), "autocommit": True}) as database,
        database.transaction(),
    ):
        database.execute("SET LOCAL TimeZone = 'UTC'")
        yield database


def _refuse_another_role(database: psycopg.Connection[Any]) -> None:
    row = database.execute(
        "SELECT current_user, pg_has_role(current_user, relowner, 'USAGE') FROM pg_class "
        "WHERE oid = 'tenants_tenant'::regclass"
    ).fetchone()
    assert row is not None
    if not row[1]:
        raise NotTheOwner(role=row[0])


def _what_is_pointed_at_first(
    database: psycopg.Connection[Any], tables: list[contents.Table]
) -> list[contents.Table]:
    """Order tables by the foreign keys that are checked at once; most are checked at the end."""
    named = {table.name: table for table in tables}
    pairs = database.execute(
        "SELECT conrelid::regclass::text, confrelid::regclass::text FROM pg_constraint "
        "WHERE contype = 'f' AND NOT condeferrable AND conrelid <> confrelid AND conparentid = 0"
    ).fetchall()
    order: TopologicalSorter[str] = TopologicalSorter(dict.fromkeys(sorted(named), ()))
    for table, target in pairs:
        if table in named and target in named:
            order.add(table, target)
    return [named[name] for name in order.static_order()]


@contextmanager
def _triggers_aside(database: psycopg.Connection[Any], tables: list[contents.Table]) -> Iterator[None]:
    """Set the triggers of these tables aside for the block. Others' writes to the tables wait until the end."""
    found = database.execute(
        "SELECT c.relname, g.tgname FROM pg_trigger AS g JOIN pg_class AS c ON c.oid = g.tgrelid "
        "WHERE NOT g.tgisinternal AND g.tgenabled = 'O' AND g.tgparentid = 0 AND c.relname = ANY(%s) "
        "AND c.relnamespace = 'public'::regnamespace ORDER BY 1, 2",
        [[table.name for table in tables]],
    ).fetchall()

    def each(verb: str) -> None:
        for table, trigger in found:
            database.execute(
                sql.SQL("ALTER TABLE {} {} TRIGGER {}").format(
                    sql.Identifier(table),
                    sql.SQL(verb),
                    sql.Identifier(trigger),
                )
            )

    each("DISABLE")
    yield
    each("ENABLE")


def _sealer(found: dict[str, Any], passphrase: str) -> Sealer | None:
    """Raises PassphraseNeeded, WrongPassphrase, NotAnExport."""
    if not found["secrets"]["are_carried"]:
        return None
    if not passphrase:
        raise PassphraseNeeded
    try:
        return Sealer.proven(passphrase, found["passphrase"])
    except (KeyError, TypeError) as error:
        raise NotAnExport(why="its manifest does not say how its secrets are sealed") from error
    except DomainError as error:
        raise WrongPassphrase from error


def _said(error: psycopg.Error) -> str:
    return " ".join(filter(None, [f"{error.diag.message_primary}.", error.diag.message_detail]))
