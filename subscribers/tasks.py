from datetime import timedelta

from celery import shared_task
from django.utils import timezone

from ispcore.jobs import services as jobs
from ispcore.jobs.bases import PlatformTask
from ispcore.tenants.context import tenant_context
from subscribers.models import Hold, Import, PlanChange, Subscriber
from subscribers.services import holds, imports, mass, personal_data, plan_changes
from subscribers.services.periods import local_date


@shared_task(base=PlatformTask, name="subscribers.tasks.release_ended_holds")
def release_ended_holds() -> int:
    """Lift the holds and end the suspensions whose time is over, in the tenants that have such ones."""
    at = timezone.now()
    ended = Hold._base_manager.using("platform").filter(released_at=None, until__lte=at)
    over = Subscriber._base_manager.using("platform").filter(suspended_until__lte=at)
    total = 0
    for (tenant_id,) in list(ended.values_list("tenant_id").union(over.values_list("tenant_id"))):
        looked_at = -1
        while looked_at:
            with tenant_context(tenant_id):
                looked_at = holds.release_ended_holds(at=at)
            total += looked_at
    return total


@shared_task(base=PlatformTask, name="subscribers.tasks.apply_due_plan_changes")
def apply_due_plan_changes() -> int:
    """Apply the changes of plan whose day has come where the provider is."""
    at = timezone.now()
    # No place is more than 14 hours ahead of UTC: tomorrow's changes may be due somewhere already.
    may_be_due = PlanChange._base_manager.using("platform").filter(
        applied_at=None, cancelled_at=None, effective_on__lte=at.date() + timedelta(days=1)
    )
    total = 0
    for (tenant_id,) in list(may_be_due.values_list("tenant_id").distinct()):
        applied = -1
        while applied:
            with tenant_context(tenant_id):
                applied = plan_changes.apply_due_plan_changes(on=local_date(at), at=at)
            total += applied
    return total


@shared_task(name="subscribers.tasks.apply_to_many")
def apply_to_many(*, tenant_id: str, job_id: str) -> None:
    """Do a change to all rows chosen for it."""
    at = timezone.now()
    jobs.perform(tenant_id=tenant_id, job_id=job_id, work=lambda run: mass.apply_to_many(run, at=at))


@shared_task(name="subscribers.tasks.check_import")
def check_import(*, tenant_id: str, job_id: str) -> None:
    at = timezone.now()
    jobs.perform(tenant_id=tenant_id, job_id=job_id, work=lambda run: imports.check_import(run, at=at))


@shared_task(name="subscribers.tasks.run_import")
def run_import(*, tenant_id: str, job_id: str) -> None:
    at = timezone.now()
    jobs.perform(tenant_id=tenant_id, job_id=job_id, work=lambda run: imports.run_import(run, at=at))


@shared_task(base=PlatformTask, name="subscribers.tasks.forget_old_imports")
def forget_old_imports() -> int:
    """Delete the files that nobody went on importing, in the tenants that have such files."""
    idle = Import._base_manager.using("platform").filter(imports.idle(at=timezone.now()))
    total = 0
    for (tenant_id,) in list(idle.values_list("tenant_id").distinct()):
        with tenant_context(tenant_id):
            total += imports.forget_old_imports(at=timezone.now())
    return total


@shared_task(name="subscribers.tasks.export_person")
def export_person(*, tenant_id: str, job_id: str) -> None:
    at = timezone.now()
    jobs.perform(tenant_id=tenant_id, job_id=job_id, work=lambda run: personal_data.export_person(run, at=at))
