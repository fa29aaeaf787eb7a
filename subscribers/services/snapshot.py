"""The feed of changed lines.

Neither times nor sequence numbers can serve as a feed's position: a transaction may commit after one that
began later, and its rows would then lie behind a reader that has already passed. So a trigger writes into
each line the number of the transaction that changed it, and a reader is given the lines whose number lies in
[horizon of its last call, horizon of this call). The horizon is `pg_snapshot_xmin`, the oldest transaction
still running: all below it have ended, so no row can appear there any more, and none at or above it was
given. A transaction that runs long delays what began after it until the next call, and loses nothing.

What lies between two horizons is a window. An answer is bounded, so a window may take several parts: each tells
where it ended, and the reader goes on there, up to the same horizon, until nothing is left. A line that changes
meanwhile moves behind that horizon and belongs to the next window. A position is a reader's own: reading from one
again gives the same part, less what has changed since, so a lost answer loses nothing. What is remembered per
principal is only how far it was ever given, for readers that keep no position themselves.

A dump restored into another cluster carries the old numbers: a restore gives all lines new ones and forgets what was
given (`ispcore.operations.backups.positions`). A position that this server has not come to is none.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import BooleanField, QuerySet
from django.db.models.expressions import RawSQL

from subscribers.models import SnapshotCursor, Subscription

DEFAULT_LIMIT = 10_000
MAX_LIMIT = 50_000  # About 40 MB while it is written.
NO_ID = UUID(int=0)
ADDRESS = ("address_line1", "address_line2", "city", "state", "postal_code", "country")
COLUMNS = (
    "id", "changed_xid", "subscriber__full_name", "status", "plan__name", "updated_at",
    *(f"premise__{name}" for name in ADDRESS),
)  # fmt: skip


class PositionAhead(ValueError):
    """Raised for a position that this server never gave: its counter has not come so far."""


@dataclass(frozen=True)
class Position:
    """All changes up to (`xid`, `line`) are given. `until` is the horizon of the window being read, if one is."""

    xid: int = 0
    line: UUID = NO_ID
    until: int | None = None


@dataclass(frozen=True)
class PositionInTime:
    """The same for reading by time, which ends at `until`."""

    at: datetime
    until: datetime
    line: UUID = NO_ID


@dataclass(frozen=True)
class Part:
    """`end` is where to go on: in this window while `has_more`, else with a new one."""

    entries: list[dict[str, Any]]
    end: Position | PositionInTime
    has_more: bool


@transaction.atomic
def take_changes(*, principal: str, limit: int = DEFAULT_LIMIT) -> Part:
    """Return what changed since what this principal was given last, and remember that it was given.

    The first call begins with every line. Calls of one principal take turns.
    """
    stored = _locked(principal)
    return _take(stored, Position(stored.horizon, stored.line), limit)


@transaction.atomic
def read_part(*, principal: str, position: Position, limit: int = DEFAULT_LIMIT) -> Part:
    """Return what follows a position, in its window or, where it is in none, in a new one.

    Safe to repeat: the same position and limit give the same lines, but for those that changed since, which come
    later. What was given is remembered as by `take_changes`; a part read again moves nothing back. Raises
    PositionAhead.
    """
    return _take(_locked(principal), position, limit)


def read_changes_since(*, position: PositionInTime, limit: int = DEFAULT_LIMIT) -> Part:
    """Return the lines last updated from a time on. Moves nobody's position, and may miss what commits late."""
    rows = Subscription.objects.filter(updated_at__gte=position.at, updated_at__lt=position.until)
    rows = rows.filter(_after("updated_at", position.at, position.line)).order_by("updated_at", "id")
    found, has_more = _bounded(rows, limit)
    end = replace(position, at=found[-1]["updated_at"], line=found[-1]["id"]) if found else position
    return Part(_entries(found), end, has_more)


def _take(stored: SnapshotCursor, position: Position, limit: int) -> Part:
    horizon = _horizon()
    until = position.until or horizon
    if max(position.xid, until) > horizon:
        raise PositionAhead
    rows = Subscription.objects.filter(changed_xid__gte=position.xid, changed_xid__lt=until)
    rows = rows.filter(_after("changed_xid", position.xid, position.line)).order_by("changed_xid", "id")
    found, has_more = _bounded(rows, limit)
    end = Position(found[-1]["changed_xid"], found[-1]["id"], until) if has_more else Position(until)
    if (end.xid, end.line) > (stored.horizon, stored.line):
        stored.horizon, stored.line = end.xid, end.line
        stored.save(update_fields=["horizon", "line", "updated_at"])
    return Part(_entries(found), end, has_more)


def _locked(principal: str) -> SnapshotCursor:
    SnapshotCursor.objects.get_or_create(principal=principal)
    stored: SnapshotCursor = SnapshotCursor.objects.select_for_update(of=("self",)).get(principal=principal)
    return stored


def _after(column: str, value: Any, line: UUID) -> RawSQL:
    """Compare two columns as one, which an index of both serves however many lines one transaction changed."""
    sql = f'("subscribers_subscription"."{column}", "subscribers_subscription"."id") > (%s, %s)'
    return RawSQL(sql, (value, line), output_field=BooleanField())  # noqa: S611  (both columns are ours)


def _horizon() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
        (horizon,) = cursor.fetchone()
    return int(horizon)


def _bounded(rows: QuerySet[Subscription], limit: int) -> tuple[list[dict[str, Any]], bool]:
    found = list(rows.values(*COLUMNS)[: limit + 1])
    return found[:limit], len(found) > limit


def _entries(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {
            "service_id": row["id"],
            "customer_name": row["subscriber__full_name"],
            "full_address": ", ".join(filter(None, (row[f"premise__{name}"] for name in ADDRESS))),
            "status": row["status"],
            "product": row["plan__name"],
            "last_updated_date": row["updated_at"],
        }
        for row in rows
    ]
