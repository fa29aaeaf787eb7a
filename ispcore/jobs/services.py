"""Background runs: started once, seen while they run, taken up again when their worker dies.

A job's row is the truth; a Celery message only says that it may be time to look. A worker claims a
row by compare-and-set and writes under its own `run_token`, so that a message that comes twice, or a
worker thought dead that was not, can neither start it twice nor write over its successor.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any
from uuid import UUID

import structlog
from django.db import IntegrityError, transaction
from django.db.models import F, Q
from django.db.models.functions import Now
from kombu.exceptions import OperationalError

from ispcore import audit
from ispcore.celery import app
from ispcore.errors import DomainError, RetryableError
from ispcore.jobs import slots
from ispcore.jobs.models import ACTIVE, Job, JobStatus
from ispcore.tenants.context import JOB, current_tenant_id, tenant_context
from ispcore.tenants.fields import new_id

log = structlog.get_logger(__name__)

LEASE = timedelta(seconds=90)  # Longer than any pause between two heartbeats: an OLT's worst one is 60 s.
DISPATCH_GRACE = timedelta(seconds=60)  # A queued job whose message was lost is sent again after this.
MAX_ATTEMPTS = 3
HEARTBEAT_EVERY_SECONDS = 2.0  # Often enough for a progress bar; 64 at once cost the worker little.

Work = Callable[["Run"], dict[str, Any]]


class JobLost(Exception):
    """The row is no longer this worker's: cancelled, or taken up by another. Stop quietly."""


class NotYet(Exception):
    """What the work needs is taken: give the worker back and come again in `seconds`. It counts as no attempt."""

    def __init__(self, seconds: int) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class BrokerUnreachable(RetryableError):
    message = "The task queue does not answer, so nothing was started. Try again shortly."


class JobNotActive(DomainError):
    code = "job_not_active"
    message = "The job has already ended as {status}."


def enqueue(
    *,
    kind: str,
    params: dict[str, Any],
    label: str,
    subject: str = "",
    queue: str = "default",
    user_id: UUID | None = None,
) -> Job:
    """Record a job and send it when the caller's transaction commits.

    With a `subject`, an active job of the same kind and subject is returned instead of a second one. Where the
    tenant has enough in the queue it waits for a place there (see `slots`). If the broker does not answer at
    commit, the job ends as failed with `dependency_unavailable`.
    """
    sent = slots.may_send(queue)
    try:
        with transaction.atomic():
            job: Job = Job.objects.create(
                kind=kind,
                subject=subject,
                label=label,
                params=params,
                queue=queue,
                requested_by_id=user_id,
                dispatched_at=Now() if sent else None,
            )
    except IntegrityError:
        running: Job | None = Job.objects.filter(kind=kind, subject=subject, status__in=ACTIVE).first()
        if running is None:  # It ended between the two statements: there is room for a new one.
            return enqueue(
                kind=kind, params=params, label=label, subject=subject, queue=queue, user_id=user_id
            )
        return running
    tenant_id = current_tenant_id()
    if sent:
        transaction.on_commit(lambda: _send_or_fail(job, tenant_id))
    else:  # Those it was to wait for may have ended before it could be seen.
        transaction.on_commit(lambda: _fill_after(job, tenant_id), robust=True)
    return job


def perform(*, tenant_id: str, job_id: str, work: Work) -> None:
    """Run a job's work in this worker, unless it has ended or another worker holds it.

    `work` opens its own short transactions through the `Run` it is given, never one around device I/O.
    What it returns becomes the result; a DomainError becomes the job's error; NotYet puts the job off.
    """
    run = _claim(UUID(tenant_id), UUID(job_id))
    if run is None:
        return
    with structlog.contextvars.bound_contextvars(tenant_id=tenant_id, job_id=job_id):
        try:
            result = work(run)
        except JobLost:
            log.info("job_lost")
        except NotYet as wait:
            run.postpone(wait.seconds)
        except DomainError as error:
            run.fail(code=error.code, message=str(error), status=error.status)
        except Exception:
            log.exception("job_crashed")
            message = "Something went wrong here. The job's id finds it in the logs."
            run.fail(code="internal_error", message=message, status=500)
        else:
            run.succeed(result)


