"""A client that holds every answer against the OpenAPI document, so that the two cannot drift apart."""

import gzip
import json
import re
from functools import cache
from typing import Any

from drf_spectacular.generators import SchemaGenerator
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from tests.client import Api

NO_BODY = (204, 304)


class DescribedApi(Api):
    """Fails the test when an answer is not what the document says it is; a 500 is described nowhere."""

    def get(self, path: str, data: dict[str, Any] | None = None, **headers: str) -> Any:
        return checked("get", path, super().get(path, data, **headers))

    def send(self, verb: str, path: str, content: bytes, content_type: str, **headers: str) -> Any:
        return checked(verb, path, super().send(verb, path, content, content_type, **headers))


def checked(verb: str, path: str, response: Any) -> Any:
    """Return the response after checking request id, envelope and schema."""
    operation = find_operation(verb.lower(), path)
    status = str(response.status_code)
    assert response.status_code != 500, response.content
    assert re.fullmatch(r"[A-Za-z0-9._-]{1,64}", response["X-Request-ID"])
    if response.status_code in NO_BODY:
        # The test client cuts a body off such an answer; its type tells whether there was one.
        assert (response.content, response.get("Content-Type")) == (b"", None)
        assert operation is None or status in operation["responses"]
        return response
    media_type = response["Content-Type"].partition(";")[0]
    if response.status_code == 200 and media_type != "application/json" and operation is not None:  # A file.
        assert media_type in operation["responses"][status]["content"]
        return response
    assert response["Content-Type"] == "application/json"
    body = json.loads(
        gzip.decompress(response.content) if response.get("Content-Encoding") else response.content
    )
    if operation is None or status == "405":
        problems = problems_of(body, {"$ref": "#/components/schemas/ErrorEnvelope"})
    else:
        assert status in operation["responses"], f"{verb} {path} answers {status}, which is not described"
        content = operation["responses"][status]["content"]
        problems = problems_of(body, content["application/json"]["schema"])
    assert problems == [], (verb, path, status, response.content)
    return response


def problems_of(body: Any, schema: dict[str, Any]) -> list[str]:
    components = {"components": document()["components"]}
    validator = Draft202012Validator(
        {**schema, **components}, format_checker=Draft202012Validator.FORMAT_CHECKER
    )
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(body)]


def find_operation(verb: str, path: str) -> dict[str, Any] | None:
    plain = path.partition("?")[0].rstrip("/")
    # Literal paths win over those with an id.
    for template, operations in sorted(document()["paths"].items(), key=lambda item: item[0].count("{")):
        pattern = re.sub(r"\{\w+\}", "[^/]+", template.removeprefix("/api/v1/"))
        if re.fullmatch(pattern, plain):
            found: dict[str, Any] | None = operations.get(verb)
            return found
    return None


@cache
def document() -> dict[str, Any]:
    """Return the OpenAPI document as `/api/schema` serves it."""
    made: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)
    return made
