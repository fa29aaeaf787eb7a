"""Outages: ONUs of one PON port that went down together, or a whole OLT that fell silent.

suspected -> confirmed, by the next poll that still shows it or by staff -> resolved, when enough are back ->
closed, by staff. One is open per port at a time, so that flapping does not make a second one. A power cut that
takes down several ports of an OLT stays one outage per port: which ports one feeder serves, nothing here knows.

Everything is set-based over one OLT: its cost does not grow with the ONUs' number in statements.
"""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction

from hardware.models import Outage, OutageStatus
from ispcore.errors import DomainError
from ispcore.events.services import publish
from ispcore.tenants.context import current_tenant_id

RESOLVED_SHARE = 0.8
SILENT_POLLS = 3


class OutageNotOpen(DomainError):
    code = "outage_not_open"
    message = "The outage is {status}. Only a suspected one can be confirmed."


def watch(*, olt_id: UUID, at: datetime) -> None:
    """Bring the OLT's outages in line with the states its ONUs have just been stored with.

    Safe to repeat. Publishes `hardware.outage_confirmed` and `hardware.outage_resolved`, each once.
    """
    given = _given(olt_id, at)
    with connection.cursor() as cursor:
        _note_returned(cursor, given)
        resolved = _resolve(cursor, given)
        _add_members(cursor, given)
        confirmed = _confirm(cursor, given)
        _suspect(cursor, given)
        _add_members(cursor, given)
        _count(cursor, given)
    for outage_id in confirmed:
        publish("hardware.outage_confirmed", outage_id=str(outage_id))
    for outage_id in resolved:
        publish("hardware.outage_resolved", outage_id=str(outage_id))


