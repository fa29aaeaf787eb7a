"""A run begins: its row, its terms, and the job that plans it."""

from datetime import date, datetime, timedelta
from uuid import UUID

from django.db import IntegrityError, transaction

from billing.models import OPEN_RUN, BillingRun, BillingSettings
from billing.models.fields import day_words
from billing.services.planning import Terms
from ispcore.errors import DomainError
from ispcore.jobs import services as jobs
from ispcore.jobs.models import Job
from ispcore.tenants.context import current_tenant_id
from ispcore.tenants.models import Tenant
from subscribers.services.periods import local_date

PLAN, ISSUE, DISCARD = "billing.plan_run", "billing.issue_run", "billing.drop_run"
LABELS = {
    PLAN: "Plan of the run of {on}",
    ISSUE: "Issue of the run of {on}",
    DISCARD: "Discard of the run of {on}",
}
DAYS_AHEAD = 31


class RunOpen(DomainError):
    code = "run_open"
    message = "The run of {on} is not over ({status}). Issue or discard it first."


class DayTooFar(DomainError):
    code = "validation_error"
    message = "This is too far ahead: choose {latest} or an earlier day."
    status = 422
    field = "on"


class DayBeforeBeginning(DomainError):
    code = "validation_error"
    message = (
        "Nothing is billed before {earliest}, the first day billed here: choose that day or a later one."
    )
    status = 422
    field = "on"


@transaction.atomic
def start_run(*, on: date | None = None, at: datetime, user_id: UUID | None = None) -> BillingRun:
    """Open a run over all lines due on a day, today where none is given, and start its planning as a job.

    Raises RunOpen, DayTooFar, DayBeforeBeginning.
    """
    run = open_run(on=on, at=at, user_id=user_id)
    run.job = start_job(run, PLAN, user_id=user_id)
    run.save(update_fields=["job", "updated_at"])
    return run


@transaction.atomic
def open_run(*, on: date | None = None, at: datetime, user_id: UUID | None = None) -> BillingRun:
    """Make the run's row: what is known at `at` is billed. Raises RunOpen, DayTooFar, DayBeforeBeginning."""
    today = local_date(at)
    on = refuse_wrong_day(on or today, today=today, ahead=DAYS_AHEAD)
    try:
        with transaction.atomic():
            run: BillingRun = BillingRun.objects.create(on=on, as_of=at, created_by_id=user_id)
    except IntegrityError:
        found = BillingRun.objects.filter(status__in=OPEN_RUN).first()
        if found is None:  # It ended between the two statements: there is room for a new one.
            return open_run(on=on, at=at, user_id=user_id)
        raise RunOpen(on=day_words(found.on), status=found.get_status_display().lower()) from None
    return run


def refuse_wrong_day(on: date, *, today: date, ahead: int) -> date:
    """Return the day, which is not before all billing and not too far ahead. Raises DayTooFar, DayBeforeBeginning."""
    latest = today + timedelta(days=ahead)
    if on > latest:
        raise DayTooFar(latest=day_words(latest))
    settings = settings_on(on)
    if on < settings.bills_from:
        raise DayBeforeBeginning(earliest=day_words(settings.bills_from))
    return on


def start_job(run: BillingRun, kind: str, *, user_id: UUID | None) -> Job:
    """Send a step of a run to a worker; one step of a run is on its way at a time."""
    return jobs.enqueue(
        kind=kind,
        params={"run_id": str(run.pk)},
        label=LABELS[kind].format(on=day_words(run.on)),
        subject=f"billing_run:{run.pk}",
        queue="billing",
        user_id=user_id,
    )


def settings_on(day: date) -> BillingSettings:
    """Return the provider's rules, made with the first run: what lies before it was paid for elsewhere."""
    settings: BillingSettings = BillingSettings.objects.get_or_create(defaults={"bills_from": day})[0]
    return settings


def terms_of(run: BillingRun) -> Terms:
    settings = settings_on(run.on)
    return Terms(
        run_id=run.pk,
        on=run.on,
        as_of=run.as_of,
        zone=Tenant.objects.values_list("timezone", flat=True).get(pk=current_tenant_id()),
        bills_from=settings.bills_from,
        unbilled_holds=settings.unbilled_holds,
        bound_percent=settings.bound_percent,
    )
