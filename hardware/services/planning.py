"""What must hold before a device is changed, and the plan of the change: drawn by the driver, said in words."""

from collections.abc import Callable, Sequence
from typing import Any, cast

from hardware import drivers
from hardware.drivers import Capability, CliStep, Driver, Preset, SnmpStep, Step
from hardware.models import (
    UNFINISHED,
    CliProtocol,
    Olt,
    Onu,
    OnuPreset,
    OnuStatus,
    ProvisioningAction,
    ProvisioningJob,
    StepState,
)
from hardware.services.conversation import words_of
from hardware.services.devices import known_system
from hardware.snmp.transport import Transport
from ispcore.errors import DomainError

GONE = (OnuStatus.REMOVED, OnuStatus.VANISHED)
PRESET_FIELDS = tuple(Preset.__dataclass_fields__)

_CAPABILITY = {
    ProvisioningAction.AUTHORIZE: Capability.AUTHORIZE,
    ProvisioningAction.UNAUTHORIZE: Capability.UNAUTHORIZE,
    ProvisioningAction.REBOOT: Capability.REBOOT,
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


def profile_of(olt: Olt, driver: Driver, preset: OnuPreset | None, fields: dict[str, Any]) -> Preset:
    """Merge a preset with what the request tells. Raises PresetOfOtherVendor, PresetIncomplete."""
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
