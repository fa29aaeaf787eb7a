"""How much of a queue one tenant's jobs may take: so many run at once, the others wait without a message.

A job that waits for a place is queued and was never sent: its `dispatched_at` is empty. Whoever makes a place
free sends the one that has waited longest; the sweep does it where that was lost.
"""

from collections.abc import Sequence
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from ispcore.jobs.models import ACTIVE, Job, JobStatus
from ispcore.tenants.context import current_tenant_id

WAITING = Q(status=JobStatus.QUEUED, dispatched_at=None)
# So many are sent before the first is refused a place: then a worker finds its next one waiting already.
SENT_PER_SLOT = 2


def of_queue(queue: str) -> int | None:
    """Return how many of a tenant's jobs may run at once in a queue; None where there is no bound."""
    slots: int | None = settings.JOB_SLOTS.get(queue)
    return slots


def may_send(queue: str) -> bool:
    """Tell whether a new job of the bound tenant is sent at once, or waits for others of the tenant's to end.

    Looks at a few rows, however many wait. Two callers at once may both send: a worker counts again.
    """
    slots = of_queue(queue)
    return slots is None or (not _waiting(queue).exists() and _room(queue, slots) > 0)


def admit(job_id: UUID, *, alive: Q) -> bool:
    """Tell whether a job of the bound tenant may run now; one that may not is put down as waiting.

    `alive` says which running jobs have a worker. The tenant's queue is locked until the caller's transaction
    ends, in which it must claim the job: workers that look at once count one after the other.
    """
    queue: str | None = Job.objects.filter(pk=job_id).values_list("queue", flat=True).first()
    slots = None if queue is None else of_queue(queue)
    if queue is None or slots is None:
        return True
    lock(queue)
    if _running(queue, alive) < slots:
        return True
    Job.objects.filter(pk=job_id, status=JobStatus.QUEUED).update(dispatched_at=None, updated_at=Now())
    return False


def fill(queue: str) -> Sequence[Job]:
    """Choose the bound tenant's jobs that have waited longest, as many as there is room for; the caller sends them.

    For a transaction of its own, after what made room has committed: the lock is taken before anything is read, so
    that a worker which has just been refused a place has put its job down as waiting.
    """
    slots = of_queue(queue)
    if slots is not None:
        lock(queue)
    waiting = _waiting(queue).order_by("created_at", "pk")
    chosen = list(waiting if slots is None else waiting[: max(0, _room(queue, slots))])
    Job.objects.filter(pk__in=[job.pk for job in chosen]).update(dispatched_at=Now(), updated_at=Now())
    return chosen


def queues_that_wait() -> list[str]:
    """Return the queues in which jobs of the bound tenant wait, also where the settings have no slots any more."""
    return list(Job.objects.filter(WAITING).order_by("queue").values_list("queue", flat=True).distinct())


def _room(queue: str, slots: int) -> int:
    """Return how many more of the tenant's jobs may be sent; one that is put off counts when its time has come."""
    most = slots * SENT_PER_SLOT
    sent = Job.objects.filter(queue=queue, status__in=ACTIVE, dispatched_at__lte=Now())
    return most - int(sent.order_by()[:most].count())


def _waiting(queue: str) -> QuerySet[Job]:
    return Job.objects.filter(WAITING, queue=queue)


def _running(queue: str, alive: Q) -> int:
    return Job.objects.filter(alive, status=JobStatus.RUNNING, queue=queue).count()


def lock(queue: str) -> None:
    """Let the bound tenant's workers of a queue count one after the other, until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))",
            [f"ispcore.jobs.slots:{current_tenant_id()}:{queue}"],
        )
