"""What needs no token: is the service there, and the token itself."""

from typing import Any

from django.urls import reverse
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from compat.frame import DialectRenderer
from compat.wisphub.document import document
from compat.wisphub.shapes import Action, succeeded
from compat.wisphub.views.base import WholeBody, WispHubView, said
from ispcore.auth.api import TokenView as NativeTokenView


class HealthView(WispHubView):
    app_label = "jobs"
    authentication_classes = ()  # type: ignore[assignment]
    permission_classes = (AllowAny,)
    throttle_classes = ()  # type: ignore[assignment]

    def get(self, request: Request) -> Response:
        """Answer that the service is running."""
        return said(succeeded(Action.HEALTH_OK, {"status": "ok", "service": "WispHub Local API"}))


class DocumentView(HealthView):
    def get(self, request: Request) -> Response:
        """Answer with the OpenAPI document of this dialect."""
        return Response(
            document(request.build_absolute_uri(reverse("wisphub:health")).removesuffix("/health"))
        )


class TokenView(WholeBody, NativeTokenView):
    schema = None
    renderer_classes = (DialectRenderer,)  # type: ignore[assignment]

    def post(self, request: Request) -> Response:
        """Exchange a user name and a password (RFC 6749 §4.3) for an access token."""
        answer: dict[str, Any] = super().post(request).data
        return Response({"access_token": answer["access_token"], "token_type": "bearer"})

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        response = super().finalize_response(request, response, *args, **kwargs)
        if response.status_code == 401:
            response["WWW-Authenticate"] = "Bearer"
        return response
