"""A second embedded PostgreSQL, and this process at work on it."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
from django.conf import settings
from django.db import connection
from psycopg import sql

from ispcore.embedded import Servers, start_servers
from ispcore.operations.backups import figures, positions
from tests import servers
from tests.embedded.scratch import scratch_directory


@contextmanager
def second_servers() -> Iterator[Servers]:
    with scratch_directory() as path, start_servers(path / "data", durable=False) as running:
        yield running


def in_database(url: str, name: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


def owner_here() -> str:
    """The URL of isp_owner in the tests' database."""
    return in_database(servers.servers.owner_url, connection.settings_dict["NAME"])


@contextmanager
def connected(url: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(url, autocommit=True) as database:
        yield database


def command(*arguments: str, owner_url: str, **environment: str) -> "subprocess.Popen[str]":
    """Start a management command in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", str(settings.BASE_DIR / "manage.py"), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "DATABASE_OWNER_URL": owner_url, **environment},
    )


def outcome(process: "subprocess.Popen[str]") -> tuple[int, str]:
    said, _ = process.communicate(timeout=300)
    return process.returncode, said


@contextmanager
def working_on(url: str) -> Iterator[None]:
    """Let this process work in another server's database for a block."""
    there = urlsplit(url)
    changed = {
        "HOST": there.hostname, "PORT": there.port, "NAME": there.path[1:], "USER": there.username,
        "PASSWORD": there.password,
    }  # fmt: skip
    before = {name: connection.settings_dict[name] for name in changed}
    connection.close()
    connection.settings_dict.update(changed)
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict.update(before)


def wait_for(condition: Callable[[], bool], seconds: float = 150) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.002)


def contents_of(database: psycopg.Connection[Any]) -> dict[str, tuple[int, int]]:
    """Return rows and a checksum of their values for every table, without positions in feeds."""
    found = {}
    for schema, table in database.execute(figures.TABLES).fetchall():
        row = database.execute(
            sql.SQL(
                "SELECT count(*), coalesce(sum(hashtextextended((to_jsonb(t) - {}::text[])::text, 0)), 0) FROM {} AS t"
            ).format([positions.NUMBERED.get(table, "")], sql.Identifier(schema, table))
        ).fetchone()
        assert row is not None
        found[f"{schema}.{table}"] = (int(row[0]), int(row[1]))
    return found
