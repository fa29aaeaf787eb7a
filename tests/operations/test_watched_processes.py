"""Real web servers and a real worker, watched: metrics of two processes, logs, traces, error reports, readiness."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis
import requests
from prometheus_client.parser import text_string_to_metric_families

from tests.api import faulty
from tests.api.installation import PROJECT, Installation, install, python
from tests.operations.collector import Collector, collecting
from tests.workers import wait_until

pytestmark = pytest.mark.timeout(600)

QUERY_SECRET, BODY_SECRET = "s3cret-in-the-query", "s3cret-in-the-body"
CRASH_A_JOB = """
import structlog
from ispcore.jobs import services
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant

structlog.contextvars.bind_contextvars(request_id="mine-8")
with tenant_context(Tenant.objects.get().pk):
    secret = {"password": "s3cret-in-job"}
    job = services.enqueue(kind="hardware.discover_olt", label="x", queue="network", params=secret)
print(job.pk)
"""


class Watched:
    """An installation with two web processes, a worker and a clock, and where their output and their spans go."""

    def __init__(self, running: Installation, collector: Collector, directory: Path) -> None:
        self.running, self.collector, self.directory = running, collector, directory

    def lines(self, name: str) -> list[dict[str, Any]]:
        text = (self.directory / f"{name}.log").read_text()
        return [json.loads(line) for line in text.splitlines() if line.startswith("{")]

    def scrape(self) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
        text = self.running.call("GET", "/metrics").text
        return {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    def find_line(self, name: str, **wanted: str) -> dict[str, Any]:
        def found() -> list[dict[str, Any]]:
            return [line for line in self.lines(name) if wanted.items() <= line.items()]

        wait_until(lambda: bool(found()))
        return found()[0]


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    directory = tmp_path_factory.mktemp("watched")
    (directory / "metrics").mkdir()
    with ExitStack() as stack:
        collector = stack.enter_context(collecting())
        setting = stack.enter_context(pytest.MonkeyPatch.context())
        for name, value in {
            "DJANGO_SETTINGS_MODULE": "tests.operations.faulty_settings",
            "PROMETHEUS_MULTIPROC_DIR": str(directory / "metrics"),
            "LOG_FORMAT": "json",
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            "OTEL_BSP_SCHEDULE_DELAY": "100",
            "SENTRY_DSN": collector.url.replace("http://", "http://key@") + "/1",
            "NO_PROXY": "127.0.0.1",
        }.items():
            setting.setenv(name, value)
        running = stack.enter_context(install(directory / "data", workers=2))
        (directory / "web.log").symlink_to(directory / "data" / "web.log")
        celery = [sys.executable, "-m", "celery", "-A", "ispcore"]
        worker = [
            *celery, "worker", "--queues", "default,network", "--concurrency", "2", "--without-gossip",
            "--without-mingle", "--loglevel", "INFO",
        ]  # fmt: skip
        beat = [
            *celery,
            "beat",
            "--pidfile=",
            "--loglevel",
            "INFO",
        ]
        for name, command in (("worker", worker), ("beat", beat)):
            log = stack.enter_context((directory / f"{name}.log").open("wb"))
            process = subprocess.Popen(
                command, cwd=PROJECT, env=running.environment, stdout=log, stderr=subprocess.STDOUT
            )
            stack.callback(process.wait)
            stack.callback(process.terminate)
        yield Watched(running, collector, directory)


def crash(watched: Watched, request_id: str) -> requests.Response:
    return watched.running.call(
        "POST",
        "/api/v1/crash",
        json={"password": BODY_SECRET},
        headers={"X-Request-ID": request_id},
    )


class TestMetrics:
    def test_of_two_processes_are_added_up_by_whichever_is_asked(self, watched):
        name = "django_http_responses_total_by_status_view_method_total"
        key = (name, frozenset({"method": "GET", "status": "200", "view": "health"}.items()))
        before = watched.scrape().get(key, 0)

        for _ in range(40):
            assert requests.get(watched.running.url + "/health", timeout=30).status_code == 200
        told = [watched.scrape()[key] - before for _ in range(8)]

        writers = {
            path.stem.rpartition("_")[2] for path in (watched.directory / "metrics").glob("counter_*.db")
        }
        assert len(writers) == 2
        assert told == [40] * 8

    def test_know_the_worker_and_the_clock(self, watched):
        def alive() -> bool:
            found = watched.scrape()
            workers = found["ispcore_workers", frozenset({("queue", "network")})]
            return workers == 1 and ("ispcore_beat_sent_timestamp_seconds", frozenset()) in found

        wait_until(alive)

        assert watched.scrape()["ispcore_workers", frozenset({("queue", "billing")})] == 0


class TestLogs:
    def test_of_a_crash_name_request_tenant_and_user(self, watched):
        assert crash(watched, "mine-1").status_code == 500

        trace = watched.find_line("web", request_id="mine-1", level="error")
        assert {"tenant_id", "user_id", "event", "timestamp", "logger"} <= set(trace)
        assert faulty.DETAIL in trace["exception"]

    def test_of_an_answer_name_it_as_well(self, watched):
        watched.running.call("GET", "/api/v1/hardware/olts/none", headers={"X-Request-ID": "mine-2"})

        line = watched.find_line("web", request_id="mine-2", logger="django.request")
        assert {"tenant_id", "user_id"} <= set(line)

    def test_of_a_worker_name_the_request_that_asked(self, watched):
        asked = watched.running.call(
            "POST",
            "/api/v1/hardware/olt/discover",
            json={"olt_id": watched.running.olt_id},
            headers={"X-Request-ID": "mine-3", "Prefer": "respond-async"},
        )

        line = watched.find_line("worker", request_id="mine-3", task="hardware.tasks.discover_olt")
        assert asked.status_code == 202
        assert line["task_id"]

    def test_of_a_job_that_crashes_name_all_of_it(self, watched):
        job_id = python(
            watched.running.environment, "manage.py", "shell", "--no-imports", "-c", CRASH_A_JOB
        ).strip()

        line = watched.find_line("worker", event="job_crashed", job_id=job_id)
        assert (line["request_id"], line["task"]) == ("mine-8", "hardware.tasks.discover_olt")
        assert {"tenant_id", "task_id"} <= set(line)
        wait_until(lambda: any(r["tags"].get("job_id") == job_id for r in watched.collector.reports()))
        assert "s3cret-in-job" not in (watched.directory / "worker.log").read_text()
        assert "s3cret-in-job" not in json.dumps(watched.collector.reports())

    def test_have_no_secret(self, watched):
        crash(watched, "mine-4")

        watched.find_line("web", request_id="mine-4", level="error")
        written = (watched.directory / "web.log").read_text() + (watched.directory / "worker.log").read_text()
        assert not [secret for secret in secrets_of(watched) if secret in written]


def secrets_of(watched: Watched) -> list[str]:
    environment = watched.running.environment
    names = ("SECRET_KEY", "DATABASE_URL", "DATABASE_PLATFORM_URL", "REDIS_URL")
    return [BODY_SECRET, faulty.SECRET, watched.running.token, *(environment[name] for name in names)]


class TestTraces:
    def test_of_a_request_have_its_route_its_tenant_and_its_statements_without_values(self, watched):
        path = f"/api/v1/hardware/olts/{watched.running.olt_id}"
        answer = watched.running.call(
            "GET", f"{path}?fields={QUERY_SECRET}", headers={"X-Request-ID": "mine-5"}
        )
        answer = watched.running.call("GET", path, headers={"X-Request-ID": "mine-6"})
        assert answer.status_code == 200

        root = wait_for_span(watched, lambda span: attributes(span).get("ispcore.request_id") == "mine-6")
        told = attributes(root)
        children = wait_for_children(watched, root)
        statements: list[Any] = [
            attributes(span).get("db.statement") or attributes(span).get("db.query.text") for span in children
        ]
        assert "hardware/olts" in str(told.get("http.route") or root.name)
        assert told["ispcore.tenant_id"]
        assert any("hardware_olt" in statement and "%s" in statement for statement in statements)
        assert not [s for s in statements if watched.running.olt_id in s]

    def test_have_no_secret_and_no_attribute_that_is_not_known(self, watched):
        crash(watched, "mine-7")
        root = wait_for_span(watched, lambda span: attributes(span).get("ispcore.request_id") == "mine-7")

        from ispcore.tracing import ATTRIBUTES

        sent = b"".join(body for path, body in watched.collector.bodies if path == "/v1/traces")
        assert not [s for s in (*secrets_of(watched), QUERY_SECRET, faulty.DETAIL) if s.encode() in sent]
        assert {name for span in watched.collector.spans() for name in attributes(span)} <= ATTRIBUTES
        assert root.status.message == ""

    def test_go_on_in_the_worker(self, watched):
        asked = watched.running.call(
            "POST",
            "/api/v1/hardware/olt/discover",
            json={"olt_id": watched.running.olt_id},
            headers={"X-Request-ID": "mine-9", "Prefer": "respond-async"},
        )
        assert asked.status_code in (200, 202)

        task = wait_for_span(
            watched, lambda span: span.name == "run/hardware.tasks.discover_olt" and bool(span.parent_span_id)
        )
        assert task.trace_id in {
            span.trace_id for span in watched.collector.spans() if not span.parent_span_id
        }


class TestErrorReports:
    def test_of_a_crash_say_where_and_for_whom_and_nothing_else(self, watched):
        crash(watched, "mine-10")
        watched.running.call("GET", f"/crash?password={QUERY_SECRET}")

        def found() -> list[dict[str, Any]]:
            return [r for r in watched.collector.reports() if r["tags"].get("request_id") == "mine-10"]

        wait_until(lambda: bool(found()))
        report = found()[0]
        error = report["exception"]["values"][-1]
        text = json.dumps(watched.collector.reports())
        assert (error["type"], error["value"]) == ("RuntimeError", faulty.DETAIL)
        assert error["stacktrace"]["frames"][-1]["function"] == "post"
        assert "vars" not in error["stacktrace"]["frames"][-1]
        assert {"tenant_id", "user_id"} <= set(report["tags"])
        assert set(report["request"]) == {"method", "url"}
        assert not [secret for secret in (*secrets_of(watched), QUERY_SECRET) if secret in text]


def test_without_their_settings_neither_is_imported():
    program = (
        "import sys, django; django.setup(); import ispcore.celery, ispcore.tracing, ispcore.error_reports as e; "
        "ispcore.tracing.begin('x'); e.begin('x'); "
        # redis-py imports OpenTelemetry's interfaces wherever they are installed.
        "ours = ('opentelemetry.instrumentation', 'opentelemetry.exporter', 'sentry_sdk'); "
        "print([n for n in sys.modules if n.startswith(ours)])"
    )
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("OTEL_", "SENTRY_"))}

    assert python(environment, "-c", program).strip() == "[]"


class TestReadiness:
    """Last: what it stops is started again, but may be missed for a moment."""

    def test_names_a_database_that_is_stopped_in_the_middle(self, watched):
        postmaster = watched.running.postgres.running_pid()
        assert postmaster is not None

        with paused(*children_of(postmaster), postmaster):
            answer = requests.get(watched.running.url + "/ready", timeout=60)
            again = requests.get(watched.running.url + "/ready", timeout=60)

        body = answer.json()
        assert (answer.status_code, again.status_code) == (503, 503)
        assert "PostgreSQL at 127.0.0.1:" in body["database"]
        assert "does not answer" in body["database"]
        assert body["redis"] == body["broker"] == "ok"
        watched.running.wait_for("/ready", 200, seconds=120)

    def test_names_a_valkey_that_is_stopped_in_the_middle(self, watched):
        pid: Any = redis.Redis.from_url(watched.running.environment["REDIS_URL"]).info("server")["process_id"]

        with paused(pid):
            body = requests.get(watched.running.url + "/ready", timeout=60).json()

        assert body["database"] == body["migrations"] == "ok"
        assert "Valkey or Redis at 127.0.0.1:" in body["redis"]
        assert body["broker"].endswith("does not answer, so no job can be sent.")
        watched.running.wait_for("/ready", 200, seconds=120)

    def test_names_a_database_on_a_port_where_nobody_listens(self, watched):
        watched.running.postgres.stop()
        body = requests.get(watched.running.url + "/ready", timeout=60).json()
        watched.running.postgres.start(die_with_parent=True)

        assert "does not answer (OperationalError)" in body["database"]
        assert "DATABASE_URL says where it is" in body["database"]
        assert body["migrations"].endswith("so its tables were not looked at.")
        watched.running.wait_for("/ready", 200, seconds=120)


def attributes(span: Any) -> dict[str, str]:
    return {each.key: each.value.string_value or str(each.value.int_value) for each in span.attributes}


def statement_of(span: Any) -> str:
    told = attributes(span)
    return told.get("db.statement") or told.get("db.query.text") or ""


def wait_for_span(watched: Watched, is_it: Callable[[Any], bool]) -> Any:
    wait_until(lambda: any(is_it(span) for span in watched.collector.spans()))
    return next(span for span in watched.collector.spans() if is_it(span))


def wait_for_children(watched: Watched, root: Any) -> list[Any]:
    def found() -> list[Any]:
        return [
            s for s in watched.collector.spans() if s.trace_id == root.trace_id and s.span_id != root.span_id
        ]

    wait_until(lambda: bool(found()))
    return found()


def children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@contextmanager
def paused(*pids: int) -> Iterator[None]:
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in reversed(pids):
            os.kill(pid, signal.SIGCONT)
