"""The OpenAPI document: valid, complete, and what a generated client and a fuzzer make of it."""

import re
from io import StringIO

import pytest
import schemathesis
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.utils import timezone
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)  # fmt: skip

from ispcore.auth import access_tokens
from ispcore.tenants.context import tenant_context
from tests.api.known import LEFT_OUT, SPOILT, aim, loses_a_part
from tests.api.known_records import make_known
from tests.api.routes import operations
from tests.contract import document, resolved

FUZZING = hypothesis_settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
# They know no tenant, write no time and repeat nothing.
TOKENS = ("/api/v1/auth/token", "/api/v1/auth/revoke")
EVERY_OPERATION = [
    (verb, path, operation)
    for path, verbs in document()["paths"].items()
    for verb, operation in verbs.items()
]
IDS = [f"{verb} {path}" for verb, path, _ in EVERY_OPERATION]


def test_is_valid_and_made_without_a_warning():
    call_command("spectacular", "--fail-on-warn", "--validate", stdout=StringIO())


def test_describes_every_operation_and_no_other():
    described = {
        (verb, path.removeprefix("/api/v1/").replace("{id}", "{pk}")) for verb, path, _ in EVERY_OPERATION
    }

    assert described == set(operations())


# What answers with a file.
FILE_PATHS = (
    "/api/v1/files/{id}/content",
    "/api/v1/imports/{id}/errors/file",
    "/api/v1/billing/reports/journal",
    "/api/v1/billing/invoices/{id}/pdf",
    "/api/v1/me/invoices/{id}/pdf",
    "/api/v1/billing/accounts/{id}/statement",
)


@pytest.mark.parametrize(("verb", "path", "operation"), EVERY_OPERATION, ids=IDS)
class TestEveryOperation:
    def test_has_a_purpose(self, verb, path, operation):
        assert len(operation["description"].split("\n")[0]) > 10

    def test_names_what_stands_in_its_path(self, verb, path, operation):
        named = [each["name"] for each in operation["parameters"] if each["in"] == "path"]

        assert named == re.findall(r"\{(\w+)\}", path)

    def test_has_an_envelope_for_every_body(self, verb, path, operation):
        for status, answer in operation["responses"].items():
            for media_type, media in resolved(answer).get("content", {}).items():
                schema = media["schema"]
                if media_type != "application/json":
                    assert path in FILE_PATHS
                    assert status == "200"
                    continue
                if status >= "400":
                    assert schema == {"$ref": "#/components/schemas/ErrorEnvelope"}
                elif path not in TOKENS:
                    assert schema["required"] == ["success", "data", "meta"]

    def test_describes_its_refusals(self, verb, path, operation):
        wanted = {"400", "401", "403", "406", "429", "503"}
        if "{id}" in path:
            wanted |= {"404"}
        if verb in ("post", "put", "patch"):
            wanted |= {"409", "413", "415", "422"}
        if verb in ("put", "patch", "delete"):
            wanted |= {"412"}

        assert wanted <= set(operation["responses"])

    def test_names_its_headers(self, verb, path, operation):
        taken = {each["name"] for each in operation["parameters"] if each["in"] == "header"}
        wanted = {"X-Request-ID"}
        if path not in TOKENS:
            wanted |= {"X-Tenant-ID", "X-Timezone"}
            if verb == "post":
                wanted |= {"X-Idempotency-Key"}
        if verb in ("put", "patch", "delete"):
            wanted |= {"If-Match"}
        given = {status: resolved(answer) for status, answer in operation["responses"].items()}

        assert wanted <= taken
        assert path not in TOKENS or taken == wanted
        assert all("X-Request-ID" in answer["headers"] for answer in given.values())
        assert "Retry-After" in given["429"]["headers"]
        assert "WWW-Authenticate" in given["401"]["headers"]
        if "201" in given:
            assert {"Location", "ETag"} <= set(given["201"]["headers"])

    def test_takes_no_property_it_does_not_name(self, verb, path, operation):
        body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
        if not body or path in TOKENS:
            return
        named = document()["components"]["schemas"][body["$ref"].rsplit("/", 1)[-1]]

        assert named["additionalProperties"] is False


def test_names_of_enumerations_do_not_depend_on_their_neighbours():
    names = set(document()["components"]["schemas"])

    assert {
        "Role",
        "TaskStatus",
        "OltVendor",
        "SnmpVersion",
        "OnuStatus",
        "OnuDownCause",
        "DiscoveryOutcome",
    } <= names
    assert [name for name in names if re.search(r"[0-9a-fA-F]{3}Enum", name)] == []


FUZZED = [
    not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance,
]  # fmt: skip


@pytest.mark.timeout(900)  # Some thousand requests.
@pytest.mark.django_db(transaction=True)
def test_a_fuzzer_finds_no_fault(admin_user, tenant, settings):
    """Well-formed and malformed requests of every operation, the same ones in every run.

    Left out: the token, whose limits would answer most of it. It has tests of its own.
    """
    settings.RATE_LIMIT_PER_MINUTE = 1_000_000
    with tenant_context(tenant.pk):
        known = make_known(staff_id=admin_user.pk)
    token = access_tokens.mint(user_id=admin_user.pk, at=timezone.now())
    # No worker runs here: what starts a job answers with its task at once.
    credential = {
        "Authorization": f"Bearer {token}", "Accept-Encoding": "identity", "Prefer": "respond-async",
    }  # fmt: skip
    schema = schemathesis.openapi.from_wsgi(
        "/api/schema", get_wsgi_application(), headers={"Accept": "application/json"}
    )
    statuses: list[int] = []

    def attack(case: schemathesis.Case) -> None:
        for name in LEFT_OUT:
            case.headers.pop(name, None)
        if len(statuses) % 2:
            aim(case, known)
        response = case.call(headers=credential)
        statuses.append(response.status_code)
        assert case.meta
        spoilt = {place for place, part in case.meta.components.items() if part.mode.is_negative}
        is_spoilt = spoilt & SPOILT and not loses_a_part(case)
        checks = [*FUZZED, negative_data_rejection] if is_spoilt else FUZZED
        case.validate_response(response, checks=checks, headers=credential)

    for found in schema.exclude(path_regex="auth/(token|revoke)").get_all_operations():
        operation = found.ok()  # type: ignore[union-attr]
        # A notice comes without a credential to any name, and its body is the gateway's own: nothing can be spoilt.
        is_notice = operation.path.endswith("/callback")
        for mode in (GenerationMode.POSITIVE,) if is_notice else GenerationMode:
            FUZZING(given(operation.as_strategy(generation_mode=mode))(attack))()

    assert {200, 400, 404, 422} <= set(statuses)
    assert len(statuses) > 200
