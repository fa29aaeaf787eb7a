"""Billing's work in the background."""

from celery import shared_task
from django.utils import timezone

from billing.services import bank
from billing.services.dunning import nightly, suspending
from ispcore.jobs import services as jobs
from ispcore.jobs.bases import PlatformTask
from ispcore.tenants.context import tenant_context


@shared_task(name="billing.tasks.reconcile_statement")
def reconcile_statement(*, tenant_id: str, job_id: str) -> None:
    at = timezone.now()
    jobs.perform(tenant_id=tenant_id, job_id=job_id, work=lambda run: bank.reconcile(run, at=at))


@shared_task(name="billing.tasks.suspend_tonight")
def suspend_tonight(*, tenant_id: str, job_id: str) -> None:
    at = timezone.now()
    jobs.perform(tenant_id=tenant_id, job_id=job_id, work=lambda run: suspending.suspend_tonight(run, at=at))


@shared_task(name="billing.tasks.send_reminders")
def send_reminders(*, tenant_id: str, job_id: str) -> None:
    at = timezone.now()
    jobs.perform(tenant_id=tenant_id, job_id=job_id, work=lambda run: nightly.send_letters(run, at=at))


@shared_task(base=PlatformTask, name="billing.tasks.dun")
def dun() -> None:
    """Begin the cuts of each provider's night, and the letters of each provider's morning."""
    at = timezone.now()
    for tenant_id in nightly.tenants_with_policies():
        with tenant_context(tenant_id):
            nightly.do_what_is_due(at=at)
