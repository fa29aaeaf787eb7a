"""The API against the contract that its clients were given (docs/api/contract.json), and what counts as breaking it."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.api import snapshot
from tests.api.breaking import breaking_changes
from tests.api.snapshot import SNAPSHOT, contract_of, explain, stored, text_of
from tests.contract import document

HEADER = {"schema": {"type": "string"}}
DOCUMENT: dict[str, Any] = {
    "paths": {
        "/api/v1/zones": {
            "get": {
                "description": "List zones.",
                "security": [{"bearer": []}],
                "parameters": [
                    {
                        "in": "query",
                        "name": "page",
                        "schema": {"type": "integer", "maximum": 100, "default": 50},
                    },
                    {"in": "query", "name": "kind", "schema": {"type": "string", "enum": ["city", "town"]}},
                    {"in": "header", "name": "X-Tenant-ID", "schema": {"type": "string"}},
                ],
                "responses": {
                    "200": {
                        "description": "",
                        "headers": {"ETag": HEADER},
                        "content": {
                            "application/json": {
                                "schema": {"type": "array", "items": {"$ref": "#/components/schemas/Zone"}}
                            },
                            "text/csv": {"schema": {"type": "string", "format": "binary"}},
                        },
                    },
                    "404": {"description": "None.", "headers": {}},
                },
            },
            "post": {
                "parameters": [],
                "requestBody": {
                    "content": {
                        "application/json": {"schema": {"$ref": "#/components/schemas/ZoneRequest"}},
                        "multipart/form-data": {"schema": {"$ref": "#/components/schemas/ZoneRequest"}},
                    }
                },
                "responses": {"201": {"description": "", "headers": {}}, "202": {"description": ""}},
            },
        }
    },
    "components": {
        "schemas": {
            "Kind": {"type": "string", "enum": ["city", "town"], "description": "Whatever."},
            "Zone": {
                "type": "object",
                "properties": {
                    "id": {"type": "string", "format": "uuid", "readOnly": True},
                    "kind": {"allOf": [{"$ref": "#/components/schemas/Kind"}], "description": "What it is."},
                    "size": {"type": "integer"},
                    "parent": {"oneOf": [{"$ref": "#/components/schemas/Zone"}, {"type": "null"}]},
                    "note": {"type": ["string", "null"]},
                    "version": {"const": "v1"},
                },
                "required": ["id", "kind", "size", "parent", "version"],
            },
            "ZoneRequest": {
                "type": "object",
                "properties": {
                    "name": {"type": "string", "maxLength": 80},
                    "kind": {"$ref": "#/components/schemas/Kind"},
                    "size": {"type": "integer", "minimum": 1},
                    "note": {"type": ["string", "null"]},
                    "tags": {"type": "array", "maxItems": 20, "items": {"type": "string"}},
                },
                "required": ["name"],
                "additionalProperties": False,
            },
        }
    },
}

Change = Callable[[dict[str, Any]], Any]


def changed(change: Change) -> list[str]:
    """Name what breaks between the document above and one that was changed."""
    new = copy.deepcopy(DOCUMENT)
    change(new)
    return breaking_changes(contract_of(DOCUMENT), contract_of(new))


def verb(document: dict[str, Any], name: str) -> Any:
    return document["paths"]["/api/v1/zones"][name]


def fields(document: dict[str, Any], name: str) -> Any:
    return document["components"]["schemas"][name]["properties"]


def answers(document: dict[str, Any]) -> Any:
    return verb(document, "get")["responses"]


BREAKING: list[tuple[str, Change]] = [
    ("GET /api/v1/zones: the operation is gone", lambda new: new["paths"].clear()),
    ("POST /api/v1/zones: the operation is gone", lambda new: new["paths"]["/api/v1/zones"].pop("post")),
    (
        "POST /api/v1/zones: it wants a credential now",
        lambda new: verb(new, "post").update(security=[{"bearer": []}]),
    ),
    ("GET /api/v1/zones: the status 200 is gone", lambda new: answers(new).pop("200")),
    ("GET /api/v1/zones: the status 404 is gone", lambda new: answers(new).pop("404")),
    ("GET /api/v1/zones, 200: the header ETag is gone", lambda new: answers(new)["200"]["headers"].clear()),
    (
        "GET /api/v1/zones, 200: text/csv is not answered any more",
        lambda new: answers(new)["200"]["content"].pop("text/csv"),
    ),
    (
        "GET /api/v1/zones, query: page is gone, and what is unknown is refused",
        lambda new: verb(new, "get")["parameters"].pop(0),
    ),
    (
        "GET /api/v1/zones, query: page is required now",
        lambda new: verb(new, "get")["parameters"][0].update(required=True),
    ),
    (
        "GET /api/v1/zones, query: page: maximum is 50 now, not 100",
        lambda new: verb(new, "get")["parameters"][0]["schema"].update(maximum=50),
    ),
    (
        "GET /api/v1/zones, query: page: left out it means 20 now, not 50",
        lambda new: verb(new, "get")["parameters"][0]["schema"].update(default=20),
    ),
    (
        "GET /api/v1/zones, query: kind: 'town' is not taken any more",
        lambda new: verb(new, "get")["parameters"][1]["schema"].update(enum=["city"]),
    ),
    (
        "POST /api/v1/zones: a body is required now",
        lambda new: verb(new, "post")["requestBody"].update(required=True),
    ),
    (
        "POST /api/v1/zones: multipart/form-data is not taken any more",
        lambda new: verb(new, "post")["requestBody"]["content"].pop("multipart/form-data"),
    ),
    ("Zone in answers: size is gone", lambda new: fields(new, "Zone").pop("size")),
    (
        "Zone in answers: size may be missing now",
        lambda new: new["components"]["schemas"]["Zone"]["required"].remove("size"),
    ),
    (
        "Zone in answers.size: it may be string now, not integer",
        lambda new: fields(new, "Zone").update(size={"type": "string"}),
    ),
    (
        "Zone in answers.size: it may be null now, not integer",
        lambda new: fields(new, "Zone").update(size={"type": ["integer", "null"]}),
    ),
    (
        "Zone in answers.parent: it may be array now, not object or null",
        lambda new: fields(new, "Zone")["parent"]["oneOf"].append({"type": "array"}),
    ),
    (
        "Zone in answers.id: its format is any now, not uuid",
        lambda new: fields(new, "Zone")["id"].pop("format"),
    ),
    (
        "Zone in answers.version: it is not 'v1' any more",
        lambda new: fields(new, "Zone").update(version={"const": "v2"}),
    ),
    (
        "ZoneRequest in requests: colour is required now",
        lambda new: (
            fields(new, "ZoneRequest").update(colour={"type": "string"}),
            new["components"]["schemas"]["ZoneRequest"]["required"].append("colour"),
        ),
    ),
    (
        "ZoneRequest in requests: size is required now",
        lambda new: new["components"]["schemas"]["ZoneRequest"]["required"].append("size"),
    ),
    ("ZoneRequest in requests: size is gone", lambda new: fields(new, "ZoneRequest").pop("size")),
    (
        "Kind in requests: 'town' is not taken any more",
        lambda new: new["components"]["schemas"]["Kind"].update(enum=["city"]),
    ),
    (
        "ZoneRequest in requests.name: only 'Hill' is taken now",
        lambda new: fields(new, "ZoneRequest")["name"].update(enum=["Hill"]),
    ),
    (
        "ZoneRequest in requests.note: null is not taken any more, but string",
        lambda new: fields(new, "ZoneRequest").update(note={"type": "string"}),
    ),
    (
        "ZoneRequest in requests.size: integer is not taken any more, but string",
        lambda new: fields(new, "ZoneRequest").update(size={"type": "string"}),
    ),
    (
        "ZoneRequest in requests.name: maxLength is 40 now, not 80",
        lambda new: fields(new, "ZoneRequest")["name"].update(maxLength=40),
    ),
    (
        "ZoneRequest in requests.note: maxLength is 9 now, not without limit",
        lambda new: fields(new, "ZoneRequest")["note"].update(maxLength=9),
    ),
    (
        "ZoneRequest in requests.size: minimum is 2 now, not 1",
        lambda new: fields(new, "ZoneRequest")["size"].update(minimum=2),
    ),
    (
        "ZoneRequest in requests.name: it must look like ^a now",
        lambda new: fields(new, "ZoneRequest")["name"].update(pattern="^a"),
    ),
    (
        "ZoneRequest in requests.name: its format is email now, not any",
        lambda new: fields(new, "ZoneRequest")["name"].update(format="email"),
    ),
    (
        "ZoneRequest in requests.tags[]: string is not taken any more, but integer",
        lambda new: fields(new, "ZoneRequest")["tags"].update(items={"type": "integer"}),
    ),
]

HARMLESS: dict[str, Change] = {
    "nothing": lambda new: None,
    "a word": lambda new: fields(new, "Zone")["id"].update(description="Its id."),
    "a path": lambda new: new["paths"].update({"/api/v1/towns": new["paths"]["/api/v1/zones"]}),
    "a status": lambda new: answers(new).update({"409": {"description": ""}}),
    "a field of an answer": lambda new: fields(new, "Zone").update(colour={"type": "string"}),
    "a field of a request": lambda new: fields(new, "ZoneRequest").update(colour={"type": "string"}),
    "a filter": lambda new: verb(new, "get")["parameters"].append(
        {"in": "query", "name": "q", "schema": {"type": "string"}}
    ),
    "a choice": lambda new: new["components"]["schemas"]["Kind"]["enum"].append("village"),
    "a wider limit": lambda new: fields(new, "ZoneRequest")["name"].update(maxLength=200),
    "a wider type": lambda new: fields(new, "ZoneRequest").update(size={"type": "number", "minimum": 1}),
    "a narrower answer": lambda new: fields(new, "Zone").update(note={"type": "string"}),
    "a promise": lambda new: new["components"]["schemas"]["Zone"]["required"].append("note"),
}


class TestWhatBreaks:
    @pytest.mark.parametrize(("told", "change"), BREAKING, ids=[told for told, _ in BREAKING])
    def test_is_told(self, told, change):
        assert told in changed(change)

    @pytest.mark.parametrize("change", HARMLESS.values(), ids=HARMLESS)
    def test_is_not_what_adds(self, change):
        assert changed(change) == []

    def test_is_told_once_however_many_use_it(self):
        def drop(new: dict[str, Any]) -> None:
            fields(new, "Zone").pop("size")

        assert changed(drop) == ["Zone in answers: size is gone"]


class TestTheSnapshot:
    def test_reads_back_as_it_was_written(self):
        contract = contract_of(DOCUMENT)

        assert json.loads(text_of(contract)) == contract
        assert "Whatever." not in text_of(contract)

    def test_is_updated_by_what_adds(self, monkeypatch, tmp_path):
        written = update(
            monkeypatch, tmp_path, lambda new: fields(new, "Zone").update(colour={"type": "string"})
        )

        assert written.status == 0
        assert "colour" in written.contract
        assert written.accepted == ""

    def test_is_not_updated_by_what_breaks(self, monkeypatch, tmp_path, capsys):
        written = update(monkeypatch, tmp_path, lambda new: fields(new, "Zone").pop("size"))

        assert written.status == 1
        assert '"size"' in written.contract
        assert written.accepted == ""
        assert "Zone in answers: size is gone" in capsys.readouterr().err

    def test_is_updated_by_what_breaks_with_a_reason(self, monkeypatch, tmp_path):
        written = update(
            monkeypatch, tmp_path, lambda new: fields(new, "Zone").pop("size"), why="Never known"
        )

        assert written.status == 0
        assert "Never known" in written.accepted
        assert "- Zone in answers: size is gone\n" in written.accepted


class Written:
    def __init__(self, status: int, contract: str, accepted: str) -> None:
        self.status, self.contract, self.accepted = status, contract, accepted


def update(monkeypatch: pytest.MonkeyPatch, directory: Any, change: Change, *, why: str = "") -> Written:
    """Run `make api-snapshot` for the document above after a change of it."""
    new = copy.deepcopy(DOCUMENT)
    change(new)
    monkeypatch.setattr(snapshot, "SNAPSHOT", directory / "contract.json")
    monkeypatch.setattr(snapshot, "ACCEPTED", directory / "breaking-changes.md")
    snapshot.SNAPSHOT.write_text(text_of(contract_of(DOCUMENT)))
    status = snapshot.update(new, why=why)
    accepted = snapshot.ACCEPTED.read_text() if snapshot.ACCEPTED.exists() else ""
    return Written(status, snapshot.SNAPSHOT.read_text(), accepted)


def test_nothing_that_clients_rely_on_has_changed():
    broken = breaking_changes(stored(), contract_of(document()))

    assert not broken, explain(broken)


def test_the_snapshot_is_up_to_date():
    now = text_of(contract_of(document()))

    assert SNAPSHOT.read_text() == now, (
        "The API changed: run `make api-snapshot` and commit docs/api/contract.json."
    )
