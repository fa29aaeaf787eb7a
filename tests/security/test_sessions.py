"""How long a log-in of staff lasts, what ends it, and what a password must be."""

import time

import pytest
from django.contrib.auth.password_validation import validate_password
from django.contrib.sessions.models import Session
from django.core.exceptions import ValidationError
from django.test import Client

from tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db
LOGIN = "/admin/login/"


@pytest.fixture
def later(monkeypatch):
    """Let minutes pass for sessions."""
    real, passed = time.time, [0.0]
    monkeypatch.setattr(time, "time", lambda: real() + passed[0])

    def pass_minutes(minutes: float) -> None:
        passed[0] += minutes * 60

    return pass_minutes


def is_in(client: Client) -> bool:
    return client.get("/admin/account/").status_code == 200


def test_a_log_in_nobody_uses_ends(client, admin_user, later):
    client.force_login(admin_user)
    later(119)
    assert is_in(client)

    later(119)
    assert is_in(client)
    later(121)

    assert not is_in(client)
    assert not Session.objects.exists()


def test_a_log_in_that_is_used_all_day_ends_too(client, admin_user, later, settings):
    settings.SESSION_HOURS = 3
    client.force_login(admin_user)
    for _ in range(2):
        later(60)
        assert is_in(client)

    later(61)

    assert not is_in(client)


def test_a_log_in_from_before_the_times_were_kept_begins_now(client, admin_user):
    client.force_login(admin_user)
    row = Session.objects.get()
    kept = {key: value for key, value in row.get_decoded().items() if key not in ("began", "seen")}
    Session.objects.update(session_data=client.session.encode(kept))

    assert is_in(client)
    assert {"began", "seen"} <= set(Session.objects.get().get_decoded())


def test_a_page_seen_again_within_a_minute_costs_no_write(client, admin_user, query_count, later):
    client.force_login(admin_user)
    assert is_in(client)

    soon = query_count(is_in, client)
    later(2)

    assert query_count(is_in, client) > soon


def test_a_key_from_before_the_log_in_is_worth_nothing(client, admin_user):
    planted = client.session
    planted["chosen_by"] = "somebody else"
    planted.save()

    client.post(LOGIN, {"username": admin_user.email, "password": PASSWORD})

    thief = Client()
    thief.cookies["sessionid"] = planted.session_key
    assert (is_in(client), is_in(thief)) == (True, False)


def test_no_script_and_no_other_site_has_the_cookie(client, admin_user):
    client.post(LOGIN, {"username": admin_user.email, "password": PASSWORD})

    cookie = client.cookies["sessionid"]
    assert (cookie["httponly"], cookie["samesite"], cookie["domain"]) == (True, "Lax", "")


def test_a_new_password_ends_the_log_ins_of_other_browsers(client, admin_user):
    other = Client()
    for browser in (client, other):
        browser.force_login(admin_user)
    new = "another horse altogether"

    answer = client.post(
        "/admin/password_change/",
        {"old_password": PASSWORD, "new_password1": new, "new_password2": new},
    )

    assert answer.status_code == 302
    assert (is_in(client), is_in(other)) == (True, False)


@pytest.mark.parametrize("path", ["/developers", "/health"])
def test_pages_without_a_log_in_touch_no_session(path, client, admin_user):
    client.force_login(admin_user)

    answer = client.get(path)

    assert "Cookie" not in answer.headers.get("Vary", "")


@pytest.mark.parametrize(
    ("password", "code"),
    [
        ("ninechars", "password_too_short"),
        ("administrator", "password_too_common"),
        ("admin@staff.example", "password_too_similar"),
    ],
)
def test_a_weak_password_is_refused(password, code, admin_user):
    with pytest.raises(ValidationError) as refusal:
        validate_password(password, admin_user)

    assert code in {each.code for each in refusal.value.error_list}
