"""Dashboards and alerts ask for what a real scrape has, and everything that is measured is drawn somewhere."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families

from ispcore.measures import all_measures
from tests.needs import needs

PROJECT = Path(__file__).resolve().parents[2]
DASHBOARDS = sorted((PROJECT / "deploy" / "grafana").glob("*.json"))
ALERTS = PROJECT / "deploy" / "prometheus" / "alerts.yml"
RUNBOOK = PROJECT / "docs" / "runbooks" / "alerts.md"
OURS = ("ispcore_", "django_http_")
ENDINGS = {
    "counter": ("_total",),
    "histogram": ("_bucket", "_sum", "_count"),
    "summary": ("_sum", "_count"),
    "gauge": ("",),
}
# How often they happen matters; when they began to be counted does not.
NOT_DRAWN = re.compile(r"_created$|^ispcore_tenant_info$")


def panels() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in DASHBOARDS:
        for panel in json.loads(path.read_text())["panels"]:
            yield path.stem, panel


def rules() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]


def selectors(expression: str) -> list[Any]:
    """Return the series that an expression asks for. Raises ValueError where it is no PromQL."""
    found: list[Any] = []
    promql_parser.walk(promql_parser.parse(expression), pre_visit=lambda node: found.append(node))
    return [node for node in found if isinstance(node, promql_parser.VectorSelector)]


def asked() -> list[Any]:
    drawn = [target["expr"] for _, panel in panels() for target in panel["targets"]]
    return [
        selector for text in (*drawn, *(rule["expr"] for rule in rules())) for selector in selectors(text)
    ]


@pytest.mark.django_db(databases=["default", "platform"], transaction=True)
def test_everything_asked_for_is_told_and_everything_told_is_drawn(api):
    api.get("me")
    text = Client().get("/metrics").content.decode()
    told = {
        family.name + ending
        for family in text_string_to_metric_families(text)
        if family.name.startswith(OURS)
        for ending in ENDINGS[family.type]
    }

    wanted = {selector.name for selector in asked()} - {"up"}
    drawn = {
        each.name
        for _, panel in panels()
        for target in panel["targets"]
        for each in selectors(target["expr"])
    }

    assert wanted - told == set()
    assert {name for name in told if not NOT_DRAWN.search(name)} - drawn == set()


def test_they_ask_by_labels_that_there_are():
    labels = {
        series.name + ("_total" if series.is_counter else ""): {*measure.labels}
        for measure in all_measures()
        for series in measure.series
    }
    wrong = [
        (selector.name, matcher.name)
        for selector in asked()
        for matcher in selector.matchers.matchers
        if selector.name in labels and matcher.name not in labels[selector.name]
    ]

    assert wrong == []


def test_what_a_label_is_asked_for_is_one_of_its_words():
    """A misspelt state would be an alert that never comes."""
    words = "\n".join(measure.sql for measure in all_measures())
    wrong = [
        (selector.name, word)
        for selector in asked()
        for matcher in selector.matchers.matchers
        if selector.name.startswith("ispcore_") and matcher.name in ("state", "status", "outcome", "reason")
        for word in matcher.value.split("|")
        if f"'{word}'" not in words and word not in ("failed", "succeeded")
    ]

    assert wrong == []


def test_dashboards_are_ready_to_be_imported():
    boards = [json.loads(path.read_text()) for path in DASHBOARDS]

    assert (
        len(boards)
        == len({board["uid"] for board in boards})
        == len({board["title"] for board in boards})
        == 8
    )
    for board in boards:
        assert [variable["name"] for variable in board["templating"]["list"]] == ["datasource"]
        ids = [panel["id"] for panel in board["panels"]]
        assert len(ids) == len(set(ids))
    for name, panel in panels():
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}, name
        assert panel["title"], name
        assert panel["description"].endswith("."), panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24, panel["title"]


def test_every_alert_has_its_place_in_the_runbook_and_none_is_left_over():
    headings = re.findall(r"^### (\w+)$", RUNBOOK.read_text(), re.M)
    pointed = {rule["alert"]: rule["annotations"]["runbook_url"] for rule in rules()}

    assert len(headings) == len(set(headings)) >= 30
    assert set(headings) == set(pointed)
    assert pointed == {name: f"docs/runbooks/alerts.md#{name.lower()}" for name in pointed}
    assert {rule["labels"]["severity"] for rule in rules()} == {"critical", "warning", "info"}


def test_every_series_is_described():
    described = set(
        re.findall(r"^\| `(ispcore_\w+)`", (PROJECT / "docs" / "monitoring.md").read_text(), re.M)
    )
    measured = {
        series.name + ("_total" if series.is_counter else "")
        for measure in all_measures()
        for series in measure.series
    }

    assert (
        described - {"ispcore_measure_failed", "ispcore_measure_seconds", "ispcore_tenant_request_seconds"}
        == measured
    )


def test_the_runbook_names_what_exists():
    text = RUNBOOK.read_text()
    titles = {json.loads(path.read_text())["title"] for path in DASHBOARDS}

    assert set(re.findall(r"[dD]ashboard\s+\*([^*]+)\*", text)) <= titles
    assert {name for name in re.findall(r"docs/[\w/.-]+\.md", text) if not (PROJECT / name).exists()} <= {
        "docs/fairness.md", "docs/scaling.md", "docs/upgrades.md"
    }  # fmt: skip
    anchors = set(re.findall(r"\]\(#(\w+)\)", text))
    assert anchors <= {rule["alert"].lower() for rule in rules()}


@needs("promtool")
def test_alerts_come_when_they_should_and_not_else(tmp_path):
    shutil.copy(ALERTS, tmp_path / "alerts.yml")
    shutil.copy(Path(__file__).with_name("alerts_test.yml"), tmp_path)
    shutil.copy(ALERTS.with_name("prometheus.yml"), tmp_path)

    for command in (
        ("check", "rules", "alerts.yml"),
        ("check", "config", "--syntax-only", "prometheus.yml"),
        ("test", "rules", "alerts_test.yml"),
    ):
        done = subprocess.run(
            ["promtool", *command], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
