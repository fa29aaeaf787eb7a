"""Each thing that can be wrong with an installation is made wrong with real servers, and said in plain words."""

import json
import os
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from ispcore import crypto, redis
from ispcore.operations.checks import (
    Finding,
    Level,
    broker,
    clocks,
    database,
    mail,
    processes,
    roles,
    secrets,
    storage,
    tables,
    web,
)
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant
from tests import servers
from tests.billing.mail_server import MailServer
from tests.conftest import _as_owner
from tests.factories import OltFactory
from tests.operations import pooler
from tests.workers import celery_worker, wait_until

pytestmark = pytest.mark.django_db(databases=["default", "platform"], transaction=True)

PROJECT = Path(__file__).resolve().parents[2]
OTHER_KEY = "k1:" + "QUFB" * 10 + "QUE="
Settings = Any


def _words(findings: list[Finding], level: Level = Level.ERROR) -> list[str]:
    assert all(finding.do for finding in findings if finding.level != Level.OK)
    return [finding.what for finding in findings if finding.level == level]


@contextmanager
def _broken(url: str, make: str, mend: str) -> Iterator[None]:
    """Change the real database for a block."""
    with psycopg.connect(url, autocommit=True) as other:
        other.execute(make)
        try:
            yield
        finally:
            other.execute(mend)


def _admin_url() -> str:
    return servers.servers.admin_url.rsplit("/", 1)[0] + urlsplit(servers.servers.app_url).path


def test_a_sound_database_passes() -> None:
    for check in (
        database.check_version,
        database.check_text,
        database.check_time_zones,
        database.check_pooler,
        roles.check_roles,
        roles.check_radius,
        tables.check_migrations,
        tables.check_isolation,
        tables.check_partitions,
        clocks.check_clocks,
        secrets.check_secret_key,
        secrets.check_encryption_keys,
        secrets.check_stored_secrets,
    ):
        assert [finding.level for finding in check()] == [Level.OK], check.__name__


@pytest.mark.parametrize(
    ("make", "mend", "words"),
    [
        (
            "ALTER ROLE isp_app BYPASSRLS",
            "ALTER ROLE isp_app NOBYPASSRLS",
            "The role isp_app is not bound by row-level security.",
        ),
        (
            "ALTER ROLE isp_radius SUPERUSER",
            "ALTER ROLE isp_radius NOSUPERUSER",
            "The role isp_radius is a superuser.",
        ),
        (
            "ALTER ROLE isp_platform CREATEROLE",
            "ALTER ROLE isp_platform NOCREATEROLE",
            "The role isp_platform is able to make roles.",
        ),
        (
            "ALTER ROLE isp_owner NOBYPASSRLS",
            "ALTER ROLE isp_owner BYPASSRLS",
            "The role isp_owner is bound by row-level security: changes of data would see no rows.",
        ),
        (
            "GRANT isp_owner TO isp_app",
            "REVOKE isp_owner FROM isp_app",
            "The role isp_app is a member of isp_owner.",
        ),
        (
            "CREATE TABLE public.foreign_table (id int)",
            "DROP TABLE public.foreign_table",
            "Tables belong to postgres and not to isp_owner.",
        ),
        (
            "GRANT DELETE ON tenants_tenant TO isp_platform",
            "REVOKE DELETE ON tenants_tenant FROM isp_platform",
            "The role isp_platform, which sees every provider's rows, may write to 1 tables.",
        ),
    ],
)
def test_an_unsafe_role_is_named(make: str, mend: str, words: str) -> None:
    with _broken(_admin_url(), make, mend):
        found = _words(roles.check_roles())

    assert words in found
    assert _words(roles.check_roles()) == []


def test_a_process_that_logs_in_as_the_owner_is_told() -> None:
    with _as_owner():
        found = _words(roles.check_roles())

    assert found == ["DATABASE_URL logs in as isp_owner, whom row-level security does not bind."]


@pytest.mark.parametrize(
    ("make", "mend", "words"),
    [
        (
            "REVOKE EXECUTE ON FUNCTION aaa_client FROM isp_radius",
            "GRANT EXECUTE ON FUNCTION aaa_client TO isp_radius",
            "isp_radius may not call aaa_client, so log-ins would fail.",
        ),
        (
            "GRANT EXECUTE ON FUNCTION aaa_make_partition TO isp_radius",
            "REVOKE EXECUTE ON FUNCTION aaa_make_partition FROM isp_radius",
            "isp_radius may call aaa_make_partition, which it has no need of.",
        ),
        (
            "GRANT SELECT (slug) ON tenants_tenant TO isp_radius",
            "REVOKE SELECT (slug) ON tenants_tenant FROM isp_radius",
            "isp_radius may touch tables itself: tenants_tenant.",
        ),
    ],
)
def test_what_freeradius_may_do_is_exactly_what_it_needs(make: str, mend: str, words: str) -> None:
    with _broken(servers.servers.owner_url, make, mend):
        found = _words(roles.check_radius())

    assert found == [words]


