"""Speaking to a registered OLT, and what its silence or its nonsense becomes."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings

from hardware.drivers.base import DriverError
from hardware.drivers.findings import SystemInfo
from hardware.models import Olt
from hardware.snmp import SnmpError, SnmpTimeout, Target, open_transport
from hardware.snmp.transport import Transport
from ispcore.errors import DomainError, RetryableError

TIMEOUT_SECONDS = 5.0  # What practitioners allow an OLT for status columns; drivers allow optics more.


class DeviceUnreachable(RetryableError):
    code = "device_unreachable"
    message = "{reason}. What was stored before is unchanged."


class UnreadableDevice(RetryableError):
    code = "device_unreadable"
    message = "{reason}. What was stored before is unchanged."


class UnexpectedDevice(DomainError):
    code = "unexpected_device"
    message = "{reason}. Correct the OLT's vendor or address. What was stored before is unchanged."


class NotSupportedByDevice(DomainError):
    code = "not_supported_by_device"
    message = "{name} is a {vendor}: {what} cannot be read from it."


@contextmanager
def speaking_to(
    olt: Olt, *, max_repetitions: int = 25, deadline_seconds: float | None = None
) -> Iterator[Transport]:
    """Open a transport to the OLT; hold its claim, and no transaction, for as long.

    With a `deadline_seconds` each request is tried twice within it instead of three times five seconds.
    Raises DeviceUnreachable, UnreadableDevice, UnexpectedDevice.
    """
    patience = (
        {"timeout_seconds": TIMEOUT_SECONDS}
        if deadline_seconds is None
        else {"timeout_seconds": deadline_seconds / 2, "retries": 1}
    )
    target = Target(
        host=olt.ip,
        port=olt.snmp_port,
        community=olt.community.reveal(),
        version=olt.snmp_version,
        max_repetitions=max_repetitions,
        **patience,  # type: ignore[arg-type]
    )
    try:
        with open_transport(target, backend=settings.SNMP_BACKEND) as transport:
            yield transport
    except SnmpTimeout as error:
        raise DeviceUnreachable(reason=sentence_of(error)) from error
    except SnmpError as error:
        raise UnreadableDevice(reason=sentence_of(error)) from error
    except DriverError as error:
        raise UnexpectedDevice(reason=sentence_of(error)) from error


def known_system(olt: Olt) -> SystemInfo | None:
    """Return what the OLT said of itself last, None when it was never asked."""
    if not olt.sys_object_id:
        return None
    return SystemInfo(
        sys_descr=olt.sys_descr,
        sys_object_id=olt.sys_object_id,
        sys_name=olt.sys_name,
        uptime_seconds=olt.uptime_seconds,
        model=olt.model or None,
    )


def sentence_of(error: Exception) -> str:
    """Return what an error says, as the beginning of a refusal's message: with a capital, without a full stop."""
    text = str(error)
    return text[:1].upper() + text[1:].rstrip(".")
