"""The catalogue of events says what the code says."""

import ast
import re
from pathlib import Path

import pytest

from ispcore.events.catalogue import CATALOGUE, groups, is_known, names_of, schema_of
from ispcore.wiring import HANDLERS
from tests.architecture.test_rules import HOUSE, python_files

PROJECT = Path(__file__).resolve().parents[2]
# What SQL writes: the names of the ids, in the order of their value.
IN_SQL = re.compile(
    r"INSERT INTO events_event .*?'([a-z]+\.[a-z_]+)',\s*jsonb_build_object\((.*?)\)\s*(?:\)|FROM|;|\n)",
    re.DOTALL,
)


def published() -> set[tuple[str, tuple[str, ...]]]:
    """Read each call of `publish` with the names of what it gives."""
    return {
        (str(call.args[0].value), tuple(each.arg or "" for each in call.keywords))
        for path in python_files(*HOUSE)
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Name)
        and call.func.id == "publish"
        and call.args
        and isinstance(call.args[0], ast.Constant)
    }


def test_it_lists_every_event_there_is_and_no_other():
    assert set(CATALOGUE) == set(HANDLERS)


def test_every_call_gives_the_ids_it_names():
    wrong = {(name, ids) for name, ids in published() if name not in CATALOGUE or ids != CATALOGUE[name].ids}

    assert len(published()) > 25
    assert wrong == set()


def test_what_functions_in_the_database_write_has_the_ids_it_names():
    texts = [path.read_text() for path in PROJECT.glob("*/sql/*.sql")]
    texts += [
        path.read_text() for path in python_files(*HOUSE) if "INSERT INTO events_event" in path.read_text()
    ]
    found = [
        (name, tuple(re.findall(r"'([a-z_]+)',", arguments + ",")[:2]))
        for text in texts
        for name, arguments in IN_SQL.findall(text)
    ]

    assert [name for name, _ in found] == ["aaa.quota_depleted", "ipam.address_released"]
    for name, ids in found:
        assert set(CATALOGUE[name].ids) <= set(ids)


@pytest.mark.parametrize("name", sorted(CATALOGUE))
def test_each_has_words_and_a_schema(name):
    assert CATALOGUE[name].description.endswith(".")
    assert set(CATALOGUE[name].optional) <= set(CATALOGUE[name].ids)
    assert schema_of(name)["properties"]["data"]["required"] == list(CATALOGUE[name].ids)


def test_a_group_stands_for_all_of_its_part():
    assert "billing.*" in groups()
    assert names_of("billing.*") == [name for name in CATALOGUE if name.startswith("billing.")]
    assert names_of("billing.invoice_issued") == ["billing.invoice_issued"]
    for nothing in ("", "*", ".*", "bill.*", "billing", "billing.", "billing.nothing"):
        assert names_of(nothing) == []
        assert not is_known(nothing)
