"""Discovery: read an OLT outside any transaction, then store what was read in one."""

from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now

from hardware import drivers
from hardware.drivers.columns import ALL_PASSES, Pass
from hardware.drivers.findings import Discovery
from hardware.models import DiscoveryRun, Olt, RunOutcome
from hardware.services import claims, polling, storing
from hardware.services.devices import DeviceUnreachable, speaking_to
from hardware.services.inventory import Counts, Filing
from ispcore.errors import DomainError
from ispcore.events.services import publish
from ispcore.jobs import services as jobs
from ispcore.jobs.models import Job

INTERRUPTED = "The worker died while this ran; the run was taken up again."
# A poll of a large and slow OLT takes minutes; a dead poller's claim ends after 90 seconds.
CLAIM_WAIT_SECONDS = 300.0
SYNC_PASSES = ALL_PASSES - {Pass.OPTICS}


@transaction.atomic
def request_discovery(*, olt_id: UUID, user_id: UUID | None) -> Job:
    """Start a discovery of one OLT in the background, or return the one that runs already."""
    olt = Olt.objects.get(pk=olt_id)
    return jobs.enqueue(
        kind="hardware.discover_olt",
        subject=f"olt:{olt.pk}",
        label=f"Discovery of {olt.name}",
        params={"olt_id": str(olt.pk)},
        queue="network",
        user_id=user_id,
    )


@transaction.atomic
def request_sync(*, olt_id: UUID, user_id: UUID | None) -> Job:
    """Start reading one OLT without its optics in the background, or return the run there is already."""
    olt = Olt.objects.get(pk=olt_id)
    return jobs.enqueue(
        kind="hardware.sync_olt",
        subject=f"olt:{olt.pk}",
        label=f"Reading of {olt.name}",
        params={"olt_id": str(olt.pk)},
        queue="network",
        user_id=user_id,
    )


def discover_olt(run: jobs.Run, *, at: datetime, passes: Collection[Pass] = ALL_PASSES) -> dict[str, Any]:
    """Read every ONU of the job's OLT and store it; return counts and the run's outcome.

    Waits for a poll that is reading the OLT. Safe to repeat: rows are matched by serial, so a second discovery
    updates and never duplicates. What the device did not answer, or was not asked (`passes`), is left as it was
    stored. `at` is the moment the readings are filed under.

    Raises DeviceUnreachable, UnreadableDevice, UnexpectedDevice, DeviceBusy; nothing is stored then but the
    failed run.
    """
    with run.tenant():
        olt: Olt = Olt.objects.get(pk=run.params["olt_id"])
    with claims.claimed(
        olt_id=olt.pk,
        name=olt.name,
        at=at,
        wait_seconds=CLAIM_WAIT_SECONDS,
        tenant=run.tenant,
        on_wait=lambda: run.progress(0, 0, "Waiting for the reading in progress"),
    ) as claim:
        return _discover(run, olt, claim, at=at, passes=passes)


def _discover(
    run: jobs.Run, olt: Olt, claim: claims.Claim, *, at: datetime, passes: Collection[Pass]
) -> dict[str, Any]:
    with run.tenant():
        discovery_run = _begin(run, olt, at=at)
    try:
        found = _read(olt, run, claim, passes)
    except DomainError as error:
        with run.tenant():
            run.hold()
            _end(discovery_run, outcome=RunOutcome.FAILED, message=str(error))
            Olt.objects.filter(pk=olt.pk).update(last_error=str(error)[:500])
        raise
    with run.tenant():
        run.hold()
        claim.hold()
        return _store(discovery_run, olt, found, at=at, passes=passes)


def _begin(run: jobs.Run, olt: Olt, *, at: datetime) -> DiscoveryRun:
    """Open the run; one that a dead worker left open is closed first, since only one may be open."""
    run.hold()
    DiscoveryRun.objects.filter(olt=olt, finished_at=None).update(
        outcome=RunOutcome.FAILED, message=INTERRUPTED, finished_at=Now(), updated_at=Now()
    )
    begun: DiscoveryRun = DiscoveryRun.objects.create(olt=olt, job_id=run.job_id, started_at=at)
    return begun


def _read(olt: Olt, run: jobs.Run, claim: claims.Claim, passes: Collection[Pass]) -> Discovery:
    """Speak to the device: minutes, perhaps; no transaction and no lock is held."""

    def tell(done: int, total: int, message: str) -> None:
        run.progress(done, total, message)
        claim.keep()

    with speaking_to(olt) as transport:
        found = drivers.DRIVERS[olt.vendor].discover(transport, tell, passes, dialect=olt.dialect)
    if not found.onus and not found.read_columns:
        raise DeviceUnreachable(reason=f"It said who it is and then no more: {found.failures[0].reason}")
    return found


def _store(
    discovery_run: DiscoveryRun, olt: Olt, found: Discovery, *, at: datetime, passes: Collection[Pass]
) -> dict[str, Any]:
    filing = Filing.ALL if Pass.OPTICS in passes else Filing.CHANGES
    counts = storing.store_reading(olt=olt, found=found, at=at, filing=filing)
    polling.reschedule(olt_id=olt.pk, passes=passes, at=at)
    warnings = storing.warnings_of(found)
    _end(
        discovery_run,
        outcome=RunOutcome.PARTIAL if warnings else RunOutcome.COMPLETE,
        message=" ".join(warnings),
        counts=counts,
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


def _end(
    discovery_run: DiscoveryRun, *, outcome: RunOutcome, message: str, counts: Counts | None = None
) -> None:
    counts = counts or Counts(0, 0, 0)
    DiscoveryRun.objects.filter(pk=discovery_run.pk).update(
        outcome=outcome,
        message=message[:1000],
        onus_seen=counts.seen,
        onus_new=counts.new,
        onus_vanished=counts.vanished,
        finished_at=Now(),
        updated_at=Now(),
    )
