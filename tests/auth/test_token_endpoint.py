import json
from typing import Any

import pytest
from django.contrib.auth.hashers import MD5PasswordHasher
from django.test import Client

from ispcore import redis
from ispcore.auth.api import ADDRESS_LIMIT
from ispcore.auth.authenticate import authenticate
from ispcore.auth.models import RefreshToken
from ispcore.tenants.models import User
from tests.auth.limits import use_up
from tests.conftest import PASSWORD

URL = "/api/v1/auth/token"
ALICE = {"username": "alice@north.example", "password": PASSWORD}


def post_form(fields: str, **extra: Any) -> Any:
    return Client().post(URL, fields, content_type="application/x-www-form-urlencoded", **extra)


def post_json(fields: Any, **extra: Any) -> Any:
    return Client().post(URL, json.dumps(fields), content_type="application/json", **extra)


def form(**fields: str) -> str:
    return "&".join(f"{name}={value}" for name, value in fields.items())


def test_the_password_form_answers_as_oauth_clients_expect(alice):
    response = post_form(form(grant_type="password", username="alice%40north.example", password=PASSWORD))

    body = response.json()
    assert response.status_code == 200
    assert response["Cache-Control"] == "no-store"
    assert response["Content-Type"] == "application/json"
    assert {name: body[name] for name in body if not name.endswith("_token")} == {
        "token_type": "Bearer",
        "expires_in": 900,
    }
    principal = authenticate(f"Bearer {body['access_token']}", ip=None)
    assert principal.user == alice
    assert principal.key == f"user:{alice.pk}"
    assert list(principal.grants.values()) == ["support"]


@pytest.mark.parametrize("path", [URL, f"{URL}/"])
def test_json_is_as_good_as_the_form(alice, path):
    response = Client().post(path, json.dumps(ALICE), content_type="application/json")

    assert response.status_code == 200
    assert set(response.json()) == {"access_token", "token_type", "expires_in", "refresh_token"}


def test_the_log_in_name_ignores_case_and_space(alice):
    assert post_json({**ALICE, "username": " Alice@North.Example "}).status_code == 200


def test_what_oauth_clients_add_is_ignored(alice):
    extra = {"scope": "openid", "client_id": "portal", "client_secret": "s"}

    assert post_json({**ALICE, **extra}, HTTP_AUTHORIZATION="Basic cG9ydGFsOnM=").status_code == 200


def test_wrong_password_unknown_user_and_inactive_user_look_alike(alice):
    User.objects.create_user(email="gone@north.example", password=PASSWORD, is_active=False)
    User.objects.create_user(email="sso@north.example")

    answers = [
        post_json({**ALICE, "password": "wrong"}),
        post_json({**ALICE, "username": "nobody@north.example"}),
        post_json({**ALICE, "username": "gone@north.example"}),
        post_json({**ALICE, "username": "sso@north.example"}),
    ]

    assert {answer.status_code for answer in answers} == {401}
    assert {answer["WWW-Authenticate"] for answer in answers} == {"Bearer"}
    errors = [answer.json()["error"] for answer in answers]
    assert (
        errors
        == [{"code": "not_authenticated", "message": "The e-mail address or the password is wrong."}] * 4
    )
    assert not RefreshToken.objects.exists()


