"""From exceptions to the error half of the envelope."""

import re
from typing import Any

from django.core.exceptions import BadRequest, RequestDataTooBig, SuspiciousOperation
from django.db import IntegrityError, InterfaceError, OperationalError
from drf_standardized_errors.formatter import flatten_errors
from drf_standardized_errors.handler import ExceptionHandler
from psycopg.errors import LockNotAvailable, QueryCanceled
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from rest_framework import exceptions
from rest_framework.response import Response

from ispcore.errors import DomainError

LOST_DEPENDENCY = (OperationalError, InterfaceError, RedisConnectionError, RedisTimeoutError)
LOST_DEPENDENCY_MESSAGE = "The database or Redis does not answer. Nothing was changed; try again shortly."
# PostgreSQL ended the statement at one of the limits of ispcore.tenants.context.
TOOK_TOO_LONG = (QueryCanceled, LockNotAvailable)
TOOK_TOO_LONG_MESSAGE = (
    "This took too long or waited too long for somebody else's change, so it was given up. Nothing was changed; ask "
    "for less at once, or try again shortly."
)
RETRY_AFTER_SECONDS = 5
TOO_LARGE_MESSAGE = "The request body is too large."

# Django REST framework's code -> ours, where the contract names another.
_CODES = {
    "parse_error": "malformed_request",
    "authentication_failed": "invalid_token",
    "throttled": "rate_limited",
    "error": "internal_error",
}


class ApiError(exceptions.APIException):
    """An answer with a status, a code and a message of its own."""

    def __init__(
        self, status: int, code: str, message: str, *, field: str | None = None, wait: int | None = None
    ) -> None:
        self.status_code = status
        self.field = field
        self.wait = wait  # Seconds, for Retry-After.
        super().__init__(message, code)


class BulkRefused(ApiError):
    """Some of many items were refused and so none was done; `fields` names what was wrong, item by item."""

    def __init__(self, *, count: int, total: int, fields: list[dict[str, str]]) -> None:
        self.fields = fields
        message = f"{count} of {total} items were refused, so nothing was changed. `fields` says why."
        super().__init__(422, "bulk_refused", message)


def error_body(exc: Exception) -> dict[str, Any]:
    """Return a refusal as the envelope's `error` would show it: for one item of many."""
    context: Any = None  # It only serves to log what is nobody's refusal.
    handler = _Handler(exc, context)
    refusal: Any = handler.convert_known_exceptions(exc)
    return handler.format_exception(refusal)


def handle(exc: Exception, context: Any) -> Response | None:
    return _Handler(exc, context).run()


class _Handler(ExceptionHandler):
    """Know our own refusals, and answer every validation error with all wrong fields at once."""

    def convert_known_exceptions(self, exc: Exception) -> Exception:
        converted: Exception = super().convert_known_exceptions(exc)
        if isinstance(converted, DomainError):
            return ApiError(converted.status, converted.code, str(converted), field=converted.field)
        if isinstance(converted.__cause__, TOOK_TOO_LONG):
            return ApiError(503, "dependency_unavailable", TOOK_TOO_LONG_MESSAGE, wait=RETRY_AFTER_SECONDS)
        if isinstance(converted, LOST_DEPENDENCY):
            return ApiError(503, "dependency_unavailable", LOST_DEPENDENCY_MESSAGE, wait=RETRY_AFTER_SECONDS)
        if isinstance(converted, IntegrityError):
            return integrity_refusal(converted)
        if isinstance(converted, RequestDataTooBig):
            return ApiError(413, "request_too_large", TOO_LARGE_MESSAGE)
        if isinstance(converted, BadRequest | SuspiciousOperation):
            return ApiError(400, "malformed_request", "The request could not be read.")
        return converted

    def format_exception(self, exc: exceptions.APIException) -> dict[str, Any]:
        if isinstance(exc, exceptions.ValidationError):
            return _validation_body(exc)
        errors = flatten_errors(exc.detail)
        code = _CODES.get(errors[0].code, errors[0].code)
        body: dict[str, Any] = {"code": code, "message": errors[0].detail}
        if code == "internal_error":
            body["message"] = "Something went wrong here. The request id in `meta` finds it in the logs."
        if isinstance(exc, ApiError) and exc.field:
            body["field"] = exc.field
        if isinstance(exc, BulkRefused):
            body["fields"] = exc.fields
        return body

    def get_response(self, exc: exceptions.APIException, data: dict[str, Any]) -> Response:
        response: Response = super().get_response(exc, data)
        if isinstance(exc, exceptions.ValidationError):
            response.status_code = 400 if data["code"] == "missing_field" else 422
        return response


def _validation_body(exc: exceptions.ValidationError) -> dict[str, Any]:
    """Missing fields are 400 `missing_field`, wrong ones 422; `fields` lists all of both."""
    errors = flatten_errors(exc.detail)
    fields = [{"field": e.attr or "", "code": e.code, "message": e.detail} for e in errors]
    missing = [f for f in fields if f["code"] == "required"]
    first = (missing or fields)[0]
    where = f"{first['field']}: " if first["field"] and first["field"] != "non_field_errors" else ""
    return {
        "code": "missing_field" if missing else "validation_error",
        "message": f"{where}{first['message']}",
        "field": first["field"],
        "fields": fields,
    }


def integrity_refusal(error: IntegrityError) -> ApiError:
    """Turn a violated constraint into 409, its name as the code: names are chosen to be read.

    `olt_name_unique_per_tenant` answers `duplicate_olt_name`.
    """
    diagnosis = getattr(error.__cause__, "diag", None)
    constraint = getattr(diagnosis, "constraint_name", None) or "conflict"
    code, field = code_of_constraint(constraint, getattr(diagnosis, "table_name", None) or "")
    if field:
        return ApiError(409, code, f"There is already one with this {field}.", field=field)
    return ApiError(409, code, "This conflicts with what is already stored.")


def code_of_constraint(constraint: str, table: str) -> tuple[str, str | None]:
    """Return the code that a constraint's name stands for, and the field when it is one that must be unique."""
    name = constraint.removesuffix("_per_tenant")
    if match := re.fullmatch(r"([a-z]+_[a-z_]+)_unique", name):
        model, field = _model_and_field(match[1], table)
        return f"duplicate_{model}_{field}", field
    return name, None


def _model_and_field(name: str, table: str) -> tuple[str, str]:
    """Split `billing_profile_name` where the name of its table, `subscribers_billingprofile`, says."""
    words = name.split("_")
    model = table.partition("_")[2]
    length = next((n for n in range(1, len(words)) if "".join(words[:n]) == model), 1)
    return "_".join(words[:length]), "_".join(words[length:])
