"""Store the ONUs of an OLT in one statement: their state, one reading each, and what happened to them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import orjson
from django.db import connection

from hardware.drivers.findings import Discovery, OnuInfo
from hardware.models import Olt
from hardware.services.inventory.words import clean
from hardware.services.signal import limit_params, limits_of, signal_sql
from ispcore.tenants.context import current_tenant_id
from ispcore.tenants.fields import new_id

# Column of hardware_onu -> its PostgreSQL type. What a driver reads under the same name.
MEASURED = {
    "description": "text",
    "model": "text",
    "line_profile": "text",
    "service_profile": "text",
    "admin_state": "text",
    "onu_id": "int",
    "last_down_cause": "text",
    "distance_m": "int",
    "rx_power_dbm": "float8",
    "tx_power_dbm": "float8",
    "olt_rx_power_dbm": "float8",
    "temperature_c": "float8",
    "voltage_v": "float8",
    "bias_ma": "float8",
    "up_bytes": "numeric",
    "down_bytes": "numeric",
}
TEXT = {name for name, kind in MEASURED.items() if kind == "text"}
# Of these a reading is kept of every discovery.
FILED = (
    "rx_power_dbm",
    "tx_power_dbm",
    "olt_rx_power_dbm",
    "temperature_c",
    "distance_m",
    "up_bytes",
    "down_bytes",
)
OPTICS = ("rx_power_dbm", "tx_power_dbm", "olt_rx_power_dbm", "temperature_c", "voltage_v", "bias_ma")

ONLINE = {"online": True, "offline": False}


class Filing(StrEnum):
    """Of which ONUs a reading is kept: of all that told something, or of those that came or went."""

    ALL = "all"
    CHANGES = "changes"


@dataclass(frozen=True)
class Counts:
    """How many ONUs were listed, had never been seen before, and were missed."""

    seen: int
    new: int
    vanished: int


def store_onus(
    *,
    olt: Olt,
    onus: Sequence[OnuInfo],
    complete: frozenset[str],
    lists_all: bool,
    at: datetime,
    filing: Filing = Filing.ALL,
) -> Counts:
    """Insert, update and mark the OLT's ONUs, file readings, and note who came, went or changed class.

    Units are matched by serial. A field in `complete`, read of every unit, replaces what is stored, NULL
    included; any other only fills in. When the list is whole (`lists_all`), units missing from it are marked
    as vanished, never deleted; from any other list nothing is concluded.
    """
    known = _one_per_serial(onus)
    if not known:  # A device that is starting up answers empty tables: that says nothing about the fibres.
        return Counts(seen=0, new=0, vanished=0)
    new = _upsert_and_file(olt, known, complete=complete, at=at, filing=filing)
    vanished = _mark_vanished(olt.pk, at=at) if lists_all else 0
    return Counts(seen=len(known), new=new, vanished=vanished)


def complete_fields(found: Discovery) -> frozenset[str]:
    """Name the ONU fields whose column was read to its end and made sense in every row.

    Only these may replace a stored value by NULL: a column full of nonsense blanks nothing.
    """
    fine = found.read_columns - set(found.bad_cells)
    return frozenset(name.removeprefix("onu.") for name in fine if name.startswith("onu."))


def _one_per_serial(onus: Iterable[OnuInfo]) -> dict[str, OnuInfo]:
    """Map serials to rows, the one that is online if any: a moved unit stays configured at its old port."""
    kept: dict[str, OnuInfo] = {}
    for onu in onus:
        serial = clean(onu.serial, 32)
        if serial and (serial not in kept or onu.run_status == "online"):
            kept[serial] = onu
    return kept


def _upsert_and_file(
    olt: Olt, onus: dict[str, OnuInfo], *, complete: frozenset[str], at: datetime, filing: Filing
) -> int:
    """Write ONUs, readings and events in one statement and return how many ONUs were new.

    The rows travel as one JSON text: formatting twenty arrays cost the worker more than PostgreSQL's work.
    `before` sees the rows as they were, since one statement sees one snapshot.
    """
    names = ", ".join(MEASURED)
    typed = ", ".join(f"{name} {kind}" for name, kind in MEASURED.items())
    values = ", ".join(f"COALESCE(row.{name}, '')" if name in TEXT else f"row.{name}" for name in MEASURED)
    filed = ", ".join(FILED)
    rx, olt_rx = (_kept_or_new(name, complete) for name in ("rx_power_dbm", "olt_rx_power_dbm"))
    status = _status(complete)
    worth = "" if filing == Filing.ALL else "AND before.status IS DISTINCT FROM stored.status"
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH row AS MATERIALIZED (
                SELECT * FROM json_to_recordset(%(rows)s::json) AS given (
                    id uuid, serial text, index text, port text, status text, is_online bool, tells bool, {typed})
            ),
            before AS MATERIALIZED (
                SELECT serial, status, signal FROM hardware_onu WHERE tenant_id = %(tenant)s AND olt_id = %(olt)s
            ),
            stored AS (
                INSERT INTO hardware_onu AS onu (
                    id, tenant_id, olt_id, created_at, updated_at, first_seen_at, last_seen_at, measured_at,
                    observed_at, signal, serial, index, pon_port_id, status, {names})
                SELECT row.id, %(tenant)s, %(olt)s, now(), now(), %(at)s, %(at)s, %(measured_at)s,
                       CASE WHEN row.status <> 'unknown' THEN %(at)s::timestamptz END,
                       {signal_sql("row.rx_power_dbm", "row.olt_rx_power_dbm")},
                       row.serial, row.index, port.id, row.status, {values}
                FROM row
                LEFT JOIN hardware_ponport AS port
                     ON port.tenant_id = %(tenant)s AND port.olt_id = %(olt)s AND port.index = row.port
                ON CONFLICT (tenant_id, olt_id, serial) DO UPDATE SET
                    updated_at = now(),
                    last_seen_at = EXCLUDED.last_seen_at,
                    measured_at = COALESCE(EXCLUDED.measured_at, onu.measured_at),
                    observed_at = COALESCE(EXCLUDED.observed_at, onu.observed_at),
                    vanished_at = NULL,
                    index = EXCLUDED.index,
                    pon_port_id = COALESCE(EXCLUDED.pon_port_id, onu.pon_port_id),
                    status = {status},
                    status_changed_at = CASE WHEN onu.status = {status} THEN onu.status_changed_at
                                             ELSE EXCLUDED.last_seen_at END,
                    signal = {signal_sql(rx, olt_rx)},
                    {", ".join(f"{name} = {_kept_or_new(name, complete)}" for name in MEASURED)}
                RETURNING onu.id, onu.serial, onu.status, onu.signal, onu.last_down_cause, (xmax = 0) AS is_new
            ),
            filed AS (
                INSERT INTO hardware_reading (tenant_id, onu_id, at, is_online, {filed})
                SELECT %(tenant)s, stored.id, %(at)s,
                       COALESCE(row.is_online, CASE WHEN row.rx_power_dbm IS NOT NULL THEN true END),
                       {", ".join(f"row.{name}" for name in FILED)}
                FROM row JOIN stored USING (serial) LEFT JOIN before USING (serial)
                WHERE row.tells {worth}
                ON CONFLICT DO NOTHING
            ),
            happened AS (
                INSERT INTO hardware_onuevent (id, tenant_id, created_at, updated_at, onu_id, at, kind, detail)
                SELECT uuidv7(), %(tenant)s, now(), now(), stored.id, %(at)s, event.kind, event.detail
                FROM stored JOIN before USING (serial)
                CROSS JOIN LATERAL (
                    SELECT stored.status AS kind,
                           CASE WHEN stored.status = 'offline' THEN stored.last_down_cause ELSE '' END AS detail
                    WHERE stored.status IN ('online', 'offline')
                          AND before.status NOT IN (stored.status, 'unknown')
                    UNION ALL
                    SELECT 'signal', stored.signal
                    WHERE before.signal <> stored.signal AND 'none' NOT IN (before.signal, stored.signal)
                ) AS event
            )
            SELECT count(*) FILTER (WHERE is_new) FROM stored
            """,  # noqa: S608  (every name comes from the tables above)
            {
                **limit_params(limits_of(olt.pon_class)),
                "tenant": current_tenant_id(),
                "olt": olt.pk,
                "at": at,
                "measured_at": at if complete.intersection(OPTICS) else None,
                "rows": orjson.dumps([_row(serial, onu) for serial, onu in onus.items()]).decode(),
            },
        )
        (new,) = cursor.fetchone()
    return int(new)


