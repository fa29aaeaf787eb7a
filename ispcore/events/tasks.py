from uuid import UUID

from celery import shared_task
from django.utils import timezone

from ispcore.events import services
from ispcore.events.models import Event
from ispcore.events.services import deliveries, endpoints, keeping, outbox, telling
from ispcore.events.services.sending import Sender
from ispcore.jobs.bases import PlatformTask
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant


@shared_task(base=PlatformTask, name="ispcore.events.tasks.relay")
def relay() -> int:
    """Deliver what is waiting, a batch of each tenant in turn; only tenants with something waiting are visited.

    A billing run tells of every invoice: what happens meanwhile does not wait for the next look. Where that means more
    messages than a tenant may send at a time, the rest goes on behind them.
    """
    services.begin_to_look()
    waiting = (
        Event._base_manager.using("platform").filter(delivered_at=None).values_list("tenant_id").distinct()
    )
    tenants = outbox.without_paused([tenant_id for (tenant_id,) in waiting])
    delivered = 0
    while tenants:
        more = []
        for tenant_id in tenants:
            with tenant_context(tenant_id):
                told = services.relay_tenant()
            delivered += told.events
            if told.queues:
                outbox.pause(tenant_id, told.queues)
            elif told.events == services.BATCH:
                more.append(tenant_id)
        tenants = more
    return delivered


@shared_task(base=PlatformTask, name="ispcore.events.tasks.relay_rest")
def relay_rest(*, tenant_id: str, queues: list[str]) -> int:
    """Deliver the next of a tenant's many events as soon as `queues` have taken most of those before."""
    tenant = UUID(tenant_id)
    if not outbox.are_taken(queues):
        outbox.pause(tenant, queues, seconds=1)
        return 0
    with tenant_context(tenant):
        told = services.relay_tenant()
    if told.queues:
        outbox.pause(tenant, told.queues)
    else:
        outbox.end_pause(tenant)
    return told.events


@shared_task(base=PlatformTask, name="ispcore.events.tasks.find_due_webhooks")
def find_due_webhooks() -> None:
    """Send word of every webhook that has something to send: whose message was lost, or that is to be tried again."""
    for tenant_id, endpoint_id in deliveries.find_due():
        deliveries.wake(tenant_id, endpoint_id)


@shared_task(base=PlatformTask, name="ispcore.events.tasks.send_webhooks", queue="webhooks")
def send_webhooks(*, tenant_id: str, endpoint_id: str) -> int:
    """Send what waits for one webhook, unless another worker is at it; what is left goes on behind the others."""
    sender = Sender(tenant_id=UUID(tenant_id), endpoint_id=UUID(endpoint_id), now=timezone.now)
    tried = sender.run()
    if sender.has_more:
        deliveries.wake(sender.tenant_id, sender.endpoint_id)
    return tried


@shared_task(base=PlatformTask, name="ispcore.events.tasks.tell_disabled")
def tell_disabled(*, tenant_id: str, webhook_id: str) -> None:
    """Write to a provider's administrators that a webhook was switched off."""
    with tenant_context(UUID(tenant_id)):
        letter = telling.letter_of(endpoint_id=UUID(webhook_id))
    if letter:
        letter.send()


@shared_task(base=PlatformTask, name="ispcore.events.tasks.forget_old")
def forget_old() -> None:
    """Delete what events, deliveries and secrets are kept no longer, a bounded part in each transaction."""
    now = timezone.now()
    for tenant_id in list(Tenant.objects.values_list("pk", flat=True)):
        for forget in (keeping.forget_deliveries, keeping.forget_events):
            forgotten = keeping.BATCH
            while forgotten == keeping.BATCH:
                with tenant_context(tenant_id):
                    forgotten = forget(at=now)
        with tenant_context(tenant_id):
            endpoints.forget_old_secrets(at=now)
