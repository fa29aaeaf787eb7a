"""The feed of events: everything that happened, once, in an order that a late commit cannot change.

Neither a time nor a key can be a feed's position: a transaction may commit after one that began later. Each event
carries the number of the transaction that wrote it, and a reader is given those below `pg_snapshot_xmin`: all of them
have ended, so nothing can appear among them any more. A transaction that runs long delays what began after it.

A dump restored into another cluster carries the old numbers: a restore gives all events new ones
(`ispcore.operations.backups.positions`), and readers begin anew: a position that this server has not come to is none.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from django.db import connection

from ispcore.tenants.context import current_tenant_id

DEFAULT_LIMIT = 100
MAX_LIMIT = 1000
# How many events one call looks at for those of the types asked for.
MOST_LOOKED_AT = 10_000
NO_ID = UUID(int=0)


class PositionAhead(ValueError):
    """Raised for a position that this server never gave: its counter has not come so far."""


@dataclass(frozen=True)
class Position:
    """All events up to (`xid`, `event`) are given."""

    xid: int = 0
    event: UUID = NO_ID


@dataclass(frozen=True)
class Part:
    """`end` is where the next call goes on; `has_more` tells whether there is something by now."""

    events: list[dict[str, Any]]
    end: Position
    has_more: bool


def read(
    *, position: Position, limit: int, names: Collection[str] = (), since: datetime | None = None
) -> Part:
    """Return what follows a position: events of these types, or all, of a time or later. Safe to repeat.

    Costs the same however few of the events are asked for: a call looks at ten thousand at the most, and may so come
    back with none and more to come. Raises PositionAhead.
    """
    horizon = _horizon()
    if position.xid > horizon:
        raise PositionAhead
    is_narrowed = bool(names) or since is not None
    values: dict[str, Any] = {
        "tenant": current_tenant_id(),
        "xid": position.xid,
        "event": position.event,
        "horizon": horizon,
        "window": MOST_LOOKED_AT if is_narrowed else limit + 1,
        "names": list(names) or None,
        "since": since,
        "limit": limit + 1,
    }
    with connection.cursor() as cursor:
        cursor.execute(_READ, values)
        rows = cursor.fetchall()
        if len(rows) > limit:
            *_, key, xid = rows[limit - 1]
            return Part(_shown(rows[:limit]), Position(xid, key), has_more=True)
        cursor.execute(_END, values)
        found = cursor.fetchone()
    # What was looked at and not wanted lies behind the reader, too.
    end = Position(found[0], found[1]) if found else position
    return Part(_shown(rows), end, has_more=bool(found) and found[2] == MOST_LOOKED_AT)


_WINDOW = """
    SELECT id, name, created_at, payload, xid FROM events_event
    WHERE tenant_id = %(tenant)s AND (xid, id) > (%(xid)s, %(event)s) AND xid < %(horizon)s
    ORDER BY xid, id LIMIT %(window)s
"""
_READ = f"""
    SELECT name, created_at, payload, id, xid FROM ({_WINDOW}) seen
    WHERE (%(names)s::text[] IS NULL OR name = ANY(%(names)s::text[]))
        AND (%(since)s::timestamptz IS NULL OR created_at >= %(since)s::timestamptz)
    ORDER BY xid, id LIMIT %(limit)s
"""  # noqa: S608  (all parts are ours)
_END = f"""
    SELECT xid, id, count(*) OVER () FROM ({_WINDOW}) seen ORDER BY xid DESC, id DESC LIMIT 1
"""  # noqa: S608  (all parts are ours)


def _horizon() -> int:
    """Return the oldest transaction that still runs; read once, for both statements must end at the same."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
        (horizon,) = cursor.fetchone()
    return int(horizon)


def _shown(rows: list[Any]) -> list[dict[str, Any]]:
    return [
        {"id": key, "type": name, "timestamp": at, "data": orjson.loads(payload)}
        for name, at, payload, key, _ in rows
    ]
