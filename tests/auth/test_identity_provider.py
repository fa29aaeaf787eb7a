"""Staff log-in and access tokens with a real, certified provider, in a real browser."""

import base64
import hashlib
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import requests
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from ispcore.auth import services
from ispcore.auth.issuer_keys import issuer_keys
from ispcore.auth.models import ExternalIdentity, IssuerLogOut
from ispcore.tenants.models import Tenant, User
from ispcore.tenants.roles import Role
from ispcore.tenants.selectors import grants_of
from tests import identity_provider
from tests.browser import browsing
from tests.conftest import PASSWORD
from tests.identity_provider import SECRET, Running

AUDIENCE = "urn:ispcore:api"
ACCOUNTS = {
    "alice-7f3": {
        "email": "alice@north.example", "email_verified": True, "name": "Alice", "groups": ["north:support"],
    },
    "bob-2c1": {"email": "bob@north.example", "email_verified": True, "name": "Bob", "groups": ["wiki"]},
    "mallory": {
        "email": "admin@staff.example", "email_verified": False, "name": "M", "groups": ["north:administrator"],
    },
}  # fmt: skip
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.filterwarnings("ignore::ResourceWarning")]


def client_of(client_id: str, **more: Any) -> dict[str, Any]:
    return {
        "client_id": client_id,
        "client_secret": SECRET,
        "grant_types": ["authorization_code"],
        "response_types": ["code"],
        **more,
    }


def portal_of(live_server: LiveServer) -> str:
    """Return where the other client wants its answers: a page of ours that looks at none of them."""
    return f"{live_server.url}/health"


@pytest.fixture
def provider(live_server: LiveServer, settings: Any) -> Iterator[Running]:
    """The provider, for which this installation is one client and a portal another."""
    clients = [
        client_of(
            "ispcore",
            redirect_uris=[f"{live_server.url}/oidc/callback/"],
            post_logout_redirect_uris=[f"{live_server.url}/admin/login/"],
            backchannel_logout_uri=f"{live_server.url}/oidc/backchannel-logout/",
            backchannel_logout_session_required=True,
        ),
        client_of("portal", redirect_uris=[portal_of(live_server)]),
        client_of("robot", redirect_uris=[], response_types=[], grant_types=["client_credentials"]),
    ]
    issuer_keys.cache_clear()
    with identity_provider.running(accounts=ACCOUNTS, clients=clients, audience=AUDIENCE) as running:
        for name, value in {**running.settings, "OIDC_ROLES_CLAIM": "groups"}.items():
            setattr(settings, name, value)
        yield running
    issuer_keys.cache_clear()


@pytest.fixture
def local(admin_user: User) -> User:
    """An administrator with a password here, stored by the hasher of these tests."""
    admin_user.set_password(PASSWORD)
    admin_user.save()
    return admin_user


@contextmanager
def chromium(monkeypatch: pytest.MonkeyPatch) -> Iterator[Page]:
    with browsing(monkeypatch, viewport={"width": 390, "height": 844}) as page:
        # The provider's sample pages ask for a font that nobody here can reach.
        page.route("https://**", lambda route: route.abort())
        yield page


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> Iterator[Page]:
    with chromium(monkeypatch) as opened:
        yield opened


def sign_in(page: Page, login: str) -> None:
    """Be somebody at the provider, and consent."""
    page.fill("input[name=login]", login)
    page.fill("input[name=password]", "any")
    page.click("button:has-text('Sign-in')")
    page.click("button:has-text('Continue')")  # To what the client asks for.


def log_in(page: Page, live_server: LiveServer, login: str, path: str = "/admin/") -> None:
    page.goto(f"{live_server.url}{path}")
    page.click("text=Log in with Example ID")
    sign_in(page, login)


