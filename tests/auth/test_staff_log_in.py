"""Staff log-in at the issuer, up to the session: the round trip, its attacks, and what claims give and take."""

import hashlib
from base64 import urlsafe_b64encode
from urllib.parse import parse_qs

import pytest
from django.apps import apps
from django.test import Client

from ispcore.auth import oidc, people, services
from ispcore.auth.authenticate import authenticate
from ispcore.auth.models import ExternalIdentity
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Membership, User
from ispcore.tenants.roles import Role
from ispcore.tenants.selectors import grants_of
from tests.auth import issuer
from tests.auth.limits import use_up
from tests.auth.round_trip import (
    BEGIN,
    CALLBACK,
    CLAIMS,
    LOGIN,
    begin,
    come_back,
    log_in,
    logged_in,
    refusal,
)
from tests.auth.test_id_tokens import id_token
from tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db


class TestRoundTrip:
    def test_asks_with_a_state_a_nonce_and_a_challenge(self, client, service):
        asked = begin(client)

        assert asked["response_type"] == "code"
        assert asked["scope"] == "openid email profile"
        assert asked["code_challenge_method"] == "S256"
        assert len(asked["state"]) == len(asked["nonce"]) == 32
        assert asked["redirect_uri"] == "http://testserver/oidc/callback/"

    def test_redeems_the_code_with_its_verifier_and_logs_in(self, client, service, tenant):
        asked = begin(client, next="/admin/tenants/membership/")

        answer = come_back(client, service, asked, CLAIMS)

        assert answer["Location"] == "/admin/tenants/membership/"
        (path, given, headers) = service.asked[0]
        challenge = urlsafe_b64encode(hashlib.sha256(given["code_verifier"].encode()).digest()).rstrip(b"=")
        assert (path, challenge.decode()) == ("/token", asked["code_challenge"])
        assert headers["Authorization"].startswith("Basic ")
        assert "client_secret" not in given
        person = User.objects.get()
        assert (person.email, person.full_name) == ("alice@north.example", "Alice")
        assert not person.has_usable_password()
        assert logged_in(client) == str(person.pk)
        assert grants_of(person) == {tenant.pk: "support"}
        assert client.get("/admin/").status_code == 200

    def test_the_same_subject_speaks_for_the_person_in_the_api(self, client, service, tenant):
        log_in(client, service)

        assert authenticate(f"Bearer {issuer.token()}", ip=None).grants == {tenant.pk: "support"}

    def test_never_sends_anybody_to_another_host(self, client, service, tenant):
        asked = begin(client, next="https://evil.example/")

        assert come_back(client, service, asked, CLAIMS)["Location"] == "/admin/"

    def test_the_session_id_changes_and_ends_within_a_day(self, client, service, tenant):
        asked = begin(client)
        before = client.session.session_key

        come_back(client, service, asked, CLAIMS)

        assert client.session.session_key != before
        assert client.session.get_expiry_age() <= 12 * 3600

    def test_logs_out_at_the_issuer_too(self, client, service, tenant):
        log_in(client, service)
        hint = client.session["oidc_id_token"]

        answer = client.post("/admin/logout/")

        place, _, query = answer["Location"].partition("?")
        assert place == f"{service.url}/end"
        assert parse_qs(query) == {
            "id_token_hint": [hint],
            "client_id": ["ispcore"],
            "post_logout_redirect_uri": ["http://testserver/admin/login/"],
        }
        assert logged_in(client) is None

    def test_a_log_out_is_never_a_link(self, client, service, tenant):
        log_in(client, service)

        assert client.get("/admin/logout/").status_code == 405
        assert logged_in(client) is not None

    def test_is_not_there_without_a_client_id(self, client, service, settings):
        settings.OIDC_RP_CLIENT_ID = ""

        assert client.get(BEGIN).status_code == 404
        assert client.get(CALLBACK).status_code == 404
        assert "Log in with" not in client.get(LOGIN).content.decode()


