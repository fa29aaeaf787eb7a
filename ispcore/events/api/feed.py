"""The feed of events, and what types of them there are."""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.core import signing
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from ispcore.api.errors import ApiError
from ispcore.api.views import ApiView
from ispcore.events.catalogue import CATALOGUE, groups, names_of, schema_of
from ispcore.events.services import feed
from ispcore.tenants.context import current_tenant_id


@extend_schema_field({"type": "object", "additionalProperties": {"type": "string"}})
class IdsField(serializers.JSONField):
    """What an event is about: names and ids."""


@extend_schema_field({"type": "object", "additionalProperties": True})
class JsonSchemaField(serializers.JSONField):
    """A JSON Schema."""


class EventSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField(help_text="Also the `webhook-id` of the messages about it.")
    type = serializers.CharField()
    timestamp = serializers.DateTimeField()
    data = IdsField(help_text="Ids of what it is about.")  # type: ignore[assignment]


class EventTypeSerializer(serializers.Serializer[Any]):
    type = serializers.CharField()
    description = serializers.CharField()
    schema = JsonSchemaField(help_text="JSON Schema of the message that webhooks are sent.")


class EventView(ApiView):
    """What happened."""

    app_label = "events"
    query_parameters = frozenset({"cursor", "limit", "type", "since"})

    @extend_schema(
        operation_id="events_list",
        responses=EventSerializer(many=True),
        parameters=[
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
                    "maximum": feed.MAX_LIMIT,
                    "default": feed.DEFAULT_LIMIT,
                },
                description="Events per answer.",
            ),
            OpenApiParameter(
                "type",
                {"type": "string", "enum": sorted([*CATALOGUE, *groups()])},
                description="Events of this type, or part, only.",
            ),
            OpenApiParameter(
                "since",
                {"type": "string", "format": "date-time"},
                description="Events of this time or later only.",
            ),
        ],
    )
    def get(self, request: Request) -> Response:
        """List what happened, oldest first; events are kept for 90 days.

        Each event is given once, also when it is committed late. Keep `meta.pagination.cursor` of the last answer that
        arrived and go on from it, whether there is more now (`next` is not null) or later: the same cursor gives the
        same events again, and nothing is lost. With `type` or `since` an answer may hold fewer events than `limit`, or
        none, and more may follow. A transaction that runs long holds back what began after it until it ends.
        """
        limit, names = _limit(request), _names(request)
        position, since = _position(request), _since(request)
        try:
            part = feed.read(position=position, limit=limit, names=names, since=since)
        except feed.PositionAhead as error:
            raise _not_ours() from error
        response = Response(part.events)
        cursor = _write_cursor(part.end)
        query = {**request.query_params.dict(), "cursor": cursor}
        response.pagination = {  # type: ignore[attr-defined]
            "page_size": limit,
            "count": len(part.events),
            "cursor": cursor,
            "next": f"{request.build_absolute_uri(request.path)}?{urlencode(query)}"
            if part.has_more
            else None,
            "previous": None,
        }
        return response


class EventTypeView(ApiView):
    """The catalogue of events."""

    app_label = "events"

    @extend_schema(operation_id="event_types_list", responses=EventTypeSerializer(many=True))
    def get(self, request: Request) -> Response:
        """List every type of event with what it tells of and the schema of its message."""
        return Response(
            [
                {"type": name, "description": known.description, "schema": schema_of(name)}
                for name, known in sorted(CATALOGUE.items())
            ]
        )


def _salt() -> str:
    return f"events:{current_tenant_id()}"


def _write_cursor(position: feed.Position) -> str:
    return signing.dumps([position.xid, position.event.hex], salt=_salt())


def _position(request: Request) -> feed.Position:
    """Read what `_write_cursor` wrote for this tenant. Signed: what comes back is what went out."""
    text = request.query_params.get("cursor")
    if not text:
        return feed.Position()
    try:
        xid, event = signing.loads(text, salt=_salt())
    except signing.BadSignature as error:
        raise _not_ours() from error
    return feed.Position(xid, UUID(event))


def _not_ours() -> ApiError:
    message = "`cursor` is none that this feed gave you. Begin with an empty one."
    return ApiError(400, "malformed_request", message, field="cursor")


def _limit(request: Request) -> int:
    value = request.query_params.get("limit", str(feed.DEFAULT_LIMIT))
    if not (value.isascii() and value.isdigit() and len(value) < 6 and 1 <= int(value) <= feed.MAX_LIMIT):
        message = f"`limit` must be a whole number from 1 to {feed.MAX_LIMIT}."
        raise ApiError(400, "malformed_request", message, field="limit")
    return int(value)


def _names(request: Request) -> list[str]:
    wanted = request.query_params.get("type")
    if wanted is None:
        return []
    names = names_of(wanted)
    if not names:
        message = "`type` must be one that GET event-types lists, or such as billing.*"
        raise ApiError(422, "validation_error", message, field="type")
    return names


def _since(request: Request) -> datetime | None:
    text = request.query_params.get("since")
    if text is None:
        return None
    try:
        moment: datetime = serializers.DateTimeField().to_internal_value(text)
        return moment.astimezone(UTC)
    except (serializers.ValidationError, OverflowError) as error:
        message = "`since` must be a time such as 2026-01-31T00:00:00Z."
        raise ApiError(400, "malformed_request", message, field="since") from error
