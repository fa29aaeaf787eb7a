"""Sending what waits for a webhook, one message at a time and in the order of the events.

A worker claims the webhook, not the message: so there is one that sends to it, and what it sends arrives in order. It
reads a few deliveries, posts them with no transaction open, and stores together what came of them, which also renews
the claim. If it dies, the claim ends and the next worker sends again what was not stored: with the same id, by which
a receiver knows it.
"""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from uuid import UUID

import orjson
import structlog
from django.conf import settings
from django.db import connection
from django.db.models import Q
from django.db.models.functions import Now
from standardwebhooks import Webhook

from ispcore import outbound
from ispcore.events.models import (
    LONGEST_ANSWER,
    DeliveryStatus,
    DisabledReason,
    WebhookDelivery,
    WebhookEndpoint,
)
from ispcore.events.services.outbox import publish
from ispcore.jobs import slots
from ispcore.tenants.context import current_tenant_id, tenant_context
from ispcore.tenants.fields import new_id

log = structlog.get_logger(__name__)

# Standard Webhooks, "Operational considerations": after these times a message is tried again, a tenth more or less.
LADDER = tuple(
    timedelta(**each)
    for each in (
        {"seconds": 5}, {"minutes": 5}, {"minutes": 30}, {"hours": 2}, {"hours": 5},
        {"hours": 10}, {"hours": 14}, {"hours": 20}, {"hours": 24},
    )
)  # fmt: skip
JITTER = 0.1
LONGEST_RETRY_AFTER = timedelta(hours=24)
GIVE_UP_AFTER = timedelta(days=5)
GONE = 410  # RFC 9110 section 15.5.11.
BUSY = (429, 503)  # RFC 6585 section 4, RFC 9110 section 15.6.4.

TIMEOUT_SECONDS = 15  # Standard Webhooks: 15 to 30 seconds.
BATCH = 50
STORE_SECONDS = 2.0  # What was sent longer ago is stored before more is sent.
# Longer than from one storing to the next: a look-up of a name, a connection, an answer, each as slow as may be.
LEASE = timedelta(seconds=120)
RUN_SECONDS = 30.0  # Then the worker turns to another webhook.
# An address that does not answer, or is busy, rests for a tenth of the time it has been failing, within these bounds.
SHORTEST_REST = timedelta(seconds=5)
LONGEST_REST = timedelta(minutes=5)


@dataclass(frozen=True)
class Target:
    """A webhook as one batch knows it."""

    url: str
    secrets: tuple[str, ...]
    failing_since: datetime | None


@dataclass(frozen=True)
class Message:
    """One delivery to be tried: `key` its row's id, `event_id` the message's own."""

    key: UUID
    event_id: UUID
    body: bytes
    attempts: int


@dataclass(frozen=True)
class Outcome:
    """What came of one attempt; `wants_rest` when there was no answer, or one that asks for less."""

    key: UUID
    at: datetime
    status: DeliveryStatus
    response_status: int | None
    duration_ms: int
    answer: str
    next_attempt_at: datetime | None = None
    wants_rest: bool = False

    def row(self) -> dict[str, Any]:
        entry = {
            "at": self.at.isoformat(),
            "response_status": self.response_status,
            "duration_ms": self.duration_ms,
            "answer": self.answer,
        }
        is_delivered = self.status == DeliveryStatus.DELIVERED
        return {
            "id": self.key,
            "status": self.status.value,
            "next_attempt_at": self.next_attempt_at,
            "delivered_at": self.at if is_delivered else None,
            "response_status": self.response_status,
            "duration_ms": self.duration_ms,
            "answer": self.answer,
            "log": [entry],
        }