def _row(serial: str, onu: OnuInfo) -> dict[str, Any]:
    """Make an ONU's row; `tells` is false for one that said nothing worth a reading."""
    status = str(onu.run_status)
    return {
        "id": new_id(),
        "serial": serial,
        "index": onu.index,
        "port": onu.pon_port,
        "status": status,
        "is_online": ONLINE.get(status),
        "tells": status in ONLINE or onu.rx_power_dbm is not None,
        **{name: _value(onu, name) for name in MEASURED},
    }


def _status(complete: frozenset[str]) -> str:
    """Keep the stored state where this reading could not tell, unless the unit was gone and is listed again."""
    if "run_status" in complete:
        return "EXCLUDED.status"
    return (
        "CASE WHEN EXCLUDED.status <> 'unknown' OR onu.status IN ('vanished', 'removed') "
        "THEN EXCLUDED.status ELSE onu.status END"
    )


def _kept_or_new(name: str, complete: frozenset[str]) -> str:
    if name in complete:
        return f"EXCLUDED.{name}"
    fresh = f"NULLIF(EXCLUDED.{name}, '')" if name in TEXT else f"EXCLUDED.{name}"
    return f"COALESCE({fresh}, onu.{name})"


def _mark_vanished(olt_id: UUID, *, at: datetime) -> int:
    """Mark what this reading did not list; whatever it did list was last seen at `at`.

    Not what staff removed, nor what was authorised after the reading began.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE hardware_onu
            SET status = 'vanished', vanished_at = %(at)s, status_changed_at = %(at)s, updated_at = now()
            WHERE tenant_id = %(tenant)s AND olt_id = %(olt)s AND status NOT IN ('vanished', 'removed')
                  AND last_seen_at < %(at)s AND (authorised_at IS NULL OR authorised_at < %(at)s)
            """,
            {"at": at, "tenant": current_tenant_id(), "olt": olt_id},
        )
        return int(cursor.rowcount)


def _value(onu: OnuInfo, name: str) -> Any:
    value = getattr(onu, name, None)
    if name in TEXT:
        return clean(str(value), 255 if name == "description" else 80) if value else None
    return value
