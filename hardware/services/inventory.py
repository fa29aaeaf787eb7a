"""Store what a discovery read: whole tables in a handful of statements, whatever their size."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from django.db import connection

from hardware.drivers.base import Discovery, OnuInfo, PonPortInfo
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


@dataclass(frozen=True)
class Counts:
    """How many ONUs a discovery listed, had never seen before, and missed."""

    seen: int
    new: int
    vanished: int


def store_ports(*, olt_id: UUID, ports: Sequence[PonPortInfo], at: datetime) -> None:
    """Insert or update the PON ports; what the device left out keeps its stored value."""
    if not ports:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO hardware_ponport AS port (
                id, tenant_id, olt_id, created_at, updated_at, last_seen_at, onu_count, online_count,
                index, if_index, name, is_up, tx_power_dbm, temperature_c)
            SELECT row.id, %s, %s, now(), now(), %s, 0, 0,
                   row.index, row.if_index, row.name, row.is_up, row.tx_power_dbm, row.temperature_c
            FROM unnest(%s::uuid[], %s::text[], %s::bigint[], %s::text[], %s::bool[], %s::float8[], %s::float8[])
                 AS row (id, index, if_index, name, is_up, tx_power_dbm, temperature_c)
            ON CONFLICT (tenant_id, olt_id, index) DO UPDATE SET
                updated_at = now(),
                last_seen_at = EXCLUDED.last_seen_at,
                if_index = COALESCE(EXCLUDED.if_index, port.if_index),
                name = COALESCE(NULLIF(EXCLUDED.name, ''), port.name),
                is_up = COALESCE(EXCLUDED.is_up, port.is_up),
                tx_power_dbm = COALESCE(EXCLUDED.tx_power_dbm, port.tx_power_dbm),
                temperature_c = COALESCE(EXCLUDED.temperature_c, port.temperature_c)
            """,
            [
                current_tenant_id(),
                olt_id,
                at,
                [new_id() for _ in ports],
                [port.index for port in ports],
                [port.if_index for port in ports],
                [_clean(port.name, 80) for port in ports],
                [port.is_up for port in ports],
                [port.tx_power_dbm for port in ports],
                [port.temperature_c for port in ports],
            ],
        )


def store_onus(*, olt_id: UUID, found: Discovery, at: datetime) -> Counts:
    """Insert, update and mark the OLT's ONUs, and file one reading each.

    Units are matched by serial. A column the device answered completely replaces what is stored, NULL
    included; one it answered in part only fills in. Units missing from a complete list are marked as
    vanished, never deleted; from an incomplete list nothing is concluded.
    """
    onus = _one_per_serial(found.onus)
    if not onus:  # A device that is starting up answers empty tables: that says nothing about the fibres.
        return Counts(seen=0, new=0, vanished=0)
    new = _upsert_and_file(olt_id, onus, complete=_complete_fields(found), at=at)
    vanished = _mark_vanished(olt_id, at=at) if found.onus_complete else 0
    return Counts(seen=len(onus), new=new, vanished=vanished)


def count_onus_per_port(*, olt_id: UUID) -> None:
    """Bring the ports' counts in line with the stored ONUs."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE hardware_ponport AS port
            SET onu_count = COALESCE(counted.total, 0), online_count = COALESCE(counted.online, 0)
            FROM hardware_ponport AS every
            LEFT JOIN (
                SELECT pon_port_id, count(*) AS total, count(*) FILTER (WHERE status = 'online') AS online
                FROM hardware_onu WHERE tenant_id = %(tenant)s AND olt_id = %(olt)s AND vanished_at IS NULL
                GROUP BY pon_port_id
            ) AS counted ON counted.pon_port_id = every.id
            WHERE every.id = port.id AND port.tenant_id = %(tenant)s AND port.olt_id = %(olt)s
            """,
            {"tenant": current_tenant_id(), "olt": olt_id},
        )


def _one_per_serial(onus: Iterable[OnuInfo]) -> dict[str, OnuInfo]:
    """Map serials to rows, the one that is online if any: a moved unit stays configured at its old port."""
    kept: dict[str, OnuInfo] = {}
    for onu in onus:
        serial = _clean(onu.serial, 32)
        if serial and (serial not in kept or onu.run_status == "online"):
            kept[serial] = onu
    return kept


