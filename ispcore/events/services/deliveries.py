"""Which webhook is told of which event: rows, made by one statement however many there are."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection, connections, transaction
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from ispcore.celery import app
from ispcore.errors import DomainError
from ispcore.events.models import Event, WebhookDelivery, WebhookEndpoint
from ispcore.tenants.base import locked
from ispcore.tenants.context import current_tenant_id

# A message that nobody took in this long would find nothing new: the next look sends another.
HINT_SECONDS = 30
MOST_REPLAYED = 10_000
MOST_IDS = 1000


class WebhookOff(DomainError):
    code = "webhook_disabled"
    message = "The webhook is switched off, so nothing would be sent: switch it on first."


class TooManyEvents(DomainError):
    code = "too_many_events"
    message = f"More than {MOST_REPLAYED:,} events lie between the two times. Take a shorter time, and then the next."
    status = 422
    field = "until"


class EventUnknown(DomainError):
    code = "not_found"
    message = "There is no event {event_id}, or it is older than events are kept."
    status = 404
    field = "event_ids"


_WANTED = """
    (w.event_types = '{}' OR e.name = ANY(w.event_types) OR split_part(e.name, '.', 1) || '.*' = ANY(w.event_types))
"""
_COLUMNS = """
    INSERT INTO events_webhookdelivery (id, tenant_id, created_at, updated_at, endpoint_id, event_id, is_replay,
                                        status, attempts, next_attempt_at, answer, log)
