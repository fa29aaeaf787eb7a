"""The developers' pages: one per operation, complete, valid, found, and nothing from elsewhere."""

import html
import json
import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.contrib.staticfiles import finders
from django.test import Client
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from ispcore.developers.dialects import products
from ispcore.developers.happenings import BY_HAND, PROMISES, RECEIVER, message_of
from ispcore.developers.reference import reference
from ispcore.developers.search import MOST, MOST_TOPICS, search, topics
from ispcore.developers.workflows import WORKFLOWS
from ispcore.events.catalogue import CATALOGUE, schema_of
from ispcore.events.services import endpoints
from ispcore.events.services.sending import LADDER, Message, signed
from ispcore.tenants.fields import new_id
from tests.compat.test_guide import rows
from tests.contract import document

EVERY_OPERATION = {
    operation["operationId"]: (verb, path, operation)
    for path, verbs in document()["paths"].items()
    for verb, operation in verbs.items()
}
OTHER_PAGES = [
    "/developers",
    "/developers/",
    "/developers/errors",
    "/developers/events",
    "/developers/compat",
    "/developers/search",
    "/developers/search?q=invoice",
    *(f"/developers/workflows/{flow.slug}" for flow in WORKFLOWS),
]
UNITS = {"s": "seconds", "min": "minutes", "h": "hours"}
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

    def test_has_a_purpose_and_who_uses_it(self):
        for name, endpoint in reference().endpoints.items():
            assert endpoint.title != name
            assert len(re.sub("<[^>]+>", "", str(endpoint.purpose[0]))) > 10, name
            assert endpoint.used_by or endpoint.roles, name

    def test_headings_go_down_by_one(self, pages):
        for path, page in pages.items():
            levels = [int(level) for level in re.findall(r"<h([1-6])", page)]
            assert levels[0] == 1, path
            assert levels.count(1) == 1, path
            assert all(after - before <= 1 for before, after in pairwise(levels)), path

    def test_no_name_stands_twice(self, pages):
        for path, page in pages.items():
            names = re.findall(r" id=\"([^\"]+)\"", page)
            assert [name for name in set(names) if names.count(name) > 1] == [], path

    def test_names_every_field_parameter_and_status(self, pages):
        for name, (_, _, operation) in EVERY_OPERATION.items():
            page = pages[f"/developers/endpoints/{name}"]
            wanted = {f"<code>{parameter['name']}</code>" for parameter in operation.get("parameters", ())}
            wanted |= {f">{status}</b>" for status in operation["responses"]}
            wanted |= {f"<code>{row.name}</code>" for row in reference().endpoints[name].request_rows}
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

    def test_are_kept_by_caches_and_not_sent_twice(self):
        for path in (
            "/developers",
            "/developers/endpoints/subscribers_create",
            "/developers/search?q=invoice",
        ):
            first = Client().get(path)
            again = Client().get(path, headers={"If-None-Match": first["ETag"]})

            assert (first.status_code, first["Cache-Control"]) == (200, "public, max-age=300")
            assert (again.status_code, again.content, again["ETag"]) == (304, b"", first["ETag"])
            assert again["Content-Security-Policy"] == first["Content-Security-Policy"]
            assert "Cookie" not in first["Vary"]
            assert not first.cookies

    def test_links_resolve(self, pages):
        links = {link for page in pages.values() for link in re.findall(r"<a [^>]*href=\"([^\"]+)\"", page)}
        inside = {urlsplit(html.unescape(link)).path for link in links} - {""}
        known = {path.partition("?")[0] for path in pages}

        assert inside - known == {"/docs", "/redoc", "/api/schema"} - known
        for page in ("/developers", "/developers/errors", "/developers/events", "/developers/compat"):
            wanted = {link.partition("#")[2] for link in links if link.startswith(f"{page}#")}
            assert wanted
            assert [anchor for anchor in wanted if f'id="{anchor}"' not in pages[page]] == []

    def test_jumps_within_a_page_arrive(self, pages):
        for path, page in pages.items():
            jumps = set(re.findall(r"href=\"#([^\"]+)\"", page))
            assert [jump for jump in jumps if f'id="{jump}"' not in page] == [], path

    @pytest.mark.parametrize(
        "path", ["endpoints/nothing", "workflows/nothing", "nothing", "a/b/%3Cscript%3E"]
    )
    def test_what_is_not_there_is_404_with_the_search(self, path):
        response = Client().get(f"/developers/{path}")

        assert response.status_code == 404
        assert "There is no such page" in response.content.decode()
        assert 'role="search"' in response.content.decode()
        assert "<script" not in response.content.decode()
        assert "default-src 'none'" in response["Content-Security-Policy"]

    def test_are_read_only(self):
        assert Client().post("/developers").status_code == 405


