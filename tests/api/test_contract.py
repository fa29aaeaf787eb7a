"""What stands between every test and the API: it lets through what the OpenAPI document describes, and nothing else."""

import json
from dataclasses import replace
from typing import Any

import pytest
from django.http import HttpResponse, JsonResponse
from django.test import Client
from django.urls import path

from tests.api.routes import api_routes
from tests.client import Api
from tests.contract import (
    EXCLUDED_HEADERS,
    EXCLUDED_METHODS,
    EXCLUDED_PATHS,
    Answer,
    ContractBroken,
    check,
    find_operation,
)

ZONE = {
    "id": "01900000-0000-7000-8000-000000000000",
    "name": "Hill",
    "parent_id": None,
    "created_at": "2026-01-01T00:00:00Z",
    "updated_at": "2026-01-01T00:00:00Z",
}
META = {"request_id": "req_1", "api_version": "v1"}
HEADERS = {"content-type": "application/json", "x-request-id": "req_1"}
REFUSED = {"success": False, "error": {"code": "not_found", "message": "There is none."}, "meta": META}

# What a view of the product could do wrong, at the addresses of its own operations.
urlpatterns = [
    path("api/v1/zones", lambda request: JsonResponse({"success": True, "data": "all", "meta": META})),
    path("api/v1/me", lambda request: HttpResponse(b"", status=418, headers={"X-Request-ID": "req_1"})),
    path("api/v1/secret-door", lambda request: JsonResponse({"success": True, "data": {}, "meta": META})),
]


def answer(body: Any, *, status: int = 200, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer("GET", f"/api/v1/zones/{ZONE['id']}", status, HEADERS | named, json.dumps(body).encode())


def zone(**changes: Any) -> dict[str, Any]:
    return {"success": True, "data": ZONE | changes, "meta": META}


class TestWhatIsDescribed:
    @pytest.mark.parametrize(
        "described",
        [
            answer(zone()),
            answer(zone(), etag='"1"', ratelimit='"default";r=1;t=1'),
            replace(answer(zone()), path=f"/api/v1/zones/{ZONE['id']}/"),
            replace(answer(None, etag='"1"'), status=304, body=b"", headers={"x-request-id": "req_1"}),
            replace(answer(zone()), verb="HEAD", body=b""),
            answer(REFUSED, status=404),
            replace(answer(REFUSED, status=404), path="/api/v1/nothing"),
            replace(answer(REFUSED, status=405, allow="GET"), verb="PUT", path="/api/v1/me"),
            replace(answer({"any": "thing"}), path="/compat/wisphub/clientes"),
        ],
        ids=["record", "headers", "slash", "unchanged", "head", "refusal", "no path", "no verb", "elsewhere"],
    )
    def test_passes(self, described):
        check(described)


class TestWhatIsNot:
    @pytest.mark.parametrize(
        ("wrong", "complaint"),
        [
            (answer(zone(name=None)), "data.name: null is not of type"),
            (answer(zone(id="7")), 'data.id: "7" is not a "uuid"'),
            (
                answer(zone(colour="red")),
                "data: Additional properties are not allowed ('colour' was unexpected)",
            ),
            (answer({"success": True, "data": ZONE}), '"meta" is a required property'),
            (answer(zone() | {"success": False}), "success: true was expected"),
            (answer({"detail": "no"}, status=404), '"error" is a required property'),
            (replace(answer(None), body=b"<html>"), "it is not JSON"),
            (replace(answer(None), body=b""), "it is not JSON"),
        ],
    )
    def test_bodies(self, wrong, complaint):
        with pytest.raises(ContractBroken, match=complaint.replace("(", r"\(").replace(")", r"\)")):
            check(wrong)

    @pytest.mark.parametrize("status", [202, 418, 500])
    def test_statuses(self, status):
        with pytest.raises(ContractBroken, match=f"{status} is not among 200, 304, 400, 401, 403, 404"):
            check(answer(zone(), status=status))

    def test_bodies_where_there_is_none(self):
        with pytest.raises(ContractBroken, match="it has a body, and none is described"):
            check(answer(zone(), status=304))

    def test_content_types(self):
        with pytest.raises(ContractBroken, match="its content type is text/html, not application/json"):
            check(answer(zone(), content_type="text/html"))

    def test_headers_that_are_not_described(self):
        with pytest.raises(ContractBroken, match="the header x-secret is not described"):
            check(answer(zone(), x_secret="1"))

    def test_headers_that_are_missing(self):
        with pytest.raises(ContractBroken, match="the header www-authenticate is missing"):
            check(answer(REFUSED, status=401))

    @pytest.mark.parametrize(
        ("verb", "place"), [("GET", "/api/v1/secret-door"), ("POST", "/api/v1/me"), ("GET", "/api/v1/")]
    )
    def test_operations(self, verb, place):
        with pytest.raises(ContractBroken, match="no operation of this verb and path is described"):
            check(replace(answer(zone()), verb=verb, path=place))


@pytest.mark.urls("tests.api.test_contract")
class TestEveryTest:
    """The hook itself: these answers come from views, by the client that all tests use."""

    @pytest.mark.parametrize(
        ("place", "complaint"),
        [
            ("zones", 'data: "all" is not of type "array"'),
            ("me", "418 is not among"),
            ("secret-door", "no operation of this verb and path is described"),
        ],
    )
    def test_fails_by_such_an_answer(self, place, complaint):
        with pytest.raises(ContractBroken, match=complaint):
            Api().get(place)
        with pytest.raises(ContractBroken, match=complaint):
            Client().get(f"/api/v1/{place}")


def test_an_exclusion_has_a_reason_and_hides_no_operation():
    reasons = {**EXCLUDED_METHODS, **EXCLUDED_PATHS, **EXCLUDED_HEADERS}

    assert [name for name, reason in reasons.items() if not reason.strip()] == []
    assert [name for name in EXCLUDED_PATHS if name in {route.path for route in api_routes()}] == []


def test_an_operation_is_found_by_its_literal_path_first():
    literal = find_operation("get", "subscribers/search?q=jane")
    record = find_operation("GET", "subscribers/SUB-000001/")

    assert literal
    assert record
    assert (literal["operationId"], record["operationId"]) == ("subscribers_search", "subscribers_retrieve")
    assert find_operation("delete", "me") is None
