"""Lists of what the packet path writes, newest first: each page is a range of an index, however deep it lies."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest

from aaa import selectors

PER_PAGE = 50
BEFORE = "before"


@dataclass(frozen=True)
class Page:
    """`older` is the query of the next page, `newest` that of the first; empty where there is none."""

    rows: list[Any]
    older: str = ""
    newest: str = ""


def newest(request: HttpRequest, sources: Sequence[QuerySet[Any]], *, moment: str) -> Page:
    """Return one page, merged from `sources` by the column `moment` and id; a cursor that is none begins anew."""
    try:
        before = selectors.position_of(request.GET.get(BEFORE, ""))
    except ValueError:
        before = None
    rows, cursor = selectors.newest(sources, moment=moment, before=before, size=PER_PAGE)
    query = request.GET.copy()
    query.pop(BEFORE, None)
    first = f"?{query.urlencode()}" if before else ""
    if not cursor:
        return Page(rows, "", first)
    query[BEFORE] = cursor
    return Page(rows, f"?{query.urlencode()}", first)
