import re
from collections.abc import Callable

import structlog
from django.http import HttpRequest, HttpResponse

from ispcore.tenants.fields import new_id

# What is echoed into headers and logs must not be able to forge either.
_ACCEPTED_ID = re.compile(r"[A-Za-z0-9._-]{1,64}\Z")


class RequestIdMiddleware:
    """Give every request an id: the caller's own when it is well formed, else a new one."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        offered = request.headers.get("X-Request-ID", "")
        request_id = offered if _ACCEPTED_ID.match(offered) else f"req_{new_id().hex}"
        request.request_id = request_id  # type: ignore[attr-defined]
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            response = self.get_response(request)
        response["X-Request-ID"] = request_id
        return response
