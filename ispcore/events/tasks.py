from celery import shared_task

from ispcore.events import services
from ispcore.events.models import Event
from ispcore.jobs.bases import PlatformTask
from ispcore.tenants.context import tenant_context


@shared_task(base=PlatformTask, name="ispcore.events.tasks.relay")
def relay() -> int:
    """Deliver what is waiting, tenant by tenant; only tenants with something waiting are visited."""
    services.begin_to_look()
    waiting = (
        Event._base_manager.using("platform").filter(delivered_at=None).values_list("tenant_id").distinct()
    )
    delivered = 0
    for (tenant_id,) in list(waiting):
        with tenant_context(tenant_id):
            delivered += services.relay_tenant()
    return delivered
