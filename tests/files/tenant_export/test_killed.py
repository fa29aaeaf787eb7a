"""Processes that die while they write or restore."""

import time
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from django.db import connection
from django.db.models.functions import Now
from django.utils import timezone

from ispcore.files.models import StoredFile
from ispcore.files.services import open_file
from ispcore.files.tenant_export import requesting, writing
from ispcore.jobs import services as jobs
from ispcore.jobs.models import Job, JobStatus
from ispcore.jobs.tasks import sweep
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant
from tests.files.tenant_export.elsewhere import command, owner_there, restore, tenants_there
from tests.workers import celery_worker, wait_until

pytestmark = pytest.mark.django_db(databases=["default", "platform"], transaction=True)
ROWS = 150_000  # So many that a process is still at it when it is killed.


def make_zones(tenant: Tenant, rows: int) -> None:
    with tenant_context(tenant.pk), connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO subscribers_zone (id, tenant_id, name, created_at, updated_at) "
            "SELECT uuidv7(), %s, 'Zone ' || n || md5(n::text), now(), now() FROM generate_series(1, %s) AS n",
            [tenant.pk, rows],
        )


def wait_for(condition: Callable[[], bool], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.002)


def test_a_killed_export_leaves_nothing_that_looks_whole(tenant: Tenant, tmp_path: Path) -> None:
    make_zones(tenant, ROWS)
    path, part = tmp_path / "all.zip", tmp_path / "all.zip.part"
    process = command("export_tenant", tenant.slug, str(path))

    wait_for(lambda: part.exists() and part.stat().st_size > 500_000)
    process.kill()
    process.communicate()

    assert not path.exists()
    with pytest.raises(zipfile.BadZipFile):
        zipfile.ZipFile(part)

    again = command("export_tenant", tenant.slug, str(path))
    said, _ = again.communicate(timeout=300)

    assert again.returncode == 0, said
    assert not part.exists()
    assert path.stat().st_mode & 0o777 == 0o600
    with zipfile.ZipFile(path) as archive:
        assert archive.read("tables/subscribers.Zone.ndjson").count(b"\n") == ROWS


@pytest.mark.usefixtures("second_installation")
def test_a_killed_restore_leaves_nothing_and_may_be_started_again(tenant: Tenant, tmp_path: Path) -> None:
    make_zones(tenant, ROWS)
    path = tmp_path / "all.zip"
    with path.open("wb") as stream:
        writing.write(stream, tenant, at=timezone.now(), progress=lambda *told: None)

    def zones_come_in() -> bool:
        row = owner.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "
            "AND query LIKE 'INSERT INTO \"subscribers_zone\"%'"
        ).fetchone()
        return row is not None and row[0] > 0

    with owner_there() as owner:
        process = command("restore_tenant", str(path), owner_of_elsewhere=True)
        wait_for(zones_come_in)
        process.kill()
        process.communicate()
        wait_for(lambda: not zones_come_in())

    assert tenants_there() == []
    done = restore(path)

    assert done.manifest["tables"]["subscribers.Zone"]["rows"] == ROWS
    assert tenants_there() == ["north"]


def test_a_job_whose_worker_is_killed_is_taken_up_and_makes_one_file(tenant: Tenant, tmp_path: Path) -> None:
    make_zones(tenant, ROWS)
    with tenant_context(tenant.pk):
        job = requesting.request_tenant_export(passphrase="", user_id=None, ip=None, request_id="")

    def current() -> Job:
        with tenant_context(tenant.pk):
            found: Job = Job.objects.get(pk=job.pk)
            return found

    def whole() -> int:
        with tenant_context(tenant.pk):
            return StoredFile.objects.filter(completed_at__isnull=False).count()

    def begun() -> bool:
        with tenant_context(tenant.pk):
            return StoredFile.objects.filter(chunks__index=2).exists()

    with celery_worker(tmp_path / "first.log", queues="default") as worker:
        wait_until(begun)
        worker.kill()
    assert (current().status, whole()) == (JobStatus.RUNNING, 0)
    with tenant_context(tenant.pk):
        # Instead of waiting for the lease to run out.
        Job.objects.filter(pk=job.pk).update(heartbeat_at=Now() - jobs.LEASE * 2)

    assert sweep() == 1
    with celery_worker(tmp_path / "second.log", queues="default"):
        wait_until(lambda: not current().is_active)

    ended = current()
    assert (ended.status, ended.attempts, whole()) == (JobStatus.SUCCEEDED, 2, 1)
    assert ended.result is not None
    with tenant_context(tenant.pk):
        file = StoredFile.objects.get(pk=ended.result["file_id"])
        with open_file(file) as stream, zipfile.ZipFile(stream) as archive:
            assert archive.read("tables/subscribers.Zone.ndjson").count(b"\n") == ROWS
            # An export is in none, and neither is the job that makes it.
            assert archive.read("tables/files.FileChunk.ndjson") == b""
            assert archive.read("tables/jobs.Job.ndjson") == b""


def test_takes_the_same_memory_for_any_number_of_rows(tenant: Tenant, tmp_path: Path) -> None:
    def most_bytes() -> int:
        tracemalloc.start()
        with (tmp_path / "all.zip").open("wb") as stream:
            writing.write(stream, tenant, at=timezone.now(), progress=lambda *told: None)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    most_bytes()  # What is loaded once.
    make_zones(tenant, 1_000)
    few = most_bytes()
    with tenant_context(tenant.pk), connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO subscribers_zone (id, tenant_id, name, created_at, updated_at) "
            "SELECT uuidv7(), %s, 'More ' || n, now(), now() FROM generate_series(1, 30000) AS n",
            [tenant.pk],
        )
    many = most_bytes()

    assert many < few + 1_000_000
