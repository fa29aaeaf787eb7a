"""Reading bodies as RFC 8259 and I-JSON (RFC 7493) define them, whatever charset the request claims."""

import json
from typing import IO, Any

import orjson
from django.core.exceptions import RequestDataTooBig
from django.core.files.uploadhandler import FileUploadHandler
from django.http import HttpRequest
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser, MultiPartParser

MAX_UPLOAD_BYTES = 51 * 1024 * 1024  # A file of 50 MiB, and the form around it.


class UploadParser(MultiPartParser):
    """A form with a file, bounded before any of it is read: Django bounds the fields beside a file only."""

    def parse(self, stream: IO[Any], media_type: str | None = None, parser_context: Any = None) -> Any:
        refuse_large_upload(parser_context["request"]._request)
        return super().parse(stream, media_type, parser_context)


def refuse_large_upload(request: HttpRequest) -> None:
    """Raise RequestDataTooBig by the length the request says; more than that is never read."""
    try:
        length = int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:  # As Django reads it: of such a request, no body.
        return
    if length > MAX_UPLOAD_BYTES:
        raise RequestDataTooBig


class BoundedUpload(FileUploadHandler):
    """Refuse a form that says it is too large, on every page, before a file of it lies on the disk."""

    def handle_raw_input(
        self,
        input_data: Any,
        META: Any,  # noqa: N803  (Django passes it by this name.)
        content_length: int,
        boundary: Any,
        encoding: Any = None,
    ) -> None:
        if content_length > MAX_UPLOAD_BYTES:
            raise RequestDataTooBig

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        return raw_data

    def file_complete(self, file_size: int) -> None:
        return None


class StrictJSONParser(BaseParser):
    """JSON in UTF-8; refuses what two readers could understand differently.

    That is: a name given twice, NaN and Infinity, half a surrogate pair, and nesting without end.
    """

    media_type = "application/json"

    def parse(self, stream: IO[Any], media_type: str | None = None, parser_context: Any = None) -> Any:
        # Not from the stream: Django limits the size of `body` only. Raises RequestDataTooBig.
        body = parser_context["request"]._request.body
        try:
            orjson.loads(body)
            return json.loads(body, object_pairs_hook=_object)
        except (ValueError, RecursionError) as error:
            raise ParseError(f"The body is not JSON: {_reason(error)}.") from error


class RepeatedNameError(ValueError):
    """An object names the same thing twice; which of the two counts would be the reader's choice."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise RepeatedNameError(f"the name '{name[:80]}' comes twice in one object")
        found[name] = value
    return found


def _reason(error: Exception) -> str:
    if isinstance(error, orjson.JSONDecodeError | RepeatedNameError):
        return str(error)
    return "it is nested too deeply or holds a number that is too long"
