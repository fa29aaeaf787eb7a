"""What becomes of an export whose worker dies, is thought dead, or is told to stop."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.db.models.functions import Now
from django.utils import timezone

from ispcore.files import exports, services
from ispcore.files.models import StoredFile
from ispcore.files.tasks import export as export_task
from ispcore.files.tasks import purge_files
from ispcore.jobs import services as jobs
from ispcore.jobs.models import Job, JobStatus
from ispcore.jobs.tasks import sweep
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant
from tests.factories import (
    ZoneFactory,
)
from tests.files.exported import records_of, request_export, run
from tests.workers import celery_worker, wait_until

pytestmark = pytest.mark.django_db


@contextmanager
def thread(target: Callable[[], None]) -> Iterator[None]:
    running = threading.Thread(target=target)
    running.start()
    try:
        yield
    finally:
        running.join()


def visible(tenant: Tenant) -> int:
    with tenant_context(tenant.pk):
        return StoredFile.objects.filter(completed_at__isnull=False).count()


@pytest.mark.django_db(databases=["default", "platform"], transaction=True)
class TestTakenUpAgain:
    @pytest.fixture
    def job(self, tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> Job:
        monkeypatch.setattr(exports, "PAGE_ROWS", 2)
        with tenant_context(tenant.pk):
            for _ in range(5):
                ZoneFactory()
            return request_export("zones")

    def test_one_thought_dead_finishes_no_second_file(
        self, job: Job, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        reached, go_on = threading.Event(), threading.Event()
        pages = exports._pages

        def slow_pages(*args: Any) -> Iterator[Any]:
            for page in pages(*args):
                if not reached.is_set():
                    reached.set()
                    go_on.wait(30)
                yield page

        monkeypatch.setattr(exports, "_pages", slow_pages)

        def first() -> None:
            export_task(tenant_id=str(tenant.pk), job_id=str(job.pk))
            connection.close()

        with thread(first):
            assert reached.wait(30)
            with tenant_context(tenant.pk):
                Job.objects.update(heartbeat_at=Now() - jobs.LEASE * 2)
            assert sweep() == 1
            ended = run(job)
            go_on.set()

        assert (ended.status, ended.attempts, visible(tenant)) == (JobStatus.SUCCEEDED, 2, 1)
        with tenant_context(tenant.pk):
            assert len(records_of(ended)) == 5
            assert StoredFile.objects.count() == 2

    def test_a_cancelled_one_leaves_no_file(
        self, job: Job, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pages = exports._pages

        def cancelled_meanwhile(*args: Any) -> Iterator[Any]:
            with tenant_context(tenant.pk):
                jobs.cancel(job_id=job.pk)
            yield from pages(*args)

        monkeypatch.setattr(exports, "_pages", cancelled_meanwhile)

        assert run(job).status == JobStatus.CANCELLED
        assert visible(tenant) == 0

    def test_what_was_left_unfinished_is_purged(self, job: Job, tenant: Tenant) -> None:
        with tenant_context(tenant.pk):
            services.write_file(name="x", media_type="text/csv", app_label="subscribers").__enter__()
            StoredFile.objects.update(created_at=timezone.now() - timedelta(days=2))

        assert purge_files() > 0

        with tenant_context(tenant.pk):
            assert not StoredFile.objects.exists()


@pytest.mark.django_db(databases=["default", "platform"], transaction=True)
def test_an_export_survives_the_death_of_its_worker(tenant: Tenant, tmp_path: Path) -> None:
    rows = 60_000  # So many that the worker is still at it when it is killed.
    with tenant_context(tenant.pk):
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO subscribers_zone (id, tenant_id, name, created_at, updated_at) "
                "SELECT uuidv7(), %s, 'Zone ' || n, now(), now() FROM generate_series(1, %s) AS n",
                [tenant.pk, rows],
            )
        job = request_export("zones")

    def current() -> Job:
        with tenant_context(tenant.pk):
            found: Job = Job.objects.get(pk=job.pk)
            return found

    with celery_worker(tmp_path / "first.log", queues="default") as worker:
        wait_until(lambda: current().progress_total > 0)
        worker.kill()
    assert (current().status, visible(tenant)) == (JobStatus.RUNNING, 0)
    with tenant_context(tenant.pk):
        # Instead of waiting for the lease to run out.
        Job.objects.filter(pk=job.pk).update(heartbeat_at=Now() - jobs.LEASE * 2)

    assert sweep() == 1
    with celery_worker(tmp_path / "second.log", queues="default"):
        wait_until(lambda: not current().is_active)

    ended = current()
    assert (ended.status, ended.attempts, visible(tenant)) == (JobStatus.SUCCEEDED, 2, 1)
    with tenant_context(tenant.pk):
        assert len({row["ID"] for row in records_of(ended)}) == rows
