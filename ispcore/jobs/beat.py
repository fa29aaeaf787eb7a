"""The clock of the installation: any number of beats may run, and each due run is sent once.

Nobody leads. When a run is due, every beat tries to take its row in PostgreSQL: the row's lock and the time of the last
run, compared and set, let one of them through. That one sends the message before it commits, so a beat that dies in
between gives the row back, and another sends within the next second. See docs/adr/0020-beats-share-a-table.md.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from celery.beat import ScheduleEntry, Scheduler, SchedulingError
from django.db import DatabaseError, InterfaceError, connection, transaction

log = structlog.get_logger(__name__)

LONGEST_WAIT_SECONDS = 5.0
RETRY_SECONDS = 1.0
READ = "SELECT clock_timestamp(), name, last_run_at FROM jobs_scheduledrun"
ADD = (
    "INSERT INTO jobs_scheduledrun (name, last_run_at, runs) "
    "SELECT unnest(%s::text[]), clock_timestamp(), 0 ON CONFLICT DO NOTHING"
)
# A beat whose host vanishes in mid-transaction holds the row until the server ends its session.
TAKE = """
WITH free AS (
    SELECT name FROM jobs_scheduledrun WHERE name = %s AND last_run_at = %s FOR UPDATE SKIP LOCKED
)
UPDATE jobs_scheduledrun AS run SET last_run_at = clock_timestamp(), runs = run.runs + 1
FROM free WHERE run.name = free.name
RETURNING set_config('idle_in_transaction_session_timeout', '15s', true)
"""


class SharedScheduler(Scheduler):  # type: ignore[misc]
    """Celery's scheduler with the times of the last runs in a table that all beats share."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._ahead = timedelta(0)
        super().__init__(*args, **kwargs)

    def setup_schedule(self) -> None:
        self.merge_inplace(self.app.conf.beat_schedule)
        for entry in self.schedule.values():
            # Hosts' clocks differ. By one clock, the database's, no beat finds a run due that another has just sent.
            entry.schedule.nowfun = self._now

    def tick(self, **_: Any) -> float:
        """Send what is due and is not taken by another beat; return how many seconds to sleep."""
        try:
            return self._tick()
        except (DatabaseError, InterfaceError) as error:
            log.warning("beat_without_database", error=str(error).strip())
            connection.close()
        except SchedulingError as error:
            log.warning("beat_without_broker", error=str(error).strip())
        return RETRY_SECONDS

    def _tick(self) -> float:
        last_runs = self._last_runs()
        wait = LONGEST_WAIT_SECONDS
        for entry in self.schedule.values():
            last_run = last_runs[entry.name]
            due, seconds = entry.schedule.is_due(last_run)
            if due:
                self._send_once(entry, last_run)
            wait = min(wait, seconds)
        return wait

    def _last_runs(self) -> dict[str, datetime]:
        """Return when each entry was sent last. A new one counts as sent now."""
        found = self._read()
        if missing := self.schedule.keys() - found.keys():
            with connection.cursor() as cursor:
                cursor.execute(ADD, [sorted(missing)])
            found = self._read()
        return found

    def _read(self) -> dict[str, datetime]:
        with connection.cursor() as cursor:
            cursor.execute(READ)
            rows = cursor.fetchall()
        if rows:
            self._ahead = rows[0][0] - datetime.now(UTC)
        return {name: last_run for _, name, last_run in rows}

    def _send_once(self, entry: ScheduleEntry, last_run: datetime) -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(TAKE, [entry.name, last_run])
            if cursor.fetchone() is not None:
                log.info("beat_sends", entry=entry.name)
                # With a producer of the pool, as requests use: the scheduler's own waits for the broker for ever.
                self.apply_async(entry, advance=False)

    def _now(self) -> datetime:
        return datetime.now(UTC) + self._ahead

    @property
    def info(self) -> str:
        return "    . db -> jobs_scheduledrun"
