"""The schema, and the pages that show it to people. Every script and style comes from this server."""

import hashlib
import threading
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.cache import get_conditional_response
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView, SpectacularRedocView, SpectacularSwaggerView
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response

# Both bundles name hosts of their makers (a logo, a validator): the browser is told not to call them.
CONTENT_SECURITY_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; worker-src 'self' blob:; frame-ancestors 'none'"
)
CACHE_CONTROL = "public, max-age=300"  # After an upgrade it is old for five minutes at the most.

_lock = threading.Lock()
_written: dict[type[BaseRenderer], tuple[bytes, str]] = {}


class SchemaView(SpectacularAPIView):
    """The OpenAPI document: the same for everybody, and made once per process, for that takes seconds."""

    @extend_schema(exclude=True)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        renderer: BaseRenderer = request.accepted_renderer
        document, etag = _document(type(renderer))
        charset = f"; charset={renderer.charset}" if renderer.charset else ""
        response = HttpResponse(document, content_type=f"{renderer.media_type}{charset}")
        response["Content-Disposition"] = f'inline; filename="ISPCore API.{renderer.format}"'
        response["ETag"] = etag
        response["Cache-Control"] = CACHE_CONTROL
        return get_conditional_response(request._request, etag=etag, response=response) or response


def _document(renderer: type[BaseRenderer]) -> tuple[bytes, str]:
    """Write the document as this renderer does, with its ETag; whoever comes meanwhile waits for the same text."""
    with _lock:
        if renderer not in _written:
            generator: Any = SchemaGenerator()  # type: ignore[no-untyped-call]
            text = renderer().render(generator.get_schema(request=None, public=True))
            document = text if isinstance(text, bytes) else text.encode()
            _written[renderer] = document, f'"{hashlib.sha256(document).hexdigest()[:32]}"'
        return _written[renderer]


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
