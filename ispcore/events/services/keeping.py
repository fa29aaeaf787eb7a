"""How long events and the log of what was sent are kept."""

from datetime import datetime, timedelta
from uuid import UUID

from django.db import connection

from ispcore.tenants.context import current_tenant_id

DELIVERIES_FOR = timedelta(days=30)
EVENTS_FOR = timedelta(days=90)
BATCH = 10_000


def forget_deliveries(*, at: datetime) -> int:
    """Delete up to 10,000 deliveries of more than 30 days ago, waiting ones of webhooks that are off with them."""
    return _delete(
        """
        DELETE FROM events_webhookdelivery d USING (
            SELECT id FROM events_webhookdelivery WHERE tenant_id = %(tenant)s AND id < %(before)s
            ORDER BY id LIMIT %(most)s
        ) old WHERE d.tenant_id = %(tenant)s AND d.id = old.id
        """,
        before=at - DELIVERIES_FOR,
    )


def forget_events(*, at: datetime) -> int:
    """Delete up to 10,000 events of more than 90 days ago that were told and that no delivery names."""
    return _delete(
        """
        DELETE FROM events_event e USING (
            SELECT id FROM events_event o WHERE tenant_id = %(tenant)s AND id < %(before)s AND delivered_at IS NOT NULL
                AND NOT EXISTS (
                    SELECT FROM events_webhookdelivery d WHERE d.tenant_id = %(tenant)s AND d.event_id = o.id
                )
            ORDER BY id LIMIT %(most)s
        ) old WHERE e.tenant_id = %(tenant)s AND e.id = old.id
        """,
        before=at - EVENTS_FOR,
    )


def _delete(sql: str, *, before: datetime) -> int:
    # Keys are in the order of time (RFC 9562 section 5.7), and an index has them.
    first_kept = UUID(int=int(before.timestamp() * 1000) << 80)
    with connection.cursor() as cursor:
        cursor.execute(sql, {"tenant": current_tenant_id(), "before": first_kept, "most": BATCH})
        return int(cursor.rowcount)
