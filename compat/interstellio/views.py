"""The Subscriber Accounts API over the native accounts: the same services, roles and rows."""

from collections.abc import Iterator
from typing import Any, ClassVar

from django.db.models import Model, QuerySet
from django.http import HttpResponseBase, StreamingHttpResponse
from django_filters.rest_framework import DjangoFilterBackend
from rest_framework.request import Request
from rest_framework.response import Response

from aaa.api.accounts import AccountViewSet, StationFilter, show_status
from aaa.api.records import IdPrefixFilter, UsernameFilter
from aaa.models import Account
from compat.frame import BodyFirst, DialectView
from compat.interstellio.shapes import SubscriberAccountSerializer
from compat.interstellio.walk import ORDERS, Row, show, walk
from compat.times import in_milliseconds, zone_of
from ispcore.api.envelope import UTC, dump
from ispcore.api.errors import ApiError
from ispcore.api.filters import HouseFilterSet
from ispcore.api.request import caller_of
from ispcore.api.views import RolePermission
from ispcore.tenants.context import current_tenant_id
from ispcore.tenants.roles import Role
from support.services.portal import own

STREAM, INFINITE, MOST_PER_PAGE = -1, 0, 50
DEFAULT_PER_PAGE = 10  # As in the page's example.
MOST_RECORDS = 250  # "always max 250 unless infinite".
NDJSON = "application/x-ndjson"
PARAMETERS = frozenset({"id", "username", "calling_station_id", "l", "p", "sc", "sd"})
STATUS_FIELDS = ("active", "messages", "upload", "download")


class AcceptedRoles(RolePermission):
    """The page's roles: those of the house's table and, to read what is their own, customers."""

    def has_permission(self, request: Request, view: Any) -> bool:
        caller = caller_of(request._request)
        if caller.role == Role.CUSTOMER and caller.tenant_id is not None:
            return bool(request.method == "GET")
        return super().has_permission(request, view)


class SubscriberFilter(HouseFilterSet):
    """The page's three; each takes a `*` at its end."""

    id = IdPrefixFilter()
    username = UsernameFilter()
    calling_station_id = StationFilter()

    class Meta:
        model = Account
        fields: ClassVar[list[str]] = []


class SubscriberViewSet(BodyFirst, DialectView, AccountViewSet):
    """`/v1/subscribers`, `/v1/subscriber` and `/v2/subscriber/status`."""

    serializer_class = SubscriberAccountSerializer
    filterset_class = SubscriberFilter
    filter_backends: Any = (DjangoFilterBackend,)
    permission_classes = (AcceptedRoles,)

    def allowed_parameters(self) -> frozenset[str]:
        if self.action != "list":
            return frozenset()
        return PARAMETERS

    def get_queryset(self) -> QuerySet[Any]:
        return self._theirs(super().get_queryset())

    def _theirs(self, accounts: QuerySet[Any]) -> QuerySet[Any]:
        """Narrow accounts to those that the caller may see: a customer's own."""
        caller = caller_of(self.request._request)
        if caller.role != Role.CUSTOMER:
            return accounts
        customer = own.customer_of(caller.user_id)
        return accounts.filter(subscription__subscriber=customer) if customer else accounts.none()

    def list(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponseBase:  # type: ignore[override]
        """List accounts: a page of the first 250, all of them (`l=0`), or one on each line (`l=-1`)."""
        size = _number(request, "l", DEFAULT_PER_PAGE, low=STREAM, high=MOST_PER_PAGE)
        page = _number(request, "p", 1, low=1, high=1_000_000)
        order: dict[str, Any] = {
            "order": _choice(request, "sc", ORDERS),
            "descending": _choice(request, "sd", ("asc", "desc")) == "desc",
        }
        accounts = self.filter_queryset(self._theirs(Account.objects.all()))
        order["tenant_id"] = current_tenant_id()
        if size in (STREAM, INFINITE):
            parts = walk(accounts, self.get_queryset(), **order)
            return _stream(request, parts) if size == STREAM else _all(request, parts)
        parts = walk(accounts, self.get_queryset(), part=MOST_RECORDS, **order)
        found = [row for part in parts for row in part][:MOST_RECORDS]
        shown = [show(row) for row in found[(page - 1) * size : page * size]]
        pages = max(1, -(-len(found) // size))
        metadata = {"records": len(found), "page": page, "pages": pages, "per_page": size}
        return Response({"payload": shown, "metadata": metadata})

    def show_created(self, record: Model) -> Response:
        return self.show_changed(record)  # 200: the page knows no 201.

    def account_status(self, request: Request, pk: str) -> Response:
        """Tell whether an account may log in, why not, and what it used, in gigabytes with three decimals."""
        status = show_status(self.get_object())
        return Response({name: status[name] for name in STATUS_FIELDS})


def _stream(request: Request, parts: Iterator[list[Row]]) -> StreamingHttpResponse:
    zone = zone_of(request._request)

    def lines() -> Iterator[bytes]:
        for part in parts:
            yield b"".join(_written(row, zone) + b"\n" for row in part)

    return StreamingHttpResponse(lines(), content_type=NDJSON)


def _all(request: Request, parts: Iterator[list[Row]]) -> StreamingHttpResponse:
    """Write the whole list as it is read: what it counts to stands at its end."""
    zone = zone_of(request._request)

    def pieces() -> Iterator[bytes]:
        records = 0
        yield b'{"payload":['
        for part in parts:
            yield b"," * bool(records) + b",".join(_written(row, zone) for row in part)
            records += len(part)
        metadata = {"records": records, "page": 1, "pages": 1, "per_page": records}
        yield b'],"metadata":' + dump(metadata, zone=UTC) + b"}"

    return StreamingHttpResponse(pieces(), content_type="application/json")


def _written(row: Row, zone: Any) -> bytes:
    return dump(in_milliseconds(show(row), zone), zone=UTC)


def _number(request: Request, name: str, default: int, *, low: int, high: int) -> int:
    text = request.query_params.get(name, str(default))
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) < 10 and low <= int(text) <= high):
        raise ApiError(400, "malformed_request", f"`{name}` must be {low} to {high}.", field=name)
    return int(text)


def _choice(request: Request, name: str, choices: tuple[str, ...]) -> str:
    """Return what was chosen; the first one when nothing was."""
    chosen = request.query_params.get(name, choices[0])
    if chosen not in choices:
        raise ApiError(
            400, "malformed_request", f"`{name}` must be one of: {', '.join(choices)}.", field=name
        )
    return chosen
