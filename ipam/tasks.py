from uuid import UUID

from celery import shared_task
from django.utils import timezone

from ipam.models import Address, AddressState, Pool, PoolUsage, Reconciliation, Subnet, UsageDelta
from ipam.selectors import ENDED
from ipam.services import allocation, imports, lines, reconciliation, usage
from ispcore.jobs import services as jobs
from ispcore.jobs.bases import PlatformTask, TenantTask
from ispcore.tenants.context import tenant_context


@shared_task(base=TenantTask, name="ipam.tasks.settle_line")
def settle_line(*, tenant_id: str, subscription_id: str) -> str:
    """Give or take back a line's address after its status or plan changed."""
    return str(lines.settle_line(subscription_id=UUID(subscription_id), at=timezone.now()))


@shared_task(base=PlatformTask, name="ipam.tasks.settle_lost_lines")
def settle_lost_lines() -> int:
    """Settle the lines whose event was lost or whose pool has room again, in the tenants that may have such."""
    handing_out = Pool._base_manager.using("platform").filter(is_active=True)
    left_over = Address._base_manager.using("platform").filter(subscription__status__in=ENDED)
    total = 0
    for (tenant_id,) in list(handing_out.values_list("tenant_id").union(left_over.values_list("tenant_id"))):
        total += lines.settle_lost_lines(tenant_id=tenant_id, at=timezone.now())
    return total


@shared_task(base=PlatformTask, name="ipam.tasks.fold_usage")
def fold_usage() -> int:
    """Fold what changed into the counts of pools and subnets, in the tenants where something did."""
    changed = UsageDelta._base_manager.using("platform").values_list("tenant_id").distinct()
    total = 0
    for (tenant_id,) in list(changed):
        with tenant_context(tenant_id):
            total += usage.fold(at=timezone.now())
    return total


@shared_task(base=PlatformTask, name="ipam.tasks.sample_usage")
def sample_usage() -> int:
    """Keep how full each pool is at the full hour."""
    counted = PoolUsage._base_manager.using("platform").values_list("tenant_id").distinct()
    total = 0
    for (tenant_id,) in list(counted):
        with tenant_context(tenant_id):
            total += usage.take_samples(at=timezone.now())
    return total


@shared_task(base=PlatformTask, name="ipam.tasks.end_quarantines")
def end_quarantines() -> int:
    """Free the addresses whose rest is over, in the tenants that have such; each batch is one transaction."""
    over = Address._base_manager.using("platform").filter(
        state=AddressState.QUARANTINED, quarantined_until__lte=timezone.now()
    )
    total = 0
    for (tenant_id,) in list(over.values_list("tenant_id").distinct()):
        freed = -1
        while freed:
            with tenant_context(tenant_id):
                freed = allocation.end_quarantines(at=timezone.now())
            total += max(freed, 0)
    return total


@shared_task(name="ipam.tasks.check_book")
def check_book(*, tenant_id: str, job_id: str) -> None:
    at = timezone.now()
    jobs.perform(tenant_id=tenant_id, job_id=job_id, work=lambda run: imports.check_book(run, at=at))


@shared_task(name="ipam.tasks.take_in_book")
def take_in_book(*, tenant_id: str, job_id: str) -> None:
    at = timezone.now()
    jobs.perform(tenant_id=tenant_id, job_id=job_id, work=lambda run: imports.take_in_book(run, at=at))


@shared_task(name="ipam.tasks.reconcile")
def reconcile(*, tenant_id: str, job_id: str) -> None:
    """Compare the address book with what is in use."""
    at = timezone.now()
    jobs.perform(tenant_id=tenant_id, job_id=job_id, work=lambda run: reconciliation.reconcile(run, at=at))


@shared_task(base=PlatformTask, name="ipam.tasks.reconcile_all")
def reconcile_all() -> int:
    """Start the nightly comparison with live sessions, and forget old comparisons."""
    at = timezone.now()
    concerned = Reconciliation._base_manager.using("platform").filter(
        started_at__lt=at - reconciliation.KEPT_FOR
    )
    tenants = concerned.values_list("tenant_id").union(
        Subnet._base_manager.using("platform").values_list("tenant_id")
    )
    started = 0
    for (tenant_id,) in set(tenants):
        with tenant_context(tenant_id):
            started += reconciliation.reconcile_all(at=at)
    return started
