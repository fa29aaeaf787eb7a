"""The base of every view under /api/v1: one place for who may, how often, and in which shape."""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any, ClassVar
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.db.models import Model, Prefetch, QuerySet
from django.utils.http import parse_etags
from django_filters.rest_framework import DjangoFilterBackend
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import APIException, NotFound
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.serializers import BaseSerializer
from rest_framework.views import APIView
from rest_framework.viewsets import GenericViewSet

from ispcore.api import paging
from ispcore.api.envelope import UTC, EnvelopeRenderer, dump
from ispcore.api.errors import ApiError
from ispcore.api.filters import HouseOrdering, HouseSearch
from ispcore.api.parsers import StrictJSONParser, UploadParser
from ispcore.api.request import caller_of
from ispcore.api.rows import RowReader, Version, reader_of, row_of
from ispcore.api.throttles import HouseThrottle, write_headers
from ispcore.tenants.context import current_tenant_id
from ispcore.tenants.roles import allows

METHOD_VERBS = {"GET": "view", "HEAD": "view", "OPTIONS": "view", "POST": "add", "PUT": "change",
                "PATCH": "change", "DELETE": "delete"}  # fmt: skip

NOT_FOUND = "There is no such record."
MAY_BE_EMPTY = frozenset({"cursor"})  # Empty begins a walk.


class CallerAuthentication(BaseAuthentication):
    """Hand the view what the middleware found out, or raise its refusal."""

    def authenticate(self, request: Request) -> tuple[Any, Any] | None:
        caller = caller_of(request._request)
        if caller.refusal:
            raise caller.refusal
        return (caller.principal.user, caller.principal) if caller.principal else None

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class RolePermission(BasePermission):
    """Ask the role table: `app_label` and the verb of the operation."""

    def has_permission(self, request: Request, view: Any) -> bool:
        caller = caller_of(request._request)
        return caller.tenant_id is not None and allows(caller.role, view.app_label, view.verb())


class ApiView(APIView):
    """A view of the house: enveloped, throttled, allowed by role; refuses unknown query parameters."""

    app_label: ClassVar[str]
    verbs: ClassVar[dict[str, str]] = {}
    query_parameters: ClassVar[frozenset[str]] = frozenset()
    more_errors: ClassVar[
        tuple[str, ...]
    ] = ()  # Statuses besides those that the kind of operation has anyway.

    renderer_classes = (EnvelopeRenderer,)
    parser_classes = (StrictJSONParser,)
    # OPTIONS is for CORS, which answers it before any view; what an operation takes stands in the schema.
    metadata_class: Any = None
    authentication_classes = (CallerAuthentication,)
    permission_classes: Sequence[Any] = (RolePermission,)
    throttle_classes = (HouseThrottle,)

    def verb(self) -> str:
        """Return the role table's verb for this operation."""
        action = getattr(self, "action", None) or (self.request.method or "").lower()
        return self.verbs.get(action) or METHOD_VERBS.get(self.request.method or "", "change")

    def perform_authentication(self, request: Request) -> None:
        """Count refused credentials by address as well: otherwise they alone would have no limit."""
        try:
            super().perform_authentication(request)
        except APIException:
            self.check_throttles(request)
            raise

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        request._request.zone = _zone(request)  # type: ignore[attr-defined]
        if request.method in self.allowed_methods:  # Another one is 405, whatever it asks.
            refuse_unknown_parameters(request, self.allowed_parameters())

    def allowed_parameters(self) -> frozenset[str]:
        return self.query_parameters

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        response = super().finalize_response(request, response, *args, **kwargs)
        write_headers(request, response)
        return response