@dataclass
class Sender:
    """One worker's hold on one webhook."""

    tenant_id: UUID
    endpoint_id: UUID
    now: Callable[[], datetime]
    token: UUID = field(default_factory=new_id)
    has_more: bool = False  # After a run: whether its time was over before all was sent.

    def run(self) -> int:
        """Send what is due, in order, for at most half a minute; return how many attempts were made."""
        tried, deadline = 0, time.monotonic() + RUN_SECONDS
        while self._claim():
            try:
                tried += self._send_while_due(deadline)
            finally:
                self.has_more = self._release()
            if not self.has_more or time.monotonic() >= deadline:
                break
        return tried

    def _send_while_due(self, deadline: float) -> int:
        tried, post = 0, None
        try:
            while time.monotonic() < deadline:
                with tenant_context(self.tenant_id):
                    target = self._hold()
                    messages = _due(self.endpoint_id, at=self.now()) if target else []
                if target is None or not messages:
                    break
                if post is None or post.url != target.url:
                    if post:
                        post.close()
                    post = Post(target.url)
                outcomes = list(self._attempt(post, target, messages))
                with tenant_context(self.tenant_id):
                    store(outcomes)
                    goes_on = self._judge(target, outcomes)
                tried += len(outcomes)
                if not goes_on:
                    break
        finally:
            if post:
                post.close()
        return tried

    def _attempt(self, post: "Post", target: Target, messages: Sequence[Message]) -> Iterator[Outcome]:
        began = time.monotonic()
        for message in messages:
            outcome = attempt(post, target, message, at=self.now())
            yield outcome
            # An address that is silent, busy or gone is not asked for the others as well.
            if outcome.wants_rest or outcome.response_status == GONE:
                return
            if time.monotonic() - began > STORE_SECONDS:
                return

    def _claim(self) -> bool:
        """Claim the webhook, unless somebody has it or the tenant's others have all places: the clock looks again."""
        with tenant_context(self.tenant_id):
            if self._is_crowded():
                return False
            free = Q(claimed_until=None) | Q(claimed_until__lt=Now())
            rested = Q(resting_until=None) | Q(resting_until__lte=self.now())
            rows = WebhookEndpoint.objects.filter(free, rested, pk=self.endpoint_id, is_enabled=True)
            return bool(rows.update(claim_token=self.token, claimed_until=Now() + LEASE))

    def _is_crowded(self) -> bool:
        places = slots.of_queue("webhooks")
        if places is None:
            return False
        slots.lock("webhooks")
        return WebhookEndpoint.objects.filter(claimed_until__gte=Now()).count() >= places

    def _hold(self) -> Target | None:
        """Renew the claim and read the webhook anew; None when it is another's or off."""
        rows = WebhookEndpoint.objects.filter(pk=self.endpoint_id, claim_token=self.token, is_enabled=True)
        if not rows.update(claimed_until=Now() + LEASE):
            return None
        endpoint = WebhookEndpoint.objects.get(pk=self.endpoint_id)
        secrets = [endpoint.secret.reveal()]
        if endpoint.previous_secret_until and endpoint.previous_secret_until > self.now():
            secrets.append(endpoint.previous_secret.reveal())
        return Target(endpoint.url, tuple(secrets), endpoint.failing_since)

    def _release(self) -> bool:
        """Give the webhook back; tell whether something came for it meanwhile, of which nobody else was told."""
        with tenant_context(self.tenant_id):
            rows = WebhookEndpoint.objects.filter(pk=self.endpoint_id, claim_token=self.token)
            if not rows.update(claim_token=None, claimed_until=None):
                return False
        with tenant_context(self.tenant_id):
            return bool(_waiting(self.endpoint_id, at=self.now()).exists())

    def _judge(self, target: Target, outcomes: Sequence[Outcome]) -> bool:
        """Write down how the address does: since when nothing arrives, until when it rests, whether it is over."""
        failing_since, delivered_at = target.failing_since, None
        for outcome in outcomes:
            if outcome.status == DeliveryStatus.DELIVERED:
                failing_since, delivered_at = None, outcome.at
            else:
                failing_since = failing_since or outcome.at
        last = outcomes[-1]
        values: dict[str, Any] = {"failing_since": failing_since}
        if delivered_at:
            values["last_delivered_at"] = delivered_at
        if last.wants_rest and failing_since:
            rest = (last.at - failing_since) / 10
            values["resting_until"] = last.at + max(SHORTEST_REST, min(rest, LONGEST_REST))
        else:
            values["resting_until"] = None
        WebhookEndpoint.objects.filter(pk=self.endpoint_id).update(**values)
        if last.response_status == GONE:
            _disable(self.endpoint_id, DisabledReason.GONE, at=last.at)
        elif failing_since and last.at - failing_since >= GIVE_UP_AFTER:
            _disable(self.endpoint_id, DisabledReason.FAILING, at=last.at)
        else:
            return not last.wants_rest
        return False


class Post:
    """The connection to one address, refused before it is made when the address may not be sent to any more."""

    def __init__(self, url: str) -> None:
        self.url = url
        networks = settings.WEBHOOK_NETWORKS
        self._connection: outbound.Connection | None = None
        try:
            outbound.check_url(url, networks=networks)
        except outbound.BadUrl as error:
            self._refusal = str(error)
        else:
            self._connection = outbound.Connection(url, networks=networks, ports=outbound.PORTS)

    def send(self, body: bytes, headers: dict[str, str]) -> outbound.Answer:
        """Raise what `outbound.Connection.post` raises."""
        if self._connection is None:
            raise outbound.Forbidden(self._refusal)
        return self._connection.post(body, headers, seconds=TIMEOUT_SECONDS)

    def close(self) -> None:
        if self._connection:
            self._connection.close()


