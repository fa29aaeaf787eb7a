"""Changes to ONUs as they are asked for: checked against what is known here, planned, and put in the queue.

Nothing here speaks to a device; `execution` does, as a job.
"""

from dataclasses import asdict
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction

from hardware.drivers import Driver, OnuPlace
from hardware.models import (
    UNFINISHED,
    Olt,
    Onu,
    OnuPreset,
    PonPort,
    ProvisioningAction,
    ProvisioningJob,
    ProvisioningStatus,
    StepState,
)
from hardware.services.planning import (
    GONE,
    OnuElsewhere,
    OnuNumberTaken,
    OnuServesAnother,
    PonPortUnknown,
    ServiceEnded,
    ServiceHasOnu,
    draw_free,
    drawn,
    numbers_taken,
    plan,
    planner,
    profile_of,
    require_access,
)
from ispcore.errors import DomainError
from ispcore.jobs import services as jobs
from ispcore.jobs.models import ACTIVE, JobStatus
from subscribers.models import ServiceStatus, Subscription
from subscribers.services import lines

ENDED_SERVICE = (ServiceStatus.TERMINATED, ServiceStatus.CANCELLED)

_LABELS = {
    ProvisioningAction.AUTHORIZE: "Authorisation of {serial} on {olt}",
    ProvisioningAction.UNAUTHORIZE: "Removal of {serial} from {olt}",
    ProvisioningAction.REBOOT: "Restart of {serial} on {olt}",
}


class ProvisioningInProgress(DomainError):
    code = "provisioning_in_progress"
    message = "{what} is being changed already. Wait until that has ended."


class OnuNotPlaced(DomainError):
    code = "onu_not_placed"
    message = "Where {serial} sits on {name} is not known. Discover the OLT first."


class NotResumable(DomainError):
    code = "not_resumable"
    message = "Only a change that failed can be resumed; this one is {status}."


class NotReversible(DomainError):
    code = "not_reversible"
    message = "{reason}"


@transaction.atomic
def request_authorize(
    *,
    olt: Olt,
    pon_port: str,
    serial: str,
    preset: OnuPreset | None = None,
    fields: dict[str, Any] | None = None,
    subscription_id: UUID | None = None,
    description: str = "",
    onu_number: int | None = None,
    user_id: UUID | None = None,
) -> ProvisioningJob:
    """Plan how an ONU is taken into service and queue it; `fields` of a Preset go before the preset's.

    Authorising what is so already succeeds and changes nothing. Without `onu_number` a free one is drawn here
    and again at the device if it knows better.

    Raises NotProvisionable, CliAccessMissing, WriteAccessMissing, PresetOfOtherVendor, PresetIncomplete,
    UnusablePlan, PonPortUnknown, PonPortFull, OnuNumberTaken, OnuElsewhere, OnuServesAnother, ServiceHasOnu,
    ServiceEnded, ProvisioningInProgress, ServiceUnknown.
    """
    serial = serial.upper()
    driver = planner(olt, ProvisioningAction.AUTHORIZE)
    profile = profile_of(olt, driver, preset, fields or {})
    subscription = _free_service(subscription_id, serial)
    _refuse_elsewhere(olt, pon_port, serial, subscription)
    ports = PonPort.objects.filter(olt=olt)
    port = ports.filter(index=pon_port).first()
    if port is None and ports.exists():
        raise PonPortUnknown(name=olt.name, pon_port=pon_port)
    number = onu_number if onu_number is not None else _draw_number(olt, driver, pon_port, serial)
    if onu_number is not None and onu_number in numbers_taken(olt, pon_port, besides=serial):
        raise OnuNumberTaken(number=onu_number, pon_port=pon_port)
    place = OnuPlace(
        pon_port=pon_port,
        onu_id=number,
        serial=serial,
        if_index=port.if_index if port else None,
        description=description,
    )
    steps = plan(olt, lambda: driver.plan_authorize(place, profile))
    require_access(olt, steps)
    return _queue(
        ProvisioningJob(
            action=ProvisioningAction.AUTHORIZE,
            olt=olt,
            onu=Onu.objects.filter(olt=olt, serial=serial).first(),
            subscription=subscription,
            preset=preset,
            serial=serial,
            pon_port=pon_port,
            onu_number=number,
            description=description,
            profile={**asdict(profile), "onu_number": onu_number},
            plan=drawn(steps),
            requested_by_id=user_id,
        )
    )