class TenantViewSet(ApiView, GenericViewSet):  # type: ignore[type-arg]
    """Records of one tenant: list with filters and paging, detail with ETag.

    Subclasses set `model`, `serializer_class` and `filterset_class`; `related` names what the rows join. An
    action sets `self.record` to the one record its answer shows, and the answer carries that record's ETag.
    """

    model: ClassVar[type[Model]]
    related: ClassVar[Iterable[str]] = ()
    prefetched: ClassVar[Iterable[str | Prefetch]] = ()  # type: ignore[type-arg]
    number_field: ClassVar[str | None] = None
    pagination_class = paging.HousePagination
    filter_backends = (DjangoFilterBackend, HouseOrdering, HouseSearch)
    filterset_class: Any = None
    search_fields: Sequence[str] = ()
    ordering_fields: Any = ("created_at",)
    ordering: Any = ("-id",)
    lookup_value_regex = "[^/]+"
    record: Any = None

    @property
    def app_label(self) -> str:  # type: ignore[override]
        return self.model._meta.app_label

    def get_queryset(self) -> QuerySet[Any]:
        if getattr(self, "swagger_fake_view", False):
            return self.model._base_manager.none()
        queryset: QuerySet[Any] = self.model.objects.all()  # type: ignore[attr-defined]
        return queryset.select_related(*self.related).prefetch_related(*self.prefetched)

    def get_object(self) -> Any:
        """Find by id or human number; another tenant's is not found. Checks `If-Match` on writes."""
        rows = self.filter_queryset(self.get_queryset())
        if self.request.method in ("PUT", "PATCH", "DELETE"):
            rows = rows.select_for_update(of=("self",))
        found = find_by_reference(rows, str(self.kwargs["pk"]), number_field=self.number_field)
        self.check_object_permissions(self.request, found)
        if self.request.method in ("PUT", "PATCH", "DELETE"):
            self._check_version(found)
        return found

    @property
    def judges_each_record(self) -> bool:
        """Whether this view looks at a record before it shows it, so that its columns alone are not enough."""
        plain = BasePermission.has_object_permission
        return type(self).get_object is not TenantViewSet.get_object or any(
            permission.has_object_permission is not plain for permission in self.permission_classes
        )

    def read_object(self, reader: RowReader) -> tuple[Version, dict[str, Any]]:
        """Find like `get_object`, without making the record: its version, and what is shown of it."""
        found = self._read_row(reader)
        if found is None:
            raise NotFound(NOT_FOUND)
        return Version(found[0], found[-1]), reader.show(found)

    def _read_row(self, reader: RowReader) -> tuple[Any, ...] | None:
        criteria = criteria_of(str(self.kwargs["pk"]), number_field=self.number_field)
        if not criteria:
            return None
        ((lookup, value),) = criteria.items()
        serializer: Any = self.get_serializer_class()
        one = row_of(serializer, self.model, lookup)
        if one is not None and type(self).get_queryset is TenantViewSet.get_queryset:
            return one.first(tenant=current_tenant_id(), value=value)
        rows = reader.select(self.filter_queryset(self.get_queryset()), "updated_at")
        found: tuple[Any, ...] | None = rows.filter(**criteria).first()
        return found

    def filter_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset if "pk" in self.kwargs else super().filter_queryset(queryset)

    def allowed_parameters(self) -> frozenset[str]:
        if getattr(self, "action", None) != "list":
            return self.query_parameters
        names = set(self.filterset_class.base_filters) if self.filterset_class else set()
        return self.query_parameters | names | paging.PARAMETERS | {"ordering"} | (
            {"search"} if self.search_fields else set()
        )  # fmt: skip

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        response = super().finalize_response(request, response, *args, **kwargs)
        if self.record is not None and response.status_code < 300 and "ETag" not in response:
            response["ETag"] = etag(self.record, response.data)
        return response

    def _check_version(self, found: Any) -> None:
        if "If-Match" in self.request.headers:
            refuse_stale(self.request, etag(found, self.get_serializer(found).data))


class UploadMixin:
    """POST the collection as a form with a file; all else stays JSON. Stands before the view it is mixed into."""

    def get_parsers(self) -> list[Any]:
        # Parsers are asked for before the framework names the action.
        method = (self.request.method or "").lower() if self.request else ""  # type: ignore[attr-defined]
        action = getattr(self, "action", None) or getattr(self, "action_map", {}).get(method)
        return [UploadParser()] if action == "create" else super().get_parsers()  # type: ignore[misc]


class ListModelMixin:
    """GET the collection."""

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return page_of(self, self.filter_queryset(self.get_queryset()))  # type: ignore[attr-defined]


class RetrieveModelMixin:
    """GET one; 304 when the caller already has this version."""

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        reader = reader_of(self.get_serializer_class())  # type: ignore[attr-defined]
        if reader is None or self.judges_each_record:  # type: ignore[attr-defined]
            self.record = self.get_object()  # type: ignore[attr-defined]
            data = self.get_serializer(self.record).data  # type: ignore[attr-defined]
        else:
            self.record, data = self.read_object(reader)  # type: ignore[attr-defined]
        tag = etag(self.record, data)
        known = parse_etags(request.headers.get("If-None-Match", "").strip())
        if known == ["*"] or tag in map(_strong, known):
            return Response(status=304, headers={"ETag": tag})
        return Response(data, headers={"ETag": tag})


class OneRecordViewSet(RetrieveModelMixin, TenantViewSet):
    """A record is made, changed or removed by one service, and the answer shows it."""

    def show_created(self, record: Model) -> Response:
        """Answer 201 with the record as the list would show it."""
        self.record = self.get_queryset().get(pk=record.pk)
        data = self.get_serializer(self.record).data
        return created(self.request, view_name=f"{self.basename}-detail", pk=record.pk, data=data)

    def show_changed(self, record: Model) -> Response:
        """Answer with the record as it is now."""
        self.record = self.get_queryset().get(pk=record.pk)
        return Response(self.get_serializer(self.record).data)

    def input_of_new(self) -> dict[str, Any]:
        return valid(self.get_serializer(data=self.request.data))

    def input_of_change(self, record: Model) -> dict[str, Any]:
        return valid(self.get_serializer(record, data=self.request.data, partial=True))


