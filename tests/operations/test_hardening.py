"""What an installation behind TLS does by itself, and that its pages work under it."""

from typing import Any

import pytest
from django.test import Client
from playwright.sync_api import Page

from ispcore.tenants.models import Tenant, User
from tests.admin.browsing import logged_in
from tests.operations.production import manage

SHOW = """
import json
from django.conf import settings
names = ("DEBUG", "SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE", "SECURE_HSTS_SECONDS", "SECURE_SSL_REDIRECT")
print(json.dumps([getattr(settings, name) for name in names]))
"""
YEAR = 31536000
STAFF = ("/admin/", "/admin/subscribers/subscriber/", "/admin/subscribers/subscriber/add/", "/admin/support/ticket/",
         "/admin/hardware/olt/add/", "/admin/billing/invoice/")  # fmt: skip
OPEN = ("/developers", "/developers/guides", "/docs", "/redoc", "/portal/north/", "/nowhere")


def settings_with(**settings: str) -> str:
    return manage("shell", "--no-imports", "-c", SHOW, **settings).stdout.strip()


def test_django_finds_nothing_wrong_with_a_production_environment():
    checked = manage("check", "--deploy", "--fail-level", "WARNING")

    assert checked.returncode == 0, checked.stderr
    assert "no issues" in checked.stdout


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, f"[false, true, true, {YEAR}, true]"),
        ({"TRUSTED_PROXIES": ""}, f"[false, true, true, {YEAR}, false]"),
        (
            {"PUBLIC_URL": "http://127.0.0.1:8000", "SECURE_COOKIES": "1"},
            f"[false, true, true, {YEAR}, true]",
        ),
        ({"PUBLIC_URL": "http://127.0.0.1:8000"}, "[false, false, false, 0, false]"),
    ],
)
def test_an_address_with_https_closes_the_rest(given, expected):
    assert settings_with(**given) == expected


def test_a_page_tells_the_browser_what_it_may_do(client):
    answer = client.get("/admin/login/")

    assert answer["Content-Security-Policy"] == (
        "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; object-src 'none'; "
        "base-uri 'none'; frame-ancestors 'none'; script-src 'self' 'unsafe-eval'; form-action 'self'"
    )
    assert answer["Referrer-Policy"] == "same-origin"
    assert answer["Cross-Origin-Opener-Policy"] == "same-origin"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["X-Frame-Options"] == "DENY"


@pytest.mark.django_db
def test_only_the_staff_site_may_make_scripts_of_text(client):
    answer = client.get("/portal/nowhere/")

    assert "unsafe-eval" not in answer["Content-Security-Policy"]


def test_what_is_no_page_has_no_policy(client):
    assert "Content-Security-Policy" not in client.get("/health")


def test_plain_http_is_sent_to_https_except_what_machines_ask(settings):
    settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_HSTS_SECONDS = YEAR

    plain, own, secure = (
        Client().get("/admin/"),
        Client().get("/health"),
        Client().get("/health", secure=True),
    )

    assert (plain.status_code, plain["Location"]) == (301, "https://testserver/admin/")
    assert own.status_code == 200
    assert secure["Strict-Transport-Security"] == f"max-age={YEAR}"


@pytest.mark.django_db(transaction=True)
def test_the_pages_ask_nothing_that_their_policy_forbids(
    live_server: Any, monkeypatch: pytest.MonkeyPatch, tenant: Tenant, admin_user: User
) -> None:
    said: list[str] = []

    with logged_in(admin_user, live_server.url, monkeypatch, width=1280, height=800) as page:
        page.set_default_timeout(300_000)  # The first page that describes the API is long in the making.
        page.on("console", lambda message: said.append(message.text))
        for path in (*STAFF, *OPEN):
            page.goto(live_server.url + path)
            page.wait_for_load_state("networkidle")
            said.append(path)
        page.goto(f"{live_server.url}/admin/")
        refused = [text for text in said if "Content Security Policy" in text]
        works = page.evaluate("window.Alpine !== undefined && window.Alpine.version.length > 0")
        kept = inline_script_is_kept_out(page)

    # The makers' logos, which the pages of the API's document are to leave out.
    assert [text for text in refused if "the image 'https://" not in text] == []
    assert works
    assert kept


def inline_script_is_kept_out(page: Page) -> bool:
    """Tell whether a script that somebody has got into a page does not run."""
    return bool(
        page.evaluate(
            "() => { const script = document.createElement('script'); script.textContent = 'window.gotIn = true';"
            " document.body.append(script); return window.gotIn === undefined; }"
        )
    )
