"""The tabs of a customer's page and the panels of a service's: each app adds its own when its admin loads."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.template.loader import render_to_string

from ispcore.admin.navigation import Allowed, may_see
from subscribers.models import Subscriber, Subscription


@dataclass(frozen=True)
class Tab:
    """`read` returns what `template` shows; it is called for the open tab only."""

    order: int
    key: str
    title: str
    template: str
    allowed: Allowed
    read: Callable[[HttpRequest, Subscriber], dict[str, Any]]


@dataclass(frozen=True)
class Panel:
    """`read` returns what `template` shows of one service."""

    order: int
    template: str
    allowed: Allowed
    read: Callable[[HttpRequest, Subscription], dict[str, Any]]


@dataclass(frozen=True)
class Facts:
    """`read` returns labels and values for the head of a customer's page."""

    order: int
    allowed: Allowed
    read: Callable[[HttpRequest, Subscriber], list[tuple[str, Any]]]


_tabs: dict[str, Tab] = {}
_facts: dict[str, Facts] = {}
_panels: dict[str, Panel] = {}


def add(
    order: int,
    key: str,
    title: str,
    *,
    template: str,
    allowed: Allowed,
    read: Callable[[HttpRequest, Subscriber], dict[str, Any]],
) -> None:
    """Add a tab to the customer's page; saying it twice changes nothing."""
    _tabs[key] = Tab(order, key, title, template, allowed, read)


def context(request: HttpRequest, subscriber: Subscriber) -> dict[str, Any]:
    """Return the tabs this person may see and what the open one shows; `?tab=` names it."""
    seen = [tab for tab in sorted(_tabs.values(), key=lambda tab: tab.order) if may_see(request, tab.allowed)]
    wanted = request.GET.get("tab", "")
    current = next((tab for tab in seen if tab.key == wanted), seen[0] if seen else None)
    return {
        "tabs": [(tab, tab is current) for tab in seen],
        "tab": current,
        **(current.read(request, subscriber) if current else {}),
    }


def add_panel(
    order: int,
    key: str,
    *,
    template: str,
    allowed: Allowed,
    read: Callable[[HttpRequest, Subscription], dict[str, Any]],
) -> None:
    """Add a panel to a service's page; saying it twice changes nothing."""
    _panels[key] = Panel(order, template, allowed, read)


def panels(request: HttpRequest, line: Subscription) -> list[str]:
    """Return the panels of a service that this person may see, drawn."""
    seen = [panel for panel in _panels.values() if may_see(request, panel.allowed)]
    return [
        render_to_string(panel.template, panel.read(request, line), request)
        for panel in sorted(seen, key=lambda panel: panel.order)
    ]


def add_facts(
    order: int,
    key: str,
    *,
    allowed: Allowed,
    read: Callable[[HttpRequest, Subscriber], list[tuple[str, Any]]],
) -> None:
    """Add facts to the head of the customer's page; saying it twice changes nothing."""
    _facts[key] = Facts(order, allowed, read)


def facts(request: HttpRequest, subscriber: Subscriber) -> list[tuple[str, Any]]:
    """Return what other apps say of a customer in the head of their page, as far as this person may see it."""
    seen = [each for each in _facts.values() if may_see(request, each.allowed)]
    return [
        fact for each in sorted(seen, key=lambda each: each.order) for fact in each.read(request, subscriber)
    ]
