"""What people decide about a run: approve its plan, discard it, go on with one that stopped."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from billing.models import BillingPosition, BillingRun, ParkedAccount, ParkReason, RunStatus
from billing.services.runs.starting import DISCARD, ISSUE, PLAN, start_job
from ispcore.errors import DomainError, NotRegistered
from subscribers.models import ServiceStatus, Subscription
from subscribers.services.customers import lock_subscriber

WHAT_TO_DO = {
    ParkReason.CURRENCY: "Give the service a plan in the currency of the customer's billing profile, or the customer "
    "a profile in the plan's.",
    ParkReason.NEGATIVE: "A run writes a credit note over what was billed and is not credited yet, and over no more. "
    "Look whether it was credited by hand already. Done with it settles services that ended, without giving back more; "
    "for others the next run tries again.",
    ParkReason.PRICE: "Round the price to what the currency has; yen, for example, have no decimals.",
    ParkReason.BILLED: "Another invoice bills this already. Make that one void or discard the draft, or leave it.",
}
UNDER_WAY = (RunStatus.PLANNING, RunStatus.APPROVED, RunStatus.ISSUING)


class PlanChanged(DomainError):
    code = "plan_changed"
    message = "The plan is no longer the one you looked at. Look at it again, then approve it."
    field = "plan_hash"


class RunNotPlanned(DomainError):
    code = "transition_not_allowed"
    message = "The run is {status}; only one that waits for approval can be {done}."


class RunBusy(DomainError):
    code = "run_busy"
    message = "A worker is at this run. Wait until it is done, or cancel its job."


class RunUnknown(NotRegistered):
    message = "There is no such billing run."


class ParkedUnknown(NotRegistered):
    message = "There is no such parked account."


@transaction.atomic
def approve_run(*, run_id: UUID, plan_hash: str, at: datetime, user_id: UUID | None = None) -> BillingRun:
    """Approve the plan of this hash, and start issuing it as a job.

    Safe to repeat: a run approved by the same hash stays so. Raises RunUnknown, RunNotPlanned, PlanChanged.
    """
    run = _lock(run_id)
    if run.approved_at is not None and plan_hash == run.plan_hash:
        return run
    if run.status != RunStatus.PLANNED or run.discarded_at is not None:
        raise RunNotPlanned(status=said(run), done="approved")
    if plan_hash != run.plan_hash:
        raise PlanChanged
    run.status, run.approved_at, run.approved_by_id = RunStatus.APPROVED, at, user_id
    run.job = start_job(run, ISSUE, user_id=user_id)
    run.save()
    return run


@transaction.atomic
def discard_run(*, run_id: UUID, at: datetime, user_id: UUID | None = None) -> BillingRun:
    """Give a plan up: a job deletes its drafts, and what they would have billed may be planned again.

    Safe to repeat. Raises RunUnknown, RunNotPlanned, RunBusy.
    """
    run = _lock(run_id)
    if run.status == RunStatus.DISCARDED or (run.discarded_at is not None and _is_busy(run)):
        return run
    if run.status not in (RunStatus.PLANNING, RunStatus.PLANNED):
        raise RunNotPlanned(status=said(run), done="discarded")
    if _is_busy(run):
        raise RunBusy
    run.discarded_at = run.discarded_at or at
    run.job = start_job(run, DISCARD, user_id=user_id)
    run.save()
    return run


@transaction.atomic
def continue_run(*, run_id: UUID, user_id: UUID | None = None) -> BillingRun:
    """Start again the job of a run whose worker gave up; it goes on where it stopped. Raises RunUnknown, RunBusy."""
    run = _lock(run_id)
    if run.status not in UNDER_WAY and run.discarded_at is None:
        raise RunNotPlanned(status=said(run), done="continued")
    if _is_busy(run):
        raise RunBusy
    kind = DISCARD if run.discarded_at else PLAN if run.status == RunStatus.PLANNING else ISSUE
    run.job = start_job(run, kind, user_id=user_id)
    run.save()
    return run


@transaction.atomic
def resolve_parked(*, parked_id: UUID, at: datetime, user_id: UUID | None = None) -> ParkedAccount:
    """Take an account off the list of what to look at; the next run tries it again.

    Where more would be given back than was billed and is not credited yet, the person has decided: the services that
    ended are settled as they stand, or each night would park the account again. Safe to repeat. Raises ParkedUnknown.
    """
    subscriber_id = ParkedAccount.objects.filter(pk=parked_id).values_list("subscriber", flat=True).first()
    if subscriber_id is None:
        raise ParkedUnknown
    lock_subscriber(subscriber_id)
    found: ParkedAccount = (
        ParkedAccount.objects.select_for_update(of=("self",)).select_related("run").get(pk=parked_id)
    )
    if found.resolved_at is None:
        found.resolved_at, found.resolved_by_id = at, user_id
        found.save(update_fields=["resolved_at", "resolved_by", "updated_at"])
        if found.reason == ParkReason.NEGATIVE:
            ended = Subscription.objects.filter(
                subscriber=subscriber_id,
                status=ServiceStatus.TERMINATED,
                terminated_at__lte=found.run.as_of,
            )
            positions = BillingPosition.objects.filter(subscription__in=ended, is_closed=False)
            positions.update(is_closed=True, updated_at=at)
    return found


def said(run: BillingRun) -> str:
    """Say where a run is, within a sentence."""
    if run.discarded_at is not None and run.status != RunStatus.DISCARDED:
        return "being discarded"
    return str(run.get_status_display()).lower()


def _lock(run_id: UUID) -> BillingRun:
    run: BillingRun | None = (
        BillingRun.objects.select_for_update(of=("self",)).select_related("job").filter(pk=run_id).first()
    )
    if run is None:
        raise RunUnknown
    return run


def _is_busy(run: BillingRun) -> bool:
    return run.job is not None and run.job.is_active
