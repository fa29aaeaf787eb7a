"""A browser that goes to the log-in service of the tests and comes back."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

from django.test import Client

from tests.auth import issuer
from tests.auth.log_in_service import LogInService
from tests.auth.test_id_tokens import id_token

BEGIN, CALLBACK, LOGIN, ACCOUNT = "/oidc/begin/", "/oidc/callback/", "/admin/login/", "/admin/account/"
CLAIMS = {
    "sub": "alice-7f3",
    "email": "Alice@north.example",
    "email_verified": True,
    "name": "Alice",
    "groups": ["north:support", "wiki-editors"],
}


def begin(browser: Client, **query: str) -> dict[str, str]:
    """Go to the issuer; returns what was asked of it."""
    answer = browser.get(BEGIN, query)
    assert answer.status_code == 302
    return {name: values[0] for name, values in parse_qs(urlsplit(answer["Location"]).query).items()}


def come_back(
    browser: Client,
    service: LogInService,
    asked: dict[str, str],
    claims: dict[str, Any],
    *,
    token: str = "",
    **query: Any,
) -> Any:
    """Return from the issuer as the person whom the claims speak of, with an ID token that says so or `token`."""
    service.id_token = token or id_token(sub=claims["sub"], nonce=asked["nonce"])
    service.userinfo = claims
    return browser.get(CALLBACK, {"code": "c", "state": asked["state"], "iss": issuer.ISSUER, **query})


def log_in(browser: Client, service: LogInService, **changes: Any) -> Any:
    return come_back(browser, service, begin(browser), {**CLAIMS, **changes})


def logged_in(browser: Client) -> str | None:
    """Return the id of whoever is logged in."""
    return browser.session.get("_auth_user_id")


def refusal(browser: Client) -> str:
    return browser.get(LOGIN).content.decode()
