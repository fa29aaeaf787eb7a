"""Every route under /api/v1, read from the URL configuration, so that a test cannot forget a new one."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver

VERBS = ("get", "post", "put", "patch", "delete")


@dataclass(frozen=True)
class Route:
    """One path below `/api/v1/`, with `{pk}` where an id stands, and the verbs it answers."""

    path: str
    verbs: tuple[str, ...]
    view: Any

    def at(self, pk: object) -> str:
        return self.path.replace("{pk}", str(pk))


def api_routes() -> list[Route]:
    """Return all routes in the order of the URL configuration.

    Raises ValueError for a pattern this cannot read: then it must learn to.
    """
    return [_route(path, callback) for path, callback in _walk(get_resolver().url_patterns, "")]


def operations() -> list[tuple[str, str]]:
    """Return every (verb, path)."""
    return [(verb, route.path) for route in api_routes() for verb in route.verbs]


def _walk(patterns: Iterable[URLPattern | URLResolver], prefix: str) -> Iterator[tuple[str, Any]]:
    for pattern in patterns:
        path = prefix + str(pattern.pattern).removeprefix("^")
        if isinstance(pattern, URLResolver):
            yield from _walk(pattern.url_patterns, path)
        elif path.startswith("api/v1/"):
            yield path.removeprefix("api/v1/"), pattern.callback


def _route(pattern: str, callback: Any) -> Route:
    path = re.sub(r"\(\?P<pk>\[\^/\]\+\)", "{pk}", pattern)
    if not path.endswith(("/?$", r"/?\Z")):
        raise ValueError(f"{pattern} does not answer both with and without a slash")
    path = path.removesuffix("/?$").removesuffix(r"/?\Z")
    if not re.fullmatch(r"[a-z0-9/{}-]+", path):
        raise ValueError(f"cannot read the route {pattern}")
    known = callback.actions if hasattr(callback, "actions") else dir(callback.cls)
    return Route(path, tuple(verb for verb in VERBS if verb in known), callback.cls)