class TestAttacks:
    def test_an_answer_to_nobodys_question(self, client, service, tenant):
        answer = client.get(CALLBACK, {"code": "c", "state": "x" * 32})

        assert answer["Location"] == LOGIN
        assert "belongs to no log-in" in refusal(client)
        assert service.asked == []

    def test_an_answer_to_another_browsers_question(self, client, service, tenant):
        asked = begin(Client())

        come_back(client, service, asked, CLAIMS)

        assert logged_in(client) is None
        assert service.asked == []

    def test_a_state_answers_once(self, client, service, tenant):
        asked = begin(client)
        come_back(client, service, asked, CLAIMS)
        client.post("/admin/logout/")

        come_back(client, service, asked, CLAIMS)

        assert logged_in(client) is None

    def test_an_old_state(self, client, service, tenant):
        asked = begin(client)
        session = client.session
        session["oidc_states"][asked["state"]]["added_on"] -= 601
        session.save()

        come_back(client, service, asked, CLAIMS)

        assert logged_in(client) is None
        assert "it took too long" in refusal(client)

    def test_a_token_for_another_question(self, client, service, tenant):
        asked = begin(client)
        other = begin(client)

        service.id_token, service.userinfo = id_token(nonce=other["nonce"]), CLAIMS
        client.get(CALLBACK, {"code": "c", "state": asked["state"]})

        assert logged_in(client) is None
        assert not User.objects.exists()

    @pytest.mark.parametrize("changes", [{"aud": "another"}, {"iss": "https://evil.example"}, {"exp": None}])
    def test_a_token_that_is_not_for_us(self, client, service, tenant, changes):
        asked = begin(client)
        service.id_token, service.userinfo = id_token(nonce=asked["nonce"], **changes), CLAIMS

        client.get(CALLBACK, {"code": "c", "state": asked["state"]})

        assert logged_in(client) is None
        assert "cannot be trusted" in refusal(client)

    def test_claims_about_somebody_else(self, client, service, tenant):
        asked = begin(client)
        service.id_token = id_token(sub="mallory", nonce=asked["nonce"])
        service.userinfo = CLAIMS

        client.get(CALLBACK, {"code": "c", "state": asked["state"]})

        assert logged_in(client) is None
        assert "about somebody else" in refusal(client)

    def test_an_answer_in_another_issuers_name(self, client, service, tenant):
        come_back(client, service, begin(client), CLAIMS, iss="https://evil.example")

        assert logged_in(client) is None
        assert service.asked == []

    @pytest.mark.parametrize("verified", [False, None, "true", 1])
    def test_somebody_elses_address(self, client, service, alice, verified):
        log_in(client, service, sub="mallory", email=alice.email, email_verified=verified)

        assert logged_in(client) is None
        assert not ExternalIdentity.objects.exists()
        assert grants_of(alice) != {}

    def test_an_address_that_is_taken_is_not_taken_over_even_when_proven(self, client, service, alice):
        log_in(client, service, sub="mallory", email="ALICE@north.example", groups=["north:administrator"])

        assert logged_in(client) is None
        assert "There is an account with your e-mail address" in refusal(client)
        assert list(grants_of(alice).values()) == ["support"]

    def test_an_unproven_address_makes_no_account(self, client, service, tenant):
        log_in(client, service, email_verified=False)

        assert logged_in(client) is None
        assert not User.objects.exists()

    def test_a_code_beside_the_password_form_is_not_redeemed(self, client, service, tenant):
        asked = begin(client)
        service.id_token, service.userinfo = id_token(nonce=asked["nonce"]), CLAIMS

        client.post(
            f"{LOGIN}?local=1&code=c&state={asked['state']}", {"username": "a@b.example", "password": "x"}
        )

        assert logged_in(client) is None
        assert service.asked == []

    def test_an_error_does_not_log_anybody_out_who_did_not_ask(self, client, service, tenant):
        log_in(client, service)

        client.get(CALLBACK, {"error": "access_denied", "state": "x" * 32})

        assert logged_in(client) is not None

    def test_a_cancelled_log_in_says_so(self, client, service, tenant):
        asked = begin(client)

        client.get(CALLBACK, {"error": "access_denied", "state": asked["state"]})

        assert "cancelled at the log-in service" in refusal(client)

    @pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}", b"null", b'{"id_token": 7}'])
    def test_nonsense_in_place_of_tokens(self, client, service, tenant, body):
        service.token_body = body

        answer = come_back(client, service, begin(client), CLAIMS)

        assert answer["Location"] == LOGIN
        assert logged_in(client) is None

    @pytest.mark.parametrize("told", [[], None, "x", {"sub": None}, {}])
    def test_nonsense_in_place_of_claims(self, client, service, tenant, told):
        asked = begin(client)
        service.id_token, service.userinfo = id_token(nonce=asked["nonce"]), told

        assert client.get(CALLBACK, {"code": "c", "state": asked["state"]})["Location"] == LOGIN
        assert logged_in(client) is None

    def test_an_issuer_that_is_down_is_said_in_words_and_a_password_works(self, client, service, alice):
        service.token_status = 503

        come_back(client, service, begin(client), CLAIMS)

        assert "did not answer as it should" in refusal(client)
        client.post(f"{LOGIN}?local=1", {"username": alice.email, "password": PASSWORD})
        assert logged_in(client) == str(alice.pk)

    def test_attempts_are_limited_per_address(self, client, service, tenant):
        for _ in range(30):
            come_back(client, service, begin(client), {**CLAIMS, "groups": []})
        use_up(oidc.ADDRESS_LIMIT, "login:ip:127.0.0.1")
        service.asked.clear()

        come_back(client, service, begin(client), CLAIMS)

        assert "too many attempts" in refusal(client)
        assert service.asked == []