@pytest.mark.parametrize(
    ("make", "mend"),
    [
        ("CREATE TABLE open_table (tenant_id uuid)", "DROP TABLE open_table"),
        (
            "ALTER TABLE subscribers_plan NO FORCE ROW LEVEL SECURITY",
            "ALTER TABLE subscribers_plan FORCE ROW LEVEL SECURITY",
        ),
    ],
)
def test_a_table_that_is_open_to_every_provider_is_named(make: str, mend: str) -> None:
    table = make.split()[2]

    with _broken(servers.servers.owner_url, make, mend):
        found = _words(tables.check_isolation())

    assert found == [f"The table {table} shows every provider's rows to every provider."]


def test_a_table_without_next_month_is_named() -> None:
    make = (
        "CREATE TABLE monthly (at date) PARTITION BY RANGE (at);"
        "CREATE TABLE monthly_old PARTITION OF monthly FOR VALUES FROM ('2026-01-01') TO ('2026-02-01')"
    )

    with _broken(servers.servers.owner_url, make, "DROP TABLE monthly"):
        found = _words(tables.check_partitions())

    assert found == ["monthly has no partition for next month."]


def test_migrations_that_are_pending_or_unknown_are_told() -> None:
    with _as_owner():
        recorder = MigrationRecorder(connection)
        recorder.record_applied("support", "9999_of_the_next_release")
        try:
            ahead = _words(tables.check_migrations(), Level.WARNING)
        finally:
            recorder.record_unapplied("support", "9999_of_the_next_release")
        recorder.record_unapplied("aaa", "0002_states_come_with_accounts")
        try:
            pending = _words(tables.check_migrations())
        finally:
            recorder.record_applied("aaa", "0002_states_come_with_accounts")

    assert ahead == [
        "The database has had 1 migrations that this release does not know, such as "
        "('support', '9999_of_the_next_release')."
    ]
    assert pending == ["1 migrations are not applied, the first is aaa.0002_states_come_with_accounts."]


def test_a_time_zone_nobody_knows_is_named(make_tenant: Callable[..., Tenant]) -> None:
    make_tenant("lost", timezone="Atlantis/Capital")

    assert _words(database.check_time_zones()) == [
        "PostgreSQL and Python disagree on the time in Atlantis/Capital."
    ]


def test_a_broker_that_forgets_or_is_away_is_told(settings: Settings) -> None:
    client: Any = redis.client()
    client.config_set("maxmemory-policy", "allkeys-lru")
    try:
        forgets = broker.check_broker()
    finally:
        client.config_set("maxmemory-policy", "noeviction")
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    away = broker.check_broker()

    assert _words(forgets) == [
        "When its memory is full the broker throws away messages (maxmemory-policy allkeys-lru)."
    ]
    assert len(_words(forgets, Level.WARNING)) == 1  # The tests' own server writes nothing down.
    assert _words(away)[0].startswith("The broker does not answer: ")


class _FutureBroker(socketserver.StreamRequestHandler):
    """Speaks RESP well enough to be asked for the time, and is five seconds ahead."""

    def handle(self) -> None:
        while header := self.rfile.readline():
            words = []
            for _ in range(int(header[1:])):
                self.rfile.readline()
                words.append(self.rfile.readline().strip().upper())
            at = str(int(time.time()) + 5).encode()
            answers = {
                b"HELLO": b"%1\r\n$5\r\nproto\r\n:3\r\n",
                b"PING": b"+PONG\r\n",
                b"TIME": b"*2\r\n$%d\r\n%s\r\n$1\r\n0\r\n" % (len(at), at),
            }
            self.wfile.write(answers.get(words[0], b"+OK\r\n"))


def test_a_clock_that_is_ahead_is_told(settings: Settings) -> None:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _FutureBroker) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        settings.REDIS_URL = f"redis://127.0.0.1:{server.server_address[1]}/0"
        found = _words(clocks.check_clocks())
        server.shutdown()

    assert len(found) == 1
    assert found[0].startswith("The clock of the broker is ")
    assert found[0].endswith(" s ahead of this machine's.")


def test_keys_that_are_weak_wrong_or_lost_are_told(tenant: Tenant, settings: Settings) -> None:
    with tenant_context(tenant.pk):
        OltFactory(community="sealed")
    assert _words(secrets.check_stored_secrets(), Level.OK)[0].startswith("one of each of ")

    settings.SECRET_KEY = "a" * 60
    settings.FIELD_ENCRYPTION_KEYS = OTHER_KEY
    crypto.key_ring.cache_clear()
    try:
        weak, lost = _words(secrets.check_secret_key()), _words(secrets.check_stored_secrets())
        settings.FIELD_ENCRYPTION_KEYS = "k1:short"
        crypto.key_ring.cache_clear()
        wrong = _words(secrets.check_encryption_keys())
    finally:
        del settings.FIELD_ENCRYPTION_KEYS
        crypto.key_ring.cache_clear()

    assert weak == ["SECRET_KEY could be guessed."]
    assert lost
    assert all(what.startswith("hardware_olt") and "cannot be opened" in what for what in lost)
    assert [what.split(":")[0] for what in wrong] == ["FIELD_ENCRYPTION_KEYS cannot be read"]