class TestStaff:
    def test_logs_in_with_the_roles_of_the_claims(self, live_server, provider, page, tenant):
        log_in(page, live_server, "alice-7f3", "/admin/subscribers/subscriber/")

        page.wait_for_url(f"{live_server.url}/admin/subscribers/subscriber/")
        person = User.objects.get(email="alice@north.example")
        assert grants_of(person) == {tenant.pk: "support"}
        assert ExternalIdentity.objects.get().subject == "alice-7f3"
        page.goto(f"{live_server.url}/admin/ispauth/apikey/")
        expect(page.locator("body")).to_contain_text("Your role may not open this")

    def test_logs_out_here_and_there(self, live_server, provider, page, tenant):
        log_in(page, live_server, "alice-7f3")
        page.wait_for_url(f"{live_server.url}/admin/")

        page.evaluate("document.getElementById('logout-form').submit()")
        page.wait_for_url(f"{provider.issuer}/session/end**")
        page.click("button[value=yes]")

        page.wait_for_url(f"{live_server.url}/admin/login/**")
        page.click("text=Log in with Example ID")
        expect(page.locator("input[name=login]")).to_be_visible()  # The provider asks again who it is.

    def test_who_logs_out_there_is_out_here(self, live_server, provider, page, tenant):
        log_in(page, live_server, "alice-7f3")
        page.wait_for_url(f"{live_server.url}/admin/")

        page.goto(f"{provider.issuer}/session/end")
        page.click("button[value=yes]")
        page.wait_for_url(f"{provider.issuer}/session/end/success**")
        page.goto(f"{live_server.url}/admin/")

        page.wait_for_url(f"{live_server.url}/admin/login/**")
        assert IssuerLogOut.objects.get().sid

    def test_somebody_without_a_role_is_told_so(self, live_server, provider, page, tenant):
        log_in(page, live_server, "bob-2c1")

        page.wait_for_url(f"{live_server.url}/admin/login/")
        expect(page.locator("body")).to_contain_text("is not known here")
        assert not User.objects.exists()

    def test_an_address_of_somebody_elses_opens_nothing(self, live_server, provider, page, admin_user):
        log_in(page, live_server, "mallory")

        page.wait_for_url(f"{live_server.url}/admin/login/")
        expect(page.locator("body")).to_contain_text("does not vouch for your e-mail address")
        assert not ExternalIdentity.objects.exists()

    def test_cancelling_comes_back_in_words(self, live_server, provider, page, tenant):
        page.goto(f"{live_server.url}/admin/")
        page.click("text=Log in with Example ID")

        page.click("text=[ Cancel ]")

        page.wait_for_url(f"{live_server.url}/admin/login/")
        expect(page.locator("body")).to_contain_text("cancelled at the log-in service")

    def test_a_password_opens_while_the_provider_is_away(self, live_server, provider, page, local):
        page.goto(f"{live_server.url}/admin/")
        page.click("text=Log in with a password")

        page.fill("input[name=username]", local.email)
        page.fill("input[name=password]", PASSWORD)
        page.press("input[name=password]", "Enter")

        page.wait_for_url(f"{live_server.url}/admin/")

    def test_an_account_with_a_password_is_linked(self, live_server, provider, page, local, settings):
        settings.OIDC_ROLES_CLAIM = ""
        page.goto(f"{live_server.url}/admin/login/?local=1")
        page.fill("input[name=username]", local.email)
        page.fill("input[name=password]", PASSWORD)
        page.press("input[name=password]", "Enter")
        page.wait_for_url(f"{live_server.url}/admin/")

        page.goto(f"{live_server.url}/admin/account/")
        page.click("text=Link with Example ID")
        sign_in(page, "mallory")

        page.wait_for_url(f"{live_server.url}/admin/account/")
        expect(page.locator("body")).to_contain_text("Linked")
        assert ExternalIdentity.objects.get().user == local


class TestAccessTokens:
    """What the provider hands to another client, used at the API."""

    @pytest.fixture
    def me(self, live_server: LiveServer) -> Callable[[str], requests.Response]:
        return lambda token: requests.get(
            f"{live_server.url}/api/v1/me", headers={"Authorization": f"Bearer {token}"}, timeout=20
        )

    @pytest.fixture
    def person(self, make_user: Callable[..., User], tenant: Tenant, provider: Running) -> User:
        user = make_user("alice", {tenant: Role.SUPPORT})
        services.link_identity(user=user, issuer=provider.issuer, subject="alice-7f3")
        return user

    @pytest.fixture
    def tokens(self, page: Page, provider: Running, live_server: LiveServer) -> Callable[..., dict[str, Any]]:
        return lambda **wish: self.fetch(page, provider, portal_of(live_server), **wish)

    def fetch(self, page: Page, provider: Running, portal: str, **wish: str) -> dict[str, Any]:
        """Log in at the portal and redeem the code, as the portal would."""
        verifier = secrets.token_urlsafe(48)
        digest = hashlib.sha256(verifier.encode()).digest()
        query = {
            "client_id": "portal", "response_type": "code", "redirect_uri": portal, "state": "s",
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256", "scope": "openid api", **wish,
        }  # fmt: skip
        page.goto(f"{provider.issuer}/auth?{urlencode(query)}")
        sign_in(page, "alice-7f3")
        page.wait_for_url(f"{portal}?**")
        given = {
            "grant_type": "authorization_code", "redirect_uri": portal, "code_verifier": verifier,
            "code": parse_qs(urlsplit(page.url).query)["code"][0],
            **({"resource": wish["resource"]} if "resource" in wish else {}),
        }  # fmt: skip
        answer = requests.post(f"{provider.issuer}/token", data=given, auth=("portal", SECRET), timeout=20)
        assert answer.status_code == 200, answer.text
        given_out: dict[str, Any] = answer.json()
        return given_out

    def test_a_token_for_this_api_speaks_for_the_person(self, tokens, person, me, tenant):
        answer = me(tokens(resource=AUDIENCE)["access_token"])

        assert answer.status_code == 200
        data = answer.json()["data"]
        assert (data["email"], data["tenant"]["slug"], data["role"]) == (person.email, "north", "support")

    def test_its_id_token_is_no_access_token(self, tokens, person, me):
        answer = me(tokens(resource=AUDIENCE)["id_token"])

        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "invalid_token")

    def test_a_token_for_another_api_is_refused(self, tokens, person, me, settings):
        settings.OIDC_API_AUDIENCE = "urn:another:api"

        answer = me(tokens(resource=AUDIENCE)["access_token"])

        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "invalid_token")

    def test_an_opaque_token_is_refused(self, tokens, person, me):
        answer = me(tokens()["access_token"])

        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "invalid_token")

    def test_a_clients_own_token_is_nobody(self, provider, person, me):
        given = {"grant_type": "client_credentials", "resource": AUDIENCE, "scope": "api"}
        answer = requests.post(f"{provider.issuer}/token", data=given, auth=("robot", SECRET), timeout=20)

        refused = me(answer.json()["access_token"])

        assert refused.status_code == 401
        assert "API key" in refused.json()["error"]["message"]
