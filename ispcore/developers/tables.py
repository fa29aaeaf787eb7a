"""Fields and parameters of the schema as rows of a table."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.utils.safestring import SafeString

from ispcore.developers.examples import Schema
from ispcore.developers.prose import inline

DEEPEST = 3  # `data.address.city`; deeper ones show in the example.
MOST_CHOICES = 12


@dataclass(frozen=True)
class Row:
    name: str
    type: str
    is_required: bool
    text: SafeString
    choices: tuple[str, ...] = ()


class Tables:
    def __init__(self, components: dict[str, Schema]) -> None:
        self.components = components

    def fields(self, schema: Schema, prefix: str = "", depth: int = 0) -> Iterator[Row]:
        """Walk an object's fields; those of an object within are named `outer.inner`, of a list `outer[]`."""
        plain = self.opened(schema)
        needed = plain.get("required", ())
        for name, part in plain.get("properties", {}).items():
            if name == "pagination" and name not in needed:
                continue
            yield self.row(f"{prefix}{name}", part, is_required=name in needed)
            inner = self.opened(part)
            if "items" in inner:
                inner, name = self.opened(inner["items"]), f"{name}[]"
            if inner.get("properties") and depth < DEEPEST:
                yield from self.fields(inner, f"{prefix}{name}.", depth + 1)

    def row(self, name: str, schema: Schema, *, is_required: bool, text: str = "") -> Row:
        plain = self.opened(schema)
        described = (text or schema.get("description") or "").partition("\n\n* ")[0]
        return Row(name, self.type_of(plain), is_required, inline(_one_line(described)), _choices(plain))

    def type_of(self, schema: Schema) -> str:
        """Say in words what may stand there: type, form, limits."""
        if "const" in schema:
            return f"always {str(schema['const']).lower()}"
        kinds = schema.get("type", "object" if "properties" in schema else "any value")
        kinds = [kinds] if isinstance(kinds, str) else list(kinds)
        words = [kind for kind in kinds if kind != "null"]
        if words == ["array"]:
            inner = self.type_of(self.opened(schema.get("items", {})))
            words = [f"list of {inner}"]
        if form := schema.get("format"):
            words.append(form)
        if schema.get("maxLength"):
            words.append(f"up to {schema['maxLength']} characters")
        if "minimum" in schema or "maximum" in schema:
            words.append(_range(schema))
        if "null" in kinds:
            words.append("or null")
        return ", ".join(word for word in words if word)

    def opened(self, schema: Schema) -> Schema:
        """Follow references, take the first of alternatives, and join what belongs together."""
        while "$ref" in schema or schema.get("oneOf") or schema.get("anyOf") or schema.get("allOf"):
            if "$ref" in schema:
                schema = self.components[schema["$ref"].rsplit("/", 1)[-1]]
            elif schema.get("allOf"):
                rest = {key: value for key, value in schema.items() if key != "allOf"}
                parts = [self.opened(part) for part in schema["allOf"]]
                schema = {key: value for part in [*parts, rest] for key, value in part.items()}
            else:
                rest = {key: value for key, value in schema.items() if key not in ("oneOf", "anyOf")}
                schema = {**(schema.get("oneOf") or schema["anyOf"])[0], **rest}
        return schema


def _choices(schema: Schema) -> tuple[str, ...]:
    values: list[Any] = schema.get("enum") or schema.get("items", {}).get("enum") or []
    shown = [str(value) for value in values if value not in ("", None)]
    more = [f"and {len(shown) - MOST_CHOICES} more"] if len(shown) > MOST_CHOICES else []
    return (*shown[:MOST_CHOICES], *more)


def _range(schema: Schema) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is None or high is None:
        return f"at least {low}" if high is None else f"at most {high}"
    return "" if abs(high) > 2**31 else f"{low} to {high}"


def _one_line(text: str) -> str:
    return " ".join(text.split())
