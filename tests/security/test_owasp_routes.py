"""The classes of the OWASP API Security Top 10 (2023) that can be tried against every route there is.

docs/security.md names the tests of the classes that need a scene of their own.
"""

import re
from collections.abc import Iterator
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver

from tests import contract
from tests.api.routes import operations

WRITES = [(verb, path) for verb, path in operations() if verb in ("post", "put", "patch")]


class TestApi3Properties:
    SECRET = re.compile(r"password|secret|community|passphrase|private|hash|token|wifi_key|api_key")
    # What is shown, and where; the rest of what sounds like a secret is none.
    SHOWN = {
        ("access_token", "auth/token"),
        ("refresh_token", "auth/token"),
        ("secret", "webhooks"),
        ("secret", "webhooks/{pk}/rotate-secret"),
        ("wifi_password", "services/{pk}/reveal-wifi-password"),
        ("password", "aaa/accounts/{pk}/reveal-password"),
        ("password", "aaa/settings"),
        ("password", "aaa/vouchers/redeem"),  # What the one who redeems it logs in with.
        ("password", "services/{pk}/radius/status"),  # Masked.
    }
    NO_SECRETS = {"token_type", "previous_secret_until", "plan_hash"}

    def test_no_answer_shows_a_secret_that_nobody_listed(self):
        shown = {
            (name, path)
            for verb, path in operations()
            for schema in _answers(verb, path)
            for name, what in _properties(schema)
            if self.SECRET.search(name) and not what.get("writeOnly") and not name.startswith(("has_", "is_"))
        }

        assert {each for each in shown if each[0] not in self.NO_SECRETS} == self.SHOWN

    def test_no_write_takes_the_provider_or_the_id_from_its_body(self):
        foreign = {"tenant", "tenant_id", "is_platform_staff"}
        taken = []

        for verb, path in WRITES:
            named = {
                name
                for schema in _bodies(verb, path)
                for name, what in _properties(schema, deep=False)
                if name in foreign and not what.get("readOnly")
            }
            if named:
                taken.append((verb, path, named))

        assert taken == []


class TestApi9Inventory:
    # Every address beside the API, the dialects and the staff site.
    KNOWN = {
        "", "admin/", "oidc/begin/", "oidc/callback/", "oidc/backchannel-logout/", "pay/", "demo-bank/",
        "notices/", "portal/", "api/schema", "docs", "redoc", "developers", "health", "ready", "metrics",
    }  # fmt: skip

    def test_every_route_of_the_api_is_in_its_document(self):
        missing = [each for each in operations() if contract.find_operation(*each) is None]

        assert missing == []

    def test_the_document_describes_nothing_that_is_not_there(self):
        described = {
            (verb, re.sub(r"\{[a-z_]+\}", "{pk}", path.removeprefix(contract.PREFIX).strip("/")))
            for path, item in contract.document()["paths"].items()
            for verb in item
            if verb in ("get", "post", "put", "patch", "delete") and path.startswith(contract.PREFIX)
        }

        assert described - set(operations()) == set()

    def test_every_other_address_is_known(self):
        unknown = [
            path
            for path in _addresses(get_resolver().url_patterns, "")
            if not path.startswith(("api/v1/", "compat/", "admin/"))
            and path not in self.KNOWN
            and not any(path.startswith(each) for each in self.KNOWN if each)
        ]

        assert unknown == []


def _addresses(patterns: list[Any], prefix: str) -> Iterator[str]:
    for pattern in patterns:
        path = prefix + str(pattern.pattern).removeprefix("^")
        if isinstance(pattern, URLResolver):
            yield from _addresses(pattern.url_patterns, path)
        elif isinstance(pattern, URLPattern):
            yield path.removesuffix("/?$").removesuffix(r"/?\Z")


def _answers(verb: str, path: str) -> list[dict[str, Any]]:
    operation = contract.find_operation(verb, path) or {}
    answers = [contract.resolved(each) for code, each in operation["responses"].items() if code < "300"]
    return [
        kind["schema"] for each in answers for kind in each.get("content", {}).values() if "schema" in kind
    ]


def _bodies(verb: str, path: str) -> list[dict[str, Any]]:
    operation = contract.find_operation(verb, path) or {}
    return [each["schema"] for each in operation.get("requestBody", {}).get("content", {}).values()]


def _properties(
    schema: Any, *, deep: bool = True, seen: frozenset[str] = frozenset()
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the properties a schema names, with those of the components it points to."""
    if name := schema.get("$ref", "").rpartition("/")[2]:
        if name not in seen:
            yield from _properties(
                contract.document()["components"]["schemas"][name], deep=deep, seen=seen | {name}
            )
        return
    for each in [*schema.get("allOf", []), *schema.get("oneOf", []), *schema.get("anyOf", [])]:
        yield from _properties(each, deep=deep, seen=seen)
    for name, what in schema.get("properties", {}).items():
        yield name, what
        if deep:
            yield from _properties(what, seen=seen)
    if isinstance(schema.get("items"), dict):
        yield from _properties(schema["items"], deep=deep, seen=seen)
