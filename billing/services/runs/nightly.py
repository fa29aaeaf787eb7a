"""Runs that begin and are issued by themselves, at the provider's night."""

from datetime import datetime, time
from uuid import UUID
from zoneinfo import ZoneInfo

from billing.models import BillingRun, BillingSettings, DifferenceKind, RunDifference, RunStatus
from billing.services.runs.deciding import approve_run
from billing.services.runs.starting import RunOpen, start_run
from ispcore.tenants.context import current_tenant_id
from ispcore.tenants.models import Tenant

NOT_BEFORE = time(2)  # Changes of plan of the day are applied by then.


def start_nightly_run(*, at: datetime) -> BillingRun | None:
    """Start the bound tenant's run of today, once a day, after two in the morning at the provider's.

    Safe to repeat: a day that has a run, or whose tenant has one open, gets none.
    """
    settings = BillingSettings.objects.filter(runs_nightly=True).first()
    if settings is None:
        return None
    zone = Tenant.objects.values_list("timezone", flat=True).get(pk=current_tenant_id())
    local = at.astimezone(ZoneInfo(zone))
    if local.time() < NOT_BEFORE or local.date() < settings.bills_from:
        return None
    if BillingRun.objects.filter(on__gte=local.date()).exclude(status=RunStatus.DISCARDED).exists():
        return None
    try:
        return start_run(on=local.date(), at=at)
    except RunOpen:
        return None


def approve_within_bounds(*, run_id: UUID, at: datetime) -> bool:
    """Approve a planned run of the night by itself where the provider wants that and nothing stands out.

    A run somebody started by hand waits for a person. Safe to repeat.
    """
    run: BillingRun | None = BillingRun.objects.filter(
        pk=run_id, status=RunStatus.PLANNED, created_by=None, discarded_at=None
    ).first()
    settings = BillingSettings.objects.first()
    if run is None or settings is None or not (settings.runs_nightly and settings.approves_within_bounds):
        return False
    if run.parked or RunDifference.objects.filter(run=run, kind=DifferenceKind.OUT_OF_BOUNDS).exists():
        return False
    approve_run(run_id=run.pk, plan_hash=run.plan_hash, at=at)
    return True
