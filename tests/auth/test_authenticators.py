"""Codes of authenticator apps: set up, asked for, counted once, and what opens without them."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Barrier
from typing import Any

import pyotp
import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.utils import timezone

from ispcore import redis
from ispcore.auth import authenticators, services
from ispcore.auth.authenticators import AlreadyOn, CodesNotCounted, NotBegun, TooManyCodes, WrongCode
from ispcore.auth.models import Authenticator, RefreshToken
from ispcore.auth.refusals import NotAuthenticated, OtpRefused
from ispcore.crypto import Undecryptable
from ispcore.tenants.models import User
from tests.conftest import PASSWORD

NOW = timezone.now()
pytestmark = pytest.mark.django_db
LOGIN, CODE, ACCOUNT, TOKEN = "/admin/login/", "/admin/login/code/", "/admin/account/", "/api/v1/auth/token"


def code_of(secret: str, at: datetime) -> str:
    return pyotp.TOTP(secret).at(at)


def wrong_code(secret: str, at: datetime) -> str:
    """Return six digits that are no code of these minutes."""
    near = {code_of(secret, at + timedelta(seconds=30 * steps)) for steps in range(-3, 4)}
    return next(code for code in map("{:06d}".format, range(100)) if code not in near)


@pytest.fixture
def secret(alice: User) -> str:
    """An authenticator of alice's, on since an hour ago; its secret."""
    secret = authenticators.begin(user=alice, issuer="ISPCore").secret
    earlier = NOW - timedelta(hours=1)
    authenticators.confirm(user=alice, code=code_of(secret, earlier), at=earlier)
    return secret


@pytest.fixture
def recovery(alice: User) -> list[str]:
    secret = authenticators.begin(user=alice, issuer="ISPCore").secret
    earlier = NOW - timedelta(hours=1)
    return authenticators.confirm(user=alice, code=code_of(secret, earlier), at=earlier)


class TestSettingUp:
    def test_gives_the_app_a_secret_and_whose_it_is(self, alice):
        enrolment = authenticators.begin(user=alice, issuer="ISPCore")

        parsed = pyotp.parse_uri(enrolment.uri)
        assert (parsed.secret, parsed.issuer, parsed.name) == (enrolment.secret, "ISPCore", alice.email)
        assert len(enrolment.secret) == 32
        assert not authenticators.is_on(alice)

    def test_beginning_again_keeps_the_picture(self, alice):
        first = authenticators.begin(user=alice, issuer="ISPCore")

        assert authenticators.begin(user=alice, issuer="ISPCore") == first

    def test_stores_neither_secret_nor_recovery_codes_in_the_clear(self, alice, recovery):
        row = Authenticator.objects.get()

        assert row.sealed_secret.startswith("v1.")
        assert len(recovery) == len(set(recovery)) == len(row.recovery_hashes) == 10
        assert not set(recovery) & set(row.recovery_hashes)

    def test_a_secret_moved_to_another_person_does_not_open(self, alice, secret, make_user):
        other = make_user("other")
        Authenticator.objects.update(user=other)

        with pytest.raises(Undecryptable):
            authenticators.check(user=other, code=code_of(secret, NOW), at=NOW)

    def test_is_not_on_before_the_app_has_shown_a_right_code(self, alice):
        secret = authenticators.begin(user=alice, issuer="ISPCore").secret

        with pytest.raises(WrongCode):
            authenticators.confirm(user=alice, code=wrong_code(secret, NOW), at=NOW)

        assert not authenticators.is_on(alice)
        assert services.log_in(email=alice.email, password=PASSWORD, at=NOW)

    def test_cannot_be_set_up_twice_or_out_of_nothing(self, alice):
        with pytest.raises(NotBegun):
            authenticators.confirm(user=alice, code="123456", at=NOW)
        secret = authenticators.begin(user=alice, issuer="ISPCore").secret
        authenticators.confirm(user=alice, code=code_of(secret, NOW), at=NOW)

        with pytest.raises(AlreadyOn):
            authenticators.begin(user=alice, issuer="ISPCore")
        with pytest.raises(AlreadyOn):
            authenticators.confirm(user=alice, code=code_of(secret, NOW), at=NOW)


