"""Background polling: each OLT is read when one of its passes is due, by one reader at a time.

The polling row is the truth. A message only says that it may be time to look: a beat that runs twice, a message
that comes twice or a worker that dies costs nothing, since whoever reads first claims the row, and a claim that
is not kept alive ends.

Three passes: status every few minutes, optics more rarely, inventory once a day and when the status pass meets
an ONU it does not know or misses one it does. Status is read with either of the others, so that a reading holds
the counters too.
"""

import random
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from math import ceil
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings
from django.db.models import F, Q, QuerySet, Window
from django.db.models.functions import Least, Now, RowNumber

from hardware import drivers
from hardware.drivers.base import Driver
from hardware.drivers.columns import Pass
from hardware.drivers.findings import Discovery, OnuInfo, RunStatus
from hardware.drivers.provisioning import Capability
from hardware.models import Olt, OltPolling, Onu
from hardware.services import claims, inventory, outages, storing
from hardware.services.devices import DeviceUnreachable, speaking_to
from hardware.services.inventory import Filing
from hardware.services.inventory.onus import OPTICS
from hardware.snmp import SnmpError, SnmpTimeout
from hardware.snmp.transport import Transport
from ispcore.errors import DomainError
from ispcore.tenants.context import tenant_context

log = structlog.get_logger(__name__)

MOST_PER_BEAT = 500
MESSAGE_SECONDS = 30  # Three beats.
INVENTORY_EVERY = timedelta(days=1)
INVENTORY_AGAIN = timedelta(minutes=10)  # After a change in the list, at most this often.
LONGEST_PAUSE = timedelta(minutes=30)
JITTER = 0.1
# Rows an answer may carry, from the usual to GETNEXT: the fallbacks of snmp_exporter #756 and LibreNMS.
PACES = (25, 10, 1)
GOOD_DAY = timedelta(days=1)
ONUS_PER_BATCH = 24

_INVENTORY = frozenset({Pass.INVENTORY, Pass.WAITING, Pass.CARDS})
_FIRST_DUE = Least("status_due_at", "optics_due_at", "inventory_due_at")


@dataclass
class _Poll:
    """What one poll read; `optics` are those read ONU by ONU."""

    found: Discovery
    passes: frozenset[Pass]
    optics: list[OnuInfo] = field(default_factory=list)
    timed_out: bool = False


def status_every() -> timedelta:
    return timedelta(seconds=settings.OLT_STATUS_SECONDS)


def optics_every() -> timedelta:
    return timedelta(seconds=settings.OLT_OPTICS_SECONDS)


def find_due(*, at: datetime) -> list[tuple[UUID, UUID]]:
    """Return (tenant, OLT) of what is due and not being read: tenants in turn, of each the longest due first.

    Reads through the platform role, at most `MOST_PER_BEAT` OLTs: the next beat takes the rest.
    """
    free = Q(polling__claimed_until=None) | Q(polling__claimed_until__lt=Now())
    due = Q(polling=None) | (free & Q(first_due__lte=at))
    olts: QuerySet[Olt] = Olt._base_manager.using("platform").filter(is_polled=True, tenant__is_active=True)
    rows = olts.annotate(
        first_due=Least("polling__status_due_at", "polling__optics_due_at", "polling__inventory_due_at")
    ).filter(due)
    by_due = F("first_due").asc(nulls_first=True)
    turn = Window(RowNumber(), partition_by="tenant_id", order_by=by_due)
    return list(
        rows.annotate(turn=turn).order_by("turn", by_due).values_list("tenant_id", "pk")[:MOST_PER_BEAT]
    )


def poll_olt(*, tenant_id: UUID, olt_id: UUID, at: datetime) -> bool:
    """Read what is due of one OLT and store it; tell whether anything was due and nobody else was reading.

    Opens its own short transactions, none of them around device I/O. What goes wrong is kept on the OLT and
    makes the pause longer.
    """
    tenant = partial(tenant_context, tenant_id)
    with tenant():
        olt = Olt.objects.filter(pk=olt_id, is_polled=True).first()
        if olt is None:
            return False
        claims.ensure_polling(olt_id=olt.pk, at=at, optics_due_at=at + optics_every() * random.random())  # noqa: S311
        due = (
            OltPolling.objects.annotate(first_due=_FIRST_DUE)
            .filter(olt=olt.pk, first_due__lte=at)
            .values("pk")
        )
        claim = claims.take(olt_id=olt.pk, tenant=tenant, when=Q(pk__in=due))
        if claim is None:
            return False
        row = OltPolling.objects.get(olt=olt.pk)
    with structlog.contextvars.bound_contextvars(tenant_id=str(tenant_id), olt_id=str(olt_id)):
        try:
            _poll(olt, row, claim, tenant=tenant, at=at)
        except claims.ClaimLost:
            log.info("olt_claim_lost")
        finally:
            claim.give_back()
    return True


