"""What the packet path leaves to be done by the minute and by the day, in all tenants at once.

The statements live in aaa/sql/sweeps.sql and partitions.sql; they run with the rights of the tables' owner.
"""

from datetime import date, datetime, timedelta

from django.db import connection

PARTITIONED = ("aaa_pastsession", "aaa_hourlyusage", "aaa_authattempt")
PARTITIONS_AHEAD = 3
HOURLY_USAGE_DAYS = 92
BATCH = 5_000


def make_partitions(*, on: date) -> None:
    """Make the partitions of the month of `on` and the months after it; those that exist stay as they are."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT aaa_make_partition(parent, (%s::date + make_interval(months => n))::date) "
            "FROM unnest(%s::text[]) AS parent, generate_series(0, %s) AS n",
            [on, list(PARTITIONED), PARTITIONS_AHEAD],
        )


def drop_hourly_usage(*, at: datetime) -> int:
    """Drop the months of hourly usage that are wholly older than a quarter; return how many."""
    return _run("SELECT aaa_drop_partitions('aaa_hourlyusage', %s)", at - timedelta(days=HOURLY_USAGE_DAYS))


def close_stale_sessions() -> int:
    """Close sessions no report came of for three intervals, at the last one; return how many.

    Safe to repeat and to run beside the packets: a report that comes later opens its session again.
    """
    return _in_batches("SELECT aaa_close_stale(%s)")


def move_closed_sessions() -> int:
    """Move sessions that ended, and were quiet for a quarter of an hour, to the past ones; return how many."""
    return _in_batches("SELECT aaa_move_closed(%s)")


def _in_batches(statement: str) -> int:
    total = 0
    while (done := _run(statement, BATCH)) == BATCH:
        total += done
    return total + done


def _run(statement: str, argument: int | datetime) -> int:
    with connection.cursor() as cursor:
        cursor.execute(statement, [argument])
        (number,) = cursor.fetchone()
    return int(number)
