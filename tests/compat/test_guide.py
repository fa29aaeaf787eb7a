"""docs/guides/compat.md: every operation of a product's page stands in it, is served, and is shown by a test."""

import ast
import re
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from django.urls import URLPattern, URLResolver

from tests.compat.seeds import OPERATIONS

HERE = Path(__file__).parent
GUIDE = HERE.parents[1] / "docs" / "guides" / "compat.md"
ROW = re.compile(r"\| `(GET|POST|PUT|PATCH|DELETE) /(\S+)` \| (.+) \| `(\S+?)::(\S+)` \|")
VERBS = {"get", "post", "put", "patch", "delete"}


@cache
def rows(dialect: str) -> list[tuple[str, str, str, str]]:
    """Return (verb, path, file, test) of each row below the dialect's headline."""
    sections = re.split(r"^## ", GUIDE.read_text(), flags=re.MULTILINE)
    (section,) = (each for each in sections if each.partition("\n")[0].lower() == dialect)
    return [(verb, path, file, test) for verb, path, _, file, test in ROW.findall(section)]


def without_names(path: str) -> str:
    return re.sub(r"\{\w+\}", "{}", path)


def served(dialect: str) -> set[tuple[str, str]]:
    found = set()
    for pattern, view in _routes(import_module(f"compat.{dialect}.urls").urlpatterns, ""):
        path = re.sub(r"\(\?P<\w+>[^)]*\)", "{}", pattern.removesuffix("/?$")).replace("\\.", ".")
        verbs = view.actions if hasattr(view, "actions") else VERBS & set(dir(view.cls))
        found |= {(verb.upper(), path) for verb in verbs if verb in VERBS}
    return found


def _routes(patterns: Iterable[URLPattern | URLResolver], prefix: str) -> Iterator[tuple[str, Any]]:
    for pattern in patterns:
        path = prefix + str(pattern.pattern).removeprefix("^")
        if isinstance(pattern, URLResolver):
            yield from _routes(pattern.url_patterns, path)
        else:
            yield path, pattern.callback


def names_in(file: str) -> set[str]:
    tree = ast.parse((HERE / file).read_text())
    found = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}::{each.name}" for each in node.body if isinstance(each, ast.FunctionDef)}
    return found


@pytest.mark.parametrize("dialect", OPERATIONS)
def test_names_every_operation_of_the_page(dialect: str) -> None:
    named = {(verb, without_names(path)) for verb, path, *_ in rows(dialect)}

    assert {(verb, without_names(path)) for verb, path in OPERATIONS[dialect]} <= named
    assert len(named) == len(rows(dialect))


@pytest.mark.parametrize("dialect", OPERATIONS)
def test_names_what_is_served_and_nothing_else(dialect: str) -> None:
    assert {(verb, without_names(path)) for verb, path, *_ in rows(dialect)} == served(dialect)


@pytest.mark.parametrize("dialect", OPERATIONS)
def test_names_tests_that_exist(dialect: str) -> None:
    missing = [f"{file}::{test}" for *_, file, test in rows(dialect) if test not in names_in(file)]

    assert missing == []
