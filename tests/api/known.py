"""What a fuzzer of the API needs to get past the first look-up: ids, and where they belong.

The bounded run of the tests (test_schema.py) and the long one (`make fuzz-api`, fuzz.py) share it; the latter knows no
database.
"""

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import jsonschema_rs
from schemathesis.core.parameters import ParameterLocation

# Headers with rules of their own, which the document cannot say: random ones would only ever be refused.
LEFT_OUT = ("X-Timezone", "X-Tenant-ID", "X-Request-ID", "X-Idempotency-Key", "If-Match", "If-None-Match")
# Where what the fuzzer spoilt surely travels. The credential is put back into every call, other headers are taken
# out, and a spoilt query may be one that an address cannot carry: the request is then well-formed after all.
SPOILT = {ParameterLocation.BODY, ParameterLocation.PATH}


@dataclass(frozen=True)
class Known:
    """Ids of records by where they are found, and by the fields that name them, app by app."""

    records: dict[str, str]
    fields: dict[str, dict[str, str]]

    def at(self, path: str) -> str | None:
        return next((pk for word, pk in self.records.items() if f"/{word}/" in path), None)

    def named_in(self, path: str) -> dict[str, str]:
        return next((names for app, names in self.fields.items() if f"/{app}/" in path), self.fields[""])


def aim(case: Any, known: Known) -> None:
    """Point a request at records that exist. What the fuzzer spoilt stays as it is."""
    pk = known.at(case.path)
    if pk and "id" in case.path_parameters:
        case.path_parameters = {"id": pk}
    if isinstance(case.body, dict):
        names = known.named_in(case.path)
        for name in case.body.keys() & names.keys():
            if _is_id(case.body[name]):
                case.body[name] = names[name]


def _is_id(value: object) -> bool:
    try:
        return isinstance(value, str) and bool(UUID(value))
    except ValueError:
        return False


def loses_a_part(case: Any) -> bool:
    """Tell whether a form has an empty part: the client leaves it out, and what arrives may be well-formed."""
    if case.media_type != "multipart/form-data" or not isinstance(case.body, dict):
        return False
    return any(isinstance(part, str) and not part for part in case.body.values())


def arrives_whole(case: Any) -> bool:
    """Tell whether a query is well-formed as it travels: as text, in which `true` and "true" are the same."""
    described = {parameter.name: parameter.definition for parameter in case.operation.query}
    named = {"components": case.operation.schema.raw_schema["components"]}
    return (
        case.query.keys() <= described.keys()
        and all(name in case.query for name, asked in described.items() if asked.get("required"))
        and all(
            any(jsonschema_rs.is_valid(described[name]["schema"] | named, read) for read in _readings(value))
            for name, value in case.query.items()
        )
    )


def _readings(value: Any) -> Iterator[Any]:
    text = value if isinstance(value, str) else json.dumps(value)
    yield text
    with suppress(ValueError):
        yield json.loads(text)
