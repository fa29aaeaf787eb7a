"""What every dialect stands on: the house's own views, with the dialect's shape around what they answer.

Credentials, tenants, roles, limits, the transaction and the audit are those of /api/v1, because a dialect's view is
one of its views: only what is written differs.
"""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from ispcore.api.dialects import PREFIX, dialect_of
from ispcore.api.envelope import UTC, EnvelopeRenderer, dump
from ispcore.api.errors import ApiError
from ispcore.api.views import ApiView
from ispcore.errors import NotRegistered


class DialectRenderer(EnvelopeRenderer):
    """Write what a view returns as its address's dialect wraps it; errors too."""

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None
    ) -> bytes:
        context = renderer_context or {}
        response: Response = context["response"]
        if response.status_code in (204, 304):
            return b""
        request = context["request"]._request
        dialect = dialect_of(request)
        assert dialect is not None
        if response.status_code >= 400:
            response.status_code = dialect.status(response.status_code)
            body = dialect.failure(request, response.status_code, data)
        else:
            body = dialect.success(request, response.status_code, data, getattr(response, "pagination", None))
        return dump(body, zone=getattr(request, "zone", UTC), all_utc=getattr(response, "all_utc", False))


class DialectView(ApiView):
    """An operation of a dialect; left out of the native document."""

    schema = None
    renderer_classes = (DialectRenderer,)


class BodyFirst:
    """Stands before views whose page has 404 for the address alone: what a body names and is not there is 400."""

    def handle_exception(self, exc: Exception) -> Response:
        if isinstance(exc, NotRegistered) and exc.field:
            exc = ApiError(400, exc.code, str(exc), field=exc.field)
        answer: Response = super().handle_exception(exc)  # type: ignore[misc]
        return answer


class _Translated:
    """Stands before a native view, which then answers in the dialect of its address."""

    schema = None
    renderer_classes = (DialectRenderer,)

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        response = super().finalize_response(request, response, *args, **kwargs)  # type: ignore[misc]
        dialect = dialect_of(request._request)
        if dialect is not None and "Location" in response:
            response["Location"] = response["Location"].replace("/api/", f"{PREFIX}{dialect.name}/api/", 1)
        return response


def in_dialect(view: type[ApiView]) -> Any:
    """Return a native view for an address of a dialect whose operations and fields are the native ones."""
    return type(view.__name__, (_Translated, view), {"__doc__": view.__doc__, "__module__": view.__module__})
