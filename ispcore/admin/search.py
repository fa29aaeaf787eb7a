"""The command palette: find a page or a record of the bound tenant."""

import time
from typing import TYPE_CHECKING

from django.contrib.admin import ModelAdmin
from django.core.paginator import Paginator
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from unfold.dataclasses import SearchResult

from ispcore.admin import navigation

if TYPE_CHECKING:
    from ispcore.admin.site import StaffSite

PER_MODEL = 8
MIN_TERM = 2


def search_view(site: "StaffSite", request: HttpRequest) -> HttpResponse:
    """Answer the palette with pages and records that match `s`.

    The theme's own view loads every match and caches the answer by user alone, so that a person who
    switches tenants would be shown the other tenant's records: this one does neither.
    """
    started = time.monotonic()
    term = request.GET.get("s", "").strip()
    if not term or not getattr(request, "tenant", None):
        return HttpResponse()
    results = [*_pages(request, term), *(_records(site, request, term) if len(term) >= MIN_TERM else [])]
    page = Paginator(results, max(1, len(results)))
    extended = "extended" in request.GET
    return TemplateResponse(
        request,
        "unfold/helpers/command_results.html" if extended else "unfold/helpers/search_results.html",
        {
            "page_obj": page,
            "results": page.page(1),
            "page_counter": 0,
            "execution_time": time.monotonic() - started,
            "command_show_history": False,
        },
        headers={"HX-Trigger": "search"},
    )


def _pages(request: HttpRequest, term: str) -> list[SearchResult]:
    return [
        SearchResult(
            title=item.title, description=item.group or "Page", link=reverse(item.url_name), icon=item.icon
        )
        for item in navigation.pages(request)
        if term.lower() in item.title.lower()
    ]


def _records(site: "StaffSite", request: HttpRequest, term: str) -> list[SearchResult]:
    found = []
    for model, admin in site._registry.items():
        if admin.get_search_fields(request) and admin.has_view_permission(request):
            found += _records_of(model, admin, request, term)
    return found


def _records_of(model: type[Model], admin: ModelAdmin, request: HttpRequest, term: str) -> list[SearchResult]:
    # What a list looks for in every row, the palette does not: it asks all lists at once, at each pause in typing.
    search = getattr(admin, "get_palette_results", admin.get_search_results)
    rows, _ = search(request, admin.get_queryset(request), term)
    options = model._meta
    return [
        SearchResult(
            title=str(row),
            description=str(options.verbose_name),
            link=reverse(f"admin:{options.app_label}_{options.model_name}_change", args=[row.pk]),
            icon="data_object",
        )
        for row in rows[:PER_MODEL]
    ]
