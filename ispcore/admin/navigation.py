"""The sidebar: groups by domain in a fixed order; each app adds its own items when its admin loads."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db.models import Model
from django.http import HttpRequest
from django.urls import reverse

GROUPS = ("", "Customers", "Billing", "Network", "Addresses", "Access", "Support", "Platform")

Allowed = str | Callable[[HttpRequest], bool]


@dataclass(frozen=True)
class Item:
    """One link; `order` places it inside its group, `allowed` is a permission or a test of the request.

    An item `under` another's address is a tab of that page, and in the sidebar only for who may not see that page.
    """

    group: str
    order: int
    title: str
    url_name: str
    icon: str
    allowed: Allowed
    under: str = ""


_items: dict[str, Item] = {}


def add(
    group: str, order: int, title: str, *, url_name: str, icon: str, allowed: Allowed, under: str = ""
) -> None:
    """Add a link to the sidebar, or a tab `under` another; saying it twice changes nothing."""
    if group not in GROUPS:
        raise ValueError(f"'{group}' is no group of the sidebar: {', '.join(GROUPS)}")
    _items[url_name] = Item(group, order, title, url_name, icon, allowed, under)


def add_list(group: str, order: int, title: str, model: type[Model], *, icon: str, under: str = "") -> None:
    """Add the list of a model's records, for whoever may view them."""
    app, name = model._meta.app_label, model._meta.model_name
    add(
        group,
        order,
        title,
        url_name=f"admin:{app}_{name}_changelist",
        icon=icon,
        allowed=f"{app}.view_{name}",
        under=under,
    )


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
    seen = _seen(request)
    current = _current(request, seen)
    for group in GROUPS:
        mine = [item for item in seen if item.group == group and _home(item, seen) == item.url_name]
        links = [_link(item, current) for item in mine]
        if links:
            groups.append({"title": group, "separator": bool(group), "collapsible": False, "items": links})
    return groups


def pages(request: HttpRequest) -> list[Item]:
    """Return every link and tab this person may see."""
    return _seen(request) if getattr(request, "tenant", None) else []


def tabs(request: HttpRequest) -> list[dict[str, Any]]:
    """Return which lists stand beside which, in the shape the theme draws."""
    seen = pages(request)
    drawn = []
    for home in {item.under: None for item in seen if item.under}:
        beside = [item for item in seen if home in (item.url_name, item.under)]
        links = [
            {"title": title, "link": url, "active": is_here}
            for title, url, is_here in _beside(request, beside)
        ]
        drawn.append({"models": [_model(item) for item in beside], "items": links})
    return drawn


def tabs_of(request: HttpRequest, home: str) -> list[tuple[str, str, bool]]:
    """Return title, address and whether it is this page, of `home` and of what stands under it."""
    return _beside(request, [item for item in pages(request) if home in (item.url_name, item.under)])


def _beside(request: HttpRequest, items: list[Item]) -> list[tuple[str, str, bool]]:
    return [(item.title, url, request.path == url) for item in items for url in (reverse(item.url_name),)]


def _model(item: Item) -> str:
    """Return the label of the model whose list an item opens."""
    return item.url_name.removeprefix("admin:").removesuffix("_changelist").replace("_", ".", 1)


def _seen(request: HttpRequest) -> list[Item]:
    allowed = [item for item in _items.values() if may_see(request, item.allowed)]
    return sorted(allowed, key=lambda item: item.order)


def _home(item: Item, seen: list[Item]) -> str:
    """Return the item of the sidebar that a page belongs to."""
    return item.under if any(each.url_name == item.under for each in seen) else item.url_name


def _current(request: HttpRequest, seen: list[Item]) -> str:
    """Return whose link is marked: the longest address that this page's own begins with, or what it is a tab of."""
    index = reverse("admin:index")
    around = [
        (url, _home(item, seen))
        for item in seen
        for url in (reverse(item.url_name),)
        if request.path == url or (url != index and request.path.startswith(url))
    ]
    return max(around, key=lambda each: len(each[0]), default=("", ""))[1]


def _link(item: Item, current: str) -> dict[str, Any]:
    url = reverse(item.url_name)
    return {
        "title": item.title,
        "icon": item.icon,
        "link": url,
        "active": item.url_name == current,
        # Not used; a key the theme's templates look for in vain costs more than one that is empty.
        "badge": "",
        "link_callback": "",
    }


add("", 0, "Dashboard", url_name="admin:index", icon="dashboard", allowed=lambda request: True)
