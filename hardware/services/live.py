"""Live readings of one ONU or of an OLT's PON ports, stored as they come in."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction

from hardware import drivers
from hardware.drivers.base import Driver
from hardware.drivers.columns import Pass, Table
from hardware.drivers.findings import Discovery, OnuInfo
from hardware.drivers.provisioning import Capability
from hardware.models import Olt, Onu, PonPort
from hardware.services import claims, inventory
from hardware.services.devices import DeviceUnreachable, NotSupportedByDevice, known_system, speaking_to
from hardware.snmp.transport import Transport
from ispcore.errors import DomainError, NotRegistered, RetryableError
from ispcore.jobs import services as jobs
from ispcore.jobs.models import Job

LIVE, CACHED = "live", "cached"
PASSES = {"status": (Pass.STATUS,), "signal": (Pass.STATUS, Pass.OPTICS)}


class OnuNotFound(NotRegistered):
    code = "onu_not_found"
    message = "No ONU with {what} is known behind {name}. Discover the OLT first."


class OnuNotListed(DomainError):
    code = "onu_not_listed"
    message = "{serial} is no longer at {index} of {name}. Discover the OLT to find out where it is."


def find_onu(*, olt: Olt, serial: str | None = None, index: str | None = None) -> Onu:
    """Return the ONU of that serial, or the one listed at that index. Raises OnuNotFound."""
    rows = Onu.objects.filter(olt=olt)
    if serial:
        found: Onu | None = rows.filter(serial=serial).first()
    else:
        # An index is used again: of several the one that was listed last.
        found = rows.filter(index=index, vanished_at=None).order_by("-last_seen_at").first()
    if found is None:
        raise OnuNotFound(what=f"the serial {serial}" if serial else f"the index {index}", name=olt.name)
    return found


def require(olt: Olt, capability: Capability, what: str) -> None:
    """Raise NotSupportedByDevice unless the OLT's driver has the capability."""
    driver = drivers.DRIVERS.get(olt.vendor)
    if driver is None or capability not in driver.capabilities:
        raise NotSupportedByDevice(name=olt.name, vendor=olt.get_vendor_display(), what=what)


def has_optics(olt: Olt) -> bool:
    driver = drivers.DRIVERS.get(olt.vendor)
    return driver is not None and Capability.OPTICS in driver.capabilities


@transaction.atomic
def request_onu_reading(
    *, onu_id: UUID, kind: str, user_id: UUID | None, max_age_seconds: int | None = None, shown_as: str = ""
) -> Job:
    """Start reading one ONU: `kind` is "status", or "signal", which needs optics.

    With `max_age_seconds`, stored values of that age do where the device does not answer; 0 is any age.
    Raises NotSupportedByDevice.
    """
    onu = Onu.objects.select_related("olt").get(pk=onu_id)
    if kind == "signal":
        require(onu.olt, Capability.OPTICS, "optics")
    params = {"onu_id": str(onu.pk), "kind": kind, "max_age_seconds": max_age_seconds, "shown_as": shown_as}
    return jobs.enqueue(
        kind="hardware.read_onu",
        subject=f"onu:{onu.pk}:{kind}:{shown_as}:{max_age_seconds}",
        label=f"Reading of {onu.serial}",
        params=params,
        queue="network",
        user_id=user_id,
    )


@transaction.atomic
def request_port_reading(*, olt_id: UUID, user_id: UUID | None, max_age_seconds: int | None = None) -> Job:
    """Start reading an OLT's PON ports with their counters. Raises NotSupportedByDevice."""
    olt = Olt.objects.get(pk=olt_id)
    require(olt, Capability.COUNTERS, "port counters")
    return jobs.enqueue(
        kind="hardware.read_ports",
        subject=f"olt:{olt.pk}:{max_age_seconds}",
        label=f"PON ports of {olt.name}",
        params={"olt_id": str(olt.pk), "max_age_seconds": max_age_seconds},
        queue="network",
        user_id=user_id,
    )


