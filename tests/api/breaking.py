"""Tells which changes of the API break somebody's program.

What is compared are two contracts as tests/api/snapshot.py makes them. A request may only take more than before, an
answer may only promise more. One exception: an answer's list of choices may grow, as clients are told to expect.
"""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

Schema = dict[str, Any]

AT_MOST = ("maxLength", "maximum", "maxItems", "maxProperties")
AT_LEAST = ("minLength", "minimum", "minItems", "minProperties")
NAME = "$name"  # Of the component that a schema was found in.


def breaking_changes(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """Name every change that breaks a client of `old`, one sentence each; no change is named twice."""
    return list(dict.fromkeys(_Comparison(old, new).operations()))


class _Comparison:
    def __init__(self, old: dict[str, Any], new: dict[str, Any]) -> None:
        self.old, self.new = old, new
        self.compared: set[tuple[str, str, bool]] = set()

    def operations(self) -> Iterator[str]:
        for name, old in self.old["operations"].items():
            new = self.new["operations"].get(name)
            if new is None:
                yield f"{name}: the operation is gone"
                continue
            if old.get("public") and not new.get("public"):
                yield f"{name}: it wants a credential now"
            for place in ("path", "query", "header"):
                yield from self._parameters(f"{name}, {place}", old.get(place, {}), new.get(place, {}))
            yield from self._body(name, old.get("body", {}), new.get("body", {}))
            yield from self._answers(name, old["answers"], new["answers"])
            for status in sorted(set(old["errors"]) - set(new["errors"])):
                yield f"{name}: the status {status} is gone"

    def _parameters(self, where: str, old: dict[str, Any], new: dict[str, Any]) -> Iterator[str]:
        for name, parameter in old.items():
            if name not in new:
                yield f"{where}: {name} is gone, and what is unknown is refused"
            else:
                yield from self._schema(f"{where}: {name}", parameter, new[name], is_request=True)
        for name, parameter in new.items():
            if parameter.get("isRequired") and not old.get(name, {}).get("isRequired"):
                yield f"{where}: {name} is required now"

    def _body(self, where: str, old: dict[str, Any], new: dict[str, Any]) -> Iterator[str]:
        if new.get("isRequired") and not old.get("isRequired"):
            yield f"{where}: a body is required now"
        for media_type in sorted(old.keys() - {"isRequired"}):
            if media_type not in new:
                yield f"{where}: {media_type} is not taken any more"
            else:
                yield from self._schema(f"{where}, body", old[media_type], new[media_type], is_request=True)

    def _answers(self, where: str, old: dict[str, Any], new: dict[str, Any]) -> Iterator[str]:
        for status, answer in old.items():
            if status not in new:
                yield f"{where}: the status {status} is gone"
                continue
            for header in sorted(set(answer["headers"]) - set(new[status]["headers"])):
                yield f"{where}, {status}: the header {header} is gone"
            for media_type in sorted(answer.keys() - {"headers"}):
                if media_type not in new[status]:
                    yield f"{where}, {status}: {media_type} is not answered any more"
                else:
                    yield from self._schema(
                        f"{where}, {status}", answer[media_type], new[status][media_type], is_request=False
                    )

    def _schema(self, where: str, old: Schema, new: Schema, *, is_request: bool) -> Iterator[str]:
        before, after = self._kinds(self.old, old), self._kinds(self.new, new)
        for kind, olds in before.items():
            news = _of_kind(after, kind, wider=is_request)
            if is_request and len(news) < len(olds):
                yield f"{where}: {kind} is not taken any more, but {' or '.join(after)}"
            for each, other in zip(olds, news, strict=False):
                yield from self._same_kind(where, each, other, is_request=is_request)
        if not is_request:
            for kind, news in after.items():
                if len(_of_kind(before, kind, wider=True)) < len(news):
                    yield f"{where}: it may be {kind} now, not {' or '.join(before)}"

    def _same_kind(self, where: str, old: Schema, new: Schema, *, is_request: bool) -> Iterator[str]:
        names = old.get(NAME, ""), new.get(NAME, "")
        if all(names):
            if (*names, is_request) in self.compared:
                return
            self.compared.add((*names, is_request))
            where = f"{names[0]} in {'requests' if is_request else 'answers'}"
        yield from _values(where, old, new, is_request=is_request)
        if is_request:
            yield from _limits(where, old, new)
        yield from self._object(where, old, new, is_request=is_request)
        if "items" in old and "items" in new:
            yield from self._schema(f"{where}[]", old["items"], new["items"], is_request=is_request)

    def _object(self, where: str, old: Schema, new: Schema, *, is_request: bool) -> Iterator[str]:
        olds, news = old.get("properties", {}), new.get("properties", {})
        rest = old.get("additionalProperties", True), new.get("additionalProperties", True)
        if is_request and rest[0] is not False and rest[1] is False:
            yield f"{where}: names that it does not know are refused now"
        for name, schema in olds.items():
            if name in news:
                yield from self._schema(f"{where}.{name}", schema, news[name], is_request=is_request)
            elif not is_request or rest[1] is False:
                yield f"{where}: {name} is gone"
        if all(isinstance(each, dict) for each in rest):
            yield from self._schema(f"{where}.*", *rest, is_request=is_request)
        wanted, wants = set(old.get("required", ())), set(new.get("required", ()))
        if is_request:
            yield from (f"{where}: {name} is required now" for name in sorted(wants - wanted))
        else:
            yield from (
                f"{where}: {name} may be missing now" for name in sorted((wanted - wants) & news.keys())
            )

    def _kinds(self, contract: dict[str, Any], schema: Schema) -> dict[str, list[Schema]]:
        """Take a schema apart into its alternatives, by their JSON type; "anything" when it names none."""
        kinds: dict[str, list[Schema]] = defaultdict(list)
        for each in self._alternatives(contract, schema):
            types = each.get("type", "anything")
            for kind in [types] if isinstance(types, str) else types:
                kinds[kind].append(each)
        return dict(kinds)

    def _alternatives(self, contract: dict[str, Any], schema: Schema) -> Iterator[Schema]:
        if "$ref" in schema:
            for each in self._alternatives(contract, contract["schemas"][schema["$ref"]]):
                yield {NAME: schema["$ref"], **each}
        elif choices := schema.get("oneOf") or schema.get("anyOf"):
            for choice in choices:
                yield from self._alternatives(contract, choice)
        elif parts := schema.get("allOf"):
            own = {name: value for name, value in schema.items() if name != "allOf"}
            whole: Schema = {}
            for part in [*(next(self._alternatives(contract, each)) for each in parts), own]:
                whole = _merged(whole, part)
            yield whole
        else:
            yield schema


def _merged(one: Schema, other: Schema) -> Schema:
    both = {**one, **other}
    for name in ("properties",):
        if name in one and name in other:
            both[name] = {**one[name], **other[name]}
    if "required" in one and isinstance(other.get("required"), list):
        both["required"] = sorted({*one["required"], *other["required"]})
    return both


def _of_kind(kinds: dict[str, list[Schema]], kind: str, *, wider: bool) -> list[Schema]:
    """Return the alternatives of this type, else (when wider) those that hold every value of it."""
    if kind in kinds or not wider:
        return kinds.get(kind, [])
    if kind == "integer" and "number" in kinds:
        return kinds["number"]
    return kinds.get("anything", [])


def _values(where: str, old: Schema, new: Schema, *, is_request: bool) -> Iterator[str]:
    before, after = _choices(old), _choices(new)
    if is_request and after is not None:
        if before is None:
            yield f"{where}: only {_listed(after)} is taken now"
        elif lost := [value for value in before if value not in after]:
            yield f"{where}: {_listed(lost)} is not taken any more"
    if not is_request and "const" in old and before != after:
        yield f"{where}: it is not {old['const']!r} any more"
    formats = old.get("format"), new.get("format")
    if formats[0] != formats[1] and (formats[1] if is_request else formats[0]):
        yield f"{where}: its format is {formats[1] or 'any'} now, not {formats[0] or 'any'}"


def _limits(where: str, old: Schema, new: Schema) -> Iterator[str]:
    for name in AT_MOST:
        if name in new and new[name] < old.get(name, float("inf")):
            yield f"{where}: {name} is {new[name]} now, not {old.get(name, 'without limit')}"
    for name in AT_LEAST:
        if name in new and new[name] > old.get(name, 0 if name != "minimum" else float("-inf")):
            yield f"{where}: {name} is {new[name]} now, not {old.get(name, 'without limit')}"
    if "pattern" in new and new["pattern"] != old.get("pattern"):
        yield f"{where}: it must look like {new['pattern']} now"
    if old.get("default") != new.get("default"):
        yield f"{where}: left out it means {new.get('default')!r} now, not {old.get('default')!r}"


def _choices(schema: Schema) -> list[Any] | None:
    if "const" in schema:
        return [schema["const"]]
    found: list[Any] | None = schema.get("enum")
    return found


def _listed(values: list[Any]) -> str:
    return ", ".join(repr(value) for value in values)
