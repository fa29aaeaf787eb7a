"""What the middleware learns about a request before the view runs."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.http import HttpRequest
from rest_framework.exceptions import APIException
from rest_framework.request import Request

from ispcore.auth.principal import Principal


@dataclass
class Caller:
    """Who calls and for which tenant; `refusal` is raised by the view, so that it leaves in the envelope."""

    principal: Principal | None = None
    tenant_id: UUID | None = None
    role: str | None = None
    refusal: APIException | None = None

    @property
    def user_id(self) -> UUID | None:
        """The person who calls; an API key is nobody."""
        return self.principal.user.pk if self.principal and self.principal.user else None


def caller_of(request: HttpRequest) -> Caller:
    caller: Caller | None = getattr(request, "caller", None)
    return caller or Caller()


def request_id_of(request: HttpRequest) -> str:
    return getattr(request, "request_id", "")


def client_ip(request: HttpRequest) -> str | None:
    """Return the peer's address; behind a proxy the server, not the application, restores it."""
    return request.META.get("REMOTE_ADDR") or None


def who(request: Request) -> dict[str, Any]:
    """Return who calls, as an audit entry says it: `user_id`, `ip` and `request_id`."""
    plain = request._request
    return {
        "user_id": caller_of(plain).user_id,
        "ip": client_ip(plain),
        "request_id": request_id_of(plain),
    }


def is_api(request: HttpRequest) -> bool:
    return request.path_info.startswith(("/api/", "/compat/"))
