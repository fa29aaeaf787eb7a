"""The staff site in a real browser."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Page, sync_playwright

from ispcore.tenants.models import User
from tests.conftest import PASSWORD
from tests.needs import require


@contextmanager
def logged_in(
    user: User, url: str, monkeypatch: pytest.MonkeyPatch, *, width: int = 390, height: int = 844
) -> Iterator[Page]:
    """A page of Chromium's whose visitor has logged in to the staff site at `url`; a phone's, if not told otherwise."""
    (chromium,) = require("chromium")
    # The browser's own event loop runs in this thread, and Django would take it for an asynchronous view.
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": width, "height": height})
        page.goto(f"{url}/admin/login/")
        page.fill("input[name=username]", user.email)
        page.fill("input[name=password]", PASSWORD)
        page.press("input[name=password]", "Enter")
        page.wait_for_url("**/admin/")
        yield page
        browser.close()