def olt_silent(*, olt_id: UUID, polls: int, at: datetime) -> None:
    """Suspect the whole OLT at its third unanswered poll in a row, and be sure at the fourth."""
    if polls < SILENT_POLLS:
        return
    given = _given(olt_id, at)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE hardware_outage SET status = 'confirmed', confirmed_at = %(at)s, updated_at = now()
            WHERE tenant_id = %(tenant)s AND olt_id = %(olt)s AND pon_port_id IS NULL AND status = 'suspected'
                  AND started_at < %(at)s
            RETURNING id
            """,
            given,
        )
        confirmed = [row[0] for row in cursor.fetchall()]
        cursor.execute(
            """
            WITH opened AS (
                INSERT INTO hardware_outage (id, tenant_id, created_at, updated_at, olt_id, cause, status,
                                             onus_affected, customers_affected, note, started_at)
                SELECT uuidv7(), %(tenant)s, now(), now(), id, 'olt', 'suspected', 0, 0, '',
                       COALESCE(last_answer_at, %(at)s)
                FROM hardware_olt WHERE tenant_id = %(tenant)s AND id = %(olt)s
                ON CONFLICT (tenant_id, olt_id, pon_port_id) WHERE status IN ('suspected', 'confirmed')
                DO NOTHING
                RETURNING id, started_at
            )
            INSERT INTO hardware_outageonu (id, tenant_id, created_at, updated_at, outage_id, onu_id, down_at)
            SELECT uuidv7(), %(tenant)s, now(), now(), opened.id, onu.id, opened.started_at
            FROM opened
            JOIN hardware_onu AS onu
                 ON onu.tenant_id = %(tenant)s AND onu.olt_id = %(olt)s AND onu.status = 'online'
            """,
            given,
        )
        _count(cursor, given)
    for outage_id in confirmed:
        publish("hardware.outage_confirmed", outage_id=str(outage_id))


def olt_answered(*, olt_id: UUID, at: datetime) -> None:
    """End the OLT's own outage; ONUs that are not back are then their ports' concern."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH ended AS (
                SELECT id, status FROM hardware_outage
                WHERE tenant_id = %(tenant)s AND olt_id = %(olt)s AND pon_port_id IS NULL
                      AND status IN ('suspected', 'confirmed')
                FOR UPDATE
            ),
            back AS (
                UPDATE hardware_outageonu AS member SET up_at = %(at)s, updated_at = now()
                FROM ended
                WHERE member.tenant_id = %(tenant)s AND member.outage_id = ended.id AND member.up_at IS NULL
            ),
            resolved AS (
                UPDATE hardware_outage AS outage
                SET status = 'resolved', resolved_at = %(at)s, updated_at = now()
                FROM ended WHERE outage.id = ended.id
            )
            SELECT id FROM ended WHERE status = 'confirmed'
            """,
            _given(olt_id, at),
        )
        resolved = [row[0] for row in cursor.fetchall()]
    for outage_id in resolved:
        publish("hardware.outage_resolved", outage_id=str(outage_id))


@transaction.atomic
def confirm_outage(*, outage_id: UUID, at: datetime) -> Outage:
    """Say that a suspected outage is one. Repeating it changes nothing. Raises OutageNotOpen."""
    outage = _locked(outage_id)
    if outage.status == OutageStatus.CONFIRMED:
        return outage
    if outage.status != OutageStatus.SUSPECTED:
        raise OutageNotOpen(status=outage.get_status_display().lower())
    outage.status, outage.confirmed_at = OutageStatus.CONFIRMED, at
    outage.save(update_fields=["status", "confirmed_at", "updated_at"])
    publish("hardware.outage_confirmed", outage_id=str(outage.pk))
    return outage


@transaction.atomic
def close_outage(*, outage_id: UUID, at: datetime, user_id: UUID | None) -> Outage:
    """File an outage away, whatever its state; it is not opened again. Repeating it changes nothing."""
    outage = _locked(outage_id)
    if outage.status == OutageStatus.CLOSED:
        return outage
    was_confirmed = outage.status == OutageStatus.CONFIRMED
    outage.status, outage.closed_at, outage.closed_by_id = OutageStatus.CLOSED, at, user_id
    outage.resolved_at = outage.resolved_at or at
    outage.save(update_fields=["status", "closed_at", "closed_by", "resolved_at", "updated_at"])
    if was_confirmed:
        publish("hardware.outage_resolved", outage_id=str(outage.pk))
    return outage


@transaction.atomic
def note_outage(*, outage_id: UUID, note: str) -> Outage:
    """Write what staff found out."""
    outage = _locked(outage_id)
    outage.note = note
    outage.save(update_fields=["note", "updated_at"])
    return outage


def _locked(outage_id: UUID) -> Outage:
    outage: Outage = Outage.objects.select_for_update(of=("self",)).get(pk=outage_id)
    return outage


def _given(olt_id: UUID, at: datetime) -> dict[str, Any]:
    return {
        "tenant": current_tenant_id(),
        "olt": olt_id,
        "at": at,
        "since": at - timedelta(seconds=settings.OUTAGE_WINDOW_SECONDS),
        "least": settings.OUTAGE_MIN_ONUS,
        "share": settings.OUTAGE_MIN_SHARE,
        "resolved": RESOLVED_SHARE,
    }


def _note_returned(cursor: Any, given: dict[str, Any]) -> None:
    cursor.execute(
        """
        UPDATE hardware_outageonu AS member SET up_at = %(at)s, updated_at = now()
        FROM hardware_outage AS outage, hardware_onu AS onu
        WHERE outage.tenant_id = %(tenant)s AND outage.olt_id = %(olt)s
              AND outage.pon_port_id IS NOT NULL AND outage.status IN ('suspected', 'confirmed')
              AND member.tenant_id = %(tenant)s AND member.outage_id = outage.id AND member.up_at IS NULL
              AND onu.tenant_id = %(tenant)s AND onu.id = member.onu_id AND onu.status = 'online'
        """,
        given,
    )


def _add_members(cursor: Any, given: dict[str, Any]) -> None:
    """Add what went down on a port while its outage is open; a member that went down again is down again."""
    cursor.execute(
        """
        INSERT INTO hardware_outageonu AS member (
            id, tenant_id, created_at, updated_at, outage_id, onu_id, down_at)
        SELECT uuidv7(), %(tenant)s, now(), now(), outage.id, onu.id, onu.status_changed_at
        FROM hardware_outage AS outage
        JOIN hardware_onu AS onu
             ON onu.tenant_id = %(tenant)s AND onu.olt_id = %(olt)s AND onu.pon_port_id = outage.pon_port_id
        WHERE outage.tenant_id = %(tenant)s AND outage.olt_id = %(olt)s
              AND outage.status IN ('suspected', 'confirmed')
              AND onu.status = 'offline' AND onu.last_down_cause <> 'admin'
              AND onu.status_changed_at >= outage.started_at
        ON CONFLICT (tenant_id, outage_id, onu_id) DO UPDATE SET up_at = NULL, updated_at = now()
        WHERE member.up_at IS NOT NULL
        """,
        given,
    )


# ONUs of an open outage, and how many of them are down; what was removed or vanished is not waited for.
_MEMBERS = """
    SELECT outage.id, outage.status, outage.created_at,
           count(*) FILTER (WHERE onu.status NOT IN ('vanished', 'removed')) AS total,
           count(*) FILTER (WHERE member.up_at IS NULL AND onu.status NOT IN ('vanished', 'removed')) AS down
    FROM hardware_outage AS outage
    JOIN hardware_outageonu AS member ON member.tenant_id = %(tenant)s AND member.outage_id = outage.id
    JOIN hardware_onu AS onu ON onu.tenant_id = %(tenant)s AND onu.id = member.onu_id
    WHERE outage.tenant_id = %(tenant)s AND outage.olt_id = %(olt)s
          AND outage.pon_port_id IS NOT NULL AND outage.status IN ('suspected', 'confirmed')
    GROUP BY outage.id
