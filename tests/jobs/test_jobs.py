"""Jobs: started once, seen while they run, taken up again when their worker dies."""

import threading
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.db.models.functions import Now

from ispcore.errors import DomainError
from ispcore.jobs import services as jobs
from ispcore.jobs.models import Job, JobStatus
from ispcore.jobs.tasks import sweep
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant

pytestmark = pytest.mark.django_db


class LineBusy(DomainError):
    code = "line_busy"
    message = "The line {line} is busy."


def enqueue(**values: Any) -> Job:
    return jobs.enqueue(**{"kind": "hardware.discover_olt", "params": {}, "label": "A job", **values})


def perform(job: Job, work: jobs.Work) -> Job:
    jobs.perform(tenant_id=str(job.tenant_id), job_id=str(job.pk), work=work)
    job.refresh_from_db()
    return job


@pytest.mark.usefixtures("acting")
class TestPerform:
    def test_success(self) -> None:
        job = perform(enqueue(), lambda run: {"lines": 3})

        assert (job.status, job.result, job.attempts) == (JobStatus.SUCCEEDED, {"lines": 3}, 1)
        assert job.started_at is not None
        assert job.finished_at is not None

    def test_a_refusal_is_the_jobs_error(self) -> None:
        def refuse(run: jobs.Run) -> dict[str, Any]:
            raise LineBusy(line="A1")

        job = perform(enqueue(), refuse)

        assert (job.status, job.error_code, job.error_message, job.error_status) == (
            JobStatus.FAILED, "line_busy", "The line A1 is busy.", 409,
        )  # fmt: skip

    def test_what_is_put_off_is_queued_for_later_and_counts_as_no_attempt(self) -> None:
        def wait(run: jobs.Run) -> dict[str, Any]:
            raise jobs.NotYet(5)

        job = perform(enqueue(), wait)

        assert (job.status, job.attempts, job.run_token, job.finished_at) == (JobStatus.QUEUED, 0, None, None)
        assert jobs.take_up_abandoned() == 0  # Its message is on the way.
        assert perform(job, lambda run: {}).status == JobStatus.SUCCEEDED

    def test_a_crash_ends_it_and_tells_no_details(self) -> None:
        job = perform(enqueue(), lambda run: {"x": 1 // 0})

        assert (job.status, job.error_code) == (JobStatus.FAILED, "internal_error")
        assert "division" not in job.error_message

    def test_runs_once_however_often_the_message_comes(self) -> None:
        job = enqueue()

        for attempt in ("first", "second", "third"):
            perform(job, lambda run, attempt=attempt: {"by": attempt})  # type: ignore[misc]

        assert (job.result, job.attempts) == ({"by": "first"}, 1)

    def test_a_running_job_is_not_started_again_while_its_worker_lives(self) -> None:
        job = enqueue()

        def work(run: jobs.Run) -> dict[str, Any]:
            perform(job, lambda again: {"by": "the second"})
            return {"by": "the first"}

        assert perform(job, work).result == {"by": "the first"}

    def test_progress_is_seen_while_it_runs(self) -> None:
        job = enqueue()
        seen: list[tuple[str, int, int, str]] = []

        def work(run: jobs.Run) -> dict[str, Any]:
            run.progress(3, 8, "Reading ports")
            now = Job.objects.get(pk=job.pk)
            seen.append((now.status, now.progress_done, now.progress_total, now.progress_message))
            return {}

        perform(job, work)

        assert seen == [("running", 3, 8, "Reading ports")]

    def test_a_cancelled_job_stops_at_its_next_heartbeat(self) -> None:
        job = enqueue()
        reached: list[str] = []

        def work(run: jobs.Run) -> dict[str, Any]:
            jobs.cancel(job_id=job.pk)
            run.progress(1, 2)
            reached.append("after")
            return {}

        assert perform(job, work).status == JobStatus.CANCELLED
        assert reached == []

    def test_an_ended_job_cannot_be_cancelled(self) -> None:
        job = perform(enqueue(), lambda run: {})

        with pytest.raises(jobs.JobNotActive, match="succeeded"):
            jobs.cancel(job_id=job.pk)
        assert Job.objects.get().status == JobStatus.SUCCEEDED


@pytest.mark.usefixtures("acting")
class TestOnePerSubject:
    def test_an_active_one_is_joined(self) -> None:
        assert enqueue(subject="olt:1").pk == enqueue(subject="olt:1").pk

    def test_other_subjects_and_no_subject_run_beside_each_other(self) -> None:
        started = {enqueue(subject=s).pk for s in ("olt:1", "olt:2", "", "")}

        assert len(started) == 4

    def test_an_ended_one_makes_room(self) -> None:
        first = perform(enqueue(subject="olt:1"), lambda run: {})

        assert enqueue(subject="olt:1").pk != first.pk


def age(job: Job, by: timedelta) -> None:
    Job.objects.filter(pk=job.pk).update(heartbeat_at=Now() - by, dispatched_at=Now() - by)


@pytest.mark.usefixtures("acting")
class TestAbandoned:
    def dead(self, **values: Any) -> Job:
        """A job whose worker died after claiming it."""
        job = enqueue(**values)
        Job.objects.filter(pk=job.pk).update(status=JobStatus.RUNNING, attempts=1, run_token=job.pk)
        age(job, jobs.LEASE * 2)
        return job

    def test_is_queued_again_and_done_by_another_worker(self) -> None:
        job = self.dead()

        assert jobs.take_up_abandoned() == 1

        job = perform(job, lambda run: {"by": "the second"})
        assert (job.status, job.result, job.attempts) == (JobStatus.SUCCEEDED, {"by": "the second"}, 2)

    def test_a_redelivered_message_takes_it_up_without_the_sweep(self) -> None:
        job = perform(self.dead(), lambda run: {})

        assert (job.status, job.attempts) == (JobStatus.SUCCEEDED, 2)

    def test_a_living_one_is_left_alone(self) -> None:
        job = self.dead()
        age(job, jobs.LEASE / 2)

        assert jobs.take_up_abandoned() == 0
        assert Job.objects.get().status == JobStatus.RUNNING

    def test_what_kills_every_worker_ends_as_failed(self) -> None:
        job = self.dead()
        Job.objects.filter(pk=job.pk).update(attempts=jobs.MAX_ATTEMPTS)

        jobs.take_up_abandoned()

        job.refresh_from_db()
        assert (job.status, job.error_code) == (JobStatus.FAILED, "worker_lost")

    def test_one_whose_message_was_lost_is_sent_again(self) -> None:
        job = enqueue()
        age(job, jobs.DISPATCH_GRACE * 2)

        assert jobs.take_up_abandoned() == 1
        assert jobs.take_up_abandoned() == 0

    def test_a_worker_thought_dead_cannot_write_over_its_successor(self) -> None:
        job = enqueue()

        def stalls(run: jobs.Run) -> dict[str, Any]:
            age(job, jobs.LEASE * 2)
            perform(job, lambda again: {"by": "the successor"})
            return {"by": "the zombie"}

        assert perform(job, stalls).result == {"by": "the successor"}


@pytest.mark.django_db(databases=["default", "platform"], transaction=True)
class TestAcrossProcesses:
    def test_two_workers_claim_one_job_once(self, tenant: Tenant) -> None:
        with tenant_context(tenant.pk):
            job = enqueue()
        ran: list[int] = []
        barrier = threading.Barrier(8)

        def work(run: jobs.Run) -> dict[str, Any]:
            ran.append(1)
            return {}

        def race() -> None:
            barrier.wait()
            jobs.perform(tenant_id=str(tenant.pk), job_id=str(job.pk), work=work)
            connection.close()

        threads = [threading.Thread(target=race) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert ran == [1]

    def test_eight_requests_for_one_subject_start_one_job(self, tenant: Tenant) -> None:
        started: list[UUID] = []
        barrier = threading.Barrier(8)

        def race() -> None:
            barrier.wait()
            with tenant_context(tenant.pk):
                started.append(enqueue(subject="olt:1").pk)
            connection.close()

        threads = [threading.Thread(target=race) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert len(started) == 8
        assert len(set(started)) == 1

    def test_the_sweep_finds_the_tenants_that_need_it(self, tenant: Tenant, other_tenant: Tenant) -> None:
        for each in (tenant, other_tenant):
            with tenant_context(each.pk):
                age(enqueue(), jobs.DISPATCH_GRACE * 2)

        assert sweep() == 2
        assert sweep() == 0
