"""The staff site under a name of its own."""

import pytest
from django.test import Client

pytestmark = pytest.mark.django_db
OURS = "admin.example"
ONLY_THERE = ["/admin/login/", "/oidc/begin/"]
NEVER_THERE = ["/redoc", "/docs", "/developers", "/api/schema", "/portal/north/log-in", "/pay/x"]


@pytest.fixture(autouse=True)
def own_name(settings):
    settings.ADMIN_HOST = OURS
    settings.ALLOWED_HOSTS = [OURS, "testserver"]


def status(path: str, host: str) -> int:
    return Client().get(path, headers={"Host": host}).status_code


@pytest.mark.parametrize("host", [OURS, f"{OURS}:8443", OURS.upper()])
def test_the_staff_site_answers_there(host):
    assert status("/admin/login/", host) == 200
    assert status("/", host) == 302


@pytest.mark.parametrize("path", [*ONLY_THERE, "/admin/", "/admin", "/"])
def test_the_staff_site_answers_nowhere_else(path):
    assert status(path, "testserver") == 404


@pytest.mark.parametrize("path", NEVER_THERE)
def test_nothing_else_answers_there(path):
    assert status(path, OURS) == 404


@pytest.mark.parametrize("host", [OURS, "testserver"])
def test_monitoring_is_answered_under_either_name(host):
    assert status("/health", host) == 200


@pytest.mark.parametrize("host", ["admin.example.evil.example", "evil-admin.example", "evil.example"])
def test_a_name_nobody_allowed_is_refused(host):
    assert status("/admin/login/", host) == 400


def test_cookies_stay_with_the_host(admin_user):
    client = Client(headers={"Host": OURS})

    client.get("/admin/login/")

    assert client.cookies["csrftoken"]["domain"] == ""


def test_without_the_setting_it_answers_as_ever(settings):
    settings.ADMIN_HOST = ""

    assert status("/admin/login/", "testserver") == 200
    assert status("/api/v1/me", "testserver") == 401
