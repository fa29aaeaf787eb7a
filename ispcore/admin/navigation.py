"""The sidebar: groups by domain in a fixed order; each app adds its own items when its admin loads."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.urls import reverse

GROUPS = ("", "Customers", "Billing", "Network", "Addresses", "Access", "Support", "Platform")

Allowed = str | Callable[[HttpRequest], bool]


@dataclass(frozen=True)
class Item:
    """One link; `order` places it inside its group, `allowed` is a permission or a test of the request."""

    group: str
    order: int
    title: str
    url_name: str
    icon: str
    allowed: Allowed


_items: dict[str, Item] = {}


def add(group: str, order: int, title: str, *, url_name: str, icon: str, allowed: Allowed) -> None:
    """Add a link to the sidebar; saying it twice changes nothing."""
    if group not in GROUPS:
        raise ValueError(f"'{group}' is no group of the sidebar: {', '.join(GROUPS)}")
    _items[url_name] = Item(group, order, title, url_name, icon, allowed)


def may_see(request: HttpRequest, allowed: Allowed) -> bool:
    return allowed(request) if callable(allowed) else request.user.has_perm(allowed)


def sidebar(request: HttpRequest) -> list[dict[str, Any]]:
    """Return the groups and items this person may see, in the shape the theme draws."""
    if not getattr(request, "tenant", None):
        return [
            {
                "title": "",
                "items": [
                    {
                        "title": "Choose a provider",
                        "icon": "apartment",
                        "link": reverse("admin:switch_tenant"),
                        "active": True,
                    }
                ],
            }
        ]
    groups = []
    seen = [item for item in _items.values() if may_see(request, item.allowed)]
    current = _current(request, [reverse(item.url_name) for item in seen])
    for group in GROUPS:
        mine = sorted((item for item in seen if item.group == group), key=lambda item: item.order)
        links = [_link(item, current) for item in mine]
        if links:
            groups.append({"title": group, "separator": bool(group), "collapsible": False, "items": links})
    return groups


def _current(request: HttpRequest, urls: list[str]) -> str:
    """Return the address this page belongs to: the longest that its own begins with."""
    index = reverse("admin:index")
    around = [url for url in urls if request.path == url or (url != index and request.path.startswith(url))]
    return max(around, key=len, default="")


def _link(item: Item, current: str) -> dict[str, Any]:
    url = reverse(item.url_name)
    return {
        "title": item.title,
        "icon": item.icon,
        "link": url,
        "active": url == current,
        # Not used; a key the theme's templates look for in vain costs more than one that is empty.
        "badge": "",
        "link_callback": "",
    }


add("", 0, "Dashboard", url_name="admin:index", icon="dashboard", allowed=lambda request: True)