class RecordViewSet(ListModelMixin, OneRecordViewSet):
    """Such records, with a list of them."""


def page_of(view: Any, rows: QuerySet[Any]) -> Response:
    """Answer with the page of `rows` that was asked for, as the view's serializer shows them."""
    reader = reader_of(view.get_serializer_class())
    if reader is None:
        data = view.get_serializer(view.paginate_queryset(rows), many=True).data
    else:
        data = reader.show_all(view.paginate_queryset(reader.select(rows)))
    answer: Response = view.get_paginated_response(data)
    answer.all_utc = reader is not None  # type: ignore[attr-defined]
    return answer


def created(request: Request, *, view_name: str, pk: Any, data: Any) -> Response:
    """Answer 201 with the record and its address."""
    location = reverse(view_name, kwargs={"pk": pk}, request=request)
    return Response(data, status=201, headers={"Location": location})


def valid(serializer: BaseSerializer[Any]) -> dict[str, Any]:
    """Return the checked input.

    Raises ValidationError with every wrong field: 400 when one is missing, else 422.
    """
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)


def etag(record: Any, data: Any) -> str:
    """Return the version tag of a record shown as `data`.

    Made of what the caller sees, so that no change of it can be missed, however it was written; and of
    `updated_at`, for what a caller may set and not see. An age, which changes by itself, is no change.
    """
    if isinstance(data, dict):
        data = {name: value for name, value in data.items() if name != "age_seconds"}
    shown = dump([str(record.pk), getattr(record, "updated_at", None), data], zone=UTC)
    return f'"{hashlib.blake2b(shown, digest_size=10).hexdigest()}"'


def refuse_stale(request: Request, tag: str) -> None:
    """Raise 412 when `If-Match` names no version that is `tag`, that of the locked record."""
    wanted = parse_etags(request.headers.get("If-Match", "*").strip())
    if wanted != ["*"] and tag not in map(_strong, wanted):
        message = "The record changed since you read it. Read it again and repeat your change."
        raise ApiError(412, "stale_version", message)


def find_by_reference(rows: QuerySet[Any], reference: str, *, number_field: str | None = None) -> Any:
    """Return the row whose UUID or human number is `reference`.

    Raises NotFound, also for another tenant's id.
    """
    criteria = criteria_of(reference, number_field=number_field)
    found = rows.filter(**criteria).first() if criteria else None
    if found is None:
        raise NotFound(NOT_FOUND)
    return found


def criteria_of(reference: str, *, number_field: str | None) -> dict[str, Any]:
    """Return the one column to look in, and for what; nothing when no record can be meant."""
    try:
        return {"pk": UUID(reference)}
    except ValueError:
        return {number_field: reference} if number_field and reference.isprintable() else {}


def refuse_unknown_parameters(request: Request, allowed: frozenset[str]) -> None:
    """Refuse a mistyped filter: ignoring it would answer with everything."""
    unknown = sorted(set(request.query_params) - allowed)
    if unknown:
        known = ", ".join(sorted(allowed)) or "none"
        message = f"Unknown query parameter `{unknown[0]}`. This operation knows: {known}."
        raise ApiError(400, "unknown_parameter", message, field=unknown[0])
    for name, values in request.query_params.lists():
        if len(values) > 1:
            raise ApiError(400, "malformed_request", f"`{name}` is given more than once.", field=name)
        # An empty variable in the caller's program must not turn a filtered list into a list of everything.
        if not values[0] and name not in MAY_BE_EMPTY:
            raise ApiError(400, "malformed_request", f"`{name}` is empty.", field=name)
        if "\x00" in values[0]:
            raise ApiError(400, "malformed_request", f"`{name}` holds a NUL character.", field=name)


def day_of_query(request: Request, name: str) -> date | None:
    """Return the day a query parameter names; None without it. Raises ApiError for what is no day."""
    text = request.query_params.get(name)
    if text is None:
        return None
    try:
        day = datetime.strptime(text, "%Y-%m-%d").date()  # noqa: DTZ007  (a day has no zone)
    except ValueError as error:
        message = f"`{name}` must be a day such as 2026-01-31."
        raise ApiError(422, "validation_error", message, field=name) from error
    if not 1970 <= day.year <= 9998:
        raise ApiError(422, "validation_error", f"`{name}` lies outside the calendar.", field=name)
    return day


def _strong(tag: str) -> str:
    """Undo what compression does to a tag on its way out: the record is the same."""
    return tag.removeprefix("W/")


def _zone(request: Request) -> ZoneInfo:
    name = request.headers.get("X-Timezone")
    if not name:
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        message = "X-Timezone must be an IANA time zone such as Africa/Johannesburg."
        raise ApiError(400, "malformed_request", message, field="X-Timezone") from error
