"""Django's PostgreSQL backend, with four differences, two of them for what every request pays.

Times are read by psycopg's compiled loader. Django's own, in Python, gives the same values and takes a third of
the time that reading a page of rows takes. It exists for time zones other than UTC, which this project does not
use between it and the database.

A kept connection is asked whether it still lives only when there is reason to doubt it. A server that ends a
session says so, and what it said waits to be read: looking for that costs a microsecond, a `SELECT 1` in front of
every request a round trip.

History's triggers find a setting they ask for. Where it is not set they catch PostgreSQL's error, for each row
anew, and to end what has failed PostgreSQL looks through every check that waits for the end of the transaction: the
ten thousandth row of a transaction would take six times as long as the first.

Rows are read through a cursor of the server's inside a transaction only. Outside of one it would belong to the session,
of which a pooler (PgBouncer in transaction mode) gives each statement another.
"""

import select
import time
from datetime import UTC
from typing import Any

from django.db.backends.postgresql import base
from psycopg.types.datetime import TimestamptzLoader

# Hosts that vanish say nothing: below the keep-alive of any firewall, so one of those is noticed as well.
DOUBT_AFTER_SECONDS = 30.0


# What `pgtrigger.ignore` sets, naming none; triggers read it with their own name in mind.
NO_TRIGGER_IGNORED = "SET pgtrigger.ignore = '{}'"


class DatabaseWrapper(base.DatabaseWrapper):
    _asked_at = 0.0

    def init_connection_state(self) -> None:
        super().init_connection_state()
        with self.connection.cursor() as cursor:
            cursor.execute(NO_TRIGGER_IGNORED)

    def create_cursor(self, name: str | None = None) -> Any:
        cursor: Any = super().create_cursor(name)
        if self.timezone is UTC:
            cursor.adapters.register_loader("timestamptz", TimestamptzLoader)
        return cursor

    def chunked_cursor(self) -> Any:
        return super().chunked_cursor() if self.in_atomic_block else self.cursor()

    def is_usable(self) -> bool:
        """Tell whether the connection lives; one that was asked lately, is silent and made no error does."""
        now = time.monotonic()
        if now - self._asked_at < DOUBT_AFTER_SECONDS and not self.errors_occurred and self._is_silent():
            return True
        self._asked_at = now
        return bool(super().is_usable())

    def _is_silent(self) -> bool:
        """Tell whether nothing waits to be read: neither a farewell nor the end of the stream."""
        if self.connection is None or self.connection.closed:
            return False
        poll = select.poll()
        poll.register(self.connection.fileno(), select.POLLIN)
        return not poll.poll(0)
