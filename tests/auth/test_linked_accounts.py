"""Accounts and the log-in service: linking, by owners and by platform staff, the pages, and unsafe settings."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.core.checks import run_checks
from django.test import Client

from ispcore.auth import people, services
from ispcore.auth.models import ExternalIdentity
from ispcore.tenants.models import Tenant, User
from tests.auth import issuer
from tests.auth.round_trip import (
    ACCOUNT,
    BEGIN,
    LOGIN,
    come_back,
    log_in,
    logged_in,
)

pytestmark = pytest.mark.django_db


class TestLinking:
    @pytest.fixture
    def browser(self, client: Client, alice: User) -> Client:
        client.force_login(alice, backend="django.contrib.auth.backends.ModelBackend")
        return client

    def ask(self, browser: Client) -> dict[str, str]:
        answer = browser.post(f"{BEGIN}?next={ACCOUNT}")
        return {name: values[0] for name, values in parse_qs(urlsplit(answer["Location"]).query).items()}

    def test_an_account_is_linked_by_whoever_is_logged_in_to_both(self, browser, service, alice):
        answer = come_back(browser, service, self.ask(browser), {"sub": "alice-7f3"})

        assert answer["Location"] == ACCOUNT
        assert ExternalIdentity.objects.get().user == alice
        later = Client()
        log_in(later, service)
        assert logged_in(later) == str(alice.pk)

    def test_a_subject_of_somebody_else_stays_theirs(self, browser, service, alice, make_user):
        other = make_user("other")
        services.link_identity(user=other, issuer=issuer.ISSUER, subject="alice-7f3")

        come_back(browser, service, self.ask(browser), {"sub": "alice-7f3"})

        assert ExternalIdentity.objects.get().user == other
        assert "belongs to somebody else here" in browser.get(ACCOUNT).content.decode()

    def test_links_nobody_else_who_logged_in_meanwhile(self, browser, service, alice, make_user):
        asked = self.ask(browser)
        session = browser.session
        states = session["oidc_states"]
        other = make_user("other", is_platform_staff=True)
        browser.force_login(other, backend="django.contrib.auth.backends.ModelBackend")
        session = browser.session
        session["oidc_states"] = states
        session.save()

        come_back(browser, service, asked, {"sub": "alice-7f3"})

        assert not ExternalIdentity.objects.exists()

    def test_a_link_on_another_page_cannot_begin_it(self, alice, service):
        browser = Client(enforce_csrf_checks=True)
        browser.force_login(alice, backend="django.contrib.auth.backends.ModelBackend")

        assert browser.post(BEGIN).status_code == 403

    def test_a_link_can_be_removed(self, browser, service, alice):
        services.link_identity(user=alice, issuer=issuer.ISSUER, subject="alice-7f3")

        browser.post(ACCOUNT, {"do": "unlink"})

        assert not ExternalIdentity.objects.exists()

    def test_nobody_cuts_off_the_only_way_in(self, browser, service, alice):
        services.link_identity(user=alice, issuer=issuer.ISSUER, subject="alice-7f3")
        alice.set_unusable_password()
        alice.save()
        browser.force_login(alice, backend="django.contrib.auth.backends.ModelBackend")

        browser.post(ACCOUNT, {"do": "unlink"})

        assert ExternalIdentity.objects.exists()


class TestLinksPage:
    PAGE = "/admin/ispauth/externalidentity/"

    @pytest.fixture
    def operator(self, client: Client, make_user: Any, tenant: Tenant) -> Client:
        client.force_login(
            make_user("operator", is_platform_staff=True), backend="django.contrib.auth.backends.ModelBackend"
        )
        client.post("/admin/tenant/", {"tenant": str(tenant.pk)})
        return client

    def test_platform_staff_link_an_account(self, operator, service, alice):
        answer = operator.post(f"{self.PAGE}add/", {"email": "ALICE@north.example", "subject": "alice-7f3"})

        assert answer.status_code == 302
        link = ExternalIdentity.objects.get()
        assert (link.user, link.issuer, link.subject) == (alice, issuer.ISSUER, "alice-7f3")
        assert "alice-7f3" in operator.get(self.PAGE).content.decode()
        assert operator.get(f"{self.PAGE}{link.pk}/change/").status_code == 200

    @pytest.mark.parametrize("email", ["nobody@north.example", "", "x"])
    def test_needs_an_account(self, operator, service, email):
        answer = operator.post(f"{self.PAGE}add/", {"email": email, "subject": "alice-7f3"})

        assert answer.status_code == 200
        assert not ExternalIdentity.objects.exists()

    def test_refuses_a_subject_that_is_somebody(self, operator, service, alice, make_user):
        services.link_identity(user=make_user("other"), issuer=issuer.ISSUER, subject="alice-7f3")

        page = operator.post(f"{self.PAGE}add/", {"email": alice.email, "subject": "alice-7f3"})

        assert "logs in as somebody here already" in page.content.decode()
        assert ExternalIdentity.objects.count() == 1

    def test_removes_a_link(self, operator, service, alice):
        link = services.link_identity(user=alice, issuer=issuer.ISSUER, subject="alice-7f3")

        operator.post(f"{self.PAGE}{link.pk}/delete/", {"post": "yes"})

        assert not ExternalIdentity.objects.exists()

    def test_is_closed_to_a_providers_administrator(self, client, service, admin_user, alice):
        link = services.link_identity(user=alice, issuer=issuer.ISSUER, subject="alice-7f3")
        client.force_login(admin_user, backend="django.contrib.auth.backends.ModelBackend")

        answers = [
            client.get(self.PAGE),
            client.get(f"{self.PAGE}{link.pk}/change/"),
            client.post(f"{self.PAGE}add/", {"email": admin_user.email, "subject": "mallory"}),
            client.post(f"{self.PAGE}{link.pk}/delete/", {"post": "yes"}),
        ]

        assert [answer.status_code for answer in answers] == [403] * 4
        assert ExternalIdentity.objects.get() == link


class TestPages:
    def test_the_log_in_page_offers_the_service_first(self, client, service):
        page = client.get(f"{LOGIN}?next=/admin/hardware/olt/").content.decode()

        assert "Log in with Example ID" in page
        assert 'href="/oidc/begin/?next=%2Fadmin%2Fhardware%2Folt%2F"' in page
        assert 'href="?local=1&amp;next=%2Fadmin%2Fhardware%2Folt%2F"' in page
        assert 'name="password"' not in page

    def test_the_way_in_with_a_password_stays(self, client, service, alice):
        page = client.get(f"{LOGIN}?local=1").content.decode()

        assert 'name="password"' in page
        assert "Log in with Example ID instead" in page

    def test_who_has_no_password_here_is_told_so(self, client, service, tenant):
        log_in(client, service)

        page = client.get(ACCOUNT).content.decode()

        assert "you have none here" in page
        assert "Remove the link" not in page


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("OIDC_OP_TOKEN_ENDPOINT", "http://id.example/token", "ispauth.E004"),
        ("OIDC_OP_AUTHORIZATION_ENDPOINT", "", "ispauth.E004"),
        ("OIDC_END_SESSION_URL", "javascript:alert(1)", "ispauth.E004"),
        ("OIDC_RP_CLIENT_SECRET", "", "ispauth.E005"),
        ("OIDC_RP_SIGN_ALGO", "HS256", "ispauth.E006"),
    ],
)
def test_refuses_to_start_with_unsafe_settings(service, settings, name, value, code):
    setattr(settings, name, value)

    assert code in [error.id for error in run_checks(tags=["security"])]


def test_starts_with_safe_ones(service):
    assert [error.id for error in run_checks(tags=["security"]) if str(error.id).startswith("ispauth")] == []


def test_tenants_are_found_by_their_short_names_alone(tenant: Tenant, settings: Any) -> None:
    settings.OIDC_ROLES_CLAIM = "groups"

    assert people.roles_in({"groups": [f"{tenant.pk}:support"]}) == {}