"""


def fan_out(event_ids: Sequence[UUID]) -> list[UUID]:
    """Make a delivery of these events for each webhook that wants them; return the webhooks that have new ones.

    Safe to repeat: an event is told to a webhook once, unless somebody asks for it again.
    """
    return _insert(
        f"""
        WITH made AS (
            {_COLUMNS}
            SELECT uuidv7(), e.tenant_id, now(), now(), w.id, e.id, false, 'waiting', 0, now(), '', '[]'
            FROM events_event e JOIN events_webhookendpoint w ON w.tenant_id = e.tenant_id
            WHERE e.tenant_id = %(tenant)s AND e.id = ANY(%(events)s) AND w.is_enabled AND {_WANTED}
            ORDER BY e.id
            ON CONFLICT DO NOTHING
            RETURNING endpoint_id
        ) SELECT DISTINCT endpoint_id FROM made
        """,  # noqa: S608  (all parts are ours)
        {"events": list(event_ids)},
    )


@transaction.atomic
def send_test(*, endpoint_id: UUID, at: datetime) -> WebhookDelivery:
    """Send an event of the type `platform.webhook_tested` to one webhook, and to no other.

    Raises WebhookOff.
    """
    endpoint = _enabled(endpoint_id)
    event = Event.objects.create(
        name="platform.webhook_tested", payload={"webhook_id": str(endpoint.pk)}, delivered_at=at
    )
    made: WebhookDelivery = WebhookDelivery.objects.create(endpoint=endpoint, event=event, next_attempt_at=at)
    _wake_later(endpoint.pk)
    return made


@transaction.atomic
def replay_delivery(*, delivery_id: UUID, at: datetime) -> WebhookDelivery:
    """Send an event once more to where it was sent; one that still waits is sent now instead.

    Raises WebhookOff.
    """
    found = locked(WebhookDelivery, delivery_id)
    endpoint = _enabled(found.endpoint_id)
    waiting = WebhookDelivery.objects.filter(endpoint=endpoint, event_id=found.event_id, status="waiting")
    if waiting.update(next_attempt_at=at, updated_at=at):
        made: WebhookDelivery = waiting.order_by("pk")[0]
    else:
        made = WebhookDelivery.objects.create(
            endpoint=endpoint, event_id=found.event_id, is_replay=True, next_attempt_at=at
        )
    _forget_rest(endpoint.pk)
    return made


@transaction.atomic
def replay_range(*, endpoint_id: UUID, since: datetime, until: datetime, only_missed: bool) -> int:
    """Send once more what happened from `since` to before `until` and the webhook wants; return how many.

    At most 10,000. With `only_missed`, what never arrived there: of a time in which it was off, too. What still waits
    is left alone, so repeating the call before it is sent adds nothing. Raises WebhookOff, TooManyEvents.
    """
    endpoint = _enabled(endpoint_id)
    made = _replay(
        endpoint.pk,
        "e.created_at >= %(since)s AND e.created_at < %(until)s AND e.id >= %(first)s AND e.id < %(last)s",
        {"since": since, "until": until, "first": _id_around(since, -60), "last": _id_around(until, 3600)},
        only_missed=only_missed,
    )
    if made > MOST_REPLAYED:
        raise TooManyEvents
    return made


@transaction.atomic
def replay_events(*, endpoint_id: UUID, event_ids: Sequence[UUID]) -> int:
    """Send these events once more, whatever the webhook's filter; return how many. What still waits is left alone.

    Raises WebhookOff, EventUnknown.
    """
    endpoint = _enabled(endpoint_id)
    wanted = list(dict.fromkeys(event_ids))
    known = set(Event.objects.filter(pk__in=wanted).values_list("pk", flat=True))
    for each in wanted:
        if each not in known:
            raise EventUnknown(event_id=each)
    return _replay(endpoint.pk, "e.id = ANY(%(events)s)", {"events": wanted}, wants_all=True)


def find_due() -> list[tuple[UUID, UUID]]:
    """Return tenant and id of the webhooks that have something to send and nobody who sends it."""
    with connections["platform"].cursor() as cursor:
        cursor.execute(
            """
            SELECT w.tenant_id, w.id FROM events_webhookendpoint w JOIN tenants_tenant t ON t.id = w.tenant_id
            WHERE w.is_enabled AND t.is_active AND COALESCE(w.claimed_until, '-infinity') < now()
                AND COALESCE(w.resting_until, '-infinity') <= now()
                AND EXISTS (
                    SELECT FROM events_webhookdelivery d WHERE d.tenant_id = w.tenant_id AND d.endpoint_id = w.id
                        AND d.status = 'waiting' AND d.next_attempt_at <= now()
                )
            """
        )
        return list(cursor.fetchall())


def wake(tenant_id: UUID, endpoint_id: UUID) -> None:
    """Tell a worker that there may be something to send; only a hint, since the clock looks too."""
    with suppress(OperationalError, RedisError):
        app.send_task(
            "ispcore.events.tasks.send_webhooks",
            kwargs={"tenant_id": str(tenant_id), "endpoint_id": str(endpoint_id)},
            queue="webhooks",
            expires=HINT_SECONDS,
        )


def _enabled(endpoint_id: UUID) -> WebhookEndpoint:
    endpoint = locked(WebhookEndpoint, endpoint_id)
    if not endpoint.is_enabled:
        raise WebhookOff
    return endpoint


def _replay(
    endpoint_id: UUID,
    which: str,
    values: dict[str, Any],
    *,
    only_missed: bool = False,
    wants_all: bool = False,
) -> int:
    missed = """
        AND NOT EXISTS (
            SELECT FROM events_webhookdelivery d WHERE d.tenant_id = e.tenant_id AND d.event_id = e.id
                AND d.endpoint_id = w.id AND d.status = 'delivered'
        )
    """
    made = _insert(
        f"""
        {_COLUMNS}
        SELECT uuidv7(), e.tenant_id, now(), now(), w.id, e.id, true, 'waiting', 0, now(), '', '[]'
        FROM events_event e JOIN events_webhookendpoint w ON w.tenant_id = e.tenant_id
        WHERE e.tenant_id = %(tenant)s AND w.id = %(endpoint)s AND {which} AND ({_WANTED} OR %(wants_all)s)
            AND NOT EXISTS (
                SELECT FROM events_webhookdelivery d WHERE d.tenant_id = e.tenant_id AND d.event_id = e.id
                    AND d.endpoint_id = w.id AND d.status = 'waiting'
            )
            AND (e.name <> 'platform.webhook_tested' OR %(wants_all)s)
            {missed if only_missed else ""}
        ORDER BY e.id LIMIT {MOST_REPLAYED + 1}
        RETURNING id
        """,  # noqa: S608  (all parts are ours)
        {**values, "endpoint": endpoint_id, "wants_all": wants_all},
    )
    _forget_rest(endpoint_id)
    return len(made)


def _insert(sql: str, values: dict[str, Any]) -> list[UUID]:
    with connection.cursor() as cursor:
        cursor.execute(sql, {**values, "tenant": current_tenant_id()})
        return [row[0] for row in cursor.fetchall()]


def _forget_rest(endpoint_id: UUID) -> None:
    """Let what somebody asks for be tried at once."""
    WebhookEndpoint.objects.filter(pk=endpoint_id).update(resting_until=None)
    _wake_later(endpoint_id)


def _wake_later(endpoint_id: UUID) -> None:
    tenant_id = current_tenant_id()
    transaction.on_commit(lambda: wake(tenant_id, endpoint_id), robust=True)


def _id_around(at: datetime, seconds: int) -> UUID:
    """Return a key that those made some seconds from a time have around them (RFC 9562 section 5.7).

    A key is made when its row is, and the row's time is that of its transaction or its making: they lie close together.
    """
    milliseconds = max(0, min(int((at.timestamp() + seconds) * 1000), 2**48 - 1))
    return UUID(int=milliseconds << 80)