class Run:
    """One worker's hold on a job: its parameters, its progress, and its tenant's transactions."""

    def __init__(self, *, tenant_id: UUID, job: Job, token: UUID) -> None:
        self.tenant_id = tenant_id
        self.job_id = job.pk
        self.params: dict[str, Any] = job.params
        self.queue = job.queue
        self.user_id = job.requested_by_id
        self._token = token
        self._last_beat = 0.0

    @contextmanager
    def tenant(self) -> Iterator[None]:
        """Open a transaction for the job's tenant, history stamped with who asked for the job."""
        stamp = audit.acting(user_id=self.user_id, ip=None, request_id=str(self.job_id), by="job")
        with tenant_context(self.tenant_id, limits=JOB), stamp:
            yield

    def progress(self, done: int, total: int, message: str = "") -> None:
        """Say how far it is; written at most every two seconds, and the sign that this worker lives.

        Raises JobLost when the row is no longer this worker's.
        """
        now = time.monotonic()
        if now - self._last_beat < HEARTBEAT_EVERY_SECONDS:
            return
        self._last_beat = now
        self._write(
            progress_done=done, progress_total=total, progress_message=message[:200], heartbeat_at=Now()
        )

    def hold(self) -> None:
        """Lock the row inside the caller's transaction, so that what it commits is the holder's work.

        Raises JobLost when the row is no longer this worker's.
        """
        if not self._mine().select_for_update().exists():
            raise JobLost

    def postpone(self, seconds: int) -> None:
        """Queue the job again for later; if its message is lost, the sweep sends another."""
        try:
            self._write(
                status=JobStatus.QUEUED,
                run_token=None,
                dispatched_at=Now() + timedelta(seconds=seconds),
                attempts=F("attempts") - 1,
            )
        except JobLost:
            log.info("job_lost")
            return
        with tenant_context(self.tenant_id):
            job = Job.objects.get(pk=self.job_id)
            _send_waiting(self.queue)
        with suppress(OperationalError):
            _send(job, self.tenant_id, seconds=seconds)

    def succeed(self, result: dict[str, Any]) -> None:
        self._end(
            status=JobStatus.SUCCEEDED, result=result, progress_done=F("progress_total"), progress_message=""
        )

    def fail(self, *, code: str, message: str, status: int) -> None:
        self._end(status=JobStatus.FAILED, error_code=code, error_message=message[:1000], error_status=status)

    def _end(self, **values: Any) -> None:
        try:
            self._write(**values, finished_at=Now())
        except JobLost:
            log.info("job_lost")
        with tenant_context(self.tenant_id):
            _send_waiting(self.queue)

    def _write(self, **values: Any) -> None:
        with tenant_context(self.tenant_id):
            if not self._mine().update(**values, updated_at=Now()):
                raise JobLost

    def _mine(self) -> Any:
        return Job.objects.filter(pk=self.job_id, run_token=self._token, status=JobStatus.RUNNING)


def cancel(*, job_id: UUID) -> None:
    """End a job that has not ended; its worker stops at its next heartbeat.

    Raises JobNotActive when it has ended.
    """
    cancelled = Job.objects.filter(pk=job_id, status__in=ACTIVE).update(
        status=JobStatus.CANCELLED, finished_at=Now(), updated_at=Now()
    )
    job = Job.objects.get(pk=job_id)
    if not cancelled:
        raise JobNotActive(status=job.get_status_display().lower())
    tenant_id = current_tenant_id()
    transaction.on_commit(lambda: _fill_after(job, tenant_id), robust=True)


def take_up_abandoned() -> int:
    """Send again the bound tenant's jobs whose message or worker was lost; return how many were touched.

    A job whose worker died `MAX_ATTEMPTS` times ends as failed: it may be what kills them.
    """
    dead = Q(status=JobStatus.RUNNING, heartbeat_at__lt=Now() - LEASE)
    unsent = Q(status=JobStatus.QUEUED, dispatched_at__lt=Now() - DISPATCH_GRACE)
    ended = Job.objects.filter(dead, attempts__gte=MAX_ATTEMPTS).update(
        status=JobStatus.FAILED,
        error_code="worker_lost",
        error_message=f"The worker died {MAX_ATTEMPTS} times while running this.",
        error_status=500,
        finished_at=Now(),
        updated_at=Now(),
    )
    again = list(
        Job.objects.filter(dead | unsent)
        .select_for_update(skip_locked=True, of=("self",))
        .order_by("pk")[:500]
    )
    Job.objects.filter(pk__in=[job.pk for job in again]).update(
        status=JobStatus.QUEUED, run_token=None, dispatched_at=Now(), updated_at=Now()
    )
    _send_after_commit(again)
    waiting = sum(_send_waiting(queue) for queue in slots.queues_that_wait())
    return ended + len(again) + waiting


def _send_waiting(queue: str) -> int:
    """Send what waits for a place of the bound tenant's in a queue, as far as there is room; return how many."""
    waiting = slots.fill(queue)
    _send_after_commit(waiting)
    return len(waiting)


def _fill_after(job: Job, tenant_id: UUID) -> None:
    with tenant_context(tenant_id):
        _send_waiting(job.queue)


def _send_after_commit(jobs: Sequence[Job]) -> None:
    tenant_id = current_tenant_id()
    for job in jobs:
        transaction.on_commit(lambda job=job: _send(job, tenant_id), robust=True)  # type: ignore[misc]


def _alive() -> Q:
    return Q(heartbeat_at__gte=Now() - LEASE)


def _claim(tenant_id: UUID, job_id: UUID) -> Run | None:
    token = new_id()
    free = Q(status=JobStatus.QUEUED) | Q(status=JobStatus.RUNNING, heartbeat_at__lt=Now() - LEASE)
    with tenant_context(tenant_id):
        if not slots.admit(job_id, alive=_alive()):
            return None
        claimed = Job.objects.filter(free, pk=job_id).update(
            status=JobStatus.RUNNING,
            run_token=token,
            heartbeat_at=Now(),
            started_at=Now(),
            updated_at=Now(),
            attempts=F("attempts") + 1,
        )
        return Run(tenant_id=tenant_id, job=Job.objects.get(pk=job_id), token=token) if claimed else None


def _send_or_fail(job: Job, tenant_id: UUID) -> None:
    try:
        _send(job, tenant_id)
    except OperationalError:
        error = BrokerUnreachable()
        with tenant_context(tenant_id):
            Job.objects.filter(pk=job.pk, status=JobStatus.QUEUED).update(
                status=JobStatus.FAILED,
                error_code=error.code,
                error_message=str(error),
                error_status=error.status,
                finished_at=Now(),
                updated_at=Now(),
            )


def _send(job: Job, tenant_id: UUID, *, seconds: int = 0) -> None:
    app.send_task(
        job.task_name,
        kwargs={"tenant_id": str(tenant_id), "job_id": str(job.pk)},
        queue=job.queue,
        countdown=seconds or None,
    )
