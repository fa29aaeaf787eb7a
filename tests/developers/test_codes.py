"""Every code an error may have stands on the page of codes, and on the pages of the endpoints that answer with it."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from django.test import Client

from ispcore.developers.reference import error_parts, reference
from tests.contract import document

ROOT = Path(__file__).resolve().parents[2]
APPS = ("ispcore", "subscribers", "ipam", "hardware", "aaa", "billing", "support")
# Calls that make a refusal -> where its code stands among the arguments.
MAKERS = {"ApiError": 1, "OtpRefused": 0, "_refuse": 2, "error_response": None}


def sources() -> Iterator[ast.Module]:
    for app in APPS:
        for path in sorted((ROOT / app).rglob("*.py")):
            yield ast.parse(path.read_text())


def codes_of(tree: ast.Module) -> Iterator[str]:
    """Find `code = "…"` in classes of refusals, and codes given to what makes one."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and node.bases:
            values = {
                target.id: each.value
                for each in node.body
                if isinstance(each, ast.Assign)
                for target in each.targets
                if isinstance(target, ast.Name)
            }
            if "code" in values and {"message", "status"} & set(values):
                yield from texts(values["code"])
        if isinstance(node, ast.Call):
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            if name in MAKERS and not (name == "_refuse" and len(node.args) < 4):  # Others are named so, too.
                place = MAKERS[name]
                given = [key.value for key in node.keywords if key.arg == "code"]
                given += [node.args[place]] if place is not None and len(node.args) > place else []
                for each in given:
                    yield from texts(each)


def texts(node: ast.expr) -> Iterator[str]:
    parts = [node.body, node.orelse] if isinstance(node, ast.IfExp) else [node]
    yield from (
        each.value for each in parts if isinstance(each, ast.Constant) and isinstance(each.value, str)
    )


@cache
def page() -> str:
    return Client().get("/developers/errors").content.decode()


def test_all_of_the_code_base_are_there():
    codes = {code for tree in sources() for code in codes_of(tree)}

    assert len(codes) > 250
    assert [code for code in sorted(codes) if f"<code>{code}</code>" not in page()] == []


def test_each_has_a_text_without_gaps():
    texts = {code.code: code.texts for part in error_parts() for code in part.codes}

    assert [code for code, said in texts.items() if not said or not all(said)] == []
    assert [code for code, said in texts.items() for text in said if re.search(r"[{}]", str(text))] == []


def test_every_code_of_an_endpoint_leads_there():
    codes = {code for endpoint in reference().endpoints.values() for code in endpoint.codes}

    assert [code for code in sorted(codes) if f'<tr id="{code}">' not in page()] == []


def test_codes_named_in_docstrings_are_codes():
    said = {
        code
        for verbs in document()["paths"].values()
        for operation in verbs.values()
        for code in re.findall(r"\b4\d\d `(\w+)`", operation.get("description", ""))
    }

    assert [code for code in sorted(said) if f'<tr id="{code}">' not in page()] == []


@pytest.mark.parametrize("code", ["duplicate_olt_name", "duplicate_payment_reference", "olt_name_unique"])
def test_rules_of_the_database_are_named_as_they_are_told(code):
    rules = {rule for part in error_parts() for rule in part.rules}

    assert (code in rules) == (code != "olt_name_unique")


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

    def test_who_needs_no_token_meets_no_refusal_of_tokens(self):
        codes = reference().endpoints["token_create"].codes

        assert not codes & {"tenant_required", "tenant_forbidden", "idempotency_key_reused"}
        assert {"otp_required", "otp_wrong", "password_grant_closed", "rate_limited"} <= codes

    def test_what_shows_a_secret_once_says_so(self):
        told = {name for name, one in reference().endpoints.items() if "secret_shown_once" in one.codes}

        assert told == {"api_keys_create", "webhooks_create", "webhooks_rotate_secret_create"}
