from collections.abc import Callable, Iterable
from uuid import UUID

from celery import shared_task
from django.utils import timezone

from hardware.models import Outage, OutageStatus
from ispcore.jobs.bases import PlatformTask, TenantTask
from ispcore.tenants.context import tenant_context
from support.models import RUNNING, Ticket, TicketStatus
from support.services import tickets


@shared_task(base=TenantTask, name="support.tasks.join_outage")
def join_outage(*, tenant_id: str, outage_id: str) -> int:
    """Let the tickets of those an outage took down join it."""
    return tickets.join_outage(outage_id=UUID(outage_id), at=timezone.now())


@shared_task(base=TenantTask, name="support.tasks.end_outage")
def end_outage(*, tenant_id: str, outage_id: str) -> int:
    """Resolve the tickets of an outage that is over, or ask their customers."""
    return tickets.end_outage(outage_id=UUID(outage_id), at=timezone.now())


@shared_task(base=PlatformTask, name="support.tasks.join_outages")
def join_outages() -> int:
    """Let tickets join that came before their line was counted among an outage's: it grows while it lasts."""
    at = timezone.now()
    going_on = Outage._base_manager.using("platform").filter(status=OutageStatus.CONFIRMED)
    total = 0
    for tenant_id, outage_id in list(going_on.values_list("tenant_id", "pk")):
        with tenant_context(tenant_id):
            total += tickets.join_outage(outage_id=outage_id, at=at)
    return total


@shared_task(base=PlatformTask, name="support.tasks.escalate_tickets")
def escalate_tickets() -> int:
    """Raise what nobody resolved for too long, in the tenants that have such tickets."""
    at = timezone.now()
    late = Ticket._base_manager.using("platform").filter(status__in=RUNNING, escalates_at__lte=at)
    return _in_each(late.values_list("tenant_id", flat=True).distinct(), lambda: tickets.escalate(at=at))


@shared_task(base=PlatformTask, name="support.tasks.close_resolved_tickets")
def close_resolved_tickets() -> int:
    """Close what stayed resolved long enough."""
    at = timezone.now()
    resolved = Ticket._base_manager.using("platform").filter(status=TicketStatus.RESOLVED)
    return _in_each(
        resolved.values_list("tenant_id", flat=True).distinct(), lambda: tickets.close_resolved(at=at)
    )


def _in_each(tenant_ids: Iterable[UUID], work: Callable[[], int]) -> int:
    """Repeat work in each tenant, batch after batch, until it finds nothing."""
    total = 0
    for tenant_id in list(tenant_ids):
        done = -1
        while done:
            with tenant_context(tenant_id):
                done = work()
            total += done
    return total