@transaction.atomic
def request_unauthorize(*, onu: Onu, user_id: UUID | None = None) -> ProvisioningJob:
    """Plan how an ONU is taken out of service and queue it; what is gone already succeeds.

    Raises NotProvisionable, CliAccessMissing, WriteAccessMissing, OnuNotPlaced, ProvisioningInProgress.
    """
    return _request_for(onu, ProvisioningAction.UNAUTHORIZE, user_id=user_id)


@transaction.atomic
def request_reboot(*, onu: Onu, user_id: UUID | None = None) -> ProvisioningJob:
    """Plan an ONU's restart and queue it.

    Raises NotProvisionable, CliAccessMissing, WriteAccessMissing, OnuNotPlaced, ProvisioningInProgress.
    """
    return _request_for(onu, ProvisioningAction.REBOOT, user_id=user_id)


@transaction.atomic
def resume(*, provisioning_id: UUID, user_id: UUID | None = None) -> ProvisioningJob:
    """Queue a failed change again, from the step that failed.

    A step whose outcome is unknown is sent again: asking for it is the decision. Raises NotResumable,
    ProvisioningInProgress.
    """
    provisioning = _lock(provisioning_id)
    if provisioning.status != ProvisioningStatus.FAILED:
        raise NotResumable(status=provisioning.get_status_display().lower())
    if any(step["state"] == StepState.UNDONE for step in provisioning.plan):
        raise NotReversible(reason="It was rolled back in part: finish that, then authorise anew.")
    for step in provisioning.plan:
        if step["state"] == StepState.STARTED:
            step["state"] = StepState.UNKNOWN
    return _queue(provisioning, kind="hardware.provision_onu", user_id=user_id)


@transaction.atomic
def roll_back(*, provisioning_id: UUID, user_id: UUID | None = None) -> ProvisioningJob:
    """Queue the undoing of a failed authorisation's steps, last first; what was so before it stays.

    Raises NotReversible, ProvisioningInProgress.
    """
    provisioning = _lock(provisioning_id)
    if provisioning.status != ProvisioningStatus.FAILED:
        status = provisioning.get_status_display().lower()
        raise NotReversible(reason=f"Only a change that failed can be rolled back; this one is {status}.")
    if provisioning.action != ProvisioningAction.AUTHORIZE:
        raise NotReversible(reason="Only an authorisation can be rolled back. Resume this one instead.")
    return _queue(provisioning, kind="hardware.roll_back_onu", user_id=user_id)


def close_orphans(*, olt_id: UUID) -> None:
    """Mark as failed the changes whose run has ended without saying so: cancelled, or dead too often."""
    orphans = ProvisioningJob.objects.filter(olt=olt_id, status__in=UNFINISHED).exclude(
        job__status__in=ACTIVE
    )
    for orphan in orphans.select_related("job").order_by("pk").select_for_update(of=("self",)):
        was_cancelled = orphan.job is not None and orphan.job.status == JobStatus.CANCELLED
        orphan.status = ProvisioningStatus.FAILED
        orphan.error_code = (
            "cancelled" if was_cancelled else (orphan.job and orphan.job.error_code) or "worker_lost"
        )
        orphan.message = (
            "It was cancelled while it ran."
            if was_cancelled
            else "The run ended without saying how far it came."
        )
        orphan.finished_at = orphan.job and orphan.job.finished_at
        orphan.save()


def _draw_number(olt: Olt, driver: Driver, pon_port: str, serial: str) -> int:
    known = Onu.objects.filter(olt=olt, serial=serial, pon_port__index=pon_port, onu_id__isnull=False)
    number = known.exclude(status__in=GONE).values_list("onu_id", flat=True).first()
    if number is not None:
        return int(number)
    taken = numbers_taken(olt, pon_port, besides=serial)
    return draw_free(driver, taken, olt=olt, pon_port=pon_port)


