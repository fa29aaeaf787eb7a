from collections.abc import Sequence
from zoneinfo import ZoneInfo

from celery import shared_task
from django.utils import timezone

from ispcore import data_changes, sums
from ispcore.jobs import services as jobs
from ispcore.jobs.bases import PlatformTask, TenantTask
from ispcore.tenants.context import current_tenant_id
from ispcore.tenants.models import Tenant


@shared_task(base=PlatformTask, name="ispcore.operations.tasks.find_due_sums")
def find_due_sums() -> int:
    """Have the sums made anew that pages of large tenants show; one that is made twice costs its time alone."""
    due = sums.due()
    for tenant_id, names in due.items():
        make_sums.delay(tenant_id=str(tenant_id), names=names)
    return len(due)


@shared_task(base=TenantTask, name="ispcore.operations.tasks.make_sums", expires=60)
def make_sums(*, tenant_id: str, names: Sequence[str]) -> None:
    """Make a tenant's sums anew, by its own days."""
    with timezone.override(ZoneInfo(Tenant.objects.get(pk=current_tenant_id()).timezone)):
        sums.count_all(names)


@shared_task(name="ispcore.operations.tasks.change_data")
def change_data(*, tenant_id: str, job_id: str) -> None:
    """Change the rows that a data change has left in one tenant."""
    jobs.perform(tenant_id=tenant_id, job_id=job_id, work=data_changes.change_rows)