def _complete_fields(found: Discovery) -> frozenset[str]:
    """Name the ONU fields whose column was read to its end and made sense in every row.

    Only these may replace a stored value by NULL: a column full of nonsense blanks nothing.
    """
    fine = found.read_columns - set(found.bad_cells)
    return frozenset(name.removeprefix("onu.") for name in fine if name.startswith("onu."))


def _upsert_and_file(
    olt_id: UUID, onus: dict[str, OnuInfo], *, complete: frozenset[str], at: datetime
) -> int:
    """Write ONUs and readings in one statement and return how many ONUs were new.

    The rows travel as one JSON text: formatting twenty arrays cost the worker more than PostgreSQL's work.
    """
    names = ", ".join(MEASURED)
    typed = ", ".join(f"{name} {kind}" for name, kind in MEASURED.items())
    values = ", ".join(f"COALESCE(row.{name}, '')" if name in TEXT else f"row.{name}" for name in MEASURED)
    filed = ", ".join(FILED)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH row AS MATERIALIZED (
                SELECT * FROM json_to_recordset(%(rows)s::json) AS given (
                    id uuid, serial text, index text, port text, status text, is_online bool, tells bool, {typed})
            ),
            stored AS (
                INSERT INTO hardware_onu AS onu (
                    id, tenant_id, olt_id, created_at, updated_at, first_seen_at, last_seen_at, measured_at,
                    signal, serial, index, pon_port_id, status, {names})
                SELECT row.id, %(tenant)s, %(olt)s, now(), now(), %(at)s, %(at)s, %(measured_at)s,
                       'none', row.serial, row.index, port.id, row.status, {values}
                FROM row
                LEFT JOIN hardware_ponport AS port
                     ON port.tenant_id = %(tenant)s AND port.olt_id = %(olt)s AND port.index = row.port
                ON CONFLICT (tenant_id, olt_id, serial) DO UPDATE SET
                    updated_at = now(),
                    last_seen_at = EXCLUDED.last_seen_at,
                    measured_at = COALESCE(EXCLUDED.measured_at, onu.measured_at),
                    vanished_at = NULL,
                    index = EXCLUDED.index,
                    pon_port_id = COALESCE(EXCLUDED.pon_port_id, onu.pon_port_id),
                    {_status_sql(complete)},
                    {", ".join(_keep_or_replace(name, complete) for name in MEASURED)}
                RETURNING onu.id, onu.serial, (xmax = 0) AS is_new
            ),
            filed AS (
                INSERT INTO hardware_reading (tenant_id, onu_id, at, is_online, {filed})
                SELECT %(tenant)s, stored.id, %(at)s, row.is_online, {", ".join(f"row.{name}" for name in FILED)}
                FROM row JOIN stored USING (serial)
                WHERE row.tells
                ON CONFLICT DO NOTHING
            )
            SELECT count(*) FILTER (WHERE is_new) FROM stored
            """,  # noqa: S608  (every name comes from the tables above)
            {
                "tenant": current_tenant_id(),
                "olt": olt_id,
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


def _status_sql(complete: frozenset[str]) -> str:
    """Keep the stored state where this discovery could not tell, unless the unit had vanished."""
    if "run_status" in complete:
        return "status = EXCLUDED.status"
    return (
        "status = CASE WHEN EXCLUDED.status <> 'unknown' OR onu.status = 'vanished' "
        "THEN EXCLUDED.status ELSE onu.status END"
    )


def _keep_or_replace(name: str, complete: frozenset[str]) -> str:
    if name in complete:
        return f"{name} = EXCLUDED.{name}"
    fresh = f"NULLIF(EXCLUDED.{name}, '')" if name in TEXT else f"EXCLUDED.{name}"
    return f"{name} = COALESCE({fresh}, onu.{name})"


def _mark_vanished(olt_id: UUID, *, at: datetime) -> int:
    """Mark what this discovery did not list; whatever it did list was last seen at `at`."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE hardware_onu SET status = 'vanished', vanished_at = %s, updated_at = now()
            WHERE tenant_id = %s AND olt_id = %s AND vanished_at IS NULL AND last_seen_at < %s
            """,
            [at, current_tenant_id(), olt_id, at],
        )
        return int(cursor.rowcount)


def _value(onu: OnuInfo, name: str) -> Any:
    value = getattr(onu, name, None)
    if name in TEXT:
        return _clean(str(value), 255 if name == "description" else 80) if value else None
    return value


def _clean(text: str | None, length: int) -> str:
    """Cut to the column's length and drop NUL, which PostgreSQL cannot store."""
    return (text or "").replace("\x00", "")[:length]