def attempt(post: Post, target: Target, message: Message, *, at: datetime) -> Outcome:
    """Post one message, signed at this moment, and say what came of it."""
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "ISPCore-Webhooks/1",
        **signed(message, target.secrets, at=at),
    }
    began = time.monotonic()
    answer: outbound.Answer | None = None
    try:
        answer = post.send(message.body, headers)
        said = answer.text
    except (outbound.Forbidden, outbound.Unreachable) as error:
        said = f"Nothing was sent: {error}"
    except outbound.Uncertain as error:
        said = f"No answer came: {error}"
    took = int((time.monotonic() - began) * 1000)
    if answer and 200 <= answer.status < 300:
        status, next_at = DeliveryStatus.DELIVERED, None
    else:
        next_at = next_attempt(message.attempts, at=at, retry_after=answer.retry_after if answer else "")
        status = DeliveryStatus.WAITING if next_at else DeliveryStatus.FAILED
    return Outcome(
        key=message.key,
        at=at,
        status=status,
        response_status=answer.status if answer else None,
        duration_ms=took,
        answer=said[:LONGEST_ANSWER],
        next_attempt_at=next_at,
        wants_rest=answer is None or answer.status in BUSY,
    )


def signed(message: Message, secrets: Sequence[str], *, at: datetime) -> dict[str, str]:
    """Return the headers of Standard Webhooks, one signature for each secret that is good now."""
    moment = at.astimezone(UTC)  # The library reads the clock's figures and not their zone.
    text = message.body.decode()
    key = str(message.event_id)
    signatures = [Webhook(secret).sign(key, moment, text) for secret in secrets]
    return {
        "webhook-id": key,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


def next_attempt(made_before: int, *, at: datetime, retry_after: str = "") -> datetime | None:
    """Return when to try again after one more failure; None when that was the last attempt.

    Not before what the receiver asks for in `Retry-After`, up to a day.
    """
    if made_before >= len(LADDER):
        return None
    wait = LADDER[made_before] * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311  (spreads load, hides nothing)
    return at + max(wait, min(_asked_for(retry_after, at), LONGEST_RETRY_AFTER))


def store(outcomes: Sequence[Outcome]) -> None:
    """Write what came of attempts into their rows, in one statement; a row that has ended stays as it is."""
    rows = orjson.dumps([outcome.row() for outcome in outcomes]).decode()
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE events_webhookdelivery d SET status = n.status, attempts = d.attempts + 1, updated_at = now(),
                next_attempt_at = n.next_attempt_at, delivered_at = n.delivered_at, answer = n.answer,
                response_status = n.response_status, duration_ms = n.duration_ms, log = d.log || n.log
            FROM jsonb_to_recordset(%s::jsonb) AS n (
                id uuid, status text, next_attempt_at timestamptz, delivered_at timestamptz, response_status int,
                duration_ms int, answer text, log jsonb
            )
            WHERE d.tenant_id = %s AND d.id = n.id AND d.status = 'waiting'
            """,
            [rows, current_tenant_id()],
        )


def body_of(name: str, at: datetime, data: dict[str, Any]) -> bytes:
    """Return the bytes that are posted, the same at each attempt: `{"type", "timestamp", "data"}`."""
    message = {"type": name, "timestamp": at.astimezone(UTC).replace(tzinfo=None), "data": data}
    return orjson.dumps(message, option=orjson.OPT_NAIVE_UTC | orjson.OPT_UTC_Z)


def _waiting(endpoint_id: UUID, *, at: datetime) -> Any:
    return WebhookDelivery.objects.filter(
        endpoint_id=endpoint_id, status=DeliveryStatus.WAITING, next_attempt_at__lte=at
    )


def _due(endpoint_id: UUID, *, at: datetime) -> list[Message]:
    rows = _waiting(endpoint_id, at=at).order_by("event_id", "pk")
    columns = ("pk", "event_id", "event__name", "event__created_at", "event__payload", "attempts")
    return [
        Message(key, event_id, body_of(name, at, payload), attempts)
        for key, event_id, name, at, payload, attempts in rows.values_list(*columns)[:BATCH]
    ]


def _disable(endpoint_id: UUID, reason: DisabledReason, *, at: datetime) -> None:
    """Switch a webhook off and say so, to the staff as well; what waits stays, and goes out when it is on again."""
    off = WebhookEndpoint.objects.filter(pk=endpoint_id, is_enabled=True).update(
        is_enabled=False, disabled_at=at, disabled_reason=reason, updated_at=at
    )
    if off:
        log.warning("webhook_disabled", webhook_id=str(endpoint_id), reason=reason.value)
        publish("platform.webhook_disabled", webhook_id=str(endpoint_id))


def _asked_for(retry_after: str, at: datetime) -> timedelta:
    """Read `Retry-After`, seconds or a date (RFC 9110 section 10.2.3); nothing for what is neither."""
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        return timedelta(seconds=min(int(text[:9]), 10**8))
    try:
        return parsedate_to_datetime(text).astimezone(UTC) - at
    except (TypeError, ValueError, OverflowError):
        return timedelta(0)
