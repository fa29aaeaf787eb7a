"""The outbox: events are rows, delivered at least once."""

from collections.abc import Iterable, Sequence
from uuid import UUID

import orjson
from django.db import connection, transaction
from django.db.models.functions import Now
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from ispcore import redis
from ispcore.celery import app
from ispcore.events.models import Event
from ispcore.events.services import deliveries
from ispcore.tenants.context import current_tenant_id
from ispcore.wiring import HANDLERS

BATCH = 500
# Stands while a relay has been called that has not begun to look: it will find what comes meanwhile, too.
CALLED = "events:relay-called"
# A call that was lost is repeated after this long.
CALLED_SECONDS = 1


def publish(name: str, **ids: str) -> None:
    """Record an event in the caller's transaction; the relay delivers it at least once.

    Raises KeyError for a name that `wiring.HANDLERS` does not list.
    """
    publish_each(name, [ids])


def publish_each(name: str, payloads: Iterable[dict[str, str]]) -> None:
    """Record one event per payload in the caller's transaction, in one statement; as `publish` otherwise.

    Raises KeyError for a name that `wiring.HANDLERS` does not list.
    """
    HANDLERS[name]
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO events_event (id, tenant_id, created_at, updated_at, name, payload)
            SELECT uuidv7(), %s, now(), now(), %s, payload FROM jsonb_array_elements(%s::jsonb) AS payload
            """,
            [current_tenant_id(), name, orjson.dumps(list(payloads)).decode()],
        )
        told = cursor.rowcount
    if told:
        transaction.on_commit(_wake_relay, robust=True)


def relay_tenant() -> int:
    """Hand one batch of the bound tenant's undelivered events to their handlers and webhooks; return how many.

    Safe to run in parallel: relays of one tenant take turns, so that none overtakes another. Sends before it commits,
    so a crash between the two delivers an event twice and never not at all. What webhooks are to be told is rows,
    written in the transaction that marks the events: neither can be without the other.
    """
    _wait_for_turn()
    batch = list(
        Event.objects.filter(delivered_at=None)
        .order_by("id")
        .select_for_update(skip_locked=True, of=("self",))[:BATCH]
    )
    for event in batch:
        for task in HANDLERS.get(event.name, ()):
            app.send_task(task, kwargs={"tenant_id": str(current_tenant_id()), **event.payload})
    keys = [event.pk for event in batch]
    _tell_webhooks(keys)
    Event.objects.filter(pk__in=keys).update(delivered_at=Now())
    return len(batch)


def begin_to_look() -> None:
    """Let what is published from now on call a relay again; before the first look, so that nothing is missed."""
    try:
        redis.client().delete(CALLED)
    except RedisError:
        return  # The mark ends by itself.


def _wait_for_turn() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"relay:{current_tenant_id()}"]
        )


def _tell_webhooks(keys: Sequence[UUID]) -> None:
    told = deliveries.fan_out(keys) if keys else []
    tenant_id = current_tenant_id()
    for endpoint_id in told:
        transaction.on_commit(
            lambda endpoint_id=endpoint_id: deliveries.wake(tenant_id, endpoint_id),  # type: ignore[misc]
            robust=True,
        )


def _wake_relay() -> None:
    """Tell the relay to look now, unless it was told; only a hint, since it also looks by itself."""
    try:
        if redis.client().set(CALLED, 1, nx=True, ex=CALLED_SECONDS):
            app.send_task("ispcore.events.tasks.relay", ignore_result=True)
    except (OperationalError, RedisError):
        return
