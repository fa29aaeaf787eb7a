"""Pages by number for people, by cursor for deep walks whose cost must not grow with depth."""

from collections.abc import Hashable
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from rest_framework.exceptions import NotFound
from rest_framework.pagination import CursorPagination, PageNumberPagination
from rest_framework.request import Request
from rest_framework.response import Response

from ispcore.api.errors import ApiError
from ispcore.api.request import caller_of
from ispcore.totals import total_of

PARAMETERS = frozenset({"page", "page_size", "cursor", "total"})
DEFAULT_SIZE = 50
MAX_SIZE = 200
MAX_PAGE = 1_000_000
UNCOUNTED = frozenset({"page", "page_size", "ordering"})


class _Cursor(CursorPagination):
    """Newest first, and in no other order: only the key is unique, never null and indexed everywhere."""

    request: Request

    page_size = DEFAULT_SIZE
    page_size_query_param = "page_size"
    max_page_size = MAX_SIZE
    ordering = ("-id",)

    def get_ordering(self, request: Request, queryset: QuerySet[Any], view: Any) -> tuple[str, ...]:
        return self.ordering

    def decode_cursor(self, request: Request) -> Any:
        """Refuse what we did not hand out: the framework would pass it on to the database."""
        try:
            cursor = super().decode_cursor(request)
            if cursor and cursor.position is not None:
                UUID(str(cursor.position))
        except (NotFound, ValueError) as error:
            message = "`cursor` is none that this list gave you. Begin with an empty one."
            raise ApiError(400, "malformed_request", message, field="cursor") from error
        return cursor

    def _get_position_from_instance(self, instance: Any, ordering: Any) -> str:
        """Read the key of a record, or of a row whose first column it is."""
        return str(instance[0] if isinstance(instance, tuple) else instance.pk)

    def get_paginated_response(self, data: Any) -> Response:
        response = Response(data)
        response.pagination = {  # type: ignore[attr-defined]
            "page_size": self.get_page_size(self.request),
            "count": len(data),
            "next": self.get_next_link(),
            "previous": self.get_previous_link(),
        }
        return response


class HousePagination(PageNumberPagination):
    """`page` and `page_size`, or `cursor` (empty to begin).

    `total` is exact up to 10,000 and the planner's estimate after that; `total=exact` counts.
    """

    page_size = DEFAULT_SIZE
    page_size_query_param = "page_size"
    max_page_size = MAX_SIZE

    request: Request

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        self.request = request
        self._require_numbers(request)
        self.cursor = _Cursor() if "cursor" in request.query_params else None
        if self.cursor:
            return list(self.cursor.paginate_queryset(queryset, request, view) or [])

        self.number = int(request.query_params.get("page", 1))
        self.size = int(request.query_params.get("page_size", DEFAULT_SIZE))
        start = (self.number - 1) * self.size
        rows = list(queryset[start : start + self.size + 1])
        if not rows and self.number > 1:
            raise NotFound(f"There is no page {self.number}.")
        # Seen, not computed: an estimated total may be too low, and a walk must not end early.
        self.has_next = len(rows) > self.size
        self.count = min(len(rows), self.size)
        if self.has_next:
            self.total, self.is_estimate = self._total(queryset)
        else:
            self.total, self.is_estimate = start + self.count, False
        return rows[: self.size]

    def _total(self, queryset: QuerySet[Any]) -> tuple[int, bool]:
        if self.request.query_params.get("total") == "exact":
            return queryset.order_by().values("pk").count(), False
        return total_of(queryset, name=self._list_asked_for())

    def _list_asked_for(self) -> Hashable:
        """Name what is counted: the caller's list and its filters, whichever page of it."""
        caller = caller_of(self.request._request)
        narrowed = {k: v for k, v in self.request.query_params.items() if k not in UNCOUNTED}
        who = caller.principal.key if caller.principal else ""
        return (caller.tenant_id, who, self.request.path, *sorted(narrowed.items()))

    def get_paginated_response(self, data: Any) -> Response:
        if self.cursor:
            return self.cursor.get_paginated_response(data)
        pages = max(-(-self.total // self.size), self.number + self.has_next)
        response = Response(data)
        response.pagination = {  # type: ignore[attr-defined]
            "page": self.number,
            "page_size": self.size,
            "count": self.count,
            "total": self.total,
            "total_is_estimate": self.is_estimate,
            "pages": pages,
            "next": self._link(self.number + 1) if self.has_next else None,
            "previous": self._link(self.number - 1) if self.number > 1 else None,
        }
        return response

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        return [
            _parameter("page", "From 1.", type="integer", minimum=1, maximum=MAX_PAGE),
            _parameter(
                "page_size",
                "Records per page.",
                type="integer",
                minimum=1,
                maximum=MAX_SIZE,
                default=DEFAULT_SIZE,
            ),
            _parameter("cursor", "Instead of `page`: empty to begin, then as in `next`.", type="string"),
            _parameter("total", "Count exactly above 10,000 too.", type="string", enum=["exact"]),
        ]

    def _link(self, number: int) -> str:
        query = self.request.query_params.copy()
        query["page"] = str(number)
        return f"{self.request.build_absolute_uri(self.request.path)}?{query.urlencode()}"

    @staticmethod
    def _require_numbers(request: Request) -> None:
        """Refuse what the framework would silently replace by a default."""
        for name, most in (("page", MAX_PAGE), ("page_size", MAX_SIZE)):
            value = request.query_params.get(name)
            if value is not None and not (value.isascii() and value.isdigit() and 1 <= int(value) <= most):
                message = f"`{name}` must be a whole number from 1 to {most}."
                raise ApiError(400, "malformed_request", message, field=name)
        if request.query_params.get("total", "exact") != "exact":
            raise ApiError(400, "malformed_request", "`total` can only be 'exact'.", field="total")
        for name in ("page", "total", "ordering"):
            if "cursor" in request.query_params and name in request.query_params:
                message = f"`cursor` walks newest first from where it is, so `{name}` cannot go with it."
                raise ApiError(400, "malformed_request", message, field=name)


def _parameter(name: str, description: str, **schema: Any) -> dict[str, Any]:
    return {"name": name, "in": "query", "description": description, "schema": schema}
