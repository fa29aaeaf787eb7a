"""What a request needs, asked one by one, and in plain words what is the matter and what to do.

Each is asked in a thread of its own and waited for no longer than a probe waits: a server that is stopped takes
connections and never answers, and no library's own limit covers that on a connection that is kept.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from functools import cache
from urllib.parse import urlsplit

import structlog
from django.conf import settings
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from ispcore.redis import client

log = structlog.get_logger(__name__)

PATIENCE_SECONDS = 3.0

_pool = ThreadPoolExecutor(max_workers=4, thread_name_prefix="ready")
_running: dict[str, Future[str]] = {}
_lock = threading.Lock()


class Unfinished(Exception):
    """Raised while migrations are pending."""


def check_all(*, with_addresses: bool) -> dict[str, str]:
    """Ask the database, its migrations and Redis; `ok`, or `failed: ` and a sentence or two, for each.

    The broker is the same Redis, and fails with it.
    """
    checks: dict[str, Callable[[], None]] = {"database": _database, "redis": _redis}
    futures = {name: _begin(name, check) for name, check in checks.items()}
    wait_for(futures.values(), timeout=PATIENCE_SECONDS)
    problems = {name: _problem(future) for name, future in futures.items()}
    problems["migrations"] = _migrations_problem() if not problems["database"] else problems["database"]
    problems["broker"] = problems["redis"]
    order = ("database", "migrations", "redis", "broker")
    results = {name: _said(name, problems[name], with_addresses=with_addresses) for name in order}
    if any(problems.values()):
        log.warning("not_ready", **{name: _said(name, problems[name], with_addresses=True) for name in order})
    return results


def _begin(name: str, check: Callable[[], None]) -> "Future[str]":
    """Ask, unless the last question still waits for its answer."""
    with _lock:
        future = _running.get(name)
        if future is None or future.done():
            future = _running[name] = _pool.submit(_outcome, check)
        return future


def _problem(future: "Future[str]") -> str:
    return future.result() if future.done() else "no answer"


def _outcome(check: Callable[[], None]) -> str:
    try:
        check()
    except Exception as error:  # Whatever it is, the caller must learn that this part is not ready.
        return type(error).__name__
    return ""


def _database() -> None:
    connection.close_if_unusable_or_obsolete()
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def _redis() -> None:
    client().ping()


def _migrations_problem() -> str:
    future = _begin("migrations", _migrations)
    wait_for([future], timeout=PATIENCE_SECONDS)
    return _problem(future)


@cache
def _migrations() -> None:
    """Raise while migrations are pending. Once it found none it looks no more: this code brings no others."""
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        raise Unfinished


def _said(name: str, problem: str, *, with_addresses: bool) -> str:
    if not problem:
        return "ok"
    if problem == Unfinished.__name__:
        return "failed: The database's tables are not those of this version. Run `manage.py migrate` as the owner."
    if name in ("database", "migrations"):
        what, setting, url = "PostgreSQL", "DATABASE_URL", _database_address()
    else:
        what, setting, url = "Valkey or Redis", "REDIS_URL", _address(settings.REDIS_URL)
    where = f" at {url}" if with_addresses else ""
    role = {"migrations": "so its tables were not looked at", "broker": "so no job can be sent"}.get(name)
    if role:
        return f"failed: {what}{where} does not answer, {role}."
    return (
        f"failed: {what}{where} does not answer ({problem}). See whether it runs and can be reached from here; "
        f"{setting} says where it is."
    )


def _database_address() -> str:
    wanted = connection.settings_dict
    return f"{wanted['HOST'] or 'the local socket'}:{wanted['PORT'] or 5432}"


def _address(url: str) -> str:
    return urlsplit(url).netloc.rpartition("@")[2]