"""


def _resolve(cursor: Any, given: dict[str, Any]) -> list[UUID]:
    """Resolve what is over; return those that had been confirmed."""
    cursor.execute(
        f"""
        WITH counted AS MATERIALIZED ({_MEMBERS}),
        resolved AS (
            UPDATE hardware_outage AS outage SET status = 'resolved', resolved_at = %(at)s, updated_at = now()
            FROM counted
            WHERE outage.id = counted.id AND counted.total - counted.down >= %(resolved)s * counted.total
            RETURNING outage.id
        )
        SELECT counted.id FROM counted JOIN resolved USING (id) WHERE counted.status = 'confirmed'
        """,  # noqa: S608
        given,
    )
    return [row[0] for row in cursor.fetchall()]


def _confirm(cursor: Any, given: dict[str, Any]) -> list[UUID]:
    """Confirm what an earlier poll suspected and this one still shows."""
    cursor.execute(
        f"""
        WITH counted AS MATERIALIZED ({_MEMBERS})
        UPDATE hardware_outage AS outage SET status = 'confirmed', confirmed_at = %(at)s, updated_at = now()
        FROM counted
        WHERE outage.id = counted.id AND counted.status = 'suspected' AND counted.down >= %(least)s
              AND outage.started_at < %(at)s
        RETURNING outage.id
        """,  # noqa: S608
        given,
    )
    return [row[0] for row in cursor.fetchall()]


def _suspect(cursor: Any, given: dict[str, Any]) -> None:
    """Open an outage for each port of which enough ONUs, and enough of those online, went down together."""
    cursor.execute(
        """
        INSERT INTO hardware_outage (id, tenant_id, created_at, updated_at, olt_id, pon_port_id, cause, status,
                                     onus_affected, customers_affected, note, started_at)
        SELECT uuidv7(), %(tenant)s, now(), now(), %(olt)s, pon_port_id, 'unknown', 'suspected', 0, 0, '',
               min(status_changed_at) FILTER (WHERE went_down)
        FROM (
            SELECT pon_port_id, status, status_changed_at,
                   status = 'offline' AND last_down_cause <> 'admin' AND status_changed_at >= %(since)s
                   AS went_down
            FROM hardware_onu AS unit
            WHERE tenant_id = %(tenant)s AND olt_id = %(olt)s AND pon_port_id IS NOT NULL
                  AND status IN ('online', 'offline')
                  -- Each going down counts once: not again when its outage was resolved or closed meanwhile.
                  AND NOT EXISTS (
                      SELECT FROM hardware_outageonu AS member
                      JOIN hardware_outage AS past
                           ON past.tenant_id = %(tenant)s AND past.id = member.outage_id
                      WHERE member.tenant_id = %(tenant)s AND member.onu_id = unit.id
                            AND past.resolved_at > unit.status_changed_at)
        ) AS onu
        GROUP BY pon_port_id
        HAVING count(*) FILTER (WHERE went_down) >= %(least)s
               AND count(*) FILTER (WHERE went_down)
                   >= %(share)s * count(*) FILTER (WHERE went_down OR status = 'online')
        ON CONFLICT (tenant_id, olt_id, pon_port_id) WHERE status IN ('suspected', 'confirmed') DO NOTHING
        """,
        given,
    )


def _count(cursor: Any, given: dict[str, Any]) -> None:
    """Keep the worst numbers, and the cause most of those that are down name."""
    cursor.execute(
        """
        UPDATE hardware_outage AS outage
        SET onus_affected = GREATEST(outage.onus_affected, counted.down),
            customers_affected = GREATEST(outage.customers_affected, counted.customers),
            cause = CASE WHEN outage.pon_port_id IS NULL OR counted.down = 0 THEN outage.cause
                         WHEN counted.dark * 2 > counted.down THEN 'fibre'
                         WHEN counted.powerless * 2 > counted.down THEN 'power'
                         ELSE 'unknown' END,
            updated_at = now()
        FROM (
            SELECT member.outage_id, count(*) AS down,
                   count(DISTINCT onu.subscription_id) AS customers,
                   count(*) FILTER (WHERE onu.last_down_cause = 'los') AS dark,
                   count(*) FILTER (WHERE onu.last_down_cause = 'dying_gasp') AS powerless
            FROM hardware_outageonu AS member
            JOIN hardware_onu AS onu ON onu.tenant_id = %(tenant)s AND onu.id = member.onu_id
            WHERE member.tenant_id = %(tenant)s AND member.up_at IS NULL AND onu.olt_id = %(olt)s
            GROUP BY member.outage_id
        ) AS counted
        WHERE outage.id = counted.outage_id AND outage.tenant_id = %(tenant)s
              AND outage.status IN ('suspected', 'confirmed')
        """,
        given,
    )
