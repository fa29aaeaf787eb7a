"""Discovery: read an OLT outside any transaction, then store what was read in one."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now

from hardware import drivers
from hardware.drivers.base import Discovery, DriverError
from hardware.models import DiscoveryRun, Olt, RunOutcome
from hardware.services import inventory
from hardware.snmp import SnmpError, SnmpTimeout, Target, open_transport
from ispcore.errors import DomainError, RetryableError
from ispcore.events.services import publish
from ispcore.jobs import services as jobs
from ispcore.jobs.models import Job

TIMEOUT_SECONDS = 5.0  # What practitioners allow an OLT for status columns; drivers allow optics more.
INTERRUPTED = "The worker died while this ran; the run was taken up again."


class DeviceUnreachable(RetryableError):
    code = "device_unreachable"
    message = "{reason}. What was stored before is unchanged."


class UnreadableDevice(RetryableError):
    code = "device_unreadable"
    message = "{reason}. What was stored before is unchanged."


class UnexpectedDevice(DomainError):
    code = "unexpected_device"
    message = "{reason}. Correct the OLT's vendor or address. What was stored before is unchanged."


@transaction.atomic
def request_discovery(*, olt_id: UUID, user_id: UUID | None) -> Job:
    """Start a discovery of one OLT in the background, or return the one that runs already."""
    olt = Olt.objects.get(pk=olt_id)
    return jobs.enqueue(
        kind="hardware.discover_olt",
        subject=f"olt:{olt.pk}",
        label=f"Discovery of {olt.name}",
        params={"olt_id": str(olt.pk)},
        queue="devices",
        user_id=user_id,
    )


def discover_olt(run: jobs.Run, *, at: datetime) -> dict[str, Any]:
    """Read every ONU of the job's OLT and store it; return counts and the run's outcome.

    Safe to repeat: rows are matched by serial, so a second discovery updates and never duplicates. What
    the device did not answer is left as it was stored. `at` is the moment the readings are filed under.

    Raises DeviceUnreachable, UnreadableDevice, UnexpectedDevice; nothing is stored then but the failed run.
    """
    with run.tenant():
        olt, discovery_run = _begin(run, at=at)
    try:
        found = _read(olt, run)
    except DomainError as error:
        with run.tenant():
            run.hold()
            _end(discovery_run, olt, outcome=RunOutcome.FAILED, message=str(error))
        raise
    with run.tenant():
        run.hold()
        return _store(discovery_run, olt, found, at=at)


def _begin(run: jobs.Run, *, at: datetime) -> tuple[Olt, DiscoveryRun]:
    """Open the run; one that a dead worker left open is closed first, since only one may be open."""
    run.hold()
    olt = Olt.objects.get(pk=run.params["olt_id"])
    DiscoveryRun.objects.filter(olt=olt, finished_at=None).update(
        outcome=RunOutcome.FAILED, message=INTERRUPTED, finished_at=Now(), updated_at=Now()
    )
    return olt, DiscoveryRun.objects.create(olt=olt, job_id=run.job_id, started_at=at)


def _read(olt: Olt, run: jobs.Run) -> Discovery:
    """Speak to the device: minutes, perhaps; no transaction and no lock is held."""
    try:
        with open_transport(_target(olt), backend=settings.SNMP_BACKEND) as transport:
            found = drivers.DRIVERS[olt.vendor].discover(transport, run.progress)
    except SnmpTimeout as error:
        raise DeviceUnreachable(reason=_sentence(error)) from error
    except SnmpError as error:
        raise UnreadableDevice(reason=_sentence(error)) from error
    except DriverError as error:
        raise UnexpectedDevice(reason=_sentence(error)) from error
    if not found.onus and not found.read_columns:
        raise DeviceUnreachable(reason=f"It said who it is and then no more: {found.failures[0].reason}")
    return found


def _sentence(error: Exception) -> str:
    text = str(error)
    return text[:1].upper() + text[1:].rstrip(".")


def _target(olt: Olt) -> Target:
    return Target(
        host=olt.ip,
        port=olt.snmp_port,
        community=olt.community.reveal(),
        version=olt.snmp_version,
        timeout_seconds=TIMEOUT_SECONDS,
    )


def _store(discovery_run: DiscoveryRun, olt: Olt, found: Discovery, *, at: datetime) -> dict[str, Any]:
    inventory.store_ports(olt_id=olt.pk, ports=found.ports, at=at)
    counts = inventory.store_onus(olt_id=olt.pk, found=found, at=at)
    inventory.count_onus_per_port(olt_id=olt.pk)
    warnings = _warnings(found)
    _end(
        discovery_run,
        olt,
        outcome=RunOutcome.PARTIAL if warnings else RunOutcome.COMPLETE,
        message=" ".join(warnings),
        counts=counts,
        found=found,
    )
    publish("hardware.discovery_finished", olt_id=str(olt.pk), run_id=str(discovery_run.pk))
    return {
        "status": "partial" if warnings else "success",
        "olt_id": str(olt.pk),
        "run_id": str(discovery_run.pk),
        "seen": counts.seen,
        "new": counts.new,
        "vanished": counts.vanished,
        "warnings": warnings,
    }


def _warnings(found: Discovery) -> list[str]:
    """Say in sentences what is missing from a discovery; none when it is whole."""
    warnings = [
        f"The column {drivers.describe_column(failure.column)} was not read to its end ({failure.rows} rows): "
        f"{failure.reason}."
        for failure in found.failures
    ]
    warnings += [
        f"{count} values of the column {drivers.describe_column(column)} made no sense and were left out."
        for column, count in sorted(found.bad_cells.items())
    ]
    if not found.onus and found.onus_complete:
        warnings.append("The device listed no ONU at all, as one does that is starting up.")
    return warnings


def _end(
    discovery_run: DiscoveryRun,
    olt: Olt,
    *,
    outcome: RunOutcome,
    message: str,
    counts: inventory.Counts | None = None,
    found: Discovery | None = None,
) -> None:
    """Close the run and keep on the OLT what it said of itself, or why it said nothing."""
    counts = counts or inventory.Counts(0, 0, 0)
    DiscoveryRun.objects.filter(pk=discovery_run.pk).update(
        outcome=outcome,
        message=message[:1000],
        onus_seen=counts.seen,
        onus_new=counts.new,
        onus_vanished=counts.vanished,
        finished_at=Now(),
        updated_at=Now(),
    )
    said: dict[str, Any] = {"last_error": message[:500]}
    if found:
        system = found.system
        said |= {
            "sys_name": system.sys_name[:255],
            "sys_descr": system.sys_descr[:255],
            "sys_object_id": system.sys_object_id[:128],
            "model": (system.model or "")[:80],
            "uptime_seconds": system.uptime_seconds,
            "last_answer_at": Now(),
        }
    Olt.objects.filter(pk=olt.pk).update(**said)
