"""What the clock brings, at each provider's own time."""

from datetime import date, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import transaction

from billing.models import DunningNight, DunningPolicy, NightStatus, Reminder, ReminderStatus
from billing.models.fields import day_words
from billing.services.dunning import late_fees, policies, reminders, suspending
from ispcore.jobs import services as jobs
from ispcore.jobs.models import Job, JobStatus
from ispcore.tenants.context import current_tenant_id
from ispcore.tenants.models import Tenant


def tenants_with_policies() -> list[UUID]:
    """Return the tenants that want dunning."""
    rows = DunningPolicy._base_manager.using("platform").filter(tenant__is_active=True)
    return list(rows.order_by().values_list("tenant_id", flat=True).distinct())


@transaction.atomic
def do_what_is_due(*, at: datetime) -> None:
    """Begin the bound tenant's cuts once it is night there, and its letters once it is morning. Safe to repeat."""
    zone = Tenant.objects.values_list("timezone", flat=True).get(pk=current_tenant_id())
    local = at.astimezone(ZoneInfo(zone))
    night = DunningNight.objects.filter(on=local.date()).first()
    if local.time() >= policies.CUTS_AT and (night is None or night.status == NightStatus.RUNNING):
        suspending.begin_night(on=local.date(), at=at)
    if local.time() >= policies.REMINDS_AT and _letters_wait(local.date()):
        write_letters(on=local.date())


@transaction.atomic
def write_letters(*, on: date, user_id: UUID | None = None) -> Job:
    """Start the job that charges a day's late fees and sends its reminders; one runs at a time."""
    return jobs.enqueue(
        kind=reminders.KIND,
        params={"on": on.isoformat()},
        label=f"Reminders and late fees, {day_words(on)}",
        subject=f"letters:{on}",
        queue="billing",
        user_id=user_id,
    )


def send_letters(run: jobs.Run, *, at: datetime) -> dict[str, Any]:
    """Charge late fees, write down the day's reminders and send them. Safe to repeat."""
    on = date.fromisoformat(run.params["on"])
    with run.tenant():
        run.hold()
        reminders.prepare_reminders(on=on, at=at)
    charged = late_fees.charge_late_fees(run, on=on)
    return {**reminders.send_reminders(run, on=on, at=at), "late_fees": charged}


def _letters_wait(on: date) -> bool:
    """Tell whether the day's letters are still to be written, or some could not be sent yet."""
    written = Job.objects.filter(kind=reminders.KIND, subject=f"letters:{on}", status=JobStatus.SUCCEEDED)
    return not written.exists() or Reminder.objects.filter(status=ReminderStatus.WAITING).exists()