def reschedule(*, olt_id: UUID, passes: Collection[Pass], at: datetime) -> None:
    """Note that these passes were read just now, however that came about."""
    OltPolling.objects.filter(olt=olt_id).update(**_next_due(frozenset(passes), at=at), failures=0)


def _poll(olt: Olt, row: OltPolling, claim: claims.Claim, *, tenant: claims.Tenant, at: datetime) -> None:
    try:
        poll = _read(olt, row, claim, tenant=tenant, at=at)
    except DomainError as error:
        with tenant():
            claim.hold()
            _note_failure(olt, row, error, at=at)
        return
    with tenant():
        claim.hold()
        counts = storing.store_reading(
            olt=olt,
            found=poll.found,
            at=at,
            filing=Filing.ALL if Pass.OPTICS in poll.passes else Filing.CHANGES,
        )
        if poll.optics:
            read = frozenset.intersection(*(onu.read for onu in poll.optics))
            inventory.store_onus(olt=olt, onus=poll.optics, complete=read, lists_all=False, at=at)
        list_changed = bool(counts.new or counts.vanished) and Pass.INVENTORY not in poll.passes
        OltPolling.objects.filter(pk=row.pk).update(
            **_next_due(poll.passes, at=at) | _optics_elsewhere(poll, drivers.DRIVERS[olt.vendor], at=at),
            **(_inventory_soon(row, at=at) if list_changed else {}),
            **_pace(row, timed_out=poll.timed_out, at=at),
            failures=0,
        )


def _read(olt: Olt, row: OltPolling, claim: claims.Claim, *, tenant: claims.Tenant, at: datetime) -> _Poll:
    """Speak to the device: no transaction and no lock is held."""
    driver = drivers.DRIVERS[olt.vendor]
    passes = _due_passes(row, driver, at=at)
    asked = passes - {Pass.OPTICS} if driver.optics_by_onu else passes
    with speaking_to(olt, max_repetitions=row.max_repetitions) as transport:
        found = driver.discover(transport, claim.keep, asked, dialect=olt.dialect)
        if not found.onus and not found.read_columns:
            raise DeviceUnreachable(reason=f"It said who it is and then no more: {found.failures[0].reason}")
        poll = _Poll(found, asked, timed_out=any(failure.timed_out for failure in found.failures))
        if driver.optics_by_onu:
            chosen = driver.choose(transport, found.system, remembered=found.dialect)
            with tenant():
                onus = _longest_unmeasured(olt, found.onus, at=at)
            _read_optics(poll, chosen, transport, onus, claim)
    return poll


def _due_passes(row: OltPolling, driver: Driver, *, at: datetime) -> frozenset[Pass]:
    """Name what is due, and what will be within half a status pause: one visit is better than two."""
    soon = at + status_every() / 2
    passes = {Pass.STATUS}
    if row.optics_due_at <= soon and Capability.OPTICS in driver.capabilities:
        passes.add(Pass.OPTICS)
    if row.inventory_due_at <= soon:
        passes |= _INVENTORY
    return frozenset(passes)


def _longest_unmeasured(olt: Olt, listed: Iterable[OnuInfo], *, at: datetime) -> list[OnuInfo]:
    """Choose the online ONUs whose optics are due, so many that all have their turn within one optics pause."""
    online = {onu.serial: onu for onu in listed if onu.run_status == RunStatus.ONLINE and onu.serial}
    measured = dict(Onu.objects.filter(olt=olt.pk).values_list("serial", "measured_at"))
    due_before = at - optics_every() + status_every() / 2
    due = [
        (measured.get(serial) or datetime.min.replace(tzinfo=at.tzinfo), serial)
        for serial in online
        if (last := measured.get(serial)) is None or last <= due_before
    ]
    share = ceil(len(online) * status_every() / optics_every())
    return [online[serial] for _, serial in sorted(due)[:share]]


