"""The classes of the OWASP API Security Top 10 (2023) that can be tried against every route there is.

docs/security.md names the tests of the classes that need a scene of their own.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import jwt
import pytest
from django.conf import settings as django_settings
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone

from ispcore import redis
from ispcore.auth import access_tokens, guard
from tests import contract
from tests.api.routes import api_routes, operations
from tests.client import Api

# They prove who calls by their body alone: a password, a token, a gateway's signature.
OPEN = {"auth/token", "auth/revoke", "billing/gateways/{pk}/callback"}
# It takes no body, so it reads none.
BODILESS = {"billing/ledger-checks"}
GUARDED = [(verb, path) for verb, path in operations() if path not in OPEN]
WRITES = [(verb, path) for verb, path in operations() if verb in ("post", "put", "patch")]
LISTS = [path for verb, path in operations() if verb == "get" and "{pk}" not in path]


def at(path: str) -> str:
    return path.replace("{pk}", str(uuid4()))


def forget_limits() -> None:
    redis.client().flushdb()
    guard.memory.clear()


class TestApi2BrokenAuthentication:
    def test_no_route_takes_a_forged_or_expired_token(self, admin_user):
        now = datetime.now(UTC)
        claims = {
            "iss": django_settings.LOCAL_ISSUER,
            "aud": django_settings.ACCESS_TOKEN_AUDIENCE,
            "sub": str(admin_user.pk),
            "iat": now,
            "exp": now + timedelta(minutes=10),
        }
        forged = {
            "alg none": jwt.encode(claims, None, algorithm="none", headers={"typ": "at+jwt"}),
            "guessed secret": jwt.encode(claims, "secret" * 8, algorithm="HS256", headers={"typ": "at+jwt"}),
            "expired": access_tokens.mint(user_id=admin_user.pk, at=timezone.now() - timedelta(hours=1)),
        }
        let_in = []

        for name, token in forged.items():
            api = Api(token=token)
            for verb, path in GUARDED:
                forget_limits()
                answer = api.send(verb, at(path), b"{}", "application/json")
                if answer.status_code != 401:
                    let_in.append((name, verb, path, answer.status_code))

        assert let_in == []

    def test_no_route_takes_the_session_of_a_browser(self, admin_user):
        client = Client()
        client.force_login(admin_user)
        let_in = []

        for verb, path in GUARDED:
            answer = client.generic(verb.upper(), f"/api/v1/{at(path)}", b"{}", "application/json")
            if answer.status_code != 401:
                let_in.append((verb, path, answer.status_code))

        assert let_in == []


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

    def test_no_write_takes_the_provider_or_the_id_from_its_body(self, api, other_tenant, tenant):
        forget_limits()
        foreign = {
            "tenant": str(other_tenant.pk),
            "tenant_id": str(other_tenant.pk),
            "is_platform_staff": True,
        }
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


class TestApi4ResourceConsumption:
    def test_no_list_gives_more_than_a_page_may_hold(self, api):
        given = []

        for path in LISTS:
            forget_limits()
            answer = api.get(path, {"page_size": "1000000"})
            pages = answer.status_code == 200 and answer.json()["meta"].get("pagination", {})
            if answer.status_code >= 500 or (pages and pages.get("page_size", 0) > 500):
                given.append((path, answer.status_code))

        assert given == []

    @pytest.mark.parametrize(
        ("body", "kind"),
        [
            (b"[" * 200_000, "application/json"),
            (b'{"a":' * 50_000, "application/json"),
            (b'{"name": "' + b"x" * 1_000_000 + b'"}', "application/json"),
            (b'{"number": ' + b"9" * 100_000 + b"}", "application/json"),
            (b"\xff\xfe\x00", "application/json"),
            (b"<!DOCTYPE x [<!ENTITY a 'b'>]><x>&a;</x>", "application/xml"),
            (b"--x\r\n" * 3000, "multipart/form-data; boundary=x"),
        ],
    )
    def test_no_route_breaks_over_a_hostile_body(self, body, kind, api):
        broken = []

        for verb, path in WRITES:
            forget_limits()
            answer = api.send(verb, at(path), body, kind)
            if not 400 <= answer.status_code < 500 and path not in BODILESS:
                broken.append((verb, path, answer.status_code))

        assert broken == []

    def test_a_body_beyond_the_limit_is_refused(self, api):
        size = django_settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1

        answer = api.send("post", "zones", b'{"name": "' + b"x" * size + b'"}', "application/json")

        assert (answer.status_code, answer.json()["error"]["code"]) == (413, "request_too_large")


class TestApi5Functions:
    def test_a_header_or_parameter_does_not_change_the_verb(self, api, acting):
        made = api.post("zones", {"name": "Kept"}).json()["data"]

        for header in ("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"):
            assert api.get(f"zones/{made['id']}", **{header: "DELETE"}).status_code == 200
        api.post(f"zones/{made['id']}?_method=DELETE", {"_method": "DELETE"})

        assert api.get(f"zones/{made['id']}").json()["data"]["name"] == "Kept"

    def test_no_route_answers_a_verb_that_is_not_listed(self, api):
        answered = []

        for route in api_routes():
            for verb in {"post", "put", "patch", "delete"} - set(route.verbs):
                forget_limits()
                answer = api.send(verb, at(route.path), b"{}", "application/json")
                if answer.status_code != 405:
                    answered.append((verb, route.path, answer.status_code))

        assert answered == []


class TestApi8Misconfiguration:
    PAGES = ("/api/v1/me", "/api/v1/nothing", "/admin/login/", "/nothing", "/docs", "/portal/north/log-in")

    @pytest.mark.parametrize("path", PAGES)
    def test_every_answer_carries_the_headers_that_keep_browsers_safe(self, path, client, tenant):
        answer = client.get(path)

        assert answer["X-Content-Type-Options"] == "nosniff"
        assert answer["X-Frame-Options"] == "DENY"
        assert answer["Referrer-Policy"] in ("same-origin", "no-referrer")
        assert "Server" not in answer.headers
        assert "X-Powered-By" not in answer.headers

    @pytest.mark.parametrize("path", PAGES)
    @pytest.mark.parametrize("verb", ["TRACE", "TRACK", "CONNECT", "PROPFIND"])
    def test_nothing_is_echoed(self, verb, path, client, tenant):
        answer = client.generic(verb, path, b"echo-me", headers={"X-Echo": "echo-me"})

        assert answer.status_code in (401, 403, 404, 405)
        assert b"echo-me" not in answer.content

    @pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://testserver.evil.example"])
    def test_a_foreign_origin_is_not_allowed(self, origin, api):
        answer = api.get("me", Origin=origin)

        assert "Access-Control-Allow-Origin" not in answer.headers
        assert "Access-Control-Allow-Credentials" not in answer.headers

    @pytest.mark.parametrize(
        "path",
        ["/.env", "/.git/config", "/static/../manage.py", "/static/%2e%2e/manage.py", "/settings.py", "/debug",
         "/__debug__/", "/phpinfo.php", "/api/v1/../../.env"],
    )  # fmt: skip
    def test_nothing_of_the_installation_is_served(self, path, client, db):
        assert client.get(path).status_code == 404

    def test_what_is_counted_is_for_nobody_without_the_token(self, client, db, settings):
        settings.METRICS_TOKEN = "right"

        assert client.get("/metrics").status_code in (401, 403, 404)
        assert client.get("/metrics", headers={"Authorization": "Bearer wrong"}).status_code in (
            401,
            403,
            404,
        )


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
