"""What the dashboard shows: apps register functions that return tiles, charts and things to look at."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.http import HttpRequest

from ispcore.admin.formats import moment
from ispcore.admin.navigation import Allowed, may_see

# What a colour means is always said in words beside it.
TONES = ("", "good", "warning", "danger", "info")


@dataclass(frozen=True)
class Tile:
    """One number that links to the list it counts."""

    label: str
    value: int | str
    url: str
    hint: str = ""
    tone: str = ""


@dataclass(frozen=True)
class Part:
    """A coloured piece of a bar; `percent` is of the bar's full width."""

    label: str
    value: int
    percent: float
    tone: str


@dataclass(frozen=True)
class Bar:
    label: str
    value: str
    parts: list[Part]
    hint: str = ""
    url: str = ""


@dataclass(frozen=True)
class Chart:
    """Horizontal bars with their values written out."""

    title: str
    bars: list[Bar]
    empty: str
    hint: str = ""
    legend: list[Part] = field(default_factory=list)


@dataclass(frozen=True)
class Concern:
    """Something a person should look at: what, why, since when, and where."""

    title: str
    detail: str
    url: str
    at: datetime | None = None
    at_label: str = ""
    word: str = "failed"
    tone: str = "danger"

    @property
    def when(self) -> str:
        return moment(self.at)


@dataclass(frozen=True)
class FirstStep:
    """What to do where there is nothing yet."""

    title: str
    text: str
    button: str
    url: str


@dataclass(frozen=True)
class _Source:
    order: int
    allowed: Allowed
    read: Callable[[HttpRequest], list[Any]]


_sources: dict[str, list[_Source]] = {"tiles": [], "charts": [], "concerns": [], "first_steps": []}


def add_tiles(order: int, *, allowed: Allowed, read: Callable[[HttpRequest], list[Tile]]) -> None:
    _add("tiles", order, allowed, read)


def add_charts(order: int, *, allowed: Allowed, read: Callable[[HttpRequest], list[Chart]]) -> None:
    _add("charts", order, allowed, read)


def add_concerns(order: int, *, allowed: Allowed, read: Callable[[HttpRequest], list[Concern]]) -> None:
    _add("concerns", order, allowed, read)


def add_first_steps(order: int, *, allowed: Allowed, read: Callable[[HttpRequest], list[FirstStep]]) -> None:
    _add("first_steps", order, allowed, read)


def context(request: HttpRequest) -> dict[str, list[Any]]:
    """Read everything this person may see, each kind in its order."""
    if not getattr(request, "tenant", None):
        return {kind: [] for kind in _sources}
    return {
        kind: [
            found
            for source in sorted(sources, key=lambda source: source.order)
            if may_see(request, source.allowed)
            for found in source.read(request)
        ]
        for kind, sources in _sources.items()
    }


def _add(kind: str, order: int, allowed: Allowed, read: Callable[[HttpRequest], list[Any]]) -> None:
    _sources[kind].append(_Source(order, allowed, read))


def share(part: int, whole: int) -> float:
    """Percent for a bar's width, at least a visible sliver for what is not zero."""
    if not part or not whole:
        return 0.0
    return max(1.0, round(100 * part / whole, 1))