@pytest.mark.parametrize("username", ["alice@north.example", "nobody@north.example", "sso@north.example"])
def test_every_refusal_costs_one_run_of_the_hasher(alice, monkeypatch, username):
    User.objects.create_user(email="sso@north.example")
    runs = []
    encode = MD5PasswordHasher.encode

    def count(self: MD5PasswordHasher, password: str, salt: str) -> str:
        runs.append(salt)
        return encode(self, password, salt)

    monkeypatch.setattr(MD5PasswordHasher, "encode", count)

    post_json({"username": username, "password": "wrong"})

    assert len(runs) == 1


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "username"),
        ({"username": "alice@north.example"}, "password"),
        ({"grant_type": "refresh_token"}, "refresh_token"),
    ],
)
def test_a_missing_field_is_named(alice, body, field):
    for response in (post_json(body), post_form(form(**body))):
        assert response.status_code == 400
        assert response.json()["error"]["code"] == "missing_field"
        assert response.json()["error"]["field"] == field


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("application/json", b"{", 400),
        ("application/json", b"\xff", 400),
        ("application/json", b"[]", 422),
        ("application/json", b'{"username": "a\\u0000", "password": "b"}', 422),
        ("application/json", b'{"username": "a", "password": "b\\u0000"}', 422),
        ("application/json", b'{"username": "\\ud800", "password": "b"}', 400),
        ("application/json", b'{"username": "a", "username": "b", "password": "c"}', 400),
        ("application/json", b'{"username": ["a"], "password": {"b": 1}}', 422),
        ("application/json", b'{"username": "", "password": ""}', 422),
        ("application/json", b'{"grant_type": "implicit"}', 422),
        ("application/json", b'{"grant_type": "refresh_token", "refresh_token": "isprt_\\u0000_x"}', 422),
        ("application/json; charset=rot13", b'{"username": "a", "password": "b"}', 401),
        ("application/x-www-form-urlencoded", b"username=a%00&password=b", 422),
        ("application/x-www-form-urlencoded", b"username=%ff&password=%ff", 401),
        ("application/x-www-form-urlencoded; charset=rot13", b"username=a&password=b", 401),
        ("application/x-www-form-urlencoded", b"a&" * 2000, 400),
        ("application/x-www-form-urlencoded", b"username=" + b"a" * 20_000, 413),
        ("multipart/form-data; boundary=x", b"--x--", 415),
        ("text/plain", b"hello", 415),
        ("application/json", b"[" * 15_000, 400),
    ],
)
def test_what_cannot_be_understood_is_refused_in_the_envelope(alice, content_type, body, status):
    response = Client().generic("POST", URL, body, content_type=content_type)

    assert response.status_code == status
    assert response.json()["success"] is False
    assert response["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "token",
    ["", "x", "isprt__", "isprt_00_00", f"isprt_{'0' * 32}_{'0' * 64}", f"other_{'0' * 32}_x", "é_é_é"],
)
def test_an_invented_refresh_token_is_refused(alice, token):
    response = post_json({"grant_type": "refresh_token", "refresh_token": token})

    assert response.status_code == (401 if token else 422)
    assert token == "" or response.json()["error"]["code"] == "invalid_token"


def test_a_refresh_token_is_exchanged_for_new_tokens(alice):
    first = post_json(ALICE).json()

    response = post_form(form(grant_type="refresh_token", refresh_token=first["refresh_token"]))

    second = response.json()
    assert response.status_code == 200
    assert second["refresh_token"] != first["refresh_token"]
    assert authenticate(f"Bearer {second['access_token']}", ip=None).user == alice
    assert first["refresh_token"].split("_")[2] not in str(RefreshToken.objects.values())


def test_a_refresh_token_used_twice_ends_the_log_in_even_with_an_access_token_beside_it(alice):
    first = post_json(ALICE).json()
    bearer = {"HTTP_AUTHORIZATION": f"Bearer {first['access_token']}"}
    grant = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"]}
    second = post_json(grant, **bearer).json()

    again = post_json(grant, **bearer)
    after = post_json({**grant, "refresh_token": second["refresh_token"]}, **bearer)

    assert [again.status_code, after.status_code] == [401, 401]
    assert RefreshToken.objects.get().revoked_at is not None


def test_guessing_one_account_stops_after_ten_attempts_from_anywhere(alice):
    answers = [
        post_json({**ALICE, "password": f"guess {number}"}, REMOTE_ADDR=f"10.0.0.{number}")
        for number in range(11)
    ]

    assert [answer.status_code for answer in answers] == [401] * 10 + [429]
    assert answers[-1].json()["error"]["code"] == "rate_limited"
    assert 25 <= int(answers[-1]["Retry-After"]) <= 30
    assert post_json(ALICE).status_code == 429  # The right password does not get through either.


def test_a_right_password_clears_the_count(alice):
    for _ in range(3):
        for number in range(8):
            post_json({**ALICE, "password": "wrong"}, REMOTE_ADDR=f"10.0.0.{number}")
        assert post_json(ALICE, REMOTE_ADDR="10.0.0.9").status_code == 200


def test_guessing_many_accounts_from_one_network_stops(alice):
    answers = [
        post_json({**ALICE, "username": f"user{number}@north.example"}, REMOTE_ADDR=f"2001:db8::{number:x}")
        for number in range(30)
    ]
    use_up(ADDRESS_LIMIT, "token:ip:2001:db8::/64")

    assert [answer.status_code for answer in answers] == [401] * 30
    assert post_json(ALICE, REMOTE_ADDR="2001:db8::ff").status_code == 429
    assert post_json(ALICE, REMOTE_ADDR="2001:db8:0:1::1").status_code == 200


def take_redis_away(settings) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"


def spoil_the_counter(settings) -> None:
    redis.client().lpush("limit:token:ip:127.0.0.1", "not a number")


@pytest.mark.parametrize("harm", [take_redis_away, spoil_the_counter])
def test_when_attempts_cannot_be_counted_nobody_logs_in(alice, settings, harm):
    harm(settings)

    response = Client(raise_request_exception=False).post(URL, ALICE, content_type="application/json")

    assert response.status_code == 503
    assert response.json()["error"]["code"] == "dependency_unavailable"
    assert not RefreshToken.objects.exists()
