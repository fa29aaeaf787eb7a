"""Find endpoints by what is known of them: a path, a word of the title, a field, an error's code; and other pages."""

from dataclasses import dataclass
from functools import cache

from django.urls import reverse
from django.utils.safestring import SafeString

from ispcore.developers.codes import HOUSE_CODES
from ispcore.developers.dialects import products
from ispcore.developers.happenings import events
from ispcore.developers.prose import inline
from ispcore.developers.reference import Endpoint, Reference, error_parts
from ispcore.developers.workflows import WORKFLOWS

MOST = 60
MOST_TOPICS = 8
LONGEST = 100
# Sections of the first page -> title, and words by which they are looked for.
SECTIONS = {
    "authentication": (
        "Authentication",
        "token bearer api key log-in login oidc openid connect auth curl environment",
    ),
    "headers": ("Headers", "x-request-id x-timezone etag if-match prefer ratelimit header"),
    "tenants": ("Tenants", "x-tenant-id tenant scope scoping provider workspace isolation"),
    "idempotency": ("Safe repeats", "x-idempotency-key idempotency retry retries replay"),
    "limits": ("Limits", "rate limit throttle 429 retry-after quota"),
    "lists": ("Lists", "pagination page page_size cursor ordering search filter wildcard total"),
    "tasks": ("Long work", "task job async prefer wait 202 background poll"),
    "envelope": ("Envelope", "success data meta error fields money time zone id number format"),
    "errors": ("Errors of every call", "error code status"),
    "webhooks": ("Webhooks", "webhook signature event standard webhooks secret"),
}


@dataclass(frozen=True)
class Topic:
    """A place that is no endpoint."""

    kind: str
    title: str
    text: SafeString
    url: str
    words: str


def search(reference: Reference, asked: str) -> list[Endpoint]:
    """Return the endpoints in which all words occur; where they stand in path or title comes first."""
    words = _words(asked)
    if not words:
        return []
    found = [one for one in reference.endpoints.values() if all(word in one.words for word in words)]
    return sorted(found, key=lambda one: _rank(one, words))[:MOST]


def topics(asked: str) -> list[Topic]:
    """Return workflows, events, error codes, products and sections in which all words occur."""
    words = _words(asked)
    if not words:
        return []
    found = [topic for topic in _topics() if all(word in topic.words for word in words)]
    return sorted(found, key=lambda topic: sum(word not in topic.title.lower() for word in words))[
        :MOST_TOPICS
    ]


def _words(asked: str) -> list[str]:
    return asked.lower()[:LONGEST].split()


def _rank(endpoint: Endpoint, words: list[str]) -> tuple[int, int]:
    head = f"{endpoint.verb} {endpoint.path} {endpoint.title}".lower()
    return sum(word not in head for word in words), len(endpoint.path)


@cache
def _topics() -> tuple[Topic, ...]:
    hub, errors = reverse("developers:hub"), reverse("developers:errors")
    happenings = reverse("developers:events")
    made = [
        _topic("Basics", title, "", f"{hub}#{slug}", more=words) for slug, (title, words) in SECTIONS.items()
    ]
    made += [
        _topic("Workflow", flow.title, flow.purpose, reverse("developers:workflow", args=[flow.slug]),
               more=" ".join(step.why for step in flow.steps))
        for flow in WORKFLOWS
    ]  # fmt: skip
    made += [
        _topic("Event", event.name, event.text, f"{happenings}#{event.name}", more=" ".join(event.ids))
        for _, _, group in events()
        for event in group
    ]
    made += [
        _topic("Error code", code, text, f"{errors}#{code}")
        for codes in HOUSE_CODES.values()
        for code, text in codes
    ]
    made += [
        _topic("Error code", code.code, " ".join(code.texts), f"{errors}#{code.code}")
        for part in error_parts()
        for code in part.codes
    ]
    made += [
        _topic("Other product's client", product.title, f"Its paths below `{product.base}`",
               f"{reverse('developers:compat')}#{product.slug}", more=" ".join(o.path for o in product.operations))
        for product in products()
    ]  # fmt: skip
    return tuple(made)


def _topic(kind: str, title: str, text: str, url: str, more: str = "") -> Topic:
    shown = text if isinstance(text, SafeString) else inline(text)
    return Topic(kind, title, shown, url, f"{kind} {title} {text} {more}".lower())