def _free_service(subscription_id: UUID | None, serial: str) -> Subscription | None:
    """Lock the service and refuse one that another ONU feeds or is about to."""
    if subscription_id is None:
        return None
    line = lines.lock_line(subscription_id)
    if line.status in ENDED_SERVICE:
        raise ServiceEnded(number=line.number)
    feeding = Onu.objects.filter(subscription=line).exclude(serial=serial).first()
    if feeding:
        raise ServiceHasOnu(number=line.number, serial=feeding.serial)
    others = ProvisioningJob.objects.filter(
        subscription=line, action=ProvisioningAction.AUTHORIZE, status__in=UNFINISHED
    )
    if others.exclude(serial=serial).exists():
        raise ProvisioningInProgress(what=f"The ONU of service {line.number}")
    return line


def _refuse_elsewhere(olt: Olt, pon_port: str, serial: str, subscription: Subscription | None) -> None:
    present = Onu.objects.filter(serial=serial).exclude(status__in=GONE).select_related("olt", "pon_port")
    for onu in present.select_related("olt", "pon_port", "subscription"):
        index = onu.pon_port.index if onu.pon_port else ""
        if onu.olt_id != olt.pk or (index and index != pon_port):
            raise OnuElsewhere(serial=serial, pon_port=index or "?", olt=onu.olt.name)
        if onu.subscription and subscription and onu.subscription != subscription:
            raise OnuServesAnother(serial=serial, number=onu.subscription.number)


def _request_for(onu: Onu, action: ProvisioningAction, *, user_id: UUID | None) -> ProvisioningJob:
    olt = onu.olt
    driver = planner(olt, action)
    if onu.pon_port is None or onu.onu_id is None:
        raise OnuNotPlaced(serial=onu.serial, name=olt.name)
    place = OnuPlace(
        pon_port=onu.pon_port.index,
        onu_id=onu.onu_id,
        serial=onu.serial,
        if_index=onu.pon_port.if_index,
        index=onu.index,
    )
    draw = driver.plan_reboot if action == ProvisioningAction.REBOOT else driver.plan_unauthorize
    steps = plan(olt, lambda: draw(place))
    require_access(olt, steps)
    return _queue(
        ProvisioningJob(
            action=action,
            olt=olt,
            onu=onu,
            subscription=onu.subscription,
            serial=onu.serial,
            pon_port=place.pon_port,
            onu_number=place.onu_id,
            plan=drawn(steps),
            requested_by_id=user_id,
        )
    )


def _lock(provisioning_id: UUID) -> ProvisioningJob:
    found: ProvisioningJob = (
        ProvisioningJob.objects.select_related("olt").select_for_update(of=("self",)).get(pk=provisioning_id)
    )
    return found


def _queue(
    provisioning: ProvisioningJob, *, kind: str = "hardware.provision_onu", user_id: UUID | None = None
) -> ProvisioningJob:
    """Store the change as planned and send its job at commit. Raises ProvisioningInProgress."""
    close_orphans(olt_id=provisioning.olt_id)
    provisioning.status = ProvisioningStatus.PLANNED
    provisioning.error_code = provisioning.message = ""
    provisioning.finished_at = None
    try:
        with transaction.atomic():
            provisioning.save()
    except IntegrityError as error:
        if "one_unfinished_per_serial" not in str(error):
            raise
        raise ProvisioningInProgress(what=provisioning.serial) from error
    label = _LABELS[ProvisioningAction(provisioning.action)]
    if kind == "hardware.roll_back_onu":
        label = "Roll back: " + label[0].lower() + label[1:]
    provisioning.job = jobs.enqueue(
        kind=kind,
        subject=f"provisioning:{provisioning.pk}",
        label=label.format(serial=provisioning.serial, olt=provisioning.olt.name),
        params={"provisioning_id": str(provisioning.pk)},
        queue="network",
        user_id=user_id or provisioning.requested_by_id,
    )
    provisioning.save(update_fields=["job"])
    return provisioning
