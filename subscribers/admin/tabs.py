"""What other apps add to a customer's page and a service's: tabs, panels, facts, lights and further pages."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import reverse

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


@dataclass(frozen=True)
class Lights:
    """`read` returns, for each service it knows something of, a pill that says how it is now."""

    order: int
    allowed: Allowed
    read: Callable[[Sequence[Subscription]], dict[UUID, str]]


@dataclass(frozen=True)
class Page:
    """`view` answers with a page of its own about one service; the customer's and the service's page lead to it."""

    order: int
    key: str
    title: str
    icon: str
    allowed: Allowed
    view: Callable[[Any, HttpRequest, Subscription], HttpResponse]


_tabs: dict[str, Tab] = {}
_pages: dict[str, Page] = {}
_facts: dict[str, Facts] = {}
_panels: dict[str, Panel] = {}
_lights: dict[str, Lights] = {}


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


def add_lights(
    order: int, key: str, *, allowed: Allowed, read: Callable[[Sequence[Subscription]], dict[UUID, str]]
) -> None:
    """Add a light to each service on the customer's page; saying it twice changes nothing."""
    _lights[key] = Lights(order, allowed, read)


def lights(request: HttpRequest, lines: Sequence[Subscription]) -> dict[UUID, list[str]]:
    """Return the lights of services, as far as this person may see them; as many queries for one as for six."""
    found: dict[UUID, list[str]] = {line.pk: [] for line in lines}
    for each in sorted(_lights.values(), key=lambda each: each.order):
        if lines and may_see(request, each.allowed):
            for line_id, drawn in each.read(lines).items():
                found[line_id].append(drawn)
    return found


def add_page(
    order: int,
    key: str,
    title: str,
    *,
    icon: str,
    allowed: Allowed,
    view: Callable[[Any, HttpRequest, Subscription], HttpResponse],
) -> None:
    """Add a page about one service; saying it twice changes nothing."""
    _pages[key] = Page(order, key, title, icon, allowed, view)


def page_of(request: HttpRequest, key: str) -> Page:
    """Return the page of that key. Raises Http404 where there is none, or not for this person."""
    page = _pages.get(key)
    if page is None or not may_see(request, page.allowed):
        raise Http404
    return page


def page_url(line: Subscription, key: str) -> str:
    return reverse("admin:subscribers_subscription_page", args=[line.pk, key])


def pages_of(request: HttpRequest, line: Subscription) -> list[dict[str, str]]:
    """Return title, icon and address of the pages about a service that this person may see."""
    seen = [page for page in _pages.values() if may_see(request, page.allowed)]
    return [
        {"title": page.title, "icon": page.icon, "url": page_url(line, page.key)}
        for page in sorted(seen, key=lambda page: page.order)
    ]
