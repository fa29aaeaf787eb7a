"""The bare shape of ISPChamp's answers: `{"status": "success", …}`."""

from typing import Any

from django.http import HttpRequest

from ispcore.api.dialects import Dialect


def success(request: HttpRequest, status: int, body: Any, pagination: dict[str, Any] | None) -> Any:
    return {"status": "success", "data": body}


def failure(request: HttpRequest, status: int, error: dict[str, Any]) -> Any:
    return {"status": "error", **error}


ISPCHAMP = Dialect("ispchamp", success, failure)