class TestCodes:
    @pytest.mark.parametrize("seconds", [-30, 0, 30])
    def test_clocks_may_differ_by_one_step(self, alice, secret, seconds):
        authenticators.check(user=alice, code=code_of(secret, NOW + timedelta(seconds=seconds)), at=NOW)

    @pytest.mark.parametrize("seconds", [-90, -60, 60, 90])
    def test_and_by_no_more(self, alice, secret, seconds):
        with pytest.raises(WrongCode):
            authenticators.check(user=alice, code=code_of(secret, NOW + timedelta(seconds=seconds)), at=NOW)

    def test_a_code_counts_once(self, alice, secret):
        code = code_of(secret, NOW)
        authenticators.check(user=alice, code=code, at=NOW)

        with pytest.raises(WrongCode):
            authenticators.check(user=alice, code=code, at=NOW)

    def test_nor_does_an_earlier_one_count_after_it(self, alice, secret):
        authenticators.check(user=alice, code=code_of(secret, NOW), at=NOW)

        with pytest.raises(WrongCode):
            authenticators.check(user=alice, code=code_of(secret, NOW - timedelta(seconds=30)), at=NOW)

    @pytest.mark.django_db(transaction=True)
    def test_of_two_simultaneous_uses_one_wins(self, alice, secret):
        code, barrier = code_of(secret, NOW), Barrier(4)

        def use() -> bool:
            try:
                barrier.wait()
                authenticators.check(user=alice, code=code, at=NOW)
                return True
            except WrongCode:
                return False
            finally:
                connection.close()

        with ThreadPoolExecutor(4) as threads:
            assert sum(threads.map(lambda _: use(), range(4))) == 1

    @pytest.mark.parametrize("spelling", ["{} {}", " {}{} ", "{}-{}"])
    def test_may_be_typed_as_apps_show_it(self, alice, secret, spelling):
        code = code_of(secret, NOW)

        authenticators.check(user=alice, code=spelling.format(code[:3], code[3:]), at=NOW)

    @pytest.mark.parametrize("code", ["", "12345", "1234567", "abcdef", "１２３４５６", "\x00", "x" * 40])
    def test_anything_else_is_wrong(self, alice, secret, code):
        with pytest.raises(WrongCode):
            authenticators.check(user=alice, code=code, at=NOW)

    def test_guessing_stops_after_five(self, alice, secret):
        for _ in range(5):
            with pytest.raises(WrongCode):
                authenticators.check(user=alice, code=wrong_code(secret, NOW), at=NOW)

        with pytest.raises(TooManyCodes):
            authenticators.check(user=alice, code=code_of(secret, NOW), at=NOW)

    def test_a_right_code_clears_the_count(self, alice, secret):
        for _ in range(4):
            with pytest.raises(WrongCode):
                authenticators.check(user=alice, code=wrong_code(secret, NOW), at=NOW)
        authenticators.check(user=alice, code=code_of(secret, NOW), at=NOW)

        for _ in range(5):
            with pytest.raises(WrongCode):
                authenticators.check(user=alice, code=wrong_code(secret, NOW), at=NOW)

    def test_no_code_is_taken_while_none_can_be_counted(self, alice, secret, settings):
        settings.REDIS_URL = "redis://127.0.0.1:1/0"

        with pytest.raises(CodesNotCounted):
            authenticators.check(user=alice, code=code_of(secret, NOW), at=NOW)


class TestRecovery:
    def test_each_code_opens_once(self, alice, recovery):
        authenticators.check(user=alice, code=recovery[0], at=NOW)

        with pytest.raises(WrongCode):
            authenticators.check(user=alice, code=recovery[0], at=NOW)
        authenticators.check(user=alice, code=recovery[1].upper().replace("-", " "), at=NOW)
        assert authenticators.recovery_codes_left(alice) == 8

    def test_opens_while_codes_are_limited_or_cannot_be_counted(self, alice, recovery, settings):
        settings.REDIS_URL = "redis://127.0.0.1:1/0"

        authenticators.check(user=alice, code=recovery[0], at=NOW)

    def test_a_hash_is_no_code(self, alice, recovery):
        with pytest.raises(WrongCode):
            authenticators.check(user=alice, code=Authenticator.objects.get().recovery_hashes[0], at=NOW)


class TestTokenEndpoint:
    def test_asks_for_the_code_only_after_the_right_password(self, alice, secret):
        with pytest.raises(NotAuthenticated):
            services.log_in(email=alice.email, password="wrong", at=NOW, otp=code_of(secret, NOW))
        with pytest.raises(OtpRefused) as refused:
            services.log_in(email=alice.email, password=PASSWORD, at=NOW)

        assert refused.value.get_codes() == "otp_required"
        assert not RefreshToken.objects.exists()

    def test_answers_in_the_envelope(self, alice, secret, client):
        given = {"username": alice.email, "password": PASSWORD}

        asked = client.post(TOKEN, given, content_type="application/json")
        wrong = client.post(TOKEN, {**given, "otp": "000000x"}, content_type="application/json")

        assert (asked.status_code, asked.json()["error"]["code"]) == (401, "otp_required")
        assert asked["WWW-Authenticate"] == "Bearer"
        assert asked.json()["error"]["field"] == "otp"
        assert (wrong.status_code, wrong.json()["error"]["code"]) == (401, "otp_wrong")

    def test_gives_tokens_for_both(self, alice, secret, client):
        otp = code_of(secret, timezone.now())

        answer = client.post(
            TOKEN,
            {"username": alice.email, "password": PASSWORD, "otp": otp},
            content_type="application/json",
        )

        assert answer.status_code == 200
        assert answer.json()["refresh_token"].startswith("isprt_")


