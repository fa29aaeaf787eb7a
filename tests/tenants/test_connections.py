"""What a kept connection to PostgreSQL is asked before a request uses it."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection

from ispcore.postgresql.base import DOUBT_AFTER_SECONDS

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def other() -> Iterator[Any]:
    other = connection.copy()
    yield other
    other.close()


@pytest.fixture
def pid() -> int:
    """Take a connection through one request, and begin the next."""
    connection.close()
    for _ in range(2):
        connection.close_if_unusable_or_obsolete()
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            (pid,) = cursor.fetchone()
    connection.close_if_unusable_or_obsolete()
    return int(pid)


def last_asked(other: Any, pid: int) -> str:
    with other.cursor() as cursor:
        cursor.execute("SELECT query FROM pg_stat_activity WHERE pid = %s", [pid])
        (query,) = cursor.fetchone()
    return str(query)


def test_one_used_a_moment_ago_is_not_asked_whether_it_lives(other, pid):
    connection.cursor().close()

    assert last_asked(other, pid) == "SELECT pg_backend_pid()"


def test_one_that_rested_is_asked(monkeypatch, other, pid):
    later = time.monotonic() + DOUBT_AFTER_SECONDS
    monkeypatch.setattr(time, "monotonic", lambda: later)

    connection.cursor().close()

    assert last_asked(other, pid) == "SELECT 1"


def test_one_that_the_server_ended_is_replaced(other, pid):
    with other.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (now,) = cursor.fetchone()

    assert now != pid


def test_a_connection_tells_historys_triggers_that_none_is_left_out() -> None:
    """Where the setting is missing they catch an error for each row, and a long transaction grows slow."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('pgtrigger.ignore')")
        found = cursor.fetchone()

    assert found == ("{}",)
