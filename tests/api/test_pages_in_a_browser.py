"""The documentation pages as a browser sees them: they draw the API, and call nobody else."""

from urllib.parse import urlsplit

import pytest
from playwright.sync_api import sync_playwright

from tests.needs import require


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("path", "shown"), [("/docs", "/api/v1/aaa/accounts"), ("/redoc", "Register an OLT")]
)
def test_draws_the_api_and_calls_no_other_host(path, shown, live_server, monkeypatch):
    (chromium,) = require("chromium")
    # The browser's own event loop runs in this thread, and Django would take it for an asynchronous view.
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
    asked: set[str] = set()
    kept_in: set[str] = set()  # What the page's policy did not let out.
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page()
        page.on("request", lambda request: asked.add(request.url))
        page.on(
            "requestfailed", lambda request: kept_in.update({request.url} if request.failure == "csp" else ())
        )
        page.goto(live_server.url + path)
        page.get_by_text(shown).first.wait_for(state="attached", timeout=60_000)
        browser.close()

    hosts = {urlsplit(url).netloc for url in asked - kept_in if urlsplit(url).scheme in ("http", "https")}
    assert hosts == {urlsplit(live_server.url).netloc}