class TestLogIn:
    def password(self, browser: Client, user: User, **query: str) -> Any:
        return browser.post(LOGIN, {"username": user.email, "password": PASSWORD, **query})

    def test_the_password_alone_opens_nothing(self, client, alice, secret):
        answer = self.password(client, alice)

        assert answer["Location"] == CODE
        assert "_auth_user_id" not in client.session
        assert client.get("/admin/")["Location"].startswith(LOGIN)

    def test_the_code_opens_what_was_wanted(self, client, alice, secret):
        self.password(client, alice, next="/admin/support/ticket/")

        answer = client.post(CODE, {"code": code_of(secret, timezone.now())})

        assert answer["Location"] == "/admin/support/ticket/"
        assert client.session["_auth_user_id"] == str(alice.pk)

    def test_a_wrong_code_is_said_and_opens_nothing(self, client, alice, secret):
        self.password(client, alice)

        page = client.post(CODE, {"code": wrong_code(secret, timezone.now())}).content.decode()

        assert "The code is wrong" in page
        assert "_auth_user_id" not in client.session

    def test_the_code_alone_opens_nothing(self, client, alice, secret):
        answer = client.post(CODE, {"code": code_of(secret, timezone.now())})

        assert answer["Location"] == LOGIN
        assert "_auth_user_id" not in client.session

    def test_the_second_step_waits_five_minutes(self, client, alice, secret):
        self.password(client, alice)
        session = client.session
        session["second_step"] |= {"at": session["second_step"]["at"] - 301}
        session.save()

        answer = client.post(CODE, {"code": code_of(secret, timezone.now())})

        assert answer["Location"] == LOGIN
        assert "_auth_user_id" not in client.session

    def test_somebody_switched_off_meanwhile_stays_out(self, client, alice, secret):
        self.password(client, alice)
        User.objects.update(is_active=False)

        assert client.post(CODE, {"code": code_of(secret, timezone.now())})["Location"] == LOGIN

    def test_nobody_is_sent_to_another_host(self, client, alice, secret):
        self.password(client, alice, next="https://evil.example/")

        assert client.post(CODE, {"code": code_of(secret, timezone.now())})["Location"] == "/admin/"

    def test_guessing_from_one_address_stops(self, client, alice, secret):
        self.password(client, alice)
        for _ in range(30):
            client.post(CODE, {"code": "x"})

        page = client.post(CODE, {"code": code_of(secret, timezone.now())}).content.decode()

        assert "Too many attempts" in page
        redis.client().flushdb()
        assert client.post(CODE, {"code": code_of(secret, timezone.now())})["Location"] == "/admin/"


class TestAccountPage:
    @pytest.fixture
    def browser(self, client: Client, alice: User) -> Client:
        client.force_login(alice, backend="django.contrib.auth.backends.ModelBackend")
        return client

    def test_sets_up_step_by_step(self, browser, alice):
        assert "Set up" in browser.get(ACCOUNT).content.decode()
        browser.post(ACCOUNT, {"do": "begin"})
        page = browser.get(ACCOUNT).content.decode()
        secret = authenticators.begin(user=alice, issuer="ISPCore").secret
        assert "<svg" in page
        assert secret in page

        answer = browser.post(ACCOUNT, {"do": "confirm", "code": code_of(secret, timezone.now())})

        assert answer.content.decode().count("</li>") >= 10
        assert "no-store" in answer["Cache-Control"]
        assert authenticators.is_on(alice)
        assert secret not in browser.get(ACCOUNT).content.decode()

    def test_a_wrong_code_turns_nothing_on(self, browser, alice):
        browser.post(ACCOUNT, {"do": "begin"})

        page = browser.post(ACCOUNT, {"do": "confirm", "code": "x"}).content.decode()

        assert "The code is wrong" in page
        assert not authenticators.is_on(alice)

    def test_can_be_called_off(self, browser, alice):
        browser.post(ACCOUNT, {"do": "begin"})

        browser.post(ACCOUNT, {"do": "cancel"})

        assert not Authenticator.objects.exists()

    def test_is_turned_off_by_a_code_alone(self, browser, alice, secret):
        browser.post(ACCOUNT, {"do": "cancel"})
        browser.post(ACCOUNT, {"do": "turn off"})
        browser.post(ACCOUNT, {"do": "turn off", "code": wrong_code(secret, timezone.now())})
        assert authenticators.is_on(alice)

        browser.post(ACCOUNT, {"do": "turn off", "code": code_of(secret, timezone.now())})

        assert not authenticators.is_on(alice)

    def test_shows_nobody_elses(self, browser, make_user: Callable[..., User]):
        other = make_user("other")
        secret = authenticators.begin(user=other, issuer="ISPCore").secret

        assert secret not in browser.get(ACCOUNT).content.decode()

    def test_is_for_who_is_logged_in(self, client):
        assert client.get(ACCOUNT)["Location"].startswith(LOGIN)


def test_staff_without_an_authenticator_log_in_as_before(client, alice):
    answer = client.post(LOGIN, {"username": alice.email, "password": PASSWORD})

    assert answer["Location"] == "/admin/"
    assert client.session["_auth_user_id"] == str(alice.pk)


def test_whoever_lost_everything_is_let_in_from_the_command_line(alice, secret):
    call_command("remove_authenticator", "Alice@north.example")

    assert not authenticators.is_on(alice)
    with pytest.raises(CommandError):
        call_command("remove_authenticator", "nobody@north.example")
