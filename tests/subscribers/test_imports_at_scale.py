"""A file of fifty thousand rows, and a worker killed while it takes one in."""

from pathlib import Path

import pytest
from django.db.models.functions import Now

from ispcore.jobs import services as jobs
from ispcore.jobs.models import Job, JobStatus
from ispcore.jobs.tasks import sweep
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant
from subscribers.models import Import, ImportStatus, Subscriber, SubscriberSettings, Subscription
from subscribers.services import imports
from tests.factories import PlanFactory
from tests.subscribers.importing import counts, csv_of, errors, upload
from tests.workers import celery_worker, wait_until

HEADER = ["external id", "name", "phone", "email", "address", "city", "plan", "service status"]


def file_of(count: int, bad: int = 0) -> bytes:
    """Make a file in which every (count / bad)th row has no phone number in its place."""
    every = count // bad if bad else count + 1
    rows = (
        [
            f"C-{n}", f"Maria Santos {n}", "none" if n % every == 0 else f"+35191{n:07d}", f"c{n}@customer.example",
            f"Rua do Porto {n}", "Porto", "FIBRE-100", "active",
        ]
        for n in range(1, count + 1)
    )  # fmt: skip
    return csv_of([HEADER, *rows])


@pytest.mark.timeout(600)
@pytest.mark.django_db(transaction=True)
def test_fifty_thousand_rows_are_taken_in_and_two_hundred_come_back(tenant: Tenant) -> None:
    with tenant_context(tenant.pk):
        SubscriberSettings.objects.create(duplicate_rules=["phone", "email"])
        PlanFactory(code="FIBRE-100")
        of_import = upload(file_of(50_000, bad=200))
        checking = imports.request_check(import_id=of_import.pk)

    work(checking, tenant)
    with tenant_context(tenant.pk):
        checked = counts(Import.objects.get())
        running = imports.request_run(import_id=of_import.pk)
    work(running, tenant)

    with tenant_context(tenant.pk):
        of_import.refresh_from_db()
        assert (of_import.status, of_import.rows_total) == (ImportStatus.IMPORTED, 50_000)
        assert checked == counts(of_import) == (49_800, 0, 0, 200)
        assert Subscriber.objects.count() == Subscription.objects.filter(status="active").count() == 49_800
        refused = errors(of_import)
        assert len(refused) == 200
        assert refused[0] == (
            251, "phone", "Phone: This is no phone number; begin with + and the country code."
        )  # fmt: skip
        returned = b"".join(imports.error_file(of_import)).decode("utf-8-sig").splitlines()
    assert len(returned) == 201
    assert returned[1].startswith("C-250,Maria Santos 250,none,")


@pytest.mark.django_db(databases=["default", "platform"], transaction=True)
def test_an_import_survives_the_death_of_its_worker(tenant: Tenant, tmp_path: Path) -> None:
    rows = 5_000
    with tenant_context(tenant.pk):
        PlanFactory(code="FIBRE-100")
        of_import = upload(file_of(rows, bad=10))
    with tenant_context(tenant.pk):
        job = imports.request_check(import_id=of_import.pk)
    work(job, tenant)
    with tenant_context(tenant.pk):
        job = imports.request_run(import_id=of_import.pk)

    def current() -> Job:
        with tenant_context(tenant.pk):
            found: Job = Job.objects.get(pk=job.pk)
            return found

    def done() -> int:
        with tenant_context(tenant.pk):
            count: int = Import.objects.get().rows_done
            return count

    with celery_worker(tmp_path / "first.log", queues="default") as worker:
        wait_until(lambda: done() > 0, seconds=90)
        worker.kill()
        worker.wait()
    stopped_at = done()
    assert current().status == JobStatus.RUNNING
    assert 0 < stopped_at < rows
    with tenant_context(tenant.pk):
        assert Subscriber.objects.count() + of_import.errors.count() == stopped_at
        # Instead of waiting for the lease to run out.
        Job.objects.filter(pk=job.pk).update(heartbeat_at=Now() - jobs.LEASE * 2)

    assert sweep() == 1
    with celery_worker(tmp_path / "second.log", queues="default"):
        wait_until(lambda: not current().is_active, seconds=90)

    assert (current().status, current().attempts) == (JobStatus.SUCCEEDED, 2)
    with tenant_context(tenant.pk):
        of_import.refresh_from_db()
        assert counts(of_import) == (4_990, 0, 0, 10)
        numbers = Subscriber.objects.order_by("number").values_list("number", "external_id")
        assert numbers[0] == ("SUB-000001", "C-1")
        assert len(numbers) == len(set(numbers)) == Subscription.objects.count() == 4_990


def work(job: Job, tenant: Tenant) -> None:
    """Do a job's work with no tenant bound, as a worker does."""
    do = imports.check_import if job.kind == "subscribers.check_import" else imports.run_import
    at = job.created_at
    jobs.perform(tenant_id=str(tenant.pk), job_id=str(job.pk), work=lambda run: do(run, at=at))
