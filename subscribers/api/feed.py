"""The feed of changed services: windows of changes, in parts."""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.core import signing
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from redis.exceptions import RedisError
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from ispcore.api.errors import ApiError
from ispcore.api.request import caller_of
from ispcore.api.throttles import GcraLimit
from ispcore.api.views import ApiView
from ispcore.tenants.context import current_tenant_id
from subscribers.models import ServiceStatus
from subscribers.services import snapshot

SNAPSHOT_LIMIT = GcraLimit(rate=1, period=600)  # AEx, "Service Tracking": a single call within 10 minutes.


class SnapshotEntrySerializer(serializers.Serializer[Any]):
    service_id = serializers.UUIDField()
    customer_name = serializers.CharField()
    full_address = serializers.CharField()
    status = serializers.ChoiceField(choices=ServiceStatus.choices)
    product = serializers.CharField()
    last_updated_date = serializers.DateTimeField()


class SnapshotView(ApiView):
    """The feed of changed services."""

    app_label = "subscribers"
    query_parameters = frozenset({"since", "cursor", "limit"})

    @extend_schema(
        responses=SnapshotEntrySerializer(many=True),
        operation_id="services_snapshot",
        parameters=[
            OpenApiParameter(
                "since",
                {"type": "string", "format": "date-time"},
                description="Changes since this time instead of since the last call, which it leaves as it was.",
            ),
            OpenApiParameter(
                "cursor",
                str,
                description="Where to go on: `meta.pagination.cursor` of an earlier answer; empty: at the beginning.",
            ),
            OpenApiParameter(
                "limit",
                {
                    "type": "integer",
                    "minimum": 1,
                    "maximum": snapshot.MAX_LIMIT,
                    "default": snapshot.DEFAULT_LIMIT,
                },
                description="Services per answer.",
            ),
        ],
    )
    def get(self, request: Request) -> Response:
        """List the services that changed since this credential's last call; the first call lists all.

        Each change is given once, also when it is committed late. One call in 10 minutes begins a new window of
        changes. An answer holds at most `limit` services; while `meta.pagination.next` is not null, the window goes
        on there, and those calls do not count. To lose nothing when an answer is lost, keep
        `meta.pagination.cursor` of the last answer that arrived and go on from it: the same cursor gives the same
        part again.
        """
        principal = caller_of(request._request).principal
        assert principal is not None
        salt = name_of_reader(principal.key)
        limit, position = _limit(request), _position(request, salt)
        if not _goes_on(request, position):
            refuse_if_too_soon(salt)
        try:
            part = _part(principal.key, position, limit)
        except snapshot.PositionAhead as error:
            raise _not_ours() from error
        response = Response(part.entries)
        cursor = _write_cursor(part.end, salt)
        query = urlencode({"cursor": cursor, "limit": limit})
        response.pagination = {  # type: ignore[attr-defined]
            "page_size": limit,
            "count": len(part.entries),
            "cursor": cursor,
            "next": f"{request.build_absolute_uri(request.path)}?{query}" if part.has_more else None,
            "previous": None,
        }
        return response


def _part(
    principal: str, position: snapshot.Position | snapshot.PositionInTime | None, limit: int
) -> snapshot.Part:
    if position is None:
        return snapshot.take_changes(principal=principal, limit=limit)
    if isinstance(position, snapshot.PositionInTime):
        return snapshot.read_changes_since(position=position, limit=limit)
    return snapshot.read_part(principal=principal, position=position, limit=limit)


def name_of_reader(principal: str) -> str:
    """Name a credential's reading of the feed, for its limit and to sign its cursors."""
    return f"snapshot:{current_tenant_id()}:{principal}"


def refuse_if_too_soon(key: str) -> None:
    """Count the beginning of a window. Raises ApiError 429 within 10 minutes of the last one."""
    try:
        taken = SNAPSHOT_LIMIT.take(key)
    except RedisError:
        return  # As HouseThrottle: a lost limiter must not become a lost service.
    if not taken.allowed:
        message = "The snapshot may be called once in 10 minutes."
        raise ApiError(429, "rate_limited", message, wait=taken.retry_after_seconds)


def _position(request: Request, salt: str) -> snapshot.Position | snapshot.PositionInTime | None:
    """Return where the caller wants to go on; None: where it was given something last."""
    since, cursor = request.query_params.get("since"), request.query_params.get("cursor")
    if since is not None and cursor is not None:
        message = "`cursor` says where to go on, so `since` cannot go with it."
        raise ApiError(400, "malformed_request", message, field="since")
    if since is not None:
        return snapshot.PositionInTime(at=_moment(since), until=timezone.now())
    if cursor is None:
        return None
    return _read_cursor(cursor, salt) if cursor else snapshot.Position()


def _goes_on(request: Request, position: snapshot.Position | snapshot.PositionInTime | None) -> bool:
    """Tell whether a window is read on, which ends, and not a new one begun."""
    if isinstance(position, snapshot.PositionInTime):
        return "cursor" in request.query_params
    return position is not None and position.until is not None


def _write_cursor(position: snapshot.Position | snapshot.PositionInTime, salt: str) -> str:
    if isinstance(position, snapshot.Position):
        return signing.dumps(["x", position.xid, position.line.hex, position.until], salt=salt)
    times = [position.at.isoformat(), position.line.hex, position.until.isoformat()]
    return signing.dumps(["t", *times], salt=salt)


def _read_cursor(text: str, salt: str) -> snapshot.Position | snapshot.PositionInTime:
    """Read what `_write_cursor` wrote for this credential. Signed: what comes back is what went out."""
    try:
        kind, at, line, until = signing.loads(text, salt=salt)
    except signing.BadSignature as error:
        raise _not_ours() from error
    if kind == "x":
        return snapshot.Position(at, UUID(line), until)
    return snapshot.PositionInTime(
        at=datetime.fromisoformat(at), until=datetime.fromisoformat(until), line=UUID(line)
    )


def _not_ours() -> ApiError:
    message = "`cursor` is none that this feed gave you. Begin with an empty one."
    return ApiError(400, "malformed_request", message, field="cursor")


def _limit(request: Request) -> int:
    value = request.query_params.get("limit", str(snapshot.DEFAULT_LIMIT))
    if not (value.isascii() and value.isdigit() and len(value) < 7 and 1 <= int(value) <= snapshot.MAX_LIMIT):
        message = f"`limit` must be a whole number from 1 to {snapshot.MAX_LIMIT}."
        raise ApiError(400, "malformed_request", message, field="limit")
    return int(value)


def _moment(value: str) -> datetime:
    try:
        moment: datetime = serializers.DateTimeField().to_internal_value(value)
        return moment.astimezone(UTC)
    except (serializers.ValidationError, OverflowError) as error:
        message = "`since` must be a time such as 2026-01-31T00:00:00Z."
        raise ApiError(400, "malformed_request", message, field="since") from error
