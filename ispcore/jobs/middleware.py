import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse

from ispcore.api.dialects import dialect_of
from ispcore.api.envelope import UTC, dump, error_response, wrap
from ispcore.api.request import caller_of, request_id_of
from ispcore.api.seats import NoSeat, seat
from ispcore.jobs.api import TaskSerializer, preferred_wait
from ispcore.jobs.models import Job, JobStatus
from ispcore.jobs.results import result_of
from ispcore.tenants.context import tenant_context

FIRST_LOOK_SECONDS = 0.05
SLOWEST_LOOK_SECONDS = 0.5
REPLAY_WAIT_SECONDS = 25


class WaitForJobMiddleware:
    """Hold a 202 back for as long as the caller prefers, and answer with the result if it comes in time.

    It stands outside the tenant's transaction: the job starts only when that has committed, and no
    transaction is open while it waits.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        job_id = getattr(response, "job_id", None)
        if job_id is None or response.status_code != 202:
            return response
        tenant_id = caller_of(request).tenant_id
        assert tenant_id is not None
        wait = getattr(request, "job_wait", None)
        if wait is None:  # A replayed answer: the view did not run.
            wait = preferred_wait(request, default=REPLAY_WAIT_SECONDS)
        try:
            with seat(tenant_id, waiting=True):
                job = wait_for(job_id, tenant_id=tenant_id, seconds=wait)
        except NoSeat:  # Enough of this tenant's wait already: this one may ask for the job itself.
            return response
        with tenant_context(tenant_id):
            return answer(request, job, accepted=response)


def wait_for(job_id: UUID, *, tenant_id: UUID, seconds: float) -> Job:
    """Look at the job, ever less often, until it has ended or the time is over."""
    deadline = time.monotonic() + seconds
    pause = FIRST_LOOK_SECONDS
    while True:
        with tenant_context(tenant_id):
            job: Job = Job.objects.get(pk=job_id)
        left = deadline - time.monotonic()
        if not job.is_active or left <= 0:
            return job
        time.sleep(min(pause, left))
        pause = min(pause * 1.5, SLOWEST_LOOK_SECONDS)


def answer(request: HttpRequest, job: Job, *, accepted: HttpResponse) -> HttpResponse:
    """Turn an ended job into its final answer; one that still runs stays 202 with its present state."""
    if job.status in (JobStatus.FAILED, JobStatus.CANCELLED):
        status, code = (job.error_status or 500, job.error_code) if job.error_code else (409, "job_cancelled")
        message = job.error_message or "The job was cancelled."
        response = error_response(request, status=status, code=code, message=message)
    else:
        done = job.status == JobStatus.SUCCEEDED
        body: Any = result_of(job) if done else TaskSerializer(job).data
        dialect = dialect_of(request)
        final = 200 if done else 202
        said = (
            dialect.success(request, final, body, None)
            if dialect
            else wrap(body, request_id=request_id_of(request))
        )
        content = dump(said, zone=getattr(request, "zone", UTC))
        response = HttpResponse(content, status=final, content_type="application/json")
    for name in ("Location", "Idempotency-Replayed", "RateLimit", "RateLimit-Policy"):
        if name in accepted:
            response[name] = accepted[name]
    return response
