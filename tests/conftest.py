"""Fixtures every test may use. The database is real, and tests see it as the runtime role `isp_app`."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.contrib.auth.hashers import make_password
from django.core.management import call_command
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext

from ispcore import redis
from ispcore.auth import guard
from ispcore.jobs.models import Job, JobStatus
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Membership, Tenant, User
from ispcore.tenants.roles import Role
from tests import contract, servers
from tests.aaa import nas_peer
from tests.aaa.nas_peer import NasPeer
from tests.aaa.radius import server
from tests.aaa.radius.server import Server
from tests.client import Api
from tests.needs import require
from tests.workers import celery_worker

PASSWORD = "correct horse battery"
MOST_QUIET_SECONDS = 6.0  # A job that waits for a device which is gone is not waited for.
_workers: list[int] = []
_PASSWORD_HASH = make_password(PASSWORD)


@pytest.fixture(scope="session")
def django_db_setup(django_db_blocker: Any) -> None:
    """Make the tables as their owner, then hand the connection back to the runtime role."""
    with django_db_blocker.unblock():
        with _as_owner():
            call_command("migrate", verbosity=0)
            with connection.cursor() as cursor:
                # Only here: Django empties the tables between tests that commit, and tests that read a plan tell the
                # planner of their own rows first (ANALYZE) instead of trusting what it knows of other tests'.
                cursor.execute("GRANT TRUNCATE, MAINTAIN ON ALL TABLES IN SCHEMA public TO isp_app")
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_user")
            assert cursor.fetchone() == ("isp_app",)


@pytest.fixture(scope="session", autouse=True)
def _every_answer_is_as_described() -> Iterator[None]:
    """A test that gets an answer from the API that its document does not describe fails."""
    with contract.watched():
        yield


@pytest.fixture(autouse=True)
def _empty_redis(request: pytest.FixtureRequest) -> None:
    """No test meets the limits or messages of another."""
    if "db" in request.fixturenames or "transactional_db" in request.fixturenames:
        redis.client().flushdb()
        guard.memory.clear()


@pytest.fixture(scope="session")
def recordings() -> Path:
    """Return the folder of real devices' recordings; they are not part of the project."""
    folder = Path(
        os.environ.get("ISP_RECORDINGS", Path(__file__).resolve().parents[2] / "shared" / "recordings")
    )
    if not folder.is_dir():
        pytest.skip("no recordings of real OLTs: put them beside the project or set ISP_RECORDINGS")
    return folder


@pytest.fixture
def make_tenant(db: None) -> Callable[..., Tenant]:
    def make(slug: str, **fields: Any) -> Tenant:
        return Tenant.objects.create(slug=slug, name=fields.pop("name", slug.title()), **fields)

    return make


@pytest.fixture
def tenant(make_tenant: Callable[..., Tenant]) -> Tenant:
    """The tenant a test acts for; nothing is bound, use `acting` or a client."""
    return make_tenant("north")


@pytest.fixture
def other_tenant(make_tenant: Callable[..., Tenant]) -> Tenant:
    """A tenant that must never be seen."""
    return make_tenant("south")


@pytest.fixture
def acting(tenant: Tenant) -> Iterator[Tenant]:
    """Bind `tenant` for the whole test."""
    with tenant_context(tenant.pk):
        yield tenant


@pytest.fixture
def make_user(db: None) -> Callable[..., User]:
    """Make a user with a role in each tenant given: `make_user("noc", {tenant: Role.SUPPORT})`."""

    def make(login: str, roles: dict[Tenant, Role] | None = None, **fields: Any) -> User:
        user = User.objects.create(
            email=f"{login}@staff.example", full_name=login.title(), password=_PASSWORD_HASH, **fields
        )
        for tenant, role in (roles or {}).items():
            with tenant_context(tenant.pk):
                Membership.objects.create(tenant=tenant, user=user, role=role)
        return user

    return make


@pytest.fixture
def admin_user(tenant: Tenant, make_user: Callable[..., User]) -> User:
    """An administrator of `tenant` alone."""
    return make_user("admin", {tenant: Role.ADMINISTRATOR})


@pytest.fixture
def api(admin_user: User) -> Api:
    """The API as `tenant`'s administrator."""
    return Api(admin_user)


@pytest.fixture
def api_as(tenant: Tenant, make_user: Callable[..., User]) -> Callable[[Role], Api]:
    """The API as somebody with the role given."""
    return lambda role: Api(make_user(str(role), {tenant: role}))


@pytest.fixture
def query_count() -> Callable[..., int]:
    """Count the queries of a call: `query_count(api.get, "/api/v1/tasks")`."""

    def count(function: Callable[..., Any], *args: Any, **kwargs: Any) -> int:
        with CaptureQueriesContext(connection) as captured:
            function(*args, **kwargs)
        return len(captured)

    return count


@pytest.fixture(scope="session")
def freeradius(django_db_setup: None) -> Iterator[Server]:
    """One server for the whole run; it never learns that the tables were emptied between two tests."""
    require("freeradius", "rlm_sql_postgresql")
    with server.running() as running:
        yield running


@pytest.fixture(scope="module")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NasPeer]:
    """A real FreeRADIUS that plays a NAS, one per file of tests."""
    require("freeradius")
    with nas_peer.running(tmp_path_factory.mktemp("nas")) as nas:
        yield nas


@pytest.fixture(scope="module")  # Not longer: it would take the messages that later tests count.
def _worker_process(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    log = tmp_path_factory.mktemp("worker") / "worker.log"
    with celery_worker(log, queues="default,billing,network,radius", threads=8) as process:
        _workers.append(process.pid)
        yield
    _workers.clear()


@pytest.fixture
def worker(_worker_process: None, transactional_db: None) -> None:
    """A real Celery worker in its own process, for tests that commit."""


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> None:
    """Let worker and FreeRADIUS finish what a test began, before Django empties the tables under them."""
    names = getattr(item, "fixturenames", ())
    marker = item.get_closest_marker("django_db")
    commits = (marker is not None and marker.kwargs.get("transaction")) or "transactional_db" in names
    if commits and (_workers or "freeradius" in names):
        _wait_for_quiet()


def _wait_for_quiet() -> None:
    redis.client().flushdb()  # What was sent and not begun is not begun any more.
    deadline, quiet = time.monotonic() + MOST_QUIET_SECONDS, 0
    while quiet < 3 and time.monotonic() < deadline:
        quiet = 0 if _somebody_is_busy() else quiet + 1
        time.sleep(0.03)


def _somebody_is_busy() -> bool:
    with connection.cursor() as cursor:
        # By their locks: what another role is about is not shown. Autovacuum has no name, and gives way.
        cursor.execute(
            "SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE locktype = 'relation' "
            "AND pid <> pg_backend_pid() AND datname = current_database() AND usename IS NOT NULL"
        )
        if cursor.fetchone()[0]:
            return True
    for tenant_id in Tenant.objects.values_list("pk", flat=True):
        with tenant_context(tenant_id):
            if Job.objects.filter(status=JobStatus.RUNNING).exists():
                return True
    return False


class _as_owner:  # noqa: N801  (reads as a verb where it is used)
    """Make the default connection that of the tables' owner for a block."""

    def __enter__(self) -> None:
        self._runtime = {name: connection.settings_dict[name] for name in ("USER", "PASSWORD")}
        owner = urlsplit(servers.servers.owner_url)
        connection.close()
        connection.settings_dict.update(USER=owner.username, PASSWORD=owner.password)

    def __exit__(self, *exc: object) -> None:
        connection.close()
        connections["default"].settings_dict.update(self._runtime)
