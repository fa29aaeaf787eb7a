"""Django's `migrate`, that waits for no lock for long.

An ALTER TABLE that waits for a long transaction makes everybody else wait behind it. So it gives up after two seconds,
lets the others through, and tries again. What is CONCURRENTLY holds nobody up while it waits and is left half done when
it is cut off: a migration with atomic = False waits as long as it takes (`lint_migrations` lets nothing else into one).
"""

import time
from typing import Any

from django.core.management.base import CommandError
from django.core.management.commands import migrate
from django.db import OperationalError, connections
from psycopg.errors import LockNotAvailable

LOCK_TIMEOUT = "2s"
TRIES = 20
PAUSE_SECONDS = 3.0


class Command(migrate.Command):
    database = "default"

    def handle(self, *args: Any, **options: Any) -> None:
        """Apply what is pending; what was applied before a lock was not had is not applied again."""
        self.database = options["database"]
        for left in reversed(range(TRIES)):
            try:
                super().handle(*args, **options)
            except OperationalError as error:
                if not isinstance(error.__cause__, LockNotAvailable):
                    raise
                if not left:
                    raise CommandError(
                        f"A table stayed locked for {TRIES} tries of {LOCK_TIMEOUT}: {error}. Look in "
                        "pg_stat_activity for a transaction that has been open for long, end it, and start again: "
                        "what was applied stays applied."
                    ) from error
                self.stderr.write(f"A table is locked by somebody else; {left} more tries.")
                time.sleep(PAUSE_SECONDS)
            else:
                return

    def migration_progress_callback(self, action: str, migration: Any = None, fake: bool = False) -> None:
        if action in ("apply_start", "unapply_start"):
            with connections[self.database].cursor() as cursor:
                cursor.execute(f"SET lock_timeout = '{LOCK_TIMEOUT if migration.atomic else 0}'")
        if action in ("apply_success", "unapply_success"):
            with connections[self.database].cursor() as cursor:
                cursor.execute("RESET lock_timeout")
        super().migration_progress_callback(action, migration, fake)
