"""Lists of what the packet path writes, newest first: each page is a range of an index, however deep it lies."""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet
from django.http import HttpRequest

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
    position = _position(request.GET.get(BEFORE, ""))
    rows: list[Any] = []
    for source in sources:
        if position:
            at, key = position
            source = source.filter(
                Q(**{f"{moment}__lt": at}) | Q(**{moment: at, "id__lt": key}), **{f"{moment}__lte": at}
            )
        rows += source.order_by(f"-{moment}", "-id")[: PER_PAGE + 1]
    rows.sort(key=lambda row: (getattr(row, moment), row.id), reverse=True)
    more, rows = len(rows) > PER_PAGE, rows[:PER_PAGE]
    query = request.GET.copy()
    query.pop(BEFORE, None)
    first = f"?{query.urlencode()}" if position else ""
    if not more:
        return Page(rows, "", first)
    query[BEFORE] = _cursor(getattr(rows[-1], moment), rows[-1].id)
    return Page(rows, f"?{query.urlencode()}", first)


def _cursor(at: datetime, key: UUID) -> str:
    return base64.urlsafe_b64encode(f"{at.isoformat()}|{key.hex}".encode()).decode()


def _position(text: str) -> tuple[datetime, UUID] | None:
    try:
        at, _, key = base64.b64decode(text, altchars=b"-_", validate=True).decode().partition("|")
        moment = datetime.fromisoformat(at)
        return (moment, UUID(key)) if moment.tzinfo else None
    except (ValueError, OverflowError, binascii.Error):
        return None
