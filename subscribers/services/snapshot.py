"""The feed of changed lines.

Neither times nor sequence numbers can serve as a feed's position: a transaction may commit after one that
began later, and its rows would then lie behind a reader that has already passed. So a trigger writes into
each line the number of the transaction that changed it, and a reader is given the lines whose number lies in
[horizon of its last call, horizon of this call). The horizon is `pg_snapshot_xmin`, the oldest transaction
still running: all below it have ended, so no row can appear there any more, and none at or above it was
given. A transaction that runs long delays what began after it until the next call, and loses nothing.

A dump restored into another cluster carries the old numbers: `UPDATE subscribers_subscription SET number =
number` gives all lines new ones, and forgetting the cursors lets readers begin anew.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from subscribers.models import SnapshotCursor, Subscription

CHUNK = 2000
ADDRESS = ("address_line1", "address_line2", "city", "state", "postal_code", "country")
COLUMNS = (
    "id", "subscriber__full_name", "status", "plan__name", "updated_at", *(f"premise__{name}" for name in ADDRESS)
)  # fmt: skip


@transaction.atomic
def take_changes(*, principal: str) -> list[dict[str, Any]]:
    """Return what changed since this principal's last call, and remember that it was given.

    The first call returns every line. Calls of one principal take turns.
    """
    SnapshotCursor.objects.get_or_create(principal=principal)
    cursor = SnapshotCursor.objects.select_for_update(of=("self",)).get(principal=principal)
    horizon = _horizon()
    rows = Subscription.objects.filter(changed_xid__gte=cursor.horizon, changed_xid__lt=horizon)
    changes = list(_entries(rows.order_by("changed_xid", "id")))
    cursor.horizon = horizon
    cursor.save(update_fields=["horizon", "updated_at"])
    return changes


def read_changes_since(*, since: datetime) -> list[dict[str, Any]]:
    """Return the lines last updated at `since` or after. Moves nobody's position."""
    return list(_entries(Subscription.objects.filter(updated_at__gte=since).order_by("updated_at", "id")))


def _horizon() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
        (horizon,) = cursor.fetchone()
    return int(horizon)


def _entries(rows: Any) -> Iterator[dict[str, Any]]:
    for row in rows.values(*COLUMNS).iterator(chunk_size=CHUNK):
        yield {
            "service_id": row["id"],
            "customer_name": row["subscriber__full_name"],
            "full_address": ", ".join(filter(None, (row[f"premise__{name}"] for name in ADDRESS))),
            "status": row["status"],
            "product": row["plan__name"],
            "last_updated_date": row["updated_at"],
        }
