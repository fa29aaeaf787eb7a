"""The classes of the OWASP API Security Top 10 (2023) that can be tried against every route there is.

docs/security.md names the tests of the classes that need a scene of their own.
"""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.conf import settings as django_settings
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone

from ispcore import redis
from ispcore.auth import access_tokens, guard
from ispcore.auth.local_keys import signing_key
from tests import contract
from tests.api.routes import api_routes, operations
from tests.client import Api

# They prove who calls by their body alone: a password, a token, a gateway's signature.
OPEN = {"auth/token", "auth/revoke", "billing/gateways/{pk}/callback"}
# It takes no body, so it reads none.
BODILESS = {"billing/ledger-checks"}
GUARDED = [(verb, path) for verb, path in operations() if path not in OPEN]
WRITES = [(verb, path) for verb, path in operations() if verb in ("post", "put", "patch")]
READS = [path for verb, path in operations() if verb == "get" and "{pk}" not in path]


def at(path: str) -> str:
    return path.replace("{pk}", str(uuid4()))


def forget_limits() -> None:
    redis.client().flushdb()
    guard.memory.clear()


class TestApi2BrokenAuthentication:
    def test_no_route_takes_a_forged_or_expired_token(self, admin_user):
        genuine = access_tokens.mint(user_id=admin_user.pk, at=timezone.now())
        late = access_tokens.mint(user_id=admin_user.pk, at=timezone.now() - timedelta(hours=1))
        let_in = []

        for name, token in {**_forged(genuine), "expired": late}.items():
            api = Api(token=token)
            for verb, path in GUARDED:
                forget_limits()
                answer = api.send(verb, at(path), b"{}", "application/json")
                if answer.status_code != 401:
                    let_in.append((name, verb, path, answer.status_code))

        assert let_in == []
        forget_limits()
        assert Api(token=genuine).get("me").status_code == 200

    def test_no_route_takes_the_session_of_a_browser(self, admin_user):
        client = Client()
        client.force_login(admin_user)
        assert client.get("/admin/account/").status_code == 200
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
    NOT_THEIRS = {"tenant", "tenant_id", "is_platform_staff", "is_superuser", "is_staff"}

    def test_no_answer_shows_a_secret_that_nobody_listed(self):
        shown = {
            (name, path)
            for verb, path in operations()
            for schema in _answers(verb, path)
            for name, what in _properties(schema)
            if self.SECRET.search(name) and not what.get("writeOnly") and not name.startswith(("has_", "is_"))
        }

        assert {each for each in shown if each[0] not in self.NO_SECRETS} == self.SHOWN

    def test_no_body_names_the_provider_or_a_rank_above_it(self):
        taken = [
            (verb, path, name)
            for verb, path in WRITES
            for schema in _bodies(verb, path)
            for name, what in _properties(schema)
            if name in self.NOT_THEIRS and not what.get("readOnly")
        ]

        assert taken == []


class TestApi4ResourceConsumption:
    # Short by what they are: kinds of events, months, currencies, what a provider lets customers write about.
    UNPAGED = {
        "event-types", "billing/reports/recurring-revenue", "billing/reports/cash", "support/subjects",
        "me/subjects",
    }  # fmt: skip

    def test_every_list_that_grows_is_in_pages(self, api):
        whole = set()

        for path in READS:
            forget_limits()
            answer = api.get(path)
            if answer.headers["Content-Type"] == "application/json" and "data" in answer.json():
                said = answer.json()
                if isinstance(said["data"], list) and "pagination" not in said["meta"]:
                    whole.add(path)

        assert whole == self.UNPAGED

    def test_no_page_is_larger_than_the_most(self, api):
        given = []

        for path in READS:
            forget_limits()
            answer = api.get(path, {"page_size": "1000000"})
            if answer.status_code != 400:
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
            allowed = range(200, 500) if path in BODILESS else range(400, 500)
            if answer.status_code not in allowed:
                broken.append((verb, path, answer.status_code))

        assert broken == []

    def test_a_body_beyond_the_limit_is_refused(self, api):
        size = django_settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1

        answer = api.send("post", "zones", b'{"name": "' + b"x" * size + b'"}', "application/json")

        assert (answer.status_code, answer.json()["error"]["code"]) == (413, "request_too_large")


class TestApi5Functions:
    def test_a_header_or_parameter_does_not_change_the_verb(self, api):
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

        answers = [
            client.get("/metrics", headers=headers).status_code
            for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Bearer right"})
        ]

        assert answers == [401, 401, 200]


class TestApi9Inventory:
    # Every address beside the API, the dialects and the staff site.
    KNOWN = {
        "admin/", "oidc/begin/", "oidc/callback/", "oidc/backchannel-logout/", "pay/", "demo-bank/",
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
            if path
            and not path.startswith(("api/v1/", "compat/", "admin/"))
            and not any(path.startswith(each) for each in self.KNOWN)
        ]

        assert unknown == []


def _addresses(patterns: list[Any], prefix: str) -> Iterator[str]:
    for pattern in patterns:
        path = prefix + str(pattern.pattern).removeprefix("^")
        if isinstance(pattern, URLResolver):
            yield from _addresses(pattern.url_patterns, path)
        elif isinstance(pattern, URLPattern):
            yield path.removesuffix("/?$").removesuffix(r"/?\Z")


def _forged(genuine: str) -> dict[str, str]:
    """Sign what a genuine token says in the ways that are not ours."""
    claims = jwt.decode(genuine, options={"verify_signature": False})
    key = signing_key()
    headers = {"typ": "at+jwt", "kid": key.kid}
    return {
        "unsigned": jwt.encode(claims, "", "none", headers),
        "public key as a shared secret": jwt.encode(claims, key.public.public_bytes_raw(), "HS256", headers),
        "another key": jwt.encode(claims, Ed25519PrivateKey.generate(), "EdDSA", headers),
    }


def _answers(verb: str, path: str) -> list[dict[str, Any]]:
    operation = contract.find_operation(verb, path) or {}
    answers = [contract.resolved(each) for code, each in operation["responses"].items() if code < "300"]
    return [
        kind["schema"] for each in answers for kind in each.get("content", {}).values() if "schema" in kind
    ]


def _bodies(verb: str, path: str) -> list[dict[str, Any]]:
    operation = contract.find_operation(verb, path) or {}
    return [each["schema"] for each in operation.get("requestBody", {}).get("content", {}).values()]


def _properties(schema: Any, seen: frozenset[str] = frozenset()) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the properties a schema names, with those of the components it points to."""
    if name := schema.get("$ref", "").rpartition("/")[2]:
        if name not in seen:
            yield from _properties(contract.document()["components"]["schemas"][name], seen | {name})
        return
    for each in [*schema.get("allOf", []), *schema.get("oneOf", []), *schema.get("anyOf", [])]:
        yield from _properties(each, seen)
    for name, what in schema.get("properties", {}).items():
        yield name, what
        yield from _properties(what, seen)
    if isinstance(schema.get("items"), dict):
        yield from _properties(schema["items"], seen)