class TestRoles:
    def test_claims_give_roles_with_several_providers(self, client, service, tenant, other_tenant):
        log_in(client, service, groups=["north:support", "south:administrator"])

        assert grants_of(User.objects.get()) == {tenant.pk: "support", other_tenant.pk: "administrator"}

    def test_the_next_log_in_changes_and_takes_roles(self, client, service, tenant, other_tenant):
        log_in(client, service, groups=["north:support", "south:administrator"])

        log_in(Client(), service, groups=["north:staff_member"])

        assert grants_of(User.objects.get()) == {tenant.pk: "staff_member"}

    def test_whoever_has_no_role_any_more_is_refused_and_has_none(self, client, service, tenant):
        log_in(client, service)

        later = Client()
        log_in(later, service, groups=["wiki-editors"])

        assert logged_in(later) is None
        assert "no staff role" in refusal(later)
        assert grants_of(User.objects.get()) == {}
        assert client.get("/admin/")["Location"].startswith(
            LOGIN
        )  # The earlier session is worth nothing too.

    def test_somebody_without_a_role_gets_no_account(self, client, service, tenant):
        log_in(client, service, groups=[])

        assert not User.objects.exists()
        assert "is not known here" in refusal(client)

    @pytest.mark.parametrize(
        "groups",
        [
            ["north:customer"],
            ["north:platform_staff", "platform:administrator", "north:superuser"],
            ["NORTH:support", "north:Support", " north:support", "north:support\n", "north:support:x"],
            ["gone:support"],
            [7, None, {"north": "support"}],
            {"north": "support"},
            "wiki",
            ["x"] * 500 + ["north:support"],
        ],
    )
    def test_other_groups_are_no_roles(self, tenant, settings, groups):
        settings.OIDC_ROLES_CLAIM = "groups"

        assert people.roles_in({"groups": groups}) == {}

    @pytest.mark.parametrize(
        ("name", "claims"),
        [
            ("groups", {"groups": "north:support"}),
            ("realm_access.roles", {"realm_access": {"roles": ["north:support"]}}),
            ("https://isp.example/roles", {"https://isp.example/roles": ["north:support"]}),
        ],
    )
    def test_reads_the_claim_as_issuers_write_it(self, tenant, settings, name, claims):
        settings.OIDC_ROLES_CLAIM = name

        assert people.roles_in(claims) == {tenant.pk: "support"}

    def test_of_two_roles_the_one_that_stands_first_counts(self, tenant, settings):
        settings.OIDC_ROLES_CLAIM = "groups"

        both = {"groups": ["north:support", "north:administrator"]}

        assert people.roles_in(both) == {tenant.pk: "administrator"}

    def test_a_provider_switched_off_gives_none(self, make_tenant, settings):
        settings.OIDC_ROLES_CLAIM = "groups"
        make_tenant("gone", is_active=False)

        assert people.roles_in({"groups": ["gone:support"]}) == {}

    def test_no_claim_makes_platform_staff(self, client, service, tenant):
        log_in(client, service, is_superuser=True, is_platform_staff=True, is_staff=True)

        person = User.objects.get()
        assert not person.is_platform_staff
        assert grants_of(person) == {tenant.pk: "support"}

    def test_who_is_a_customer_stays_one(self, client, service, tenant, other_tenant):
        log_in(client, service)
        person = User.objects.get()
        with tenant_context(other_tenant.pk):
            Membership.objects.create(tenant=other_tenant, user=person, role=Role.CUSTOMER)

        log_in(Client(), service)

        assert grants_of(person) == {tenant.pk: "support", other_tenant.pk: "customer"}

    def test_without_a_claim_roles_are_those_given_here(self, client, service, alice, tenant, settings):
        settings.OIDC_ROLES_CLAIM = ""
        services.link_identity(user=alice, issuer=issuer.ISSUER, subject="alice-7f3")

        log_in(client, service, groups=["north:administrator"])

        assert logged_in(client) == str(alice.pk)
        assert grants_of(alice) == {tenant.pk: "support"}

    def test_the_history_names_the_log_in(self, client, service, tenant):
        log_in(client, service)

        with tenant_context(tenant.pk):
            (row,) = apps.get_model("tenants", "MembershipHistory").objects.all()
        assert row.pgh_context["by"] == "log-in service"
        assert row.role == "support"

    def test_a_person_switched_off_is_out_at_once(self, client, service, tenant):
        log_in(client, service)
        User.objects.update(is_active=False)

        assert client.get("/admin/")["Location"].startswith(LOGIN)
        again = Client()
        log_in(again, service)
        assert logged_in(again) is None
        assert "switched off" in refusal(again)
