"""Holds every answer that a test gets from the API against the OpenAPI document, so that the two cannot drift apart.

It stands where all of them pass, in the request method of Django's test client, so a test need not ask for it. What
it refuses fails the test that got the answer. What comes from a server in another process is given to `check()`.
"""

import gzip
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import quote

import jsonschema_rs
from django.http import HttpResponseBase
from django.test import Client
from drf_spectacular.generators import SchemaGenerator

PREFIX = "/api/v1/"
DOCUMENT = "urn:ispcore:openapi"
ERROR = "/components/schemas/ErrorEnvelope"
NO_BODY = (204, 304)

# Why an answer is not held against an operation of the document. Whatever else is below /api/v1 is.
OPTIONS = (
    "the browsers' question about origins, which no document describes: tests/api/test_operations.py asks it"
)
FAULTS = "views that fail on purpose (tests/api/faulty.py): no address of the product"
EXCLUDED_METHODS = {"OPTIONS": OPTIONS}
EXCLUDED_PATHS = {
    "crash": FAULTS,
    "crash-outside": FAULTS,
    "lost-database": FAULTS,
    "unwritable": FAULTS,
}
# What any answer over HTTP may carry (RFC 9110, Fetch, and the headers browsers keep pages apart by).
EXCLUDED_HEADERS = {
    "access-control-allow-origin": "for browsers of an allowed origin; tests/api/test_operations.py",
    "access-control-expose-headers": "for browsers of an allowed origin; tests/api/test_operations.py",
    "allow": "405 only, which no operation has",
    "cache-control": "for caches",
    "content-disposition": "the name of a file",
    "content-encoding": "the transport's",
    "content-language": "the transport's",
    "content-length": "the transport's",
    "content-security-policy": "for browsers",
    "content-type": "checked by itself",
    "cross-origin-opener-policy": "for browsers",
    "ratelimit": "on refusals too; said once of each operation, where it succeeds, and of 429",
    "ratelimit-policy": "as ratelimit",
    "referrer-policy": "for browsers",
    "vary": "for caches",
    "x-content-type-options": "for browsers",
    "x-frame-options": "for browsers",
}


class ContractBroken(AssertionError):
    """An answer is not what the OpenAPI document says."""


@dataclass(frozen=True)
class Answer:
    """What went over the wire: `status`, `headers` by lower-case name, and the body, None when it is streamed."""

    verb: str
    path: str
    status: int
    headers: Mapping[str, str]
    body: bytes | None


@contextmanager
def watched() -> Iterator[None]:
    """Check every answer of Django's test client for a block."""
    unwatched = Client.request

    def request(client: Client, **environ: Any) -> Any:
        response = unwatched(client, **environ)
        check(_answer(environ["REQUEST_METHOD"], response))
        return response

    Client.request = request  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        Client.request = unwatched  # type: ignore[method-assign]


def check(answer: Answer) -> None:
    """Hold an answer against the document; one from outside /api/v1 is none of ours.

    Raises ContractBroken with what is wrong and what was answered.
    """
    if not answer.path.startswith(PREFIX) or answer.verb in EXCLUDED_METHODS:
        return
    path = answer.path.removeprefix(PREFIX).rstrip("/")
    if path in EXCLUDED_PATHS:
        return
    problems = [*_problems_at(answer, path)]
    if problems:
        said = "" if answer.body is None else answer.body[:2000].decode(errors="replace")
        raise ContractBroken(
            f"{answer.verb} {answer.path} answered {answer.status}, not as the OpenAPI document says:\n  "
            + "\n  ".join(problems)
            + f"\n{said}"
        )


def find_operation(verb: str, path: str) -> dict[str, Any] | None:
    """Return what the document says of a verb and a path below /api/v1, or None."""
    found = _find(verb.lower(), path.partition("?")[0].rstrip("/"))
    return found and found[1]


def problems_of(body: Any, schema: dict[str, Any]) -> list[str]:
    """Say what is wrong with a value by a schema that may name the document's components."""
    return _errors(_validator(json.dumps(schema)), body)


def resolved(answer: dict[str, Any]) -> dict[str, Any]:
    """Return an answer as described, where an operation may only name it."""
    name = answer.get("$ref", "").rpartition("/")[2]
    found: dict[str, Any] = document()["components"]["responses"][name] if name else answer
    return found


@cache
def document() -> dict[str, Any]:
    """Return the OpenAPI document as `/api/schema` serves it."""
    made: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)
    return made


