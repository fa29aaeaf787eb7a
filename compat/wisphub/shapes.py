"""WispHub's BackendResponse: `{ok, type, action, data, message, meta}`, and the values as its clients read them.

Field names and texts: https://docs-wisphub.ainovapro.com/api-reference (overview, responses, and a page per operation).
"""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from django.http import HttpRequest

from ispcore.api.dialects import Dialect
from ispcore.api.request import request_id_of

BackendResponse = dict[str, Any]
INVALID = ("validation_error", "missing_field")


class Action(StrEnum):
    """What happened: clients go by this, and not by the status."""

    CLIENT_FOUND = "client_found"
    CLIENT_NOT_FOUND = "client_not_found"
    INVALID_DOCUMENT = "invalid_document"
    CLIENTS_LISTED = "clients_listed"
    CLIENT_UPDATED = "client_updated"
    CLIENT_UPDATE_FAILED = "client_update_failed"
    CLIENT_VERIFIED = "client_verified"
    CLIENT_VERIFICATION_FAILED = "client_verification_failed"
    TICKET_CREATED = "ticket_created"
    TICKET_CREATION_FAILED = "ticket_creation_failed"
    TICKET_FOUND = "ticket_found"
    TICKET_NOT_FOUND = "ticket_not_found"
    ZONE_TICKET_LIMIT_REACHED = "zone_ticket_limit_reached"
    TICKET_SUBJECTS_LISTED = "ticket_subjects_listed"
    PING_CREATED = "ping_created"
    PING_FAILED = "ping_failed"
    NO_INTERNET = "no_internet"
    INTERMITTENT_CONNECTION = "intermittent_connection"
    STABLE_CONNECTION = "stable_connection"
    INTERNET_PLANS_LISTED = "internet_plans_listed"
    INTERNET_PLAN_FOUND = "internet_plan_found"
    INTERNET_PLAN_NOT_FOUND = "internet_plan_not_found"
    ERROR = "error"
    HEALTH_OK = "health_ok"


def succeeded(action: Action, data: Any = None, message: str | None = None) -> BackendResponse:
    return _response("success", action, data, message)


def informed(action: Action, data: Any = None, message: str | None = None) -> BackendResponse:
    """Return what is no fault and yet not what was asked for: nobody found, a limit reached."""
    return _response("info", action, data, message)


def failed(action: Action, message: str | None = None) -> BackendResponse:
    return _response("error", action, None, message)


def _response(kind: str, action: Action, data: Any, message: str | None) -> BackendResponse:
    return {
        "ok": kind != "error",
        "type": kind,
        "action": action.value,
        "data": data,
        "message": message,
        "meta": None,
    }


def amount(value: Decimal) -> float:
    """Return money as this product has it: a JSON number."""
    return float(value)


def speed(kbps: int) -> str:
    """Return a speed as `100M` or `512K`."""
    return f"{kbps // 1000}M" if kbps % 1000 == 0 else f"{kbps}K"


def minute(at: datetime | None, zone: ZoneInfo) -> str | None:
    """Return a time as `2026-02-26 10:00`, by the provider's clock."""
    return at.astimezone(zone).strftime("%Y-%m-%d %H:%M") if at else None


def success(request: HttpRequest, status: int, body: Any, pagination: dict[str, Any] | None) -> Any:
    return body


def failure(request: HttpRequest, status: int, error: dict[str, Any]) -> Any:
    """Wrap an error of the house; what a view says in this shape already stays."""
    if "ok" in error:
        return error
    if error["code"] in INVALID and "fields" in error:
        wrong = "; ".join(f"{each['field']}: {each['message']}" for each in error["fields"])
        message = f"Error de validación: {wrong}"
    else:
        message = error["message"]
    meta = {"code": error["code"], "request_id": request_id_of(request)}
    return failed(Action.ERROR, message) | {"meta": meta}


OPEN = frozenset({"health", "openapi.json", "docs", "redoc", "api/v1/auth/token"})
WISPHUB = Dialect("wisphub", success, failure, open_paths=OPEN)
