"""Store the ONUs an OLT sees and nobody has authorised."""

from datetime import datetime
from uuid import UUID

from django.db import connection

from hardware.drivers.findings import Discovery
from hardware.models import WaitingOnu
from hardware.services.inventory.words import clean
from ispcore.tenants.context import current_tenant_id
from ispcore.tenants.fields import new_id


def store_waiting(*, olt_id: UUID, found: Discovery, at: datetime) -> None:
    """Insert or update the waiting ONUs; what a complete list leaves out is removed."""
    waiting = {clean(onu.serial, 32): onu for onu in found.waiting if clean(onu.serial, 32)}
    if waiting:
        with connection.cursor() as cursor:
            cursor.execute(
                """
                INSERT INTO hardware_waitingonu AS waiting (
                    id, tenant_id, olt_id, created_at, updated_at, first_seen_at, last_seen_at,
                    serial, pon_port, equipment_id, software)
                SELECT row.id, %s, %s, now(), now(), %s, %s,
                       row.serial, row.pon_port, row.equipment_id, row.software
                FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::text[], %s::text[])
                     AS row (id, serial, pon_port, equipment_id, software)
                ON CONFLICT (tenant_id, olt_id, serial) DO UPDATE SET
                    updated_at = now(),
                    last_seen_at = EXCLUDED.last_seen_at,
                    pon_port = EXCLUDED.pon_port,
                    equipment_id = COALESCE(NULLIF(EXCLUDED.equipment_id, ''), waiting.equipment_id),
                    software = COALESCE(NULLIF(EXCLUDED.software, ''), waiting.software)
                """,
                [
                    current_tenant_id(),
                    olt_id,
                    at,
                    at,
                    [new_id() for _ in waiting],
                    list(waiting),
                    [clean(onu.pon_port, 32) for onu in waiting.values()],
                    [clean(onu.equipment_id, 80) for onu in waiting.values()],
                    [clean(onu.software, 80) for onu in waiting.values()],
                ],
            )
    if "waiting.serial" in found.read_columns and "waiting.serial" not in found.bad_cells:
        WaitingOnu.objects.filter(olt=olt_id, last_seen_at__lt=at).delete()
