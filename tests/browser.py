"""A real browser, in which nothing is mocked."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connections
from playwright.sync_api import Page, expect, sync_playwright

from tests.needs import require

# It only ends what hangs, and no busy machine's slow page.
MOST_MILLISECONDS = 150_000


@contextmanager
def browsing(monkeypatch: pytest.MonkeyPatch, **options: Any) -> Iterator[Page]:
    """Open a page of Chromium's with what `browser.new_page` takes."""
    (chromium,) = require("chromium")
    # The browser's own event loop runs in this thread, and Django would take it for an asynchronous view.
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        try:
            page = browser.new_page(**options)
            page.set_default_timeout(MOST_MILLISECONDS)
            expect.set_options(timeout=MOST_MILLISECONDS)
            yield page
        finally:
            browser.close()
            # Within that loop Django keeps connections apart: no other test would see them, close them or reopen them.
            connections.close_all()
