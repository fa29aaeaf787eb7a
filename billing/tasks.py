"""Billing's work in the background."""

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from celery import shared_task
from django.utils import timezone

from billing.models import BillingSettings
from billing.services import bank, ledger, runs
from billing.services.dunning import nightly, suspending
from billing.services.gateways import checkouts, refunds
from billing.services.invoices import sending
from billing.services.prepaid import renewing, vouchers
from ispcore.jobs import services as jobs
from ispcore.jobs.bases import PlatformTask, TenantTask
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


@shared_task(name="billing.tasks.make_credit_vouchers")
def make_credit_vouchers(*, tenant_id: str, job_id: str) -> None:
    at = timezone.now()
    jobs.perform(tenant_id=tenant_id, job_id=job_id, work=lambda run: vouchers.make_vouchers(run, at=at))


@shared_task(base=PlatformTask, name="billing.tasks.follow_prepaid")
def follow_prepaid(*, tenant_id: str, subscription_id: str) -> None:
    """Buy the first period of a prepaid line that began, or the next one of a line that came back."""
    with tenant_context(UUID(tenant_id)):
        renewing.renew_line(subscription_id=UUID(subscription_id), at=timezone.now())


@shared_task(base=PlatformTask, name="billing.tasks.buy_periods")
def buy_periods() -> int:
    """Buy the periods that begin today where the provider is, and hold who has no credit for theirs."""
    at = timezone.now()
    return sum(renewing.renew_tenant(tenant_id, at=at) for tenant_id in renewing.tenants_with_prepaid())


@shared_task(name="billing.tasks.plan_run")
def plan_run(*, tenant_id: str, job_id: str) -> None:
    _work_on_run(runs.plan_run, tenant_id=tenant_id, job_id=job_id)


@shared_task(name="billing.tasks.issue_run")
def issue_run(*, tenant_id: str, job_id: str) -> None:
    _work_on_run(runs.issue_run, tenant_id=tenant_id, job_id=job_id)


@shared_task(name="billing.tasks.drop_run")
def drop_run(*, tenant_id: str, job_id: str) -> None:
    """Delete the drafts of a run that was given up."""
    _work_on_run(runs.drop_drafts, tenant_id=tenant_id, job_id=job_id)


@shared_task(base=TenantTask, name="billing.tasks.approve_within_bounds")
def approve_within_bounds(*, tenant_id: str, run_id: str) -> bool:
    """Issue a nightly run by itself where its provider wants that."""
    return runs.approve_within_bounds(run_id=UUID(run_id), at=timezone.now())


@shared_task(base=PlatformTask, name="billing.tasks.start_nightly_runs")
def start_nightly_runs() -> int:
    """Start today's run where it is past two in the morning, in the tenants that want one each night."""
    nightly = BillingSettings._base_manager.using("platform").filter(
        runs_nightly=True, tenant__is_active=True
    )
    started = 0
    for (tenant_id,) in list(nightly.values_list("tenant_id").distinct()):
        with tenant_context(tenant_id):
            started += runs.start_nightly_run(at=timezone.now()) is not None
    return started


@shared_task(name="billing.tasks.begin_checkout")
def begin_checkout(*, tenant_id: str, job_id: str) -> None:
    jobs.perform(tenant_id=tenant_id, job_id=job_id, work=checkouts.begin_job)


@shared_task(name="billing.tasks.refund_by_gateway")
def refund_by_gateway(*, tenant_id: str, job_id: str) -> None:
    at = timezone.now()
    jobs.perform(tenant_id=tenant_id, job_id=job_id, work=lambda run: refunds.refund_job(run, at=at))


@shared_task(base=PlatformTask, name="billing.tasks.check_ledgers")
def check_ledgers() -> None:
    """Recount every provider's ledger; one that cannot be read does not keep the others from it."""
    at = timezone.now()
    for tenant_id in ledger.tenants_with_invoices():
        check_ledger.delay(tenant_id=str(tenant_id), at=at.isoformat())


@shared_task(base=TenantTask, name="billing.tasks.check_ledger")
def check_ledger(*, tenant_id: str, at: str) -> None:
    ledger.check_ledger(at=datetime.fromisoformat(at))


@shared_task(name="billing.tasks.send_invoice")
def send_invoice(*, tenant_id: str, job_id: str) -> None:
    at = timezone.now()
    jobs.perform(tenant_id=tenant_id, job_id=job_id, work=lambda run: sending.deliver(run, at=at))


@shared_task(base=TenantTask, name="billing.tasks.send_when_issued")
def send_when_issued(*, tenant_id: str, invoice_id: str, subscriber_id: str = "") -> bool:
    """Send each invoice when it is issued, where its provider wants that."""
    return sending.send_when_issued(invoice_id=UUID(invoice_id), at=timezone.now())


@shared_task(name="billing.tasks.recount_ledger")
def recount_ledger(*, tenant_id: str, job_id: str) -> None:
    at = timezone.now()
    jobs.perform(tenant_id=tenant_id, job_id=job_id, work=lambda run: ledger.perform_check(run, at=at))


def _work_on_run(work: Callable[..., Any], *, tenant_id: str, job_id: str) -> None:
    """Do what a job has to do with its billing run."""
    at = timezone.now()
    jobs.perform(
        tenant_id=tenant_id,
        job_id=job_id,
        work=lambda run: work(run, run_id=UUID(run.params["run_id"]), at=at),
    )
