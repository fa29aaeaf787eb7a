"""The ONUs that wait for authorisation, read on demand: that one table and nothing else."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from hardware import drivers
from hardware.drivers import Capability, Pass
from hardware.models import Olt, WaitingOnu
from hardware.services import claims, inventory
from hardware.services.devices import DeviceUnreachable, speaking_to
from hardware.services.planning import NotProvisionable
from ispcore.jobs import services as jobs
from ispcore.jobs.models import Job

WAIT_SECONDS = 60.0  # For a poll or a discovery of the same OLT to end.


@transaction.atomic
def request_refresh_waiting(*, olt_id: UUID, user_id: UUID | None = None) -> Job:
    """Read an OLT's waiting ONUs in the background, or return the run that does so already.

    Raises NotProvisionable.
    """
    olt = Olt.objects.get(pk=olt_id)
    if Capability.WAITING not in drivers.DRIVERS[olt.vendor].capabilities:
        raise NotProvisionable(name=olt.name, vendor=olt.get_vendor_display(), what="found unauthorised")
    return jobs.enqueue(
        kind="hardware.refresh_waiting",
        subject=f"olt:{olt.pk}",
        label=f"Waiting ONUs of {olt.name}",
        params={"olt_id": str(olt.pk)},
        queue="network",
        user_id=user_id,
    )


def refresh_waiting(run: jobs.Run, *, at: datetime) -> dict[str, Any]:
    """Read the job's OLT and store who waits; return how many. Safe to repeat.

    Raises DeviceUnreachable, UnreadableDevice, UnexpectedDevice, DeviceBusy.
    """
    with run.tenant():
        olt = Olt.objects.get(pk=run.params["olt_id"])
    with (
        claims.claimed(
            olt_id=olt.pk,
            name=olt.name,
            at=at,
            wait_seconds=WAIT_SECONDS,
            tenant=run.tenant,
            on_wait=lambda: run.progress(0, 1, "Waiting: the OLT is being read"),
        ),
        speaking_to(olt) as transport,
    ):
        driver = drivers.DRIVERS[olt.vendor]
        system = driver.read_system(transport)
        driver = driver.choose(transport, system, remembered=olt.dialect)
        found = driver.read_tables(transport, system, run.progress, (Pass.WAITING,))
    if "waiting.serial" not in found.read_columns:
        reason = found.failures[0].reason if found.failures else "no answer"
        raise DeviceUnreachable(reason=f"The list of waiting ONUs was not read to its end: {reason}")
    with run.tenant():
        run.hold()
        inventory.store_waiting(olt_id=olt.pk, found=found, at=at)
        waiting = WaitingOnu.objects.filter(olt=olt).count()
    return {"status": "success", "olt_id": str(olt.pk), "waiting": waiting}
