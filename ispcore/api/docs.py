"""The pages that show the schema to people. Every script and style comes from this server."""

from typing import Any

from django.http import HttpRequest
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularRedocView, SpectacularSwaggerView
from rest_framework.response import Response

# Both bundles name hosts of their makers (a logo, a validator): the browser is told not to call them.
CONTENT_SECURITY_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; worker-src 'self' blob:; frame-ancestors 'none'"
)


class SwaggerView(SpectacularSwaggerView):
    @extend_schema(exclude=True)
    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Response:
        return _closed(super().get(request, *args, **kwargs))  # type: ignore[no-untyped-call]


class RedocView(SpectacularRedocView):
    template_name = "ispcore/redoc.html"

    @extend_schema(exclude=True)
    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Response:
        return _closed(super().get(request, *args, **kwargs))  # type: ignore[no-untyped-call]


def _closed(response: Response) -> Response:
    response["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    return response
