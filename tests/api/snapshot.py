"""The API's contract as one file that people review: what goes over the wire, without a word of explanation.

`make api-snapshot` writes it anew. What would break a client is refused, unless it is said why:
`make api-snapshot BREAKING="why"` adds the reason and the changes to docs/api/breaking-changes.md.
"""

import argparse
import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.api.breaking import breaking_changes

PROJECT = Path(__file__).resolve().parents[2]
SNAPSHOT = PROJECT / "docs" / "api" / "contract.json"
ACCEPTED = PROJECT / "docs" / "api" / "breaking-changes.md"
# What explains and does not bind.
WORDS = {"description", "title", "examples", "example", "readOnly", "writeOnly", "summary"}
PREFIX = "#/components/schemas/"
LINES_DOWN_TO = 4  # Below a property, or a part of an operation, all is on one line,
SHORT = 110  # and so is what is short.


def contract_of(document: dict[str, Any]) -> dict[str, Any]:
    """Take from an OpenAPI document what a client can rely on; equal contracts mean equal behaviour."""
    return {
        "operations": {
            f"{verb.upper()} {path}": _operation(operation)
            for path, verbs in document["paths"].items()
            for verb, operation in verbs.items()
        },
        "schemas": {name: _plain(schema) for name, schema in document["components"]["schemas"].items()},
    }


def text_of(contract: dict[str, Any]) -> str:
    """Write a contract as JSON that is read and compared line by line."""
    return _text(contract, 0) + "\n"


def stored() -> dict[str, Any]:
    """Return the contract that clients were given."""
    found: dict[str, Any] = json.loads(SNAPSHOT.read_text())
    return found


def _operation(operation: dict[str, Any]) -> dict[str, Any]:
    body = operation.get("requestBody", {})
    answers = {status: each for status, each in operation["responses"].items() if status < "400"}
    made: dict[str, Any] = {
        "answers": {status: _answer(each) for status, each in answers.items()},
        "errors": sorted(operation["responses"].keys() - answers.keys()),
    }
    for place in ("path", "query", "header"):
        found = [each for each in operation.get("parameters", ()) if each["in"] == place]
        if found:
            made[place] = {each["name"]: _parameter(each) for each in found}
    if body:
        made["body"] = {media_type: _plain(media["schema"]) for media_type, media in body["content"].items()}
        if body.get("required"):
            made["body"]["isRequired"] = True
    if not operation.get("security") or {} in operation["security"]:
        made["public"] = True
    return made


def _parameter(parameter: dict[str, Any]) -> dict[str, Any]:
    schema: dict[str, Any] = _plain(parameter["schema"])
    return {**schema, "isRequired": True} if parameter.get("required") else schema


def _answer(answer: dict[str, Any]) -> dict[str, Any]:
    content = {media_type: _plain(media["schema"]) for media_type, media in answer.get("content", {}).items()}
    return {"headers": sorted(answer.get("headers", {})), **content}


def _plain(schema: Any, *, names: bool = False) -> Any:
    """Drop the words; where `names`, the keys are properties' names and all of them stay."""
    if isinstance(schema, list):
        return [_plain(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return {"$ref": schema["$ref"].removeprefix(PREFIX)}
    made = {
        key: _plain(value, names=key == "properties") if key != "required" else sorted(value)
        for key, value in schema.items()
        if names or key not in WORDS
    }
    if not names and len(made.get("allOf", ())) == 1 and len(made) == 1:
        return made["allOf"][0]  # It stood there for the words beside it.
    return made


def _text(value: Any, depth: int) -> str:
    line = json.dumps(value, sort_keys=True, ensure_ascii=False)
    if depth == LINES_DOWN_TO or not isinstance(value, dict) or (depth > 1 and len(line) <= SHORT):
        return line
    indent = " " * (depth + 1)
    inner = ",\n".join(f"{indent}{json.dumps(key)}: {_text(value[key], depth + 1)}" for key in sorted(value))
    return "{\n" + inner + "\n" + " " * depth + "}"


def main() -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ispcore.settings")
    import django

    django.setup()
    from tests.contract import document

    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--breaking", default="", metavar="WHY", help="accept changes that break clients")
    return update(document(), why=options.parse_args().breaking.strip())


def update(document: dict[str, Any], *, why: str = "") -> int:
    """Write the snapshot anew; 1 and nothing is written when that breaks clients and nobody says `why`."""
    new = contract_of(document)
    broken = breaking_changes(stored(), new) if SNAPSHOT.exists() else []
    if broken and not why:
        print(explain(broken), file=sys.stderr)
        return 1
    if broken:
        _accept(why, broken)
    SNAPSHOT.write_text(text_of(new))
    print(f"Wrote {SNAPSHOT}: {len(new['operations'])} operations.")
    return 0


def explain(broken: list[str]) -> str:
    """Say which changes break clients, and what to do."""
    return "\n".join(
        [
            "These changes break programs that use the API as it was:",
            *(f"  {change}" for change in broken),
            "Add beside what is there instead of changing it. If it must be, say why:",
            '  make api-snapshot BREAKING="why"',
        ]
    )


def _accept(why: str, broken: list[str]) -> None:
    with ACCEPTED.open("a") as file:
        file.write(f"\n## {datetime.now(UTC):%Y-%m-%d}: {why}\n\n")
        file.writelines(f"- {change}\n" for change in broken)


if __name__ == "__main__":
    sys.exit(main())
