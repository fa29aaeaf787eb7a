"""Store one reading of an OLT, in full or in part, in the caller's transaction."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from django.db.models.functions import Now

from hardware import drivers
from hardware.drivers.findings import Discovery
from hardware.models import Olt
from hardware.services import inventory, outages
from hardware.services.inventory import Counts, Filing

MAX_CARDS = 256


def store_reading(*, olt: Olt, found: Discovery, at: datetime, filing: Filing) -> Counts:
    """Store ports, ONUs, waiting ONUs and what the OLT said of itself; then look for outages.

    What was not read stays as it was stored. Safe to repeat: rows are matched by index and serial.
    """
    inventory.store_ports(
        olt_id=olt.pk,
        ports=found.ports,
        at=at,
        counter_width=drivers.DRIVERS[olt.vendor].counter_width,
        uptime_seconds=found.system.uptime_seconds,
    )
    counts = inventory.store_onus(
        olt=olt,
        onus=found.onus,
        complete=inventory.complete_fields(found),
        lists_all=found.onus_complete,
        at=at,
        filing=filing,
    )
    inventory.store_waiting(olt_id=olt.pk, found=found, at=at)
    inventory.count_onus_per_port(olt_id=olt.pk)
    Olt.objects.filter(pk=olt.pk).update(**_said(found), last_error=" ".join(warnings_of(found))[:500])
    outages.olt_answered(olt_id=olt.pk, at=at)
    outages.watch(olt_id=olt.pk, at=at)
    return counts


def warnings_of(found: Discovery) -> list[str]:
    """Say in sentences what is missing from a reading; none when it is whole."""
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


def _said(found: Discovery) -> dict[str, Any]:
    system = found.system
    said: dict[str, Any] = {
        "sys_name": system.sys_name[:255],
        "sys_descr": system.sys_descr[:255],
        "sys_object_id": system.sys_object_id[:128],
        "model": (system.model or "")[:80],
        "uptime_seconds": system.uptime_seconds,
        "last_answer_at": Now(),
    }
    if found.dialect:
        said["dialect"] = found.dialect[:20]
    if found.cards:
        said["cards"] = [asdict(card) for card in found.cards[:MAX_CARDS]]
    return said