class TestHub:
    def test_tells_what_every_call_needs_before_the_domains(self, pages):
        hub = pages["/developers"]

        parts = [
            *(
                "authentication",
                "headers",
                "tenants",
                "idempotency",
                "limits",
                "lists",
                "tasks",
                "envelope",
                "errors",
            ),
            *("webhooks", "first", "workflows"),
            *("subscribers", "billing", "network", "automation", "platform", "compat"),
        ]
        places = [hub.index(f'id="{part}"') for part in parts]
        assert places == sorted(places)

    def test_lists_every_endpoint_once(self, pages):
        domains = pages["/developers"].partition('<section id="subscribers">')[2]
        listed = re.findall(r"class=\"line\" href=\"/developers/endpoints/(\w+)\"", domains)

        assert sorted(listed) == sorted(EVERY_OPERATION)


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

    @pytest.mark.parametrize(
        ("asked", "url"),
        [
            ("duplicate_payment", "/developers/errors#duplicate_payment"),
            ("tenant_required", "/developers/errors#tenant_required"),
            ("invoice_issued", "/developers/events#billing.invoice_issued"),
            ("onboard", "/developers/workflows/onboard"),
            ("pagination", "/developers#lists"),
            ("wisphub", "/developers/compat#wisphub"),
        ],
    )
    def test_finds_what_is_no_endpoint(self, asked, url):
        assert url in [topic.url for topic in topics(asked)]
        assert f'href="{url}"' in page_of(f"/developers/search?q={asked}")

    def test_what_stands_in_the_path_comes_first(self):
        assert "diagnosis" in search(reference(), "diagnosis")[0].path

    def test_is_bounded(self):
        assert len(search(reference(), "a")) == MOST
        assert len(topics("a")) == MOST_TOPICS
        assert search(reference(), " ") == topics(" ") == []

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


class TestEvents:
    def test_all_are_there_with_their_schemas(self, pages):
        page = pages["/developers/events"]

        assert [name for name in CATALOGUE if f'<details id="{name}">' not in page] == []
        assert page.count("<figcaption>JSON Schema</figcaption>") == len(CATALOGUE)

    @pytest.mark.parametrize("name", CATALOGUE)
    def test_messages_are_valid(self, name):
        checker = Draft202012Validator.FORMAT_CHECKER
        Draft202012Validator(schema_of(name), format_checker=checker).validate(message_of(name))

    def test_the_receivers_take_what_is_signed_and_nothing_else(self):
        here, secret = datetime.now(UTC), endpoints.new_secret()
        body = json.dumps(message_of("billing.invoice_issued")).encode()
        headers = signed(Message(new_id(), new_id(), body, 0), [endpoints.new_secret(), secret], at=here)
        kept: list[Any] = []
        names: dict[str, Any] = {
            "is_new": lambda key: key == headers["webhook-id"],
            "put_into_queue": kept.append,
        }
        exec(RECEIVER, names)
        exec(BY_HAND, names)

        answers = [names["receive"](text, headers, secret) for text in (body, body + b" ")]
        genuine = [names["is_genuine"](text, headers, secret) for text in (body, body + b" ")]
        old = names["is_genuine"](body, {**headers, "webhook-timestamp": "1776075660"}, secret)

        assert (answers, genuine, old) == ([204, 401], [True, False], False)
        assert kept == [json.loads(body)]

    def test_the_steps_of_retries_are_those_taken(self):
        steps = [timedelta(**{UNITS[unit]: int(number)})
                 for number, unit in re.findall(r"(\d+) (s|min|h)\b", PROMISES[2])]  # fmt: skip

        assert steps == list(LADDER)


class TestOtherProducts:
    def test_are_those_of_the_guide(self, pages):
        assert [product.slug for product in products()] == ["interstellio", "aex", "wisphub", "ispchamp"]
        for product in products():
            guide = {(verb, f"/{path}") for verb, path, _, _ in rows(product.slug)}
            assert {(one.verb, one.path) for one in product.operations} == guide
            assert product.notes
            assert f"<code>{product.base}</code>" in pages["/developers/compat"]

    def test_lead_to_the_native_operation(self):
        astray = {one.native for product in products() for one in product.operations if one.endpoint is None}

        assert astray == {"GET /health", "GET /api/schema", "GET /docs", "GET /redoc"}


class TestDocument:
    def test_is_the_same_text_for_everybody_and_not_sent_twice(self):
        for accept in ("application/json", "*/*"):
            first = Client().get("/api/schema", headers={"Accept": accept})
            other = Client().get("/api/schema/", headers={"Accept": accept})
            again = Client().get("/api/schema", headers={"Accept": accept, "If-None-Match": first["ETag"]})

            assert (first.status_code, other.content == first.content, again.status_code) == (200, True, 304)
        assert (
            json.loads(Client().get("/api/schema", headers={"Accept": "application/json"}).content)
            == document()
        )

    def test_leads_here(self):
        assert "(/developers)" in document()["info"]["description"]


@pytest.mark.django_db
def test_know_neither_caller_nor_tenant(tenant, admin_user, api):
    staff = Client()
    staff.force_login(admin_user)
    paths = ["/developers", "/developers/endpoints/subscribers_create", "/developers/search?q=invoice"]

    theirs = [staff.get(path).content for path in paths]
    with_token = [Client().get(path, headers=api.headers).content for path in paths]

    assert theirs == with_token == [Client().get(path).content for path in paths]
    assert not any(tenant.name.encode() in page for page in theirs)
