"""A month in the life of the demo's ONUs: readings, traffic, what happened, whom they serve, and an outage."""

from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from hardware.models import Olt
from hardware.services import make_reading_partitions, outages
from ispcore.tenants.context import current_tenant_id

HISTORY = timedelta(days=31)
FINE = timedelta(days=2)  # Hourly readings; before that every four hours.
DIRTY = timedelta(days=9)  # When the weak ones became weak: somebody bent a fibre.


def invent(olt: Olt, *, until: datetime) -> None:
    """Give an OLT's ONUs a past and their customers, once. What was there before the demo stays as it is."""
    make_reading_partitions(on=(until - HISTORY).date())
    make_reading_partitions(on=until.date())
    _serve_customers(olt)
    _invent_readings(olt, until=until)
    _invent_events(olt, until=until)


def invent_past_outage(olt: Olt, *, until: datetime) -> None:
    """File an outage of one port of the week before, noticed, resolved and closed."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH port AS (
                SELECT id FROM hardware_ponport
                WHERE tenant_id = %(tenant)s AND olt_id = %(olt)s ORDER BY index LIMIT 1
            ),
            outage AS (
                INSERT INTO hardware_outage (id, tenant_id, created_at, updated_at, olt_id, pon_port_id, cause,
                                             status, onus_affected, customers_affected, note, started_at,
                                             confirmed_at, resolved_at)
                SELECT uuidv7(), %(tenant)s, now(), now(), %(olt)s, port.id, 'fibre', 'resolved', 0, 0,
                       'Cable cut by road works at Mill Lane; spliced the same evening.', %(began)s,
                       %(began)s + interval '5 minutes', %(began)s + interval '3 hours 20 minutes'
                FROM port
                RETURNING id, pon_port_id, started_at, resolved_at
            ),
            member AS (
                INSERT INTO hardware_outageonu (id, tenant_id, created_at, updated_at, outage_id, onu_id,
                                                down_at, up_at)
                SELECT uuidv7(), %(tenant)s, now(), now(), outage.id, onu.id, outage.started_at,
                       outage.resolved_at
                FROM outage JOIN hardware_onu AS onu
                     ON onu.tenant_id = %(tenant)s AND onu.pon_port_id = outage.pon_port_id
                WHERE onu.status = 'online'
            )
            SELECT id FROM outage
            """,
            {"tenant": current_tenant_id(), "olt": olt.pk, "began": until - timedelta(days=6, hours=5)},
        )
        [outage_id] = cursor.fetchone()
        cursor.execute(
            """
            UPDATE hardware_outage AS outage
            SET onus_affected = counted.onus, customers_affected = counted.customers
            FROM (
                SELECT count(*) AS onus, count(onu.subscription_id) AS customers
                FROM hardware_outageonu AS member JOIN hardware_onu AS onu
                     ON onu.tenant_id = %(tenant)s AND onu.id = member.onu_id
                WHERE member.tenant_id = %(tenant)s AND member.outage_id = %(outage)s
            ) AS counted
            WHERE outage.tenant_id = %(tenant)s AND outage.id = %(outage)s
            """,
            {"tenant": current_tenant_id(), "outage": outage_id},
        )
    outages.close_outage(outage_id=outage_id, at=until - timedelta(days=5), user_id=None)


def _serve_customers(olt: Olt) -> None:
    """Let the OLT's ONUs feed lines that have none yet, in the order of their numbers."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH free AS (
                SELECT line.id, row_number() OVER (ORDER BY line.number) AS place
                FROM subscribers_subscription AS line
                WHERE line.tenant_id = %(tenant)s AND line.status IN ('active', 'suspended')
                      AND NOT EXISTS (SELECT FROM hardware_onu AS onu
                                      WHERE onu.tenant_id = %(tenant)s AND onu.subscription_id = line.id)
            ),
            unit AS (
                -- Every third one: a network knows ONUs whose customers are not in the books yet.
                SELECT id, row_number() OVER (ORDER BY serial) / 3 AS place, row_number() OVER (ORDER BY serial) AS n
                FROM hardware_onu WHERE tenant_id = %(tenant)s AND olt_id = %(olt)s
            )
            UPDATE hardware_onu AS onu SET subscription_id = free.id
            FROM unit JOIN free USING (place)
            WHERE onu.tenant_id = %(tenant)s AND onu.id = unit.id AND unit.n %% 3 = 0
            """,
            {"tenant": current_tenant_id(), "olt": olt.pk},
        )


