"""Runs whose workers die or meet: real processes, SIGKILL, threads. Each line is billed once, no number is missing."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from threading import Barrier, Event, Thread

import pytest
from django.db import connection
from django.db.models import Count, F, Sum
from django.db.models.functions import Now

from billing.models import (
    BillingRun,
    Invoice,
    InvoiceLine,
    InvoiceStatus,
    RunStatus,
    SubscriberBalance,
    Transfer,
)
from billing.services import runs
from ispcore.jobs import services as jobs
from ispcore.jobs.models import Job, JobStatus
from ispcore.jobs.tasks import sweep
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant
from subscribers.models import Subscriber
from subscribers.services import plan_changes
from tests.billing.cycles import MARCH, make_lines, make_many_lines, make_settings, planned
from tests.factories import PlanFactory
from tests.workers import celery_worker, wait_for

LINES = 2500  # Three chunks.

pytestmark = [
    pytest.mark.django_db(databases=["default", "platform"], transaction=True),
    pytest.mark.timeout(900),  # Nothing here is timed: this ends what hangs, and no busy machine's slow run.
]


def check_books() -> None:
    """Everything adds up: numbers without gaps, one item per line, balances as booked."""
    issued = Invoice.objects.exclude(status=InvoiceStatus.DRAFT)
    numbers = sorted(int(number.rpartition("-")[2]) for number in issued.values_list("number", flat=True))
    assert numbers == list(range(1, LINES + 1))
    billed = InvoiceLine.objects.values("subscription", "period_start").annotate(times=Count("pk"))
    assert not billed.filter(times__gt=1).exists()
    assert Transfer.objects.aggregate(sum=Sum("amount"))["sum"] == 30 * LINES
    assert SubscriberBalance.objects.filter(balance=30).count() == LINES
    assert not issued.exclude(open_amount=F("total")).exists()


def somebody_waits_for_us() -> bool:
    """Tell whether a session waits for a lock of ours, and not for any other."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid)))"
        )
        return bool(cursor.fetchone()[0])


def kill_while_it_waits(tenant: Tenant, take_lock: Callable[[], object], log: Path) -> None:
    """Let a worker run into a lock, and kill it there."""
    with ExitStack() as stack:
        stack.enter_context(tenant_context(tenant.pk))
        take_lock()
        worker = stack.enter_context(celery_worker(log, queues="billing", threads=1))
        wait_for(worker, somebody_waits_for_us, log)
        worker.kill()


def take_up(tenant: Tenant, run: BillingRun, log: Path) -> Job:
    """Let the next worker have the dead one's job, without waiting for the lease to run out."""

    def current() -> Job:
        with tenant_context(tenant.pk):
            found: Job = Job.objects.get(pk=run.job_id)
            return found

    assert current().status == JobStatus.RUNNING
    with tenant_context(tenant.pk):
        Job.objects.filter(pk=run.job_id).update(heartbeat_at=Now() - jobs.LEASE * 2)
    assert sweep() == 1
    with celery_worker(log, queues="billing", threads=1) as worker:
        wait_for(worker, lambda: not current().is_active, log)
    return current()


def test_a_killed_planner_leaves_nothing_half_done(tenant, tmp_path):
    with tenant_context(tenant.pk):
        make_settings()
        make_many_lines(LINES)
        run = runs.start_run(at=MARCH)

    def lock_parking() -> None:
        with connection.cursor() as cursor:
            cursor.execute("LOCK TABLE billing_parkedaccount IN EXCLUSIVE MODE")

    kill_while_it_waits(tenant, lock_parking, tmp_path / "first.log")
    ended = take_up(tenant, run, tmp_path / "second.log")

    assert (ended.status, ended.attempts) == (JobStatus.SUCCEEDED, 2)
    with tenant_context(tenant.pk):
        run.refresh_from_db()
        assert (run.status, run.invoices_planned) == (RunStatus.PLANNED, LINES)
        assert InvoiceLine.objects.count() == LINES


def test_a_killed_issuer_leaves_no_gap_and_bills_nobody_twice(tenant, tmp_path):
    with tenant_context(tenant.pk):
        make_settings()
        make_many_lines(LINES)
    with tenant_context(tenant.pk):
        run = planned()
        run = runs.approve_run(run_id=run.pk, plan_hash=run.plan_hash, at=MARCH)

    def lock_the_last() -> None:
        Subscriber.objects.select_for_update(of=("self",)).order_by("-pk")[:1].get()

    kill_while_it_waits(tenant, lock_the_last, tmp_path / "first.log")
    with tenant_context(tenant.pk):
        assert Invoice.objects.filter(status=InvoiceStatus.ISSUED).count() == 2000
    ended = take_up(tenant, run, tmp_path / "second.log")

    assert (ended.status, ended.attempts) == (JobStatus.SUCCEEDED, 2)
    with tenant_context(tenant.pk):
        run.refresh_from_db()
        assert (run.status, run.invoices_issued) == (RunStatus.ISSUED, LINES)
        check_books()


@pytest.mark.parametrize("step", ["plan", "issue"])
def test_two_workers_at_one_run_bill_each_line_once(tenant, step):
    with tenant_context(tenant.pk):
        make_settings()
        make_many_lines(LINES)
    with tenant_context(tenant.pk):
        run = runs.start_run(at=MARCH)
        if step == "issue":
            runs.plan_run(runs.Inline(), run_id=run.pk, at=MARCH)
            run.refresh_from_db()
            runs.approve_run(run_id=run.pk, plan_hash=run.plan_hash, at=MARCH)
    work = Bound(tenant)

    together(
        2,
        lambda: (runs.plan_run if step == "plan" else runs.issue_run)(work, run_id=run.pk, at=MARCH),
    )

    with tenant_context(tenant.pk):
        if step == "plan":
            run.refresh_from_db()
            runs.approve_run(run_id=run.pk, plan_hash=run.plan_hash, at=MARCH)
            runs.issue_run(runs.Inline(), run_id=run.pk, at=MARCH)
        check_books()


def test_a_change_that_is_being_made_when_a_run_begins_is_billed_by_it(tenant):
    with tenant_context(tenant.pk):
        make_settings()
        (line,) = make_lines(price="30.00")
        dearer = PlanFactory(price=Decimal("50.00"), currency="EUR")
        run = runs.start_run(at=MARCH)
    begun = Event()

    def change() -> None:
        with tenant_context(tenant.pk):
            plan_changes.change_plan(
                subscription_id=line.pk, to_plan_id=dearer.pk, effective_on=MARCH.date(), on=MARCH.date(),
                at=MARCH - timedelta(seconds=1),
            )  # fmt: skip
            begun.set()
            time.sleep(1)  # Not committed yet when the run looks for the first time.
        connection.close()

    customer = Thread(target=change)
    customer.start()
    begun.wait(30)
    runs.plan_run(Bound(tenant), run_id=run.pk, at=MARCH)
    customer.join()

    with tenant_context(tenant.pk):
        assert InvoiceLine.objects.get().net == 50


class Bound(runs.Inline):
    """Work in transactions of its own, for one tenant."""

    def __init__(self, tenant: Tenant) -> None:
        self._tenant = tenant

    def tenant(self):
        return tenant_context(self._tenant.pk)


def together(count: int, work: Callable[[], object]) -> None:
    """Do the same in threads that begin at one moment; what one raises fails the test."""
    barrier, failures = Barrier(count), []

    def run() -> None:
        try:
            barrier.wait()
            work()
        except Exception as error:
            failures.append(error)
        finally:
            connection.close()

    threads = [Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
