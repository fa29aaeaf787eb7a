"""The night's cuts: never more than the cap without a person's word, never somebody who owes nothing by then."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import F

from billing.models import DunningNight, NightStatus
from billing.models.fields import day_words
from billing.services.dunning import policies, promises, tonight
from ispcore.errors import DomainError
from ispcore.events.services import publish, publish_each
from ispcore.jobs import services as jobs
from ispcore.jobs.models import ACTIVE
from subscribers.models import HoldReason, ServiceStatus, Subscriber, Subscription
from subscribers.services import holds
from subscribers.services.periods import local_date

KIND = "billing.suspend_tonight"
CHUNK = 200  # Subscribers locked at a time: whoever pays meanwhile waits for a moment.

log = structlog.get_logger(__name__)


class NightNotWaiting(DomainError):
    code = "night_not_waiting"
    message = "The night of {on} is {status}: nothing waits for approval."


class NightOver(DomainError):
    code = "night_over"
    message = "The night of {on} is over. The next one looks at everybody again."


class MoreThanShown(DomainError):
    code = "more_than_shown"
    message = "{lines} services would be cut by now, not {approved}. Look at the list again, then approve."


@transaction.atomic
def begin_night(*, on: date, at: datetime, user_id: UUID | None = None) -> DunningNight:
    """Start a day's cuts as a job, once a day; a night whose job died is taken up where it stood.

    A night that still waits for approval from a day before is called off.
    """
    promises.settle_promises(on=on, at=at)
    DunningNight.objects.filter(on__lt=on, status__in=(NightStatus.WAITING, NightStatus.RUNNING)).update(
        status=NightStatus.REFUSED, finished_at=at, updated_at=at
    )
    lines = tonight.running_lines()
    night: DunningNight
    night, _ = DunningNight.objects.get_or_create(
        on=on, defaults={"active_lines": lines, "cap_lines": cap_of(lines, policies.cap_percent())}
    )
    if night.status == NightStatus.RUNNING and (night.job is None or night.job.status not in ACTIVE):
        _enqueue(night, user_id)
    return night


@transaction.atomic
def approve_night(*, night_id: UUID, lines: int, at: datetime, user_id: UUID | None) -> DunningNight:
    """Go on with a night that stopped at the cap, for up to as many `lines` as the person saw.

    Safe to repeat. Raises NightNotWaiting, NightOver, MoreThanShown.
    """
    night: DunningNight = DunningNight.objects.select_for_update(of=("self",)).get(pk=night_id)
    if night.status in (NightStatus.RUNNING, NightStatus.DONE) and night.approved_lines == lines > 0:
        return night
    if night.status != NightStatus.WAITING:
        raise NightNotWaiting(on=night.on, status=night.get_status_display().lower())
    if local_date(at) != night.on:
        raise NightOver(on=night.on)
    found = tonight.count(on=night.on)[1] + night.suspended_lines
    if found > lines:
        raise MoreThanShown(lines=found, approved=lines)
    night.status, night.approved_lines = NightStatus.RUNNING, lines
    night.approved_at, night.approved_by_id = at, user_id
    night.save(update_fields=["status", "approved_lines", "approved_at", "approved_by", "updated_at"])
    _enqueue(night, user_id)
    return night


@transaction.atomic
def call_off_night(*, night_id: UUID, at: datetime) -> DunningNight:
    """Cut nobody more that night. Safe to repeat. Raises NightNotWaiting."""
    night: DunningNight = DunningNight.objects.select_for_update(of=("self",)).get(pk=night_id)
    if night.status == NightStatus.REFUSED:
        return night
    if night.status != NightStatus.WAITING:
        raise NightNotWaiting(on=night.on, status=night.get_status_display().lower())
    night.status, night.finished_at = NightStatus.REFUSED, at
    night.save(update_fields=["status", "finished_at", "updated_at"])
    return night


def suspend_tonight(run: jobs.Run, *, at: datetime) -> dict[str, Any]:
    """Cut whom the list says, a chunk of subscribers in each transaction; at the cap stop and ask.

    Safe to repeat: who was cut has no running line any more. Each subscriber is looked at again under the lock that
    payments take, so that nobody is cut who owes nothing at that moment.
    """
    night_id = UUID(run.params["night_id"])
    after = tonight.FIRST
    with run.tenant():
        run.hold()
        night = _lock(night_id)
        found = tonight.count(on=night.on)
        if night.status == NightStatus.RUNNING:
            _found(night, *found)
            if found[1] > _allowed(night):
                _stop(night)
    while night.status == NightStatus.RUNNING:
        run.progress(night.suspended_lines, night.found_lines, f"{night.suspended_lines} services cut")
        with run.tenant():
            run.hold()
            chosen = tonight.to_cut(on=night.on, after=after, limit=CHUNK)
            # The night's row comes last: an approval waits for no payment.
            cut = _cut(chosen, night_id, at=at)
            night = _lock(night_id)
            if cut is None:
                _stop(night)
            elif not chosen:
                night.status, night.finished_at = NightStatus.DONE, at
                night.save(update_fields=["status", "finished_at", "updated_at"])
            else:
                after = chosen[-1]
    return {
        "night_id": str(night.pk),
        "status": night.status,
        "suspended_subscribers": night.suspended_subscribers,
        "suspended_lines": night.suspended_lines,
        "cap_lines": night.cap_lines,
        "found_lines": night.found_lines,
    }


def cap_of(running: int, percent: int) -> int:
    """Return how many lines a night cuts without asking: the percentage, and one where that is less than one."""
    return max(1, running * percent // 100)


def _cut(chosen: list[UUID], night_id: UUID, *, at: datetime) -> int | None:
    """Hold the lines of those chosen who still owe, and count them; None and nothing when that is beyond the cap."""
    locked = list(
        Subscriber.objects.filter(pk__in=chosen)
        .order_by("pk")
        .select_for_update(of=("self",))
        .values_list("pk", flat=True)
    )
    night = DunningNight.objects.get(pk=night_id)
    still = tonight.to_cut(on=night.on, subscribers=locked, limit=CHUNK) if locked else []
    lines = list(
        Subscription.objects.filter(subscriber__in=still, status=ServiceStatus.ACTIVE)
        .order_by("pk")
        .select_for_update(of=("self",))
    )
    if len(lines) > _allowed(night):
        return None
    if lines:
        note = f"Overdue on {day_words(night.on)}"
        holds.hold_lines(
            lines, reason=HoldReason.NON_PAYMENT, at=at, until=None, note=note, user_id=night.approved_by_id
        )
        owing = sorted({line.subscriber_id for line in lines})
        publish_each("billing.suspended_for_debt", [{"subscriber_id": str(pk)} for pk in owing])
        DunningNight.objects.filter(pk=night_id).update(
            suspended_lines=F("suspended_lines") + len(lines),
            suspended_subscribers=F("suspended_subscribers") + len(owing),
            updated_at=at,
        )
    return len(lines)


def _allowed(night: DunningNight) -> int:
    return max(night.cap_lines, night.approved_lines) - night.suspended_lines


def _found(night: DunningNight, subscribers: int, lines: int) -> None:
    night.found_subscribers = night.suspended_subscribers + subscribers
    night.found_lines = night.suspended_lines + lines
    night.save(update_fields=["found_subscribers", "found_lines", "updated_at"])


def _stop(night: DunningNight) -> None:
    _found(night, *tonight.count(on=night.on))
    night.status = NightStatus.WAITING
    night.save(update_fields=["status", "updated_at"])
    publish("billing.dunning_stopped", night_id=str(night.pk))
    log.warning(
        "dunning_stopped_at_the_cap",
        on=str(night.on),
        lines=night.found_lines,
        cap=night.cap_lines,
        running=night.active_lines,
    )


def _lock(night_id: UUID) -> DunningNight:
    night: DunningNight = DunningNight.objects.select_for_update(of=("self",)).get(pk=night_id)
    return night


def _enqueue(night: DunningNight, user_id: UUID | None) -> None:
    night.job = jobs.enqueue(
        kind=KIND,
        params={"night_id": str(night.pk)},
        label=f"Cut for non-payment, {day_words(night.on)}",
        subject=f"night:{night.pk}",
        queue="billing",
        user_id=user_id,
    )
    night.save(update_fields=["job", "updated_at"])
