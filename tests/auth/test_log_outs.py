"""Log-outs that the log-in service tells of: what ends, what stays, and every way of forging one."""

import time
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from ispcore.auth.log_outs import EVENT
from ispcore.auth.models import IssuerLogOut
from ispcore.auth.tasks import purge_sessions
from ispcore.tenants.models import User
from tests.auth import issuer
from tests.auth.round_trip import CLAIMS, begin, come_back, logged_in
from tests.auth.test_id_tokens import CLIENT, id_token
from tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db
URL = "/oidc/backchannel-logout/"


def now() -> int:
    return int(time.time())


def logout_token(*, head: dict[str, Any] | None = None, sign: Any = issuer.rs256, **changes: Any) -> str:
    """Make a good logout token for us, or one that differs in what is given."""
    usual: dict[str, Any] = {
        "aud": CLIENT, "client_id": None, "events": {EVENT: {}}, "sid": "s-1", "jti": "l-1",
    }  # fmt: skip
    return issuer.token(head={"typ": "logout+jwt", **(head or {})}, sign=sign, **{**usual, **changes})


# Each differs from a token that is accepted in the one thing its name says.
ATTACKS = {
    "for another client": lambda: logout_token(aud="another"),
    "several audiences, no azp": lambda: logout_token(aud=[CLIENT, "another"]),
    "of another issuer": lambda: logout_token(iss="https://evil.example"),
    "with a nonce": lambda: logout_token(nonce="n"),
    "with an empty nonce": lambda: logout_token(nonce=""),
    "no events": lambda: logout_token(events=None),
    "events empty": lambda: logout_token(events={}),
    "events a list": lambda: logout_token(events=[EVENT]),
    "another event": lambda: logout_token(events={"http://schemas.openid.net/event/other": {}}),
    "the event's member a word": lambda: logout_token(events={EVENT: "yes"}),
    "neither sid nor sub": lambda: logout_token(sid=None, sub=None),
    "sid a number": lambda: logout_token(sid=7),
    "sid empty": lambda: logout_token(sid=""),
    "sid too long": lambda: logout_token(sid="x" * 256),
    "sub with NUL": lambda: logout_token(sub="alice\x00"),
    "no jti": lambda: logout_token(jti=None),
    "jti a list": lambda: logout_token(jti=["l-1"]),
    "no iat": lambda: logout_token(iat=None),
    "no exp": lambda: logout_token(exp=None),
    "expired": lambda: logout_token(iat=now() - 900, exp=now() - 300),
    "old though not expired": lambda: logout_token(iat=now() - 900, exp=now() + 300),
    "iat a text": lambda: logout_token(iat=str(now())),
    "iat before all time": lambda: logout_token(iat=-(10**20)),
    "issued in the future": lambda: logout_token(iat=now() + 3600, exp=now() + 7200),
    "access token": lambda: logout_token(head={"typ": "at+jwt"}),
    "id token": lambda: id_token(),
    "alg none": lambda: logout_token(head={"alg": "none"}, sign=lambda data: b"-"),
    "HS256 with the public key": lambda: logout_token(
        head={"alg": "HS256"}, sign=partial(issuer.hs256, secret=issuer.public_pem())
    ),
    "foreign key, same kid": lambda: logout_token(sign=partial(issuer.rs256, key=issuer.FOREIGN)),
    "unknown kid": lambda: logout_token(head={"kid": "unheard-of"}),
    "jku": lambda: logout_token(head={"jku": "http://127.0.0.1:9/jwks"}),
    "garbage": lambda: "a.b.c",
    "empty": lambda: "",
    "forty kilobytes": lambda: logout_token(more="x" * 40_000),
}


def log_in(service: Any, *, sid: str | None = "s-1", browser: Client | None = None, **changes: Any) -> Client:
    """Log in at the issuer in one of its sessions; returns the browser."""
    browser = browser or Client()
    asked = begin(browser)
    token = id_token(sub=changes.get("sub", "alice-7f3"), nonce=asked["nonce"], sid=sid, iat=now() - 5)
    come_back(browser, service, asked, {**CLAIMS, **changes}, token=token)
    assert logged_in(browser)
    return browser


def tell(token: str) -> Any:
    return Client(enforce_csrf_checks=True).post(URL, {"logout_token": token})


def is_in(browser: Client) -> bool:
    return bool(browser.get("/admin/account/").status_code == 200)


