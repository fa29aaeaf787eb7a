from celery import shared_task
from django.db.models import Q
from django.db.models.functions import Now

from ispcore.jobs import services, slots
from ispcore.jobs.bases import PlatformTask
from ispcore.jobs.models import Job, JobStatus
from ispcore.tenants.context import tenant_context


@shared_task(base=PlatformTask, name="ispcore.jobs.tasks.sweep")
def sweep() -> int:
    """Take up what died, was never sent or waits for a place, in the tenants that have such jobs."""
    suspect = (
        Q(status=JobStatus.RUNNING, heartbeat_at__lt=Now() - services.LEASE)
        | Q(status=JobStatus.QUEUED, dispatched_at__lt=Now() - services.DISPATCH_GRACE)
        | slots.WAITING
    )
    touched = 0
    for (tenant_id,) in list(
        Job._base_manager.using("platform").filter(suspect).values_list("tenant_id").distinct()
    ):
        with tenant_context(tenant_id):
            touched += services.take_up_abandoned()
    return touched
