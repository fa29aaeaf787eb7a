"""The outbox: events are rows, delivered at least once."""

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, NamedTuple
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
# So many messages a tenant puts into the queues at a time: others, and their jobs, come before its next ones.
MOST_MESSAGES = 100
# Stands while a tenant's next messages wait for those before to be taken.
PAUSED = "events:paused:{}"
# A word to go on that was lost is not waited for longer than this.
PAUSED_SECONDS = 60
# Stands while a relay has been called that has not begun to look: it will find what comes meanwhile, too.
CALLED = "events:relay-called"
# A call that was lost is repeated after this long.
CALLED_SECONDS = 1


class Relayed(NamedTuple):
    """What became of one batch: how many events it was, and where messages wait if there were too many for one."""

    events: int
    queues: tuple[str, ...] = ()


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


def relay_tenant() -> Relayed:
    """Hand one batch of the bound tenant's undelivered events to their handlers and webhooks.

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
    sent: Counter[str] = Counter()
    keys = []
    for event in batch:
        if sent.total() >= MOST_MESSAGES:
            break
        keys.append(event.pk)
        for task in HANDLERS.get(event.name, ()):
            app.send_task(task, kwargs={"tenant_id": str(current_tenant_id()), **event.payload})
            sent[_queue_of(task)] += 1
    _tell_webhooks(keys)
    Event.objects.filter(pk__in=keys).update(delivered_at=Now())
    return Relayed(len(keys), tuple(sorted(sent)) if sent.total() >= MOST_MESSAGES else ())


def pause(tenant_id: UUID, queues: Sequence[str], *, seconds: int = 0) -> None:
    """Let the tenant's next events wait behind the messages that were sent of those before, in `queues`."""
    redis.client().set(PAUSED.format(tenant_id), 1, ex=PAUSED_SECONDS)
    app.send_task(
        "ispcore.events.tasks.relay_rest",
        kwargs={"tenant_id": str(tenant_id), "queues": list(queues)},
        countdown=seconds or None,
    )


def end_pause(tenant_id: UUID) -> None:
    redis.client().delete(PAUSED.format(tenant_id))


def without_paused(tenants: Sequence[UUID]) -> list[UUID]:
    """Return those whose events wait for no messages before."""
    if not tenants:
        return []
    marks: Any = redis.client().mget([PAUSED.format(tenant_id) for tenant_id in tenants])
    return [tenant_id for tenant_id, mark in zip(tenants, marks, strict=True) if mark is None]


def are_taken(queues: Sequence[str]) -> bool:
    """Tell whether most of what was put into some queues has been taken by workers."""
    prefix = app.conf.broker_transport_options["global_keyprefix"]
    waiting: Any = sum(redis.client().llen(prefix + queue) for queue in queues)
    return bool(waiting < MOST_MESSAGES)


def begin_to_look() -> None:
    """Let what is published from now on call a relay again; before the first look, so that nothing is missed."""
    try:
        redis.client().delete(CALLED)
    except RedisError:
        return  # The mark ends by itself.


@cache
def _queue_of(task: str) -> str:
    return str(app.amqp.router.route({}, task)["queue"].name)


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
