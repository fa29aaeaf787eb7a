from collections.abc import Callable, Iterable
from pathlib import Path
from uuid import UUID

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from hardware.models import Outage, OutageStatus
from ispcore.jobs import services as jobs
from ispcore.jobs.bases import PlatformTask, TenantTask
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant
from support.models import RUNNING, Notice, NoticeStatus, Ticket, TicketStatus
from support.services import mail_in, tickets
from support.services.notices import mass, rules, sending, writing
from support.services.portal import access


@shared_task(base=TenantTask, name="support.tasks.join_outage")
def join_outage(*, tenant_id: str, outage_id: str) -> int:
    """Let the tickets of those an outage took down join it."""
    return tickets.join_outage(outage_id=UUID(outage_id), at=timezone.now())


@shared_task(base=TenantTask, name="support.tasks.end_outage")
def end_outage(*, tenant_id: str, outage_id: str) -> int:
    """Resolve the tickets of an outage that is over, or ask their customers."""
    return tickets.end_outage(outage_id=UUID(outage_id), at=timezone.now())


@shared_task(name="support.tasks.send_portal_link")
def send_portal_link(*, tenant_id: str, job_id: str) -> None:
    at = timezone.now()
    jobs.perform(tenant_id=tenant_id, job_id=job_id, work=lambda run: access.send_link(run, at=at))


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


@shared_task(base=PlatformTask, name="support.tasks.collect_mail")
def collect_mail() -> int:
    """Take in the mail that came for helpdesks, where the installation keeps any; return how many messages."""
    if not settings.TICKET_MAILDIR:
        return 0
    at, total = timezone.now(), 0
    for tenant_id, slug in Tenant.objects.filter(is_active=True).values_list("pk", "slug"):
        folder = Path(settings.TICKET_MAILDIR) / slug
        if folder.is_dir():
            counted = mail_in.collect(box=mail_in.Maildir(folder), tenant_id=tenant_id, at=at)
            total += counted.total()
    return total


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


@shared_task(base=TenantTask, name="support.tasks.tell_welcome")
def tell_welcome(*, tenant_id: str, subscriber_id: str) -> int:
    """Greet a new customer, where the provider has a text for it."""
    return rules.tell_welcome(subscriber_id=UUID(subscriber_id), at=timezone.now())


@shared_task(base=TenantTask, name="support.tasks.tell_invoice")
def tell_invoice(*, tenant_id: str, invoice_id: str, subscriber_id: str = "") -> int:
    """Tell of an invoice by SMS and WhatsApp; its e-mail is billing's."""
    return rules.tell_invoice(invoice_id=UUID(invoice_id), at=timezone.now())


@shared_task(base=TenantTask, name="support.tasks.tell_reminder")
def tell_reminder(*, tenant_id: str, reminder_id: str, invoice_id: str) -> int:
    """Remind of an invoice by SMS and WhatsApp as well."""
    return rules.tell_invoice(invoice_id=UUID(invoice_id), reminder_id=UUID(reminder_id), at=timezone.now())


@shared_task(base=TenantTask, name="support.tasks.tell_suspension")
def tell_suspension(*, tenant_id: str, subscriber_id: str) -> int:
    """Tell who is cut for non-payment."""
    return rules.tell_suspension(subscriber_id=UUID(subscriber_id), at=timezone.now())


@shared_task(base=TenantTask, name="support.tasks.tell_reactivation")
def tell_reactivation(*, tenant_id: str, subscriber_id: str) -> int:
    """Tell whose lines are back."""
    return rules.tell_reactivation(subscriber_id=UUID(subscriber_id), at=timezone.now())


@shared_task(base=TenantTask, name="support.tasks.tell_outage")
def tell_outage(*, tenant_id: str, outage_id: str) -> int:
    """Tell whom an outage took down."""
    return rules.tell_outage(outage_id=UUID(outage_id), at=timezone.now())


@shared_task(base=PlatformTask, name="support.tasks.tell_outages")
def tell_outages() -> int:
    """Tell those an outage took down since: it grows while it lasts."""
    at = timezone.now()
    going_on = Outage._base_manager.using("platform").filter(status=OutageStatus.CONFIRMED)
    total = 0
    for tenant_id, outage_id in list(going_on.values_list("tenant_id", "pk")):
        with tenant_context(tenant_id):
            total += rules.tell_outage(outage_id=outage_id, at=at)
    return total


@shared_task(base=TenantTask, name="support.tasks.tell_outage_over")
def tell_outage_over(*, tenant_id: str, outage_id: str) -> int:
    """Tell those who were told of an outage that it is over."""
    return rules.tell_outage_over(outage_id=UUID(outage_id), at=timezone.now())


@shared_task(base=TenantTask, name="support.tasks.tell_ticket_opened")
def tell_ticket_opened(*, tenant_id: str, ticket_id: str) -> int:
    """Tell a customer that their request is there."""
    return rules.tell_ticket_opened(ticket_id=UUID(ticket_id), at=timezone.now())


@shared_task(base=TenantTask, name="support.tasks.tell_ticket_answered")
def tell_ticket_answered(*, tenant_id: str, ticket_id: str, comment_id: str) -> int:
    """Send a customer what staff answered."""
    return rules.tell_ticket_answered(
        ticket_id=UUID(ticket_id), comment_id=UUID(comment_id), at=timezone.now()
    )


@shared_task(base=TenantTask, name="support.tasks.tell_ticket_resolved")
def tell_ticket_resolved(*, tenant_id: str, ticket_id: str) -> int:
    """Tell a customer that a ticket is resolved."""
    return rules.tell_ticket_resolved(ticket_id=UUID(ticket_id), at=timezone.now())


@shared_task(name="support.tasks.send_notices")
def send_notices(*, tenant_id: str, job_id: str) -> None:
    jobs.perform(tenant_id=tenant_id, job_id=job_id, work=lambda run: sending.send_due(run, now=timezone.now))


@shared_task(base=PlatformTask, name="support.tasks.send_due_notices")
def send_due_notices() -> int:
    """Let what waited for the end of quiet hours, or for another try, go out in the tenants that have such notices."""
    due = Notice._base_manager.using("platform").filter(
        status=NoticeStatus.WAITING, send_after__lte=timezone.now()
    )
    tenants = list(due.values_list("tenant_id", flat=True).distinct())
    for tenant_id in tenants:
        with tenant_context(tenant_id):
            writing.request_sending()
    return len(tenants)


@shared_task(name="support.tasks.write_mass_message")
def write_mass_message(*, tenant_id: str, job_id: str) -> None:
    at = timezone.now()
    jobs.perform(tenant_id=tenant_id, job_id=job_id, work=lambda run: mass.write_message(run, at=at))
