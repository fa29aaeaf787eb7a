"""What a page shows of a call can be pasted: each snippet is read back and held against the schema; some are run."""

import ast
import json
import os
import re
import shlex
import subprocess
import sys
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from django.utils import timezone

from ispcore.auth import access_tokens
from ispcore.developers import snippets
from ispcore.developers.examples import Examples
from ispcore.developers.reference import Endpoint, reference
from ispcore.tenants.context import tenant_context
from subscribers.models import Subscriber
from tests.contract import document, problems_of
from tests.needs import require

OPERATIONS = {
    operation["operationId"]: (path, operation)
    for path, verbs in document()["paths"].items()
    for operation in verbs.values()
}


def shown_in_curl(endpoint: Endpoint) -> tuple[str, str, dict[str, str], Any, list[str]]:
    """Return verb, address, headers, the JSON and the form's parts of a call in the shell's words."""
    words = shlex.split(endpoint.curl.replace("\\\n", " "))
    assert (words[0], words[1]) == ("curl", "-X")
    options = list(zip(words[4::2], words[5::2], strict=True))
    headers = dict(value.split(": ", 1) for name, value in options if name == "-H")
    sent = [json.loads(value) for name, value in options if name == "-d"]
    parts = [value for name, value in options if name in ("-F", "--data-urlencode")]
    return words[2], words[3], headers, sent[0] if sent else None, parts


def shown_in_python(endpoint: Endpoint) -> tuple[str, str, dict[str, Any]]:
    """Return verb, address and what is given to `requests` by name."""
    calls = [node for node in ast.walk(ast.parse(endpoint.python)) if isinstance(node, ast.Call)]
    call = next(each for each in calls if isinstance(each.func, ast.Attribute) and each.keywords)
    assert isinstance(call.func, ast.Attribute)
    given = {str(key.arg): key.value for key in call.keywords}
    read: dict[str, Any] = {
        name: ast.literal_eval(given[name]) for name in ("json", "data", "timeout") if name in given
    }
    read |= {"files": given["files"]} if "files" in given else {}
    return call.func.attr.upper(), str(ast.literal_eval(call.args[0])), read


class TestEveryCall:
    def test_python_compiles(self):
        for endpoint in reference().endpoints.values():
            compile(endpoint.python, endpoint.operation, "exec")

    def test_the_shell_reads_curl(self):
        text = "\n".join(endpoint.curl for endpoint in reference().endpoints.values())

        assert (
            subprocess.run(["sh", "-n"], input=text, text=True, capture_output=True, check=False).stderr == ""
        )

    def test_bodies_are_valid_and_the_same_in_both(self):
        for name, (_, operation) in OPERATIONS.items():
            endpoint = reference().endpoints[name]
            content = operation.get("requestBody", {}).get("content", {})
            *_, in_curl, parts = shown_in_curl(endpoint)
            *_, given = shown_in_python(endpoint)
            assert given["timeout"] == 30
            if "application/json" in content:
                assert problems_of(in_curl, content["application/json"]["schema"]) == [], name
                assert given["json"] == in_curl, name
            elif content:
                (schema,) = (media["schema"] for media in content.values())
                needed = Examples(document()["components"]["schemas"]).of_request(schema, changes=False)
                assert {part.partition("=")[0] for part in parts} == set(needed), name
                assert "files" in given or "data" in given, name
            else:
                assert (in_curl, parts, set(given)) == (None, [], {"timeout"}), name

    def test_addresses_are_those_of_the_operation(self):
        for name, (path, operation) in OPERATIONS.items():
            verb, address, *_ = shown_in_curl(reference().endpoints[name])
            assert shown_in_python(reference().endpoints[name])[:2] == (verb, address)
            parts = urlsplit(address)
            assert f"{parts.scheme}://{parts.netloc}" == snippets.BASE
            assert re.fullmatch(re.sub(r"\\?\{\w+\\?\}", "[^/{}]+", path), parts.path), name
            wanted = {
                each["name"]: each["schema"]
                for each in operation.get("parameters", ())
                if each["in"] == "query" and each.get("required")
            }
            given = dict(parse_qsl(parts.query))
            assert set(given) == set(wanted), name
            assert [problems_of(given[key], schema) for key, schema in wanted.items()] == [[] for _ in wanted]

    def test_a_token_and_a_tenant_go_along_only_where_they_are_asked_for(self):
        bare = {name for name, (_, operation) in OPERATIONS.items() if not any(operation.get("security", ()))}

        for name in OPERATIONS:
            headers = shown_in_curl(reference().endpoints[name])[2]
            assert ("Authorization" in headers) == ("X-Tenant-ID" in headers) == (name not in bare), name
        assert bare == {"token_create", "token_revoke", "billing_gateways_callback"}


