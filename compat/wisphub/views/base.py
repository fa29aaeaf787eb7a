"""What this product's operations share."""

from typing import Any

from rest_framework.exceptions import ParseError, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from compat.frame import DialectView
from compat.wisphub.numbers import whole
from compat.wisphub.shapes import BackendResponse
from ispcore.api.errors import ApiError


class WholeBody:
    """Stands before a view: a body that is wrong or not whole is 422 there, also where a field is missing."""

    def handle_exception(self, exc: Exception) -> Response:
        response: Response = super().handle_exception(exc)  # type: ignore[misc]
        if isinstance(exc, ValidationError | ParseError):
            response.status_code = 422
        return response


class WispHubView(WholeBody, DialectView):
    """An operation of WispHub."""


def said(body: BackendResponse, status: int = 200) -> Response:
    return Response(body, status=status)


def number_in(name: str, text: str) -> int:
    """Read a number in the path. Raises ApiError 422."""
    number = whole(text)
    if number is None:
        raise ApiError(422, "validation_error", f"Error de validación: {name}: a whole number.", field=name)
    return number


def required(request: Request, name: str) -> str:
    """Return a query parameter. Raises ApiError 400 without it."""
    value: Any = request.query_params.get(name)
    if value is None:
        message = f"Search query parameter '{name}' is required"
        raise ApiError(400, "missing_field", message, field=name)
    return str(value)
