"""One provider floods a real web server and fills a real worker's queue; the others are served all the same.

What is asserted is who was refused and who came in turn, no times: those are measured by `bench.fairness`.
"""

import json
import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import requests
from django.conf import settings
from django.utils import timezone

from bench.fairness_load import REFUSED_BY_SEATS, Caller, Wanted, flood
from ispcore.auth import access_tokens
from ispcore.embedded.process import free_port
from ispcore.files import exports
from ispcore.jobs.models import Job, JobStatus
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant, User
from ispcore.tenants.roles import Role
from tests.factories import SubscriberFactory
from tests.operations.production import PROJECT
from tests.workers import celery_worker, wait_until

# The time only ends what hangs, and no busy machine's slow run.
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(900)]

CONNECTIONS, JOBS, SEATS = 24, 40, 2


@contextmanager
def web_server(directory: Path) -> Iterator[tuple[str, int]]:
    """Run the Procfile's two processes with two seats for a provider in each, and no other limit."""
    port = free_port(directory / "web.port")
    command = [
        sys.executable, "-m", "granian", "--interface", "wsgi", "ispcore.wsgi:application", "--host", "127.0.0.1",
        "--port", str(port), "--workers", "2", "--blocking-threads", "16", "--backpressure", "64",
    ]  # fmt: skip
    environment = os.environ | {"REQUESTS_PER_TENANT": str(SEATS), "RATE_LIMIT_PER_MINUTE": "6000000"}
    with (directory / "web.log").open("wb") as log:
        web = subprocess.Popen(command, cwd=PROJECT, env=environment, stdout=log, stderr=log)
        try:
            wait_until(lambda: web.poll() is not None or answers(port))
            assert web.poll() is None, (directory / "web.log").read_text()[-3000:]
            yield "127.0.0.1", port
        finally:
            web.terminate()
            web.wait()


def answers(port: int) -> bool:
    try:
        return requests.get(f"http://127.0.0.1:{port}/ready", timeout=20).status_code == 200
    except requests.ConnectionError:
        return False


@contextmanager
def flooding(address: tuple[str, int], token: str) -> Iterator[Counter[str]]:
    """Flood for a block; the counter is filled at its end."""
    outcomes: Counter[str] = Counter()
    ending = threading.Event()
    wanted = [
        Wanted(token, "flood", "GET", "/subscribers?search=jane&page_size=200"),
        Wanted(token, "flood", "GET", "/subscribers?page_size=200"),
    ]
    thread = threading.Thread(
        target=lambda: outcomes.update(flood(address, wanted, connections=CONNECTIONS, ending=ending))
    )
    thread.start()
    try:
        yield outcomes
    finally:
        ending.set()
        thread.join()


def is_refused(address: tuple[str, int], token: str) -> bool:
    caller = Caller(address)
    status, _, content = caller.ask(Wanted(token, "one more", "GET", "/subscribers?page_size=200"))
    caller.close()
    return status == 429 and REFUSED_BY_SEATS in content


def enqueue_exports(tenant: Tenant, user: User, count: int) -> None:
    for number in range(count):
        with tenant_context(tenant.pk):
            exports.request_export(
                export=exports.find("subscribers"), file_format="xlsx", bom=False, rows_from="list",
                asked={"filters": {"created_at__gte": f"2001-01-01T00:00:{number:02d}Z"}, "search": ""},
                role=Role.ADMINISTRATOR, user_id=user.pk, ip=None, request_id="",
            )  # fmt: skip


def statuses(tenant: Tenant) -> Counter[str]:
    with tenant_context(tenant.pk):
        return Counter(Job.objects.values_list("status", flat=True))


def end_of(tenant: Tenant, job_id: str) -> str:
    with tenant_context(tenant.pk):
        return Job.objects.get(pk=UUID(job_id)).status


def begun_before(tenant: Tenant, moment: datetime) -> int:
    with tenant_context(tenant.pk):
        return Job.objects.filter(started_at__lt=moment).count()


def beginning_of(tenant: Tenant, job_id: str) -> datetime:
    with tenant_context(tenant.pk):
        began = Job.objects.get(pk=UUID(job_id)).started_at
    assert began
    return began


def test_a_flood_of_one_provider_leaves_the_others_served(
    make_tenant: Callable[..., Tenant], make_user: Callable[..., User], tmp_path: Path
) -> None:
    flooder, *quiet = (make_tenant(slug) for slug in ("flooder", "north", "south"))
    people = {tenant: make_user(tenant.slug, {tenant: Role.ADMINISTRATOR}) for tenant in (flooder, *quiet)}
    tokens = {
        tenant: access_tokens.mint(user_id=user.pk, at=timezone.now()) for tenant, user in people.items()
    }
    for tenant, size in ((flooder, 400), *((each, 5) for each in quiet)):
        with tenant_context(tenant.pk):
            SubscriberFactory.create_batch(size)
    enqueue_exports(flooder, people[flooder], JOBS)
    log = tmp_path / "worker.log"
    asked: list[tuple[str, int]] = []
    made: dict[Tenant, str] = {}
    most_running = 0

    with web_server(tmp_path) as address, flooding(address, tokens[flooder]) as outcomes:
        wait_until(lambda: is_refused(address, tokens[flooder]))
        for tenant in quiet:
            made[tenant] = ask_for_everything(address, tokens[tenant], asked)
        with celery_worker(log, queues="default", threads=4) as worker:
            while not all(end_of(tenant, made[tenant]) == JobStatus.SUCCEEDED for tenant in quiet):
                assert worker.poll() is None, log.read_text()[-3000:]
                most_running = max(most_running, statuses(flooder)[JobStatus.RUNNING])
                for tenant in quiet:
                    ask_for_everything(address, tokens[tenant], asked, export=False)

    last = max(beginning_of(tenant, made[tenant]) for tenant in quiet)
    assert {status for _, status in asked} <= {200, 201, 202}, asked
    assert outcomes["429 too many at once"] > 0
    assert set(outcomes) <= {"200", "429 too many at once"}
    # Few in truth; a half leaves room for a worker's thread that the machine lets wait.
    assert begun_before(flooder, last) < JOBS / 2
    assert most_running <= settings.JOB_SLOTS["default"]


def ask_for_everything(
    address: tuple[str, int], token: str, asked: list[tuple[str, int]], *, export: bool = True
) -> str:
    """Ask one after the other, as a quiet provider does; return the id of the export's job, where one is wanted."""
    body: dict[str, Any] = {"list": "subscribers", "format": "csv"}
    wanted = [
        Wanted(token, "list", "GET", "/subscribers"),
        Wanted(token, "create", "POST", "/zones", {"name": f"Zone {len(asked)}"}),
    ]
    if export:
        wanted.append(Wanted(token, "export", "POST", "/exports", body))
    content = b""
    caller = Caller(address)
    for each in wanted:
        status, _, content = caller.ask(each)
        asked.append((each.kind, status))
    caller.close()
    return str(json.loads(content)["data"]["id"]) if export else ""
