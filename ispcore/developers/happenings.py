"""The catalogue of events and how a receiver checks a message, as pages show them."""

from dataclasses import dataclass
from typing import Any

from django.utils.safestring import SafeString

from ispcore.developers import snippets
from ispcore.developers.examples import MOMENT, Examples
from ispcore.developers.prose import inline
from ispcore.events.catalogue import CATALOGUE, schema_of

EVENT = "0199b0c2-7d1e-7c3a-9f55-0a4e6f1c2d3b"
RECEIVER = """\
from standardwebhooks import Webhook, WebhookVerificationError


def receive(body: bytes, headers: dict[str, str], secret: str) -> int:
    try:
        event = Webhook(secret).verify(body, headers)
    except WebhookVerificationError:
        return 401
    if is_new(headers["webhook-id"]):  # What comes twice has the same id.
        put_into_queue(event)
    return 204"""
BY_HAND = """\
import base64
import hashlib
import hmac
import time


def is_genuine(body: bytes, headers: dict[str, str], secret: str) -> bool:
    sent = headers["webhook-timestamp"]
    if abs(time.time() - int(sent)) > 300:
        return False
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{sent}.".encode() + body
    digest = hmac.new(key, signed, hashlib.sha256).digest()
    wanted = "v1," + base64.b64encode(digest).decode()
    # For a day after a rotation there are two, with a space between.
    return any(hmac.compare_digest(wanted, one) for one in headers["webhook-signature"].split())"""
PROMISES = (
    "**At least once.** A message may come twice, with the same `webhook-id`: drop an id you know.",
    "**In order**, one at a time for each webhook. One that failed does not hold up those after it.",
    "**Ten attempts**: after 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h and 24 h; `Retry-After` may ask for more.",
    "**15 seconds** to answer, with any 2xx. Redirects are not followed.",
    "**Switched off** after five days in which nothing arrived, or at once by `410 Gone`; administrators are told.",
    "**Ids only.** Read the present state by them; a replay of an old event then does no harm.",
)
TITLES = {
    "aaa": "RADIUS access", "billing": "Billing", "hardware": "OLTs and ONUs", "ipam": "Addresses",
    "platform": "Platform", "subscribers": "Customers and services", "support": "Support",
}  # fmt: skip


@dataclass(frozen=True)
class Event:
    name: str
    text: SafeString
    ids: tuple[str, ...]
    optional: tuple[str, ...]
    message: str
    schema: str


def events() -> list[tuple[str, str, list[Event]]]:
    """Return parts of the system with the types of events each tells of: filter, title, events."""
    groups: dict[str, list[Event]] = {}
    for name, known in sorted(CATALOGUE.items()):
        event = Event(
            name=name,
            text=inline(known.description),
            ids=known.ids,
            optional=known.optional,
            message=snippets.as_json(message_of(name)),
            schema=snippets.as_json(schema_of(name)),
        )
        groups.setdefault(name.partition(".")[0], []).append(event)
    return [(f"{part}.*", TITLES[part], found) for part, found in groups.items()]


def message_of(name: str) -> dict[str, Any]:
    """Return a message of this type as it could be posted."""
    examples = Examples({})
    ids = {each: examples.of({"type": "string", "format": "uuid"}, each) for each in CATALOGUE[name].ids}
    return {"type": name, "timestamp": MOMENT, "data": ids}
