"""One tenant's jobs take so many places of a queue; what is more waits without a message and is not forgotten."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models.functions import Now

from ispcore.celery import app
from ispcore.jobs import services as jobs
from ispcore.jobs.models import Job, JobStatus
from ispcore.jobs.tasks import sweep
from ispcore.redis import client
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "platform"])


@pytest.fixture(autouse=True)
def _two_slots(settings: Any) -> None:
    settings.JOB_SLOTS = {"billing": 2}


def enqueue(tenant: Tenant, *, queue: str = "billing") -> Job:
    with tenant_context(tenant.pk):
        return jobs.enqueue(kind="billing.issue_run", params={}, label="A job", queue=queue)


def run(job: Job, work: jobs.Work = lambda run: {}) -> str:
    jobs.perform(tenant_id=str(job.tenant_id), job_id=str(job.pk), work=work)
    return status_of(job)


def status_of(job: Job) -> str:
    with tenant_context(job.tenant_id):
        return Job.objects.get(pk=job.pk).status


def messages(queue: str = "billing") -> int:
    with app.connection_for_read() as broker:
        return int(client().llen(f"celery:{broker.default_channel._q_for_pri(queue, 0)}"))


def waiting(tenant: Tenant) -> int:
    with tenant_context(tenant.pk):
        return Job.objects.filter(status=JobStatus.QUEUED, dispatched_at=None).count()


def test_a_tenant_sends_twice_its_slots_and_the_rest_waits(tenant: Tenant, other_tenant: Tenant) -> None:
    for _ in range(7):
        enqueue(tenant)
    enqueue(other_tenant)
    enqueue(tenant, queue="network")

    assert (waiting(tenant), waiting(other_tenant)) == (3, 0)
    assert (messages(), messages("network")) == (5, 1)


def test_a_job_beyond_the_slots_waits_and_starts_when_one_ends(tenant: Tenant, other_tenant: Tenant) -> None:
    first, second, third = (enqueue(tenant) for _ in range(3))
    theirs = enqueue(other_tenant)
    seen: list[Any] = []

    def inner(run_: jobs.Run) -> dict[str, Any]:
        seen.append(run(third))
        seen.append(run(theirs))
        seen.append(waiting(tenant))
        return {}

    def outer(run_: jobs.Run) -> dict[str, Any]:
        run(second, inner)
        return {}

    run(first, outer)

    assert seen == [JobStatus.QUEUED, JobStatus.SUCCEEDED, 1]
    assert waiting(tenant) == 0  # It was sent again when the second ended,
    assert messages() == 5  # with a message of its own.
    assert run(third) == JobStatus.SUCCEEDED


def test_the_one_that_waited_longest_is_sent_first(tenant: Tenant) -> None:
    sent = [enqueue(tenant) for _ in range(4)]
    older, newer = enqueue(tenant), enqueue(tenant)

    run(sent[0])
    with tenant_context(tenant.pk):
        left = list(Job.objects.filter(dispatched_at=None).values_list("pk", flat=True))

    assert left == [newer.pk]
    assert (run(older), run(newer)) == (JobStatus.SUCCEEDED, JobStatus.SUCCEEDED)


def test_workers_that_look_at_once_start_no_more_than_the_slots(tenant: Tenant) -> None:
    made = [enqueue(tenant) for _ in range(4)]
    start, stop = threading.Barrier(4), threading.Event()
    running: list[int] = []

    def work(run_: jobs.Run) -> dict[str, Any]:
        running.append(1)
        stop.wait(30)
        return {}

    def worker(job: Job) -> None:
        start.wait(30)
        try:
            run(job, work)
        finally:
            connection.close()

    threads = [threading.Thread(target=worker, args=(job,)) for job in made]
    for thread in threads:
        thread.start()
    wait_for(lambda: waiting(tenant) == 2)

    assert len(running) == 2

    stop.set()
    for thread in threads:
        thread.join()
    assert len(running) == 2
    assert waiting(tenant) == 0
    assert [status_of(job) for job in made].count(JobStatus.SUCCEEDED) == 2


def test_a_place_whose_worker_died_is_free_again(tenant: Tenant) -> None:
    dead = [enqueue(tenant) for _ in range(2)]
    late = enqueue(tenant)
    with tenant_context(tenant.pk):
        Job.objects.filter(pk__in=[job.pk for job in dead]).update(
            status=JobStatus.RUNNING, heartbeat_at=Now() - jobs.LEASE - timedelta(seconds=1)
        )

    assert run(late) == JobStatus.SUCCEEDED


def test_the_sweep_sends_what_nobody_sent(tenant: Tenant) -> None:
    job = enqueue(tenant)
    with tenant_context(tenant.pk):
        Job.objects.filter(pk=job.pk).update(dispatched_at=None)

    assert sweep() == 1
    assert waiting(tenant) == 0
    assert sweep() == 0


def test_a_job_that_is_put_off_gives_its_place_away(tenant: Tenant) -> None:
    first, second, third = (enqueue(tenant) for _ in range(3))

    def put_off(run_: jobs.Run) -> dict[str, Any]:
        run(second, lambda again: {"third": run(third)})
        raise jobs.NotYet(60)

    run(first, put_off)

    assert (status_of(first), waiting(tenant)) == (JobStatus.QUEUED, 0)
    assert run(third) == JobStatus.SUCCEEDED


def test_cancelling_one_that_runs_sends_the_next(tenant: Tenant) -> None:
    first, second, third = (enqueue(tenant) for _ in range(3))

    def cancelled(run_: jobs.Run) -> dict[str, Any]:
        run(second, lambda again: {"third": run(third)})
        with tenant_context(tenant.pk):
            Job.objects.filter(pk=third.pk).update(dispatched_at=None)
            jobs.cancel(job_id=first.pk)
        return {}

    run(first, cancelled)

    assert (status_of(first), waiting(tenant)) == (JobStatus.CANCELLED, 0)


def test_a_queue_without_slots_has_no_bound(tenant: Tenant, settings: Any) -> None:
    settings.JOB_SLOTS = {}

    for _ in range(7):
        enqueue(tenant)

    assert (waiting(tenant), messages()) == (0, 7)


def test_those_that_wait_go_on_when_the_settings_name_their_queue_no_more(
    tenant: Tenant, settings: Any
) -> None:
    for _ in range(7):
        enqueue(tenant)
    settings.JOB_SLOTS = {}

    assert sweep() == 3
    assert waiting(tenant) == 0


def test_a_job_that_was_to_wait_is_sent_when_the_others_ended_before_it_was_seen(tenant: Tenant) -> None:
    made = [enqueue(tenant) for _ in range(4)]

    with tenant_context(tenant.pk):
        late = jobs.enqueue(kind="billing.issue_run", params={}, label="A job", queue="billing")
        Job.objects.filter(pk__in=[job.pk for job in made]).update(
            status=JobStatus.SUCCEEDED, finished_at=Now()
        )

    assert (waiting(tenant), messages()) == (0, 5)
    assert run(late) == JobStatus.SUCCEEDED


def test_a_thousand_that_wait_cost_a_new_one_nothing(tenant: Tenant, query_count: Callable[..., int]) -> None:
    for _ in range(5):
        enqueue(tenant)
    few = query_count(enqueue, tenant)
    with tenant_context(tenant.pk):
        Job.objects.bulk_create([Job(kind="billing.issue_run", queue="billing") for _ in range(1000)])

    assert query_count(enqueue, tenant) == few


def wait_for(condition: Any) -> None:
    for _ in range(300):
        if condition():
            return
        threading.Event().wait(0.1)
    raise AssertionError("It did not happen within 30 seconds.")