def _read_optics(
    poll: _Poll, driver: Driver, transport: Transport, onus: list[OnuInfo], claim: claims.Claim
) -> None:
    """Add the optics of these ONUs, a few at a time; what fails ends it and costs only the rest."""
    state = {onu.serial: onu for onu in onus}
    for start in range(0, len(onus), ONUS_PER_BATCH):
        named = [(onu.index, onu.serial) for onu in onus[start : start + ONUS_PER_BATCH] if onu.serial]
        try:
            answers = driver.read_optics(transport, named, claim.keep)
        except SnmpError as error:
            poll.timed_out |= isinstance(error, SnmpTimeout)
            log.info("optics_cut_short", reason=str(error), read=len(poll.optics), wanted=len(onus))
            return
        poll.optics += [
            _with_optics(state[onu.serial], onu) for onu in answers if onu.read.intersection(OPTICS)
        ]


def _with_optics(state: OnuInfo, optics: OnuInfo) -> OnuInfo:
    read = optics.read.intersection(OPTICS)
    return replace(state, read=state.read | read, **{name: getattr(optics, name) for name in read})


def _next_due(passes: frozenset[Pass], *, at: datetime) -> dict[str, Any]:
    due: dict[str, Any] = {"updated_at": Now()}
    if Pass.STATUS in passes:
        due |= {"status_due_at": at + _jittered(status_every()), "status_read_at": at}
    if Pass.OPTICS in passes:
        due |= {"optics_due_at": at + _jittered(optics_every()), "optics_read_at": at}
    if Pass.INVENTORY in passes:
        due |= {"inventory_due_at": at + _jittered(INVENTORY_EVERY), "inventory_read_at": at}
    return due


def _optics_elsewhere(poll: _Poll, driver: Driver, *, at: datetime) -> dict[str, Any]:
    """Put the optics pass off where it is none of its own: no optics, or a few ONUs with every status pass."""
    if Capability.OPTICS in driver.capabilities and not driver.optics_by_onu:
        return {}
    read = {"optics_read_at": at} if poll.optics else {}
    return {"optics_due_at": at + _jittered(optics_every()), **read}


def _inventory_soon(row: OltPolling, *, at: datetime) -> dict[str, Any]:
    last = row.inventory_read_at
    return {"inventory_due_at": max(at, last + INVENTORY_AGAIN) if last else at}


def _pace(row: OltPolling, *, timed_out: bool, at: datetime) -> dict[str, Any]:
    """Ask for fewer rows at a time after lost answers, and for more again after a day without."""
    step = next((n for n, pace in enumerate(PACES) if row.max_repetitions >= pace), len(PACES) - 1)
    if timed_out and step < len(PACES) - 1:
        return {"max_repetitions": PACES[step + 1], "slowed_at": at}
    if timed_out:
        return {"slowed_at": at}
    if step and row.slowed_at and row.slowed_at <= at - GOOD_DAY:
        return {"max_repetitions": PACES[step - 1], "slowed_at": at if step > 1 else None}
    return {}


def _note_failure(olt: Olt, row: OltPolling, error: DomainError, *, at: datetime) -> None:
    """Keep why it failed, and wait twice as long as last time, half an hour at the most."""
    failures = row.failures + 1
    pause = min(status_every() * 2 ** min(row.failures, 10), LONGEST_PAUSE)
    due = at + _jittered(pause)
    later = {f"{name}_due_at": max(getattr(row, f"{name}_due_at"), due) for name in ("optics", "inventory")}
    OltPolling.objects.filter(pk=row.pk).update(
        failures=failures, status_due_at=due, **later, updated_at=Now()
    )
    Olt.objects.filter(pk=olt.pk).update(last_error=str(error)[:500])
    if isinstance(error, DeviceUnreachable):
        outages.olt_silent(olt_id=olt.pk, polls=failures, at=at)


def _jittered(pause: timedelta) -> timedelta:
    """Spread what was read together, so that a restart does not bring every OLT up at once for ever."""
    return pause * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311
