"""Store the PON ports of an OLT, with their counters and rates."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.db import connection

from hardware.drivers.findings import PonPortInfo
from hardware.models import PonPort
from hardware.services.inventory.words import clean
from hardware.services.rates import Count, bits_per_second
from ispcore.tenants.context import current_tenant_id
from ispcore.tenants.fields import new_id

Rate = tuple[int | None, int | None]


def store_ports(
    *,
    olt_id: UUID,
    ports: Sequence[PonPortInfo],
    at: datetime,
    counter_width: int = 64,
    uptime_seconds: int | None = None,
) -> None:
    """Insert or update the PON ports; what the device left out keeps its stored value.

    The rates are those between the stored counts and these; `uptime_seconds` tells whether the device started
    in between.
    """
    if not ports:
        return
    rates = _rates(olt_id, ports, at=at, width=counter_width, uptime_seconds=uptime_seconds)
    counted = [port.up_bytes is not None or port.down_bytes is not None for port in ports]
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO hardware_ponport AS port (
                id, tenant_id, olt_id, created_at, updated_at, last_seen_at, onu_count, online_count,
                index, if_index, name, is_up, tx_power_dbm, temperature_c,
                up_bytes, down_bytes, counted_at, up_bps, down_bps)
            SELECT row.id, %s, %s, now(), now(), %s, 0, 0,
                   row.index, row.if_index, row.name, row.is_up, row.tx_power_dbm, row.temperature_c,
                   row.up_bytes, row.down_bytes, row.counted_at, row.up_bps, row.down_bps
            FROM unnest(%s::uuid[], %s::text[], %s::bigint[], %s::text[], %s::bool[], %s::float8[], %s::float8[],
                        %s::numeric[], %s::numeric[], %s::timestamptz[], %s::bigint[], %s::bigint[])
                 AS row (id, index, if_index, name, is_up, tx_power_dbm, temperature_c,
                         up_bytes, down_bytes, counted_at, up_bps, down_bps)
            ON CONFLICT (tenant_id, olt_id, index) DO UPDATE SET
                updated_at = now(),
                last_seen_at = EXCLUDED.last_seen_at,
                if_index = COALESCE(EXCLUDED.if_index, port.if_index),
                name = COALESCE(NULLIF(EXCLUDED.name, ''), port.name),
                is_up = COALESCE(EXCLUDED.is_up, port.is_up),
                tx_power_dbm = COALESCE(EXCLUDED.tx_power_dbm, port.tx_power_dbm),
                temperature_c = COALESCE(EXCLUDED.temperature_c, port.temperature_c),
                up_bytes = CASE WHEN EXCLUDED.counted_at IS NULL THEN port.up_bytes ELSE EXCLUDED.up_bytes END,
                down_bytes = CASE WHEN EXCLUDED.counted_at IS NULL THEN port.down_bytes ELSE EXCLUDED.down_bytes END,
                up_bps = CASE WHEN EXCLUDED.counted_at IS NULL THEN port.up_bps ELSE EXCLUDED.up_bps END,
                down_bps = CASE WHEN EXCLUDED.counted_at IS NULL THEN port.down_bps ELSE EXCLUDED.down_bps END,
                counted_at = COALESCE(EXCLUDED.counted_at, port.counted_at)
            """,
            [
                current_tenant_id(),
                olt_id,
                at,
                [new_id() for _ in ports],
                [port.index for port in ports],
                [port.if_index for port in ports],
                [clean(port.name, 80) for port in ports],
                [port.is_up for port in ports],
                [port.tx_power_dbm for port in ports],
                [port.temperature_c for port in ports],
                [port.up_bytes for port in ports],
                [port.down_bytes for port in ports],
                [at if known else None for known in counted],
                [rate[0] for rate in rates],
                [rate[1] for rate in rates],
            ],
        )


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
                FROM hardware_onu
                WHERE tenant_id = %(tenant)s AND olt_id = %(olt)s AND status NOT IN ('vanished', 'removed')
                GROUP BY pon_port_id
            ) AS counted ON counted.pon_port_id = every.id
            WHERE every.id = port.id AND port.tenant_id = %(tenant)s AND port.olt_id = %(olt)s
            """,
            {"tenant": current_tenant_id(), "olt": olt_id},
        )


def _rates(
    olt_id: UUID, ports: Sequence[PonPortInfo], *, at: datetime, width: int, uptime_seconds: int | None
) -> list[Rate]:
    stored = {
        index: (counted_at, up, down)
        for index, counted_at, up, down in PonPort.objects.filter(olt=olt_id).values_list(
            "index", "counted_at", "up_bytes", "down_bytes"
        )
    }
    rates: list[Rate] = []
    for port in ports:
        counted_at, up, down = stored.get(port.index, (None, None, None))
        pairs = ((up, port.up_bytes), (down, port.down_bytes))
        up_bps, down_bps = (
            bits_per_second(
                Count(None if before is None else int(before), counted_at),
                Count(now, at),
                width=width,
                uptime_seconds=uptime_seconds,
            )
            for before, now in pairs
        )
        rates.append((up_bps, down_bps))
    return rates