def read_onu(run: jobs.Run, *, at: datetime) -> dict[str, Any]:
    """Read the job's ONU by GET and store it; return its id and whether the values are live or stored ones.

    Raises DeviceUnreachable, UnreadableDevice, UnexpectedDevice, DeviceBusy, OnuNotListed.
    """
    with run.tenant():
        onu = Onu.objects.select_related("olt").get(pk=run.params["onu_id"])
    answer = {"onu_id": str(onu.pk), "shown_as": run.params["shown_as"]}
    try:
        with _claimed(run, onu.olt, at=at) as claim:
            found = _ask_onu(onu, run.params["kind"])
            with run.tenant():
                run.hold()
                claim.hold()
                inventory.store_onus(olt=onu.olt, onus=[found], complete=found.read, lists_all=False, at=at)
    except RetryableError:
        with run.tenant():
            observed_at = Onu.objects.values_list(
                "measured_at" if run.params["kind"] == "signal" else "observed_at", flat=True
            ).get(pk=onu.pk)
        if not _will_do(observed_at, run.params["max_age_seconds"], at=at):
            raise
        return {**answer, "source": CACHED}
    return {**answer, "source": LIVE}


def read_ports(run: jobs.Run, *, at: datetime) -> dict[str, Any]:
    """Read the PON ports of the job's OLT and store them with their rates.

    Raises DeviceUnreachable, UnreadableDevice, UnexpectedDevice, DeviceBusy.
    """
    with run.tenant():
        olt = Olt.objects.get(pk=run.params["olt_id"])
    answer = {"olt_id": str(olt.pk)}
    try:
        with _claimed(run, olt, at=at) as claim:
            found = _ask_ports(olt, run, claim)
            with run.tenant():
                run.hold()
                claim.hold()
                inventory.store_ports(
                    olt_id=olt.pk,
                    ports=found.ports,
                    at=at,
                    counter_width=drivers.DRIVERS[olt.vendor].counter_width,
                    uptime_seconds=found.system.uptime_seconds,
                )
    except RetryableError:
        with run.tenant():
            newest = PonPort.objects.filter(olt=olt).order_by("-counted_at").exclude(counted_at=None).first()
        if not _will_do(newest and newest.counted_at, run.params["max_age_seconds"], at=at):
            raise
        return {**answer, "source": CACHED}
    return {**answer, "source": LIVE}


def _claimed(run: jobs.Run, olt: Olt, *, at: datetime) -> Any:
    return claims.claimed(
        olt_id=olt.pk,
        name=olt.name,
        at=at,
        wait_seconds=settings.LIVE_DEADLINE_SECONDS,
        tenant=run.tenant,
        on_wait=lambda: run.progress(0, 0, "Waiting for the reading in progress"),
    )


def _ask_onu(onu: Onu, kind: str) -> OnuInfo:
    with speaking_to(onu.olt, deadline_seconds=settings.LIVE_DEADLINE_SECONDS) as transport:
        driver = _choose(onu.olt, transport)
        if driver.onu_row(onu.index, onu.serial) is None:
            raise NotSupportedByDevice(
                name=onu.olt.name, vendor=onu.olt.get_vendor_display(), what="one ONU alone"
            )
        found = driver.read_onu(transport, index=onu.index, serial=onu.serial, passes=PASSES[kind])
    if found is None:
        raise OnuNotListed(serial=onu.serial, index=onu.index, name=onu.olt.name)
    # Its port is where it was: only a discovery moves it.
    return replace(found, read=found.read - {"serial", "pon_port"})


def _ask_ports(olt: Olt, run: jobs.Run, claim: claims.Claim) -> Discovery:
    def tell(done: int, total: int, message: str) -> None:
        run.progress(done, total, message)
        claim.keep()

    with speaking_to(olt, deadline_seconds=settings.LIVE_DEADLINE_SECONDS) as transport:
        # The uptime must be of now: it tells whether the counters began anew.
        system = drivers.DRIVERS[olt.vendor].read_system(transport)
        driver = drivers.DRIVERS[olt.vendor].choose(transport, system, remembered=olt.dialect)
        found = driver.read_tables(transport, system, tell, (Pass.STATUS,), tables=(Table.PORT,))
    if found.failures and not found.ports:
        raise DeviceUnreachable(reason=found.failures[0].reason)
    return found


def _choose(olt: Olt, transport: Transport) -> Driver:
    """Return the driver of the OLT's tables; ask the device who it is only when that is not known yet."""
    driver = drivers.DRIVERS[olt.vendor]
    system = known_system(olt) or driver.read_system(transport)
    return driver.choose(transport, system, remembered=olt.dialect)


def _will_do(observed_at: datetime | None, max_age_seconds: int | None, *, at: datetime) -> bool:
    """Tell whether stored values may stand in: any age where 0 was asked for."""
    if observed_at is None or max_age_seconds is None:
        return False
    return max_age_seconds == 0 or at - observed_at <= timedelta(seconds=max_age_seconds)
