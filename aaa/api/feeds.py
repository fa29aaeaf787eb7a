"""Lists of what the packet path writes, newest first: walked by cursor, whose cost does not grow with depth."""

import base64
import binascii
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.db.models import Q, QuerySet
from rest_framework.request import Request
from rest_framework.response import Response

from ispcore.api.errors import ApiError
from ispcore.api.paging import DEFAULT_SIZE, MAX_SIZE

PARAMETERS = frozenset({"cursor", "page_size"})
Position = tuple[datetime, UUID]


def walk(request: Request, sources: Sequence[QuerySet[Any]], *, moment: str) -> tuple[list[Any], Response]:
    """Return the rows of one page, merged from `sources` by the column `moment` and id, newest first.

    Also an empty answer that carries the page; put the rows into it. Each source is read by a range of its index, so
    that no page costs more than the first. Raises ApiError for a cursor or size that is none.
    """
    size = _size(request)
    position = _position(request)
    rows: list[Any] = []
    for source in sources:
        if position:
            at, key = position
            source = source.filter(
                Q(**{f"{moment}__lt": at}) | Q(**{moment: at, "id__lt": key}), **{f"{moment}__lte": at}
            )
        rows += source.order_by(f"-{moment}", "-id")[: size + 1]
    rows.sort(key=lambda row: (getattr(row, moment), row.id), reverse=True)
    more, rows = len(rows) > size, rows[:size]
    response = Response()
    response.pagination = {  # type: ignore[attr-defined]
        "page_size": size,
        "count": len(rows),
        "next": _link(request, getattr(rows[-1], moment), rows[-1].id) if more else None,
        "previous": None,
    }
    return rows, response


def _link(request: Request, at: datetime, key: UUID) -> str:
    cursor = base64.urlsafe_b64encode(f"{at.isoformat()}|{key.hex}".encode()).decode()
    query = {**request.query_params.dict(), "cursor": cursor}
    return f"{request.build_absolute_uri(request.path)}?{urlencode(query)}"


def _position(request: Request) -> Position | None:
    text = request.query_params.get("cursor", "")
    if not text:
        return None
    try:
        at, _, key = base64.b64decode(text, altchars=b"-_", validate=True).decode().partition("|")
        moment = datetime.fromisoformat(at)
        if moment.tzinfo is None:
            raise ValueError(at)
        return moment, UUID(key)
    except (ValueError, OverflowError, binascii.Error) as error:
        message = "`cursor` is none that this list gave you. Begin with an empty one."
        raise ApiError(400, "malformed_request", message, field="cursor") from error


def _size(request: Request) -> int:
    value = request.query_params.get("page_size", str(DEFAULT_SIZE))
    if not (value.isascii() and value.isdigit() and len(value) < 6 and 1 <= int(value) <= MAX_SIZE):
        message = f"`page_size` must be a whole number from 1 to {MAX_SIZE}."
        raise ApiError(400, "malformed_request", message, field="page_size")
    return int(value)
