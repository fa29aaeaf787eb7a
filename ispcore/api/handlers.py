"""The last resort for what no view answered: unknown paths, unreadable requests, crashes, lost servers."""

import sys

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse
from django.views import defaults

from ispcore.api.envelope import error_response
from ispcore.api.errors import (
    LOST_DEPENDENCY,
    LOST_DEPENDENCY_MESSAGE,
    RETRY_AFTER_SECONDS,
    TOO_LARGE_MESSAGE,
    TOOK_TOO_LONG,
    TOOK_TOO_LONG_MESSAGE,
)
from ispcore.api.request import is_api


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if not is_api(request):
        return defaults.bad_request(request, exception)
    if isinstance(exception, RequestDataTooBig):
        return error_response(request, status=413, code="request_too_large", message=TOO_LARGE_MESSAGE)
    return error_response(
        request, status=400, code="malformed_request", message="The request could not be read."
    )


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    if not is_api(request):
        return defaults.page_not_found(request, exception)
    return error_response(request, status=404, code="not_found", message="There is nothing at this address.")


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    if not is_api(request):
        return defaults.permission_denied(request, exception)
    return error_response(request, status=403, code="permission_denied", message="Your role may not do this.")


def server_error(request: HttpRequest) -> HttpResponse:
    """Tell a lost database or Redis (503, try again) from a fault of ours (500)."""
    error = sys.exc_info()[1]
    lost = isinstance(error, LOST_DEPENDENCY)
    message = TOOK_TOO_LONG_MESSAGE if _took_too_long(error) else LOST_DEPENDENCY_MESSAGE
    if is_api(request):
        return error_response(
            request,
            status=503 if lost else 500,
            code="dependency_unavailable" if lost else "internal_error",
            message=message if lost else "Something went wrong here; the request id finds it in the logs.",
            retry_after=RETRY_AFTER_SECONDS if lost else None,
        )
    if lost:
        return HttpResponse(message, status=503, content_type="text/plain")
    return defaults.server_error(request)


def _took_too_long(error: BaseException | None) -> bool:
    return error is not None and isinstance(error.__cause__, TOOK_TOO_LONG)
