"""Changes to ONUs as they are asked for: checked against what is known here, planned, and put in the queue.

Nothing here speaks to a device; `execution` does, as a job.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any, cast
from uuid import UUID

from django.db import IntegrityError, transaction

from hardware import drivers
from hardware.drivers import Capability, CliStep, Driver, OnuPlace, Preset, SnmpStep, Step
from hardware.models import (
    UNFINISHED,
    CliProtocol,
    Olt,
    Onu,
    OnuPreset,
    OnuStatus,
    PonPort,
    ProvisioningAction,
    ProvisioningJob,
    ProvisioningStatus,
    StepState,
)
from hardware.services.conversation import words_of
from hardware.services.devices import known_system
from hardware.snmp.transport import Transport
from ispcore.errors import DomainError
from ispcore.jobs import services as jobs
from ispcore.jobs.models import ACTIVE, JobStatus
from subscribers.models import ServiceStatus, Subscription
from subscribers.services import lines

GONE = (OnuStatus.REMOVED, OnuStatus.VANISHED)
ENDED_SERVICE = (ServiceStatus.TERMINATED, ServiceStatus.CANCELLED)
PRESET_FIELDS = tuple(Preset.__dataclass_fields__)

_CAPABILITY = {
    ProvisioningAction.AUTHORIZE: Capability.AUTHORIZE,
    ProvisioningAction.UNAUTHORIZE: Capability.UNAUTHORIZE,
    ProvisioningAction.REBOOT: Capability.REBOOT,
}
_LABELS = {
    ProvisioningAction.AUTHORIZE: "Authorisation of {serial} on {olt}",
    ProvisioningAction.UNAUTHORIZE: "Removal of {serial} from {olt}",
    ProvisioningAction.REBOOT: "Restart of {serial} on {olt}",
}


class NotProvisionable(DomainError):
    code = "not_supported_by_device"
    message = "{name} is a {vendor}: ONUs cannot be {what} there from here. Use the device's own interface."


class CliAccessMissing(DomainError):
    code = "cli_access_missing"
    message = (
        "{name} is changed at its command line, and none is registered. Add its protocol, user and password."
    )


class WriteAccessMissing(DomainError):
    code = "write_access_missing"
    message = "{name} is changed by SNMP, and no write community is registered. Add it to the OLT."


class ProvisioningInProgress(DomainError):
    code = "provisioning_in_progress"
    message = "{what} is being changed already. Wait until that has ended."


class OnuElsewhere(DomainError):
    code = "onu_elsewhere"
    message = "{serial} is authorised on port {pon_port} of {olt}. Remove it there first."
    field = "serial"


class OnuServesAnother(DomainError):
    code = "onu_serves_another"
    message = "{serial} feeds service {number}. Remove it there first, or name that service."
    field = "service_id"


class ServiceHasOnu(DomainError):
    code = "service_has_onu"
    message = "Service {number} is fed by ONU {serial}. Remove that one first."
    field = "service_id"


class ServiceEnded(DomainError):
    code = "service_ended"
    message = "Service {number} has ended: nothing can be connected for it."
    field = "service_id"


class PresetOfOtherVendor(DomainError):
    code = "preset_of_other_vendor"
    message = "The preset {preset} is for {preset_vendor}, and {name} is a {vendor}."
    field = "preset_id"


class PresetIncomplete(DomainError):
    code = "preset_incomplete"
    message = "To authorise on {name}, these must be told by the preset or in the request: {missing}."
    field = "preset_id"
    status = 422


class UnusablePlan(DomainError):
    code = "invalid_value"
    message = "This cannot be told to {name}: {reason}."
    status = 422


class PonPortUnknown(DomainError):
    code = "pon_port_unknown"
    message = "{name} has no PON port {pon_port}. Discover the OLT if it was added lately."
    field = "pon_port"


class PonPortFull(DomainError):
    code = "pon_port_full"
    message = "Every ONU number of port {pon_port} of {name} is taken."
    field = "pon_port"


class OnuNumberTaken(DomainError):
    code = "onu_number_taken"
    message = (
        "Number {number} of port {pon_port} belongs to another ONU. Leave it out to have a free one drawn."
    )
    field = "onu_number"


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
    profile = _profile(olt, driver, preset, fields or {})
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
    for orphan in orphans.select_related("job").for_update():
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


def planner(olt: Olt, action: ProvisioningAction) -> Driver:
    """Return the driver that plans for this OLT with the access that is registered for it.

    Raises NotProvisionable.
    """
    driver = drivers.DRIVERS[olt.vendor]
    system = known_system(olt)
    if system and olt.dialect:
        # A dialect that is remembered is not asked for: the transport is not used.
        driver = driver.choose(cast(Transport, None), system, remembered=olt.dialect)
    return with_access(olt, driver, action)


def with_access(olt: Olt, driver: Driver, action: ProvisioningAction) -> Driver:
    """Choose between a driver's command-line and SNMP ways. Raises NotProvisionable."""
    if olt.cli_protocol == CliProtocol.NONE and olt.write_community:
        driver = driver.without_cli()
    if _CAPABILITY[action] not in driver.capabilities:
        what = {"authorize": "authorised", "unauthorize": "removed", "reboot": "restarted"}[action]
        raise NotProvisionable(name=olt.name, vendor=olt.get_vendor_display(), what=what)
    return driver


