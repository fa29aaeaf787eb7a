"""The staff site in a real browser."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Page

from ispcore.tenants.models import User
from tests.browser import browsing
from tests.conftest import PASSWORD


@contextmanager
def logged_in(
    user: User, url: str, monkeypatch: pytest.MonkeyPatch, *, width: int = 390, height: int = 844
) -> Iterator[Page]:
    """A page of Chromium's whose visitor has logged in to the staff site at `url`; a phone's, if not told otherwise."""
    with browsing(monkeypatch, viewport={"width": width, "height": height}) as page:
        page.goto(f"{url}/admin/login/")
        page.fill("input[name=username]", user.email)
        page.fill("input[name=password]", PASSWORD)
        page.press("input[name=password]", "Enter")
        page.wait_for_url("**/admin/")
        yield page
