"""The movable clock, and the office whose workers do what is queued at the time it shows."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from functools import partial
from time import perf_counter
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from billing.services import bank, runs
from billing.services.dunning import nightly, reminders, suspending
from billing.services.gateways import checkouts, refunds
from billing.services.prepaid import vouchers
from billing.services.runs import starting
from ispcore.errors import DomainError
from ispcore.jobs import services as jobs
from ispcore.jobs.models import Job, JobStatus
from ispcore.tenants.context import tenant_context

# What each kind of job does, as billing/tasks.py has it, but at the time of the movable clock.
WORK: dict[str, Callable[[jobs.Run, datetime], dict[str, Any]]] = {
    starting.PLAN: lambda run, at: runs.plan_run(run, run_id=UUID(run.params["run_id"]), at=at),
    starting.ISSUE: lambda run, at: runs.issue_run(run, run_id=UUID(run.params["run_id"]), at=at),
    suspending.KIND: lambda run, at: suspending.suspend_tonight(run, at=at),
    reminders.KIND: lambda run, at: nightly.send_letters(run, at=at),
    bank.KIND: lambda run, at: bank.reconcile(run, at=at),
    checkouts.KIND: lambda run, at: checkouts.begin_job(run),
    refunds.KIND: lambda run, at: refunds.refund_job(run, at=at),
    vouchers.KIND: lambda run, at: vouchers.make_vouchers(run, at=at),
}


def _at(work: Callable[[jobs.Run, datetime], dict[str, Any]], at: datetime, run: jobs.Run) -> dict[str, Any]:
    return work(run, at)


class Unexpected(Exception):
    """A job ended otherwise than it should."""


@dataclass
class Clock:
    """Which day it is at the provider's, and what each kind of work took so far."""

    tenant_id: UUID
    zone: ZoneInfo
    today: date
    seconds: dict[str, float] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)

    def at(self, hour: int, minute: int = 0) -> datetime:
        return datetime.combine(self.today, time(hour, minute), self.zone)

    def day(self, at: datetime) -> date:
        return at.astimezone(self.zone).date()

    def in_days(self, days: int) -> date:
        return self.today + timedelta(days=days)

    @contextmanager
    def timed(self, what: str) -> Iterator[None]:
        began = perf_counter()
        yield
        self.seconds[what] = self.seconds.get(what, 0.0) + perf_counter() - began

    def do(self, what: str, deed: Callable[[], Any]) -> Any:
        """Do something in a transaction of its own; a refusal is counted by its code, and answers None."""
        with self.timed(what):
            try:
                with tenant_context(self.tenant_id):
                    return deed()
            except DomainError as refusal:
                key = f"{what}: {refusal.code}"
                self.refused[key] = self.refused.get(key, 0) + 1
                return None

    def work_off(self, at: datetime) -> None:
        """Do what is queued, as workers do. Raises Unexpected when a job fails."""
        while True:
            with tenant_context(self.tenant_id):
                job = Job.objects.filter(status=JobStatus.QUEUED, kind__in=WORK).order_by("pk").first()
            if job is None:
                return
            work = WORK[job.kind]
            with self.timed(job.kind):
                jobs.perform(
                    tenant_id=str(self.tenant_id),
                    job_id=str(job.pk),
                    work=partial(_at, work, at),
                )
            with tenant_context(self.tenant_id):
                job.refresh_from_db()
            if job.status != JobStatus.SUCCEEDED:
                raise Unexpected(f"{self.today}: {job.label} ended as {job.status}: {job.error_message}")
