"""The one shape of every answer under /api/v1."""

from datetime import datetime, tzinfo
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from django.http import HttpRequest, HttpResponse
from django.utils.functional import Promise
from rest_framework.renderers import BaseRenderer

from ispcore.api.dialects import dialect_of
from ispcore.api.request import request_id_of
from ispcore.crypto import Secret

API_VERSION = "v1"
UTC = ZoneInfo("UTC")


class EnvelopeRenderer(BaseRenderer):
    """Wrap what a view returns into `{success, data|error, meta}` and write it with orjson."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None
    ) -> bytes:
        context = renderer_context or {}
        response = context["response"]
        if response.status_code in (204, 304):
            return b""
        request = context["request"]
        return dump(
            wrap(
                data,
                request_id=request_id_of(request._request),
                failed=response.status_code >= 400,
                pagination=getattr(response, "pagination", None),
            ),
            zone=getattr(request._request, "zone", UTC),
            all_utc=getattr(response, "all_utc", False),
        )


class PlainRenderer(EnvelopeRenderer):
    """For the few answers whose shape a standard fixes (RFC 6749 tokens): success bare, errors enveloped."""

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None
    ) -> bytes:
        status = renderer_context["response"].status_code
        if status >= 400 or status == 204:
            return super().render(data, accepted_media_type, renderer_context)
        return dump(data, zone=UTC)


def wrap(
    body: Any, *, request_id: str, failed: bool = False, pagination: dict[str, Any] | None = None
) -> dict[str, Any]:
    meta: dict[str, Any] = {"request_id": request_id, "api_version": API_VERSION}
    if pagination is not None:
        meta["pagination"] = pagination
    return {"success": not failed, "error" if failed else "data": body, "meta": meta}


def dump(body: Any, *, zone: tzinfo, all_utc: bool = False) -> bytes:
    """Write JSON with times in `zone` (UTC as `Z`), decimals as strings and secrets masked.

    `all_utc` promises that all times within are UTC already, as the database gives them: that is faster.
    """

    def convert(value: Any) -> Any:
        if isinstance(value, datetime):
            text = value.astimezone(zone).isoformat()
            return text.removesuffix("+00:00") + "Z" if text.endswith("+00:00") else text
        if isinstance(value, Decimal | Secret | Promise):
            return str(value)
        if hasattr(value, "isoformat"):
            return value.isoformat()
        raise TypeError(f"{type(value).__name__} cannot be written as JSON")

    times = orjson.OPT_UTC_Z if all_utc and zone is UTC else orjson.OPT_PASSTHROUGH_DATETIME
    return orjson.dumps(body, default=convert, option=times | orjson.OPT_NON_STR_KEYS)


def error_response(
    request: HttpRequest,
    *,
    status: int,
    code: str,
    message: str,
    field: str | None = None,
    retry_after: int | None = None,
) -> HttpResponse:
    """Answer with the error envelope from outside a view: middleware, unknown paths, a lost database."""
    error = {"code": code, "message": message} | ({"field": field} if field else {})
    dialect = dialect_of(request)
    if dialect:
        status = dialect.status(status)
        body = dialect.failure(request, status, error)
    else:
        body = wrap(error, request_id=request_id_of(request), failed=True)
    response = HttpResponse(dump(body, zone=UTC), status=status, content_type="application/json")
    if retry_after is not None:
        response["Retry-After"] = str(retry_after)
    return response
