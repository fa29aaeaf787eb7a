from celery import shared_task
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone

from ispcore.files import exports, services
from ispcore.files.models import StoredFile
from ispcore.files.tenant_export import requesting
from ispcore.jobs import services as jobs
from ispcore.jobs.bases import PlatformTask
from ispcore.tenants.context import tenant_context


@shared_task(name="ispcore.files.tasks.export")
def export(*, tenant_id: str, job_id: str) -> None:
    at = timezone.now()
    jobs.perform(tenant_id=tenant_id, job_id=job_id, work=lambda run: exports.run_export(run, at=at))


@shared_task(name="ispcore.files.tasks.export_tenant")
def export_tenant(*, tenant_id: str, job_id: str) -> None:
    at = timezone.now()
    jobs.perform(tenant_id=tenant_id, job_id=job_id, work=lambda run: requesting.export_tenant(run, at=at))


@shared_task(base=PlatformTask, name="ispcore.files.tasks.purge_files")
def purge_files() -> int:
    """Delete what has expired, in the tenants that have such files."""
    unfinished = Q(completed_at=None, created_at__lt=Now() - services.UNFINISHED_FOR)
    over = StoredFile._base_manager.using("platform").filter(Q(expires_at__lt=Now()) | unfinished)
    total = 0
    for (tenant_id,) in list(over.values_list("tenant_id").distinct()):
        with tenant_context(tenant_id):
            total += services.purge_files()
    return total