def plan(olt: Olt, draw: Callable[[], tuple[Step, ...]]) -> tuple[Step, ...]:
    """Draw a driver's plan. Raises UnusablePlan for what cannot be told to the device, NotProvisionable."""
    try:
        return draw()
    except ValueError as error:
        raise UnusablePlan(name=olt.name, reason=str(error).rstrip(".")) from error
    except drivers.NotSupportedByDevice as error:
        raise NotProvisionable(name=olt.name, vendor=olt.get_vendor_display(), what="changed so") from error


def drawn(steps: Sequence[Step]) -> list[dict[str, object]]:
    """Say a plan in words, nothing of it done."""
    return [{**words_of(step), "state": StepState.PLANNED} for step in steps]


def require_access(olt: Olt, steps: Sequence[Step]) -> None:
    if any(isinstance(step, CliStep) for step in steps) and olt.cli_protocol == CliProtocol.NONE:
        raise CliAccessMissing(name=olt.name)
    if any(isinstance(step, SnmpStep) for step in steps) and not olt.write_community:
        raise WriteAccessMissing(name=olt.name)


def numbers_taken(olt: Olt, pon_port: str, *, besides: str) -> set[int]:
    """Return the ONU numbers of a port that are stored or planned for other serials."""
    stored = Onu.objects.filter(olt=olt, pon_port__index=pon_port, onu_id__isnull=False)
    planned = ProvisioningJob.objects.filter(
        olt=olt,
        pon_port=pon_port,
        action=ProvisioningAction.AUTHORIZE,
        status__in=UNFINISHED,
        onu_number__isnull=False,
    )
    return {
        *stored.exclude(status__in=GONE).exclude(serial=besides).values_list("onu_id", flat=True),
        *planned.exclude(serial=besides).values_list("onu_number", flat=True),
    }


def draw_free(driver: Driver, taken: set[int], *, olt: Olt, pon_port: str) -> int:
    """Return the lowest free ONU number. Raises PonPortFull."""
    number = next((number for number in driver.onu_numbers if number not in taken), None)
    if number is None:
        raise PonPortFull(pon_port=pon_port, name=olt.name)
    return number


def _draw_number(olt: Olt, driver: Driver, pon_port: str, serial: str) -> int:
    known = Onu.objects.filter(olt=olt, serial=serial, pon_port__index=pon_port, onu_id__isnull=False)
    number = known.exclude(status__in=GONE).values_list("onu_id", flat=True).first()
    if number is not None:
        return int(number)
    taken = numbers_taken(olt, pon_port, besides=serial)
    return draw_free(driver, taken, olt=olt, pon_port=pon_port)


def _profile(olt: Olt, driver: Driver, preset: OnuPreset | None, fields: dict[str, Any]) -> Preset:
    if preset is not None and preset.vendor != olt.vendor:
        raise PresetOfOtherVendor(
            preset=preset.name,
            preset_vendor=preset.get_vendor_display(),
            name=olt.name,
            vendor=olt.get_vendor_display(),
        )
    told = {name: getattr(preset, name) for name in PRESET_FIELDS} if preset else {}
    profile = Preset(**told | fields)
    missing = sorted(name for name in driver.preset_fields if getattr(profile, name) in ("", None))
    if missing:
        raise PresetIncomplete(name=olt.name, missing=", ".join(missing))
    return profile


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
        pon_port=onu.pon_port.index, onu_id=onu.onu_id, serial=onu.serial, if_index=onu.pon_port.if_index
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
        queue="devices",
        user_id=user_id or provisioning.requested_by_id,
    )
    provisioning.save(update_fields=["job"])
    return provisioning