def _answer(verb: str, response: HttpResponseBase) -> Answer:
    headers = {name.lower(): value for name, value in response.headers.items()}
    body = None if response.streaming else response.content  # type: ignore[attr-defined]
    if body and headers.get("content-encoding") == "gzip":
        body = gzip.decompress(body)
    path = response.wsgi_request.path  # type: ignore[attr-defined]
    return Answer(verb, path, response.status_code, headers, body)


def _problems_at(answer: Answer, path: str) -> Iterator[str]:
    found = _find("get" if answer.verb == "HEAD" else answer.verb.lower(), path)
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,64}", answer.headers.get("x-request-id", "")):
        yield "it has no X-Request-ID"
    if found is None or answer.status == 405:
        if answer.status not in (400, 401, 403, 404, 405, 406, 429, 503):
            yield "no operation of this verb and path is described"
        else:
            yield from _problems_of_json(answer, f"#{ERROR}")
        return
    pointer, operation = found
    described = operation["responses"].get(str(answer.status))
    if described is None:
        yield f"{answer.status} is not among {', '.join(operation['responses'])}"
        return
    place = described.get("$ref", f"{pointer}/responses/{answer.status}")
    described = resolved(described)
    yield from _problems_of_headers(answer, described.get("headers", {}))
    yield from _problems_of_body(answer, described, place)


def _problems_of_headers(answer: Answer, described: dict[str, Any]) -> Iterator[str]:
    names = {name.lower(): header for name, header in described.items()}
    for name, header in names.items():
        if header.get("required") and name not in answer.headers:
            yield f"the header {name} is missing"
        if name in answer.headers and (wrong := problems_of(answer.headers[name], header["schema"])):
            yield f"the header {name}: {wrong[0]}"
    for name in answer.headers:
        if name not in names and name not in EXCLUDED_HEADERS:
            yield f"the header {name} is not described"


def _problems_of_body(answer: Answer, described: dict[str, Any], pointer: str) -> Iterator[str]:
    content = described.get("content", {})
    given = answer.headers.get("content-type")
    if not content:
        # The test client cuts a body off such an answer; its type tells whether there was one.
        if answer.body or (given and answer.status in NO_BODY):
            yield "it has a body, and none is described"
        return
    media_type = (given or "").partition(";")[0]
    if media_type not in content:
        yield f"its content type is {given}, not {' or '.join(content)}"
    elif media_type == "application/json":
        yield from _problems_of_json(answer, f"{pointer}/content/application~1json/schema")


def _problems_of_json(answer: Answer, pointer: str) -> Iterator[str]:
    if answer.headers.get("content-type") != "application/json":
        yield f"its content type is {answer.headers.get('content-type')}, not application/json"
    elif answer.verb != "HEAD" and answer.body is not None:
        try:
            body = json.loads(answer.body)
        except ValueError as error:
            yield f"it is not JSON: {error}"
        else:
            yield from _errors(_validator(json.dumps({"$ref": DOCUMENT + pointer})), body)


def _errors(validator: Any, body: Any) -> list[str]:
    if validator.is_valid(body):
        return []
    return [
        f"{'.'.join(map(str, error.instance_path)) or 'the body'}: {error.message[:400]}"
        for error in validator.iter_errors(body)
    ]


@cache
def _validator(schema: str) -> Any:
    whole = json.loads(schema.replace('"#/components/', f'"{DOCUMENT}#/components/'))
    return jsonschema_rs.Draft202012Validator(whole, registry=_registry(), validate_formats=True)


@cache
def _registry() -> Any:
    return jsonschema_rs.Registry([(DOCUMENT, _closed(document()))], draft=jsonschema_rs.Draft202012)


def _closed(schema: Any, *, names: bool = False) -> Any:
    """Refuse fields that the document does not name; where `names`, the keys are names of fields."""
    if isinstance(schema, list):
        return [_closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    made = {name: _closed(value, names=name == "properties" and not names) for name, value in schema.items()}
    if not names and isinstance(schema.get("properties"), dict):
        made.setdefault("additionalProperties", False)
    return made


@cache
def _find(verb: str, path: str) -> tuple[str, dict[str, Any]] | None:
    parts = path.split("/")
    for template, named, operations in _templates():
        if len(named) == len(parts) and all(
            name.startswith("{") or name == part for name, part in zip(named, parts, strict=True)
        ):
            pointer = f"#/paths/{quote(template.replace('/', '~1'), safe='~')}/{verb}"
            return (pointer, operations[verb]) if verb in operations else None
    return None


@cache
def _templates() -> list[tuple[str, list[str], dict[str, Any]]]:
    # Literal paths win over those with an id.
    paths = sorted(document()["paths"].items(), key=lambda item: item[0].count("{"))
    return [(path, path.removeprefix(PREFIX).split("/"), operations) for path, operations in paths]
