from celery import shared_task

from ispcore.events import services
from ispcore.events.models import Event
from ispcore.jobs.bases import PlatformTask
from ispcore.tenants.context import tenant_context


@shared_task(base=PlatformTask, name="ispcore.events.tasks.relay")
def relay() -> int:
    """Deliver what is waiting, a batch of each tenant in turn; only tenants with something waiting are visited.

    A billing run tells of every invoice: what happens meanwhile does not wait for the next look.
    """
    services.begin_to_look()
    waiting = (
        Event._base_manager.using("platform").filter(delivered_at=None).values_list("tenant_id").distinct()
    )
    tenants = [tenant_id for (tenant_id,) in waiting]
    delivered = 0
    while tenants:
        more = []
        for tenant_id in tenants:
            with tenant_context(tenant_id):
                told = services.relay_tenant()
            delivered += told
            if told == services.BATCH:
                more.append(tenant_id)
        tenants = more
    return delivered
