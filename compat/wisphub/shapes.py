"""WispHub's BackendResponse: `{ok, type, action, data, message, meta}`."""

from typing import Any

from django.http import HttpRequest

from ispcore.api.dialects import Dialect


def success(request: HttpRequest, status: int, body: Any, pagination: dict[str, Any] | None) -> Any:
    return body


def failure(request: HttpRequest, status: int, error: dict[str, Any]) -> Any:
    return {
        "ok": False,
        "type": "error",
        "action": "error",
        "data": None,
        "message": error["message"],
        "meta": {"code": error["code"]},
    }


WISPHUB = Dialect("wisphub", success, failure, open_paths=frozenset({"health", "api/v1/auth/token"}))