def _invent_readings(olt: Olt, *, until: datetime) -> None:
    """File readings that sway a little around today's, with counters that run faster in the evening."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO hardware_reading (tenant_id, onu_id, at, is_online, rx_power_dbm, tx_power_dbm,
                                          olt_rx_power_dbm, temperature_c, distance_m, up_bytes, down_bytes)
            SELECT onu.tenant_id, onu.id, moment, true,
                   round((onu.rx_power_dbm + sway + lost)::numeric, 2),
                   round((onu.tx_power_dbm + sway / 4)::numeric, 2),
                   round((onu.olt_rx_power_dbm + sway + lost)::numeric, 2),
                   round((onu.temperature_c + 4 * sin(extract(epoch FROM moment) / 13750))::numeric, 0),
                   onu.distance_m,
                   GREATEST(0, round(onu.up_bytes - count / 9)), GREATEST(0, round(onu.down_bytes - count))
            FROM hardware_onu AS onu,
                 LATERAL (SELECT generate_series(%(fine)s, %(until)s - interval '1 hour', '1 hour')
                          UNION ALL SELECT generate_series(%(since)s, %(fine)s - interval '4 hours', '4 hours')
                         ) AS moments (moment),
                 LATERAL (SELECT 0.3 * sin(extract(epoch FROM moment) / 9000) + 0.2 * random() AS sway,
                                 CASE WHEN onu.signal IN ('warning', 'critical') AND moment < %(dirty)s
                                      THEN 4.5 ELSE 0 END AS lost,
                                 extract(epoch FROM %(until)s - moment) AS back) AS s,
                 -- Bytes from then until now: a mean of its own, most in the evening, next to none at night.
                 LATERAL (SELECT ((20000 + 25 * onu.distance_m)
                                  * (back + 11000 * sin(6.2832 * (back / 86400 + 0.1))
                                     - 11000 * sin(6.2832 * 0.1)))::numeric AS count) AS c
            WHERE onu.tenant_id = %(tenant)s AND onu.olt_id = %(olt)s AND onu.rx_power_dbm IS NOT NULL
            ON CONFLICT DO NOTHING
            """,
            {
                "tenant": current_tenant_id(),
                "olt": olt.pk,
                "until": until,
                "since": until - HISTORY,
                "fine": until - FINE,
                "dirty": until - DIRTY,
            },
        )


def _invent_events(olt: Olt, *, until: datetime) -> None:
    """Say since when each is as it is, and what happened before: restarts, power cuts, a signal that fell."""
    given: dict[str, Any] = {
        "tenant": current_tenant_id(), "olt": olt.pk, "until": until, "dirty": until - DIRTY
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE hardware_onu SET status_changed_at = %(until)s - CASE
                WHEN status = 'online' THEN interval '2 days' + random() * interval '26 days'
                ELSE interval '2 hours' + random() * interval '4 days' END
            WHERE tenant_id = %(tenant)s AND olt_id = %(olt)s
                  -- What went down together just now is an outage, and keeps its time.
                  AND (status_changed_at IS NULL OR status_changed_at < %(until)s - interval '1 hour'
                       OR status = 'online')
            """,
            given,
        )
        cursor.execute(
            """
            INSERT INTO hardware_onuevent (id, tenant_id, created_at, updated_at, onu_id, at, kind, detail)
            SELECT uuidv7(), %(tenant)s, now(), now(), onu.id, event.at, event.kind, event.detail
            FROM hardware_onu AS onu
            CROSS JOIN LATERAL (
                SELECT status_changed_at AS at, 'offline' AS kind, last_down_cause AS detail
                WHERE status = 'offline'
                UNION ALL SELECT status_changed_at, 'online', '' WHERE status = 'online' AND last_down_cause <> ''
                UNION ALL SELECT status_changed_at - interval '40 minutes', 'offline', last_down_cause
                WHERE status = 'online' AND last_down_cause <> ''
                UNION ALL SELECT %(dirty)s, 'signal', signal WHERE signal IN ('warning', 'critical')
            ) AS event
            WHERE onu.tenant_id = %(tenant)s AND onu.olt_id = %(olt)s
                  AND NOT EXISTS (SELECT FROM hardware_onuevent AS known
                                  WHERE known.tenant_id = %(tenant)s AND known.onu_id = onu.id)
            """,
            given,
        )
