"""Lists of what the packet path writes, newest first: walked by cursor, whose cost does not grow with depth."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from django.db.models import QuerySet
from rest_framework.request import Request
from rest_framework.response import Response

from aaa import selectors
from ispcore.api.errors import ApiError
from ispcore.api.paging import DEFAULT_SIZE, MAX_SIZE

PARAMETERS = frozenset({"cursor", "page_size"})


def walk(request: Request, sources: Sequence[QuerySet[Any]], *, moment: str) -> tuple[list[Any], Response]:
    """Return the rows of one page, merged from `sources` by the column `moment` and id, newest first.

    Also an empty answer that carries the page; put the rows into it. Raises ApiError for a cursor or size that is
    none.
    """
    size, before = _size(request), _position(request)
    rows, cursor = selectors.newest(sources, moment=moment, before=before, size=size)
    response = Response()
    response.pagination = {  # type: ignore[attr-defined]
        "page_size": size,
        "count": len(rows),
        "next": _link(request, cursor) if cursor else None,
        "previous": None,
    }
    return rows, response


def _link(request: Request, cursor: str) -> str:
    query = {**request.query_params.dict(), "cursor": cursor}
    return f"{request.build_absolute_uri(request.path)}?{urlencode(query)}"


def _position(request: Request) -> selectors.Position | None:
    cursor = request.query_params.get("cursor", "")
    if not cursor:
        return None
    try:
        return selectors.position_of(cursor)
    except ValueError as error:
        message = "`cursor` is none that this list gave you. Begin with an empty one."
        raise ApiError(400, "malformed_request", message, field="cursor") from error


def _size(request: Request) -> int:
    value = request.query_params.get("page_size", str(DEFAULT_SIZE))
    if not (value.isascii() and value.isdigit() and len(value) < 6 and 1 <= int(value) <= MAX_SIZE):
        message = f"`page_size` must be a whole number from 1 to {MAX_SIZE}."
        raise ApiError(400, "malformed_request", message, field="page_size")
    return int(value)
