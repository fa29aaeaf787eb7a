"""The developers' pages: one per operation, complete, valid, found, and nothing from elsewhere."""

import html
import json
import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.contrib.staticfiles import finders
from django.test import Client

from ispcore.developers.examples import Examples
from ispcore.developers.reference import reference
from ispcore.developers.search import MOST, search
from ispcore.developers.workflows import WORKFLOWS
from tests.api.described import document, problems_of

EVERY_OPERATION = {
    operation["operationId"]: (verb, path, operation)
    for path, verbs in document()["paths"].items()
    for verb, operation in verbs.items()
}
OTHER_PAGES = [
    "/developers",
    "/developers/",
    "/developers/errors",
    "/developers/search",
    "/developers/search?q=invoice",
    *(f"/developers/workflows/{flow.slug}" for flow in WORKFLOWS),
]
LOADED = re.compile(r"<(?:link|script|img|iframe|source)\b[^>]*(?:src|href)=\"([^\"]+)\"")


def page_of(path: str) -> str:
    response = Client().get(path)
    assert response.status_code == 200, path
    return response.content.decode()


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    """All pages; without a database mark, so that asking one would fail."""
    paths = [*OTHER_PAGES, *(f"/developers/endpoints/{name}" for name in EVERY_OPERATION)]
    return {path: page_of(path) for path in paths}


class TestEveryPage:
    def test_there_is_one_per_operation_that_needs_no_token_and_no_database(self, pages):
        shown = {path.rpartition("/")[2] for path in pages if path.startswith("/developers/endpoints/")}

        assert shown == set(EVERY_OPERATION) == set(reference().endpoints)

    def test_tells_verb_path_and_the_sections_of_an_endpoint(self, pages):
        sections = ("Purpose", "Used by", "Critical notes", "Request", "Responses", "Errors")

        for name, (verb, path, _) in EVERY_OPERATION.items():
            page = pages[f"/developers/endpoints/{name}"]
            assert f"{verb.upper()}</b> <code>{path}</code>" in page
            assert [title for title in sections if f"<h2>{title}</h2>" not in page] == [], name
            assert "<figcaption>curl</figcaption>" in page
            assert "<figcaption>Python</figcaption>" in page

    def test_names_every_field_parameter_and_status(self, pages):
        for name, (_, _, operation) in EVERY_OPERATION.items():
            page = pages[f"/developers/endpoints/{name}"]
            wanted = {f"<code>{parameter['name']}</code>" for parameter in operation.get("parameters", ())}
            wanted |= {f">{status}</b>" for status in operation["responses"]}
            assert [part for part in wanted if part not in page] == [], name

    def test_loads_nothing_from_elsewhere_and_runs_no_script(self, pages):
        loaded = {address for page in pages.values() for address in LOADED.findall(page)}

        assert loaded == {"data:,", "/static/developers/developers.css"}
        assert finders.find("developers/developers.css")
        assert [path for path, page in pages.items() if "<script" in page] == []
        assert "default-src 'none'" in Client().get("/developers")["Content-Security-Policy"]

    def test_the_style_loads_nothing(self):
        style = Path(finders.find("developers/developers.css") or "").read_text()

        assert "url(" not in style
        assert "@import" not in style

    def test_links_resolve(self, pages):
        links = {link for page in pages.values() for link in re.findall(r"<a [^>]*href=\"([^\"]+)\"", page)}
        inside = {urlsplit(html.unescape(link)).path for link in links} - {""}
        known = {path.partition("?")[0] for path in pages}

        assert inside - known == {"/docs", "/redoc", "/api/schema"} - known
        hub = pages["/developers"]
        wanted = {link.partition("#")[2] for link in links if link.startswith("/developers#")}
        assert [anchor for anchor in wanted if f'id="{anchor}"' not in hub] == []

    def test_jumps_within_a_page_arrive(self, pages):
        for path, page in pages.items():
            jumps = set(re.findall(r"href=\"#([^\"]+)\"", page))
            assert [jump for jump in jumps if f'id="{jump}"' not in page] == [], path

    @pytest.mark.parametrize("path", ["endpoints/nothing", "workflows/nothing", "nothing"])
    def test_what_is_not_there_is_404(self, path):
        assert Client().get(f"/developers/{path}").status_code == 404

    def test_are_read_only(self):
        assert Client().post("/developers").status_code == 405


