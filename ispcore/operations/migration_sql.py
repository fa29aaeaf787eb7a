"""Write down what a migration would ask of PostgreSQL, without asking one: `make lint` has no database."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db import connections
from django.db.migrations.migration import Migration
from django.db.migrations.state import ProjectState
from psycopg import sql

from ispcore.postgresql.base import DatabaseWrapper


@dataclass(frozen=True, slots=True)
class Written:
    """The statements of one migration in order, and the operations of which no SQL can tell."""

    statements: list[str]
    unwritten: list[str]


class OfflineWrapper(DatabaseWrapper):
    """Our backend for PostgreSQL 18 that never connects and takes every transaction for begun and ended."""

    pg_version = 180000

    def connect(self) -> None:
        """Do nothing: nothing is executed."""

    def ensure_connection(self) -> None:
        """Do nothing, as above."""

    def get_autocommit(self) -> bool:
        return True

    def set_autocommit(self, autocommit: bool, *args: Any, **kwargs: Any) -> None:
        """Do nothing, as above."""

    def _commit(self) -> None:
        """Do nothing, as above."""

    def _rollback(self) -> None:
        """Do nothing, as above."""

    def close(self) -> None:
        """Do nothing, as above."""


@contextlib.contextmanager
def offline() -> Iterator[OfflineWrapper]:
    """Put a connection that never connects in the place of the default one, for the block."""
    before: Any = connections["default"]
    wrapper = OfflineWrapper(before.settings_dict, alias="default")
    wrapper.ops.compose_sql = _compose  # type: ignore[assignment]  # Django asks a connection how to quote.
    connections["default"] = wrapper
    try:
        yield wrapper
    finally:
        connections["default"] = before


def write_sql(migration: Migration, state: ProjectState) -> Written:
    """Return the SQL of a migration that is applied to `state`, as `sqlmigrate` shows it."""
    unwritten = [operation.describe() for operation in migration.operations if not operation.reduces_to_sql]
    with offline() as connection:
        # Not entered, since that begins a transaction; `atomic` so that no operation begins one either.
        editor: Any = connection.SchemaEditorClass(connection, collect_sql=True, atomic=True)
        editor.deferred_sql = []
        migration.apply(state, editor, collect_sql=True)
        for statement in editor.deferred_sql:
            editor.execute(statement, None)
    return Written([line for line in editor.collected_sql if not line.startswith("--")], unwritten)


def _compose(query: str, params: Any) -> str:
    if not params:
        return query
    return query % tuple(sql.Literal(value).as_string(None) for value in params)