def test_an_address_that_is_open_or_refused_is_told(settings: Settings) -> None:
    settings.PUBLIC_URL = "http://isp.example"
    settings.ALLOWED_HOSTS = ["other.example"]
    in_the_open = _words(web.check_settings())
    settings.PUBLIC_URL = "https://isp.example"
    settings.ALLOWED_HOSTS = ["*"]
    settings.DEBUG = True
    settings.SESSION_COOKIE_SECURE = False
    careless = _words(web.check_settings())

    assert in_the_open == [
        "PUBLIC_URL leads to isp.example, which ALLOWED_HOSTS refuses.",
        "PUBLIC_URL is not HTTPS: passwords and cookies can be read on the way.",
    ]
    assert careless == [
        "Cookies would also be sent without HTTPS.",
        "DEBUG is on: errors show the inside to anybody.",
        "ALLOWED_HOSTS takes any name, so links in mails can be forged.",
    ]


@pytest.fixture
def smtp(settings: Settings) -> None:
    settings.EMAIL_FILE_PATH = None
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_HOST_USER, settings.EMAIL_USE_TLS = "127.0.0.1", "", False


@pytest.mark.usefixtures("smtp")
def test_a_mail_server_is_greeted_and_sent_nothing(settings: Settings) -> None:
    with MailServer() as server:
        settings.EMAIL_PORT = server.port
        greeted = mail.check_mail()
        settings.EMAIL_USE_TLS = True
        without_tls = _words(mail.check_mail())
        settings.EMAIL_USE_TLS, settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD = False, "isp", "wrong"
        without_log_in = _words(mail.check_mail())
    gone = _words(mail.check_mail())

    where = f"127.0.0.1:{settings.EMAIL_PORT}"
    assert [finding.what for finding in greeted] == [f"{where} greets us"]
    assert server.messages == []
    assert without_tls[0].startswith(f"{where} cannot do what is set: STARTTLS")
    assert without_log_in[0].startswith(f"{where} cannot do what is set: SMTP AUTH")
    assert gone[0].startswith(f"{where} does not answer as a mail server: ")


def test_a_queue_without_a_worker_is_named(tmp_path: Path) -> None:
    queues = {
        queue
        for names in processes.QUEUES.findall((PROJECT / "Procfile").read_text())
        for queue in names.split(",")
    }
    log = tmp_path / "worker.log"

    with celery_worker(log, queues=",".join(sorted(queues - {"billing"}))):
        wait_until(lambda: " ready." in log.read_text())
        found = _words(processes.check_workers())

    assert found == ["No worker takes from the queue `billing`."]
    assert len(_words(processes.check_workers())) == len(queues)


def test_a_beat_that_never_ran_or_has_stopped_is_told() -> None:
    never = _words(processes.check_beat())
    with connection.cursor() as cursor:
        insert = (
            "INSERT INTO jobs_scheduledrun (name, last_run_at, runs) VALUES (%s, now() - %s::interval, 1)"
        )
        cursor.execute(insert, ["old", "3 minutes"])
        stopped = _words(processes.check_beat())
        cursor.execute(insert, ["new", "1 second"])
        ticking = processes.check_beat()

    assert never == ["It has never run."]
    assert stopped[0].startswith("It ran last at ")
    assert [finding.level for finding in ticking] == [Level.OK]


def test_a_full_disk_and_a_missing_archive_are_told(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.DATA_DIR = tmp_path / "missing"
    missing = _words(storage.check_disk(), Level.WARNING)
    settings.DATA_DIR = tmp_path
    monkeypatch.setattr(storage, "ERROR_BELOW", 1.01)
    full = _words(storage.check_disk())

    assert missing == [f"{tmp_path / 'missing'} does not exist."]
    assert full[0].startswith("Only ")
    assert _words(storage.check_archive(), Level.WARNING)[0].startswith("The write-ahead log is not archived")


@pytest.mark.parametrize(
    ("mode", "level", "words"),
    [
        ("transaction", "ok", "PgBouncer in transaction mode"),
        ("statement", "error", "PgBouncer's pool_mode is `statement`: every transaction would fail."),
    ],
)
def test_the_command_reports_all_of_it_and_its_exit_code_is_one(
    tmp_path_factory: pytest.TempPathFactory, mode: str, level: str, words: str
) -> None:
    directory = tmp_path_factory.getbasetemp().parent.parent / f"pgbouncer-{os.getpid()}-{mode}"
    directory.mkdir()
    with pooler.running(directory, mode) as url:
        result = subprocess.run(
            [sys.executable, "manage.py", "install_check", "--json"],
            cwd=PROJECT,
            env=os.environ | {"DATABASE_URL": url, "EMAIL_PORT": "1"},
            capture_output=True,
            text=True,
            check=False,
        )

    report = json.loads(result.stdout)
    found = {row["check"]: row for row in report["findings"]}
    assert (result.returncode, report["ok"]) == (1, False)
    assert (found["database pooler"]["level"], found["database pooler"]["what"]) == (level, words)
    assert found["mail"]["level"] == "error"
    assert found["database version"]["what"].startswith("PostgreSQL 18.")