class TestHub:
    def test_tells_what_every_call_needs_before_the_domains(self, pages):
        hub = pages["/developers"]

        parts = [
            "authentication",
            "headers",
            "limits",
            "envelope",
            "errors",
            "subscribers",
            "billing",
            "network",
        ]
        places = [hub.index(f'id="{part}"') for part in parts]
        assert places == sorted(places)

    def test_lists_every_endpoint_once(self, pages):
        listed = re.findall(r"class=\"line\" href=\"/developers/endpoints/(\w+)\"", pages["/developers"])

        assert sorted(listed) == sorted(EVERY_OPERATION)


class TestExamples:
    def test_requests_are_valid(self):
        examples = Examples(document()["components"]["schemas"])

        for name, (verb, _, operation) in EVERY_OPERATION.items():
            for content in operation.get("requestBody", {}).get("content", {}).values():
                body = examples.of_request(content["schema"], changes=verb == "patch")
                assert problems_of(body, content["schema"]) == [], name

    def test_answers_and_refusals_are_valid(self):
        for name, (_, _, operation) in EVERY_OPERATION.items():
            endpoint = reference().endpoints[name]
            for answer in endpoint.answers:
                if answer.example:
                    schema = operation["responses"][answer.status]["content"]["application/json"]["schema"]
                    assert problems_of(json.loads(answer.example), schema) == [], name
            refusal = json.loads(endpoint.refusal_example)
            assert problems_of(refusal, {"$ref": "#/components/schemas/ErrorEnvelope"}) == [], name

    def test_python_compiles(self):
        for endpoint in reference().endpoints.values():
            compile(endpoint.python, endpoint.operation, "exec")

    def test_are_the_same_in_every_process(self):
        schemas = document()["components"]["schemas"]

        first, second = (Examples(schemas).of({"$ref": "#/components/schemas/Subscriber"}) for _ in range(2))

        assert first == second
        assert first["number"] == "SUB-000184"


class TestRefusals:
    @pytest.mark.parametrize(
        ("operation", "code"),
        [
            ("subscribers_create", "duplicate_subscriber"),
            ("billing_payments_create", "duplicate_payment"),
            ("services_suspend_create", "transition_not_allowed"),
            ("hardware_onu_authorize", "olt_not_registered"),
        ],
    )
    def test_are_those_the_services_raise(self, operation, code):
        assert code in reference().endpoints[operation].codes

    def test_a_list_asks_for_no_idempotency_key(self):
        assert "idempotency_key_reused" not in reference().endpoints["subscribers_list"].codes


class TestSearch:
    @pytest.mark.parametrize(
        ("asked", "found"),
        [
            ("/api/v1/hardware/olt/discover", "hardware_olt_discover"),
            ("register a customer", "subscribers_create"),
            ("billing_profile_id post", "subscribers_create"),
            ("duplicate_payment", "billing_payments_create"),
        ],
    )
    def test_finds_by_path_title_field_and_code(self, asked, found):
        assert found in [endpoint.operation for endpoint in search(reference(), asked)]
        assert f"/developers/endpoints/{found}" in page_of(f"/developers/search?q={asked.replace(' ', '+')}")

    def test_what_stands_in_the_path_comes_first(self):
        assert "diagnosis" in search(reference(), "diagnosis")[0].path

    def test_is_bounded(self):
        assert len(search(reference(), "a")) == MOST
        assert search(reference(), " ") == []

    def test_says_when_nothing_is_found_and_escapes_what_was_asked(self):
        page = page_of("/developers/search?q=%3Cscript%3Ezz")

        assert "Nothing holds all of these words" in page
        assert "<script" not in page


class TestWorkflows:
    def test_every_step_is_an_operation(self):
        steps = [step.operation for flow in WORKFLOWS for step in flow.steps]

        assert [step for step in steps if step not in EVERY_OPERATION] == []

    def test_an_endpoint_names_its_workflows(self, pages):
        assert "/developers/workflows/onboard" in pages["/developers/endpoints/services_create"]