def test_one_session_ends_and_no_other(service, tenant):
    here, there = log_in(service, sid="s-1"), log_in(service, sid="s-2")

    answer = tell(logout_token(sid="s-1", sub="alice-7f3"))

    assert (answer.status_code, answer.content, answer["Cache-Control"]) == (200, b"", "no-store")
    assert (is_in(here), is_in(there)) == (False, True)
    assert logged_in(here) is None


def test_without_a_session_all_of_the_person_end(service, tenant):
    browsers = [log_in(service, sid=sid) for sid in ("s-1", "s-2", None)]
    colleague = log_in(service, sid="s-9", sub="carol", email="carol@north.example")

    tell(logout_token(sid=None, sub="alice-7f3"))

    assert [is_in(each) for each in browsers] == [False] * 3
    assert is_in(colleague)


def test_whoever_logs_in_again_is_in(service, tenant):
    browser = log_in(service)
    tell(logout_token(iat=now() - 2))
    assert not is_in(browser)

    asked = begin(browser)
    come_back(
        browser,
        service,
        asked,
        CLAIMS,
        token=id_token(sub="alice-7f3", nonce=asked["nonce"], sid="s-1", iat=now()),
    )

    assert is_in(browser)


def test_a_session_is_met_under_the_key_it_changed_to(service, tenant):
    browser = log_in(service)
    session = browser.session
    session.cycle_key()
    session.save()
    browser.cookies["sessionid"] = str(session.session_key)
    assert is_in(browser)

    tell(logout_token())

    assert not is_in(browser)


def test_a_log_in_with_a_password_is_not_the_issuers(service, alice, client):
    client.post("/admin/login/", {"username": alice.email, "password": PASSWORD})

    tell(logout_token(sid=None, sub=str(alice.pk)))

    assert is_in(client)


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS.keys())
def test_what_is_not_exactly_right_ends_nothing(service, tenant, attack):
    browser = log_in(service)

    answer = tell(attack())

    assert (answer.status_code, answer["Cache-Control"]) == (400, "no-store")
    assert answer.json()["error"] == "invalid_request"
    assert is_in(browser)
    assert not IssuerLogOut.objects.exists()


def test_a_token_that_comes_again_is_refused(service, tenant):
    token = logout_token()

    answers = [tell(token).status_code for _ in range(2)]

    assert answers == [200, 400]
    assert IssuerLogOut.objects.count() == 1


@pytest.mark.parametrize("typ", ["logout+jwt", "application/logout+jwt", "JWT", None])
def test_the_kind_may_be_said_as_the_standard_allows(service, db, typ):
    assert tell(logout_token(head={"typ": typ})).status_code == 200


def test_an_id_token_is_no_logout_token_the_other_way_round_either(service, tenant, client):
    asked = begin(client)
    service.userinfo = CLAIMS
    service.id_token = logout_token(nonce=asked["nonce"], sub="alice-7f3")

    client.get("/oidc/callback/", {"code": "c", "state": asked["state"], "iss": issuer.ISSUER})

    assert logged_in(client) is None
    assert not User.objects.exists()


def test_is_told_to_come_again_while_the_keys_cannot_be_had(service, db, settings):
    settings.OIDC_JWKS_URL = "http://127.0.0.1:1/jwks"

    assert tell(logout_token()).status_code == 503


def test_is_nowhere_without_a_log_in_service(db, settings):
    settings.OIDC_RP_CLIENT_ID = ""

    assert tell("x").status_code == 404


def test_only_posts_are_taken(service, db):
    assert Client().get(URL, {"logout_token": logout_token()}).status_code == 405
    assert not IssuerLogOut.objects.exists()


def test_what_is_over_is_forgotten(service, tenant):
    log_in(service)
    tell(logout_token())
    IssuerLogOut.objects.create(
        issuer="i", jti="old", sid="s", subject="", at=timezone.now() - timedelta(days=2)
    )
    Session.objects.create(
        session_key="old", session_data="", expire_date=timezone.now() - timedelta(hours=1)
    )

    assert purge_sessions() == 1

    assert IssuerLogOut.objects.get().jti == "l-1"
    assert not Session.objects.filter(pk="old").exists()


def test_costs_who_logs_in_with_a_password_nothing(service, alice, client):
    client.force_login(alice, backend="django.contrib.auth.backends.ModelBackend")

    with CaptureQueriesContext(connection) as queries:
        assert is_in(client)

    assert not any(IssuerLogOut._meta.db_table in query["sql"] for query in queries)