class TestEveryAnswer:
    def test_is_valid(self):
        for name, (_, operation) in OPERATIONS.items():
            for answer in reference().endpoints[name].answers:
                if answer.example:
                    schema = operation["responses"][answer.status]["content"]["application/json"]["schema"]
                    assert problems_of(json.loads(answer.example), schema) == [], name

    def test_that_is_json_is_shown(self):
        for name, (_, operation) in OPERATIONS.items():
            shown = {answer.status for answer in reference().endpoints[name].answers if answer.example}
            described = {
                status
                for status, answer in operation["responses"].items()
                if status < "400" and "application/json" in answer.get("content", {})
            }
            assert shown == described, name

    def test_that_refuses_is_valid_and_its_code_is_listed(self):
        for name, endpoint in reference().endpoints.items():
            refusal = json.loads(endpoint.refusal_example)
            assert problems_of(refusal, {"$ref": "#/components/schemas/ErrorEnvelope"}) == [], name
            assert refusal["error"]["code"] in endpoint.codes, name

    def test_is_the_same_in_every_process(self):
        schemas = document()["components"]["schemas"]

        first, second = (Examples(schemas).of({"$ref": "#/components/schemas/Subscriber"}) for _ in range(2))

        assert first == second
        assert first["number"] == "SUB-000184"
        assert first["suspended_until"] is None


@pytest.mark.django_db(transaction=True)
class TestRun:
    """The text of a page, pasted: only the address, the tenant and ids are one's own."""

    @pytest.fixture
    def pasted(self, live_server, tenant, admin_user):
        token = access_tokens.mint(user_id=admin_user.pk, at=timezone.now())

        def run(operation: str, *, in_shell: bool = False, **own: str) -> str:
            endpoint = reference().endpoints[operation]
            text = endpoint.curl if in_shell else endpoint.python
            text = text.replace(snippets.BASE, live_server.url).replace("demo", tenant.slug)
            for shown, mine in own.items():
                text = text.replace(shown, mine)
            command = (
                ["sh", "-c", text.replace("curl ", "curl -sS ", 1)]
                if in_shell
                else [sys.executable, "-c", text]
            )
            done = subprocess.run(
                command,
                env={**os.environ, "TOKEN": token},
                text=True,
                capture_output=True,
                check=False,
                timeout=60,
            )
            assert done.returncode == 0, (operation, done.stderr)
            return done.stdout

        return run

    def test_python_registers_a_customer_and_repeats_safely(self, pasted, tenant):
        first, second = (ast.literal_eval(pasted("subscribers_create")) for _ in range(2))

        assert first["success"]
        assert second["data"]["id"] == first["data"]["id"]
        with tenant_context(tenant.pk):
            assert Subscriber.objects.get().external_id == "crm-23991"

    @pytest.mark.parametrize(
        "operation",
        [
            "subscribers_list", "services_list", "billing_invoices_list", "support_tickets_list", "aaa_accounts_list",
            "event_types_list", "events_list", "tasks_list", "hardware_olts_list", "ipam_pools_list",
            "billing_profiles_create", "zones_create", "webhooks_list", "api_keys_list",
        ],
    )  # fmt: skip
    def test_python_is_answered(self, pasted, operation):
        answer = ast.literal_eval(pasted(operation))

        assert answer["success"]
        assert answer["meta"]["api_version"] == "v1"

    def test_python_logs_in(self, pasted, admin_user):
        answer = ast.literal_eval(
            pasted(
                "token_create", **{"jane.doe": admin_user.email, "example-password": "correct horse battery"}
            )
        )

        assert answer["token_type"] == "Bearer"

    def test_curl_registers_a_customer(self, pasted, tenant):
        require("curl")

        answer = json.loads(pasted("subscribers_create", in_shell=True))

        assert answer["data"]["external_id"] == "crm-23991"
        with tenant_context(tenant.pk):
            assert Subscriber.objects.count() == 1
