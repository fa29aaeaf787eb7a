"""The developers' pages as wide as a phone: nothing runs over the edge, the search works by keyboard."""

import pytest
from playwright.sync_api import sync_playwright

from tests.needs import require

PAGES = (
    "/developers",
    "/developers/errors",
    "/developers/workflows/bill",
    "/developers/search?q=invoice",
    "/developers/endpoints/subscribers_create",
    "/developers/endpoints/billing_invoices_list",
    "/developers/endpoints/hardware_onu_authorize",
)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_fit_a_phone_and_are_searched_by_keyboard(scheme, live_server, monkeypatch):
    (chromium,) = require("chromium")
    # The browser's own event loop runs in this thread, and Django would take it for an asynchronous view.
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
    troubles: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 390, "height": 844}, color_scheme=scheme)
        page.on("console", lambda message: troubles.append(message.text))
        widths = {}
        for path in PAGES:
            page.goto(live_server.url + path)
            page.evaluate("document.querySelectorAll('details').forEach(part => part.open = true)")
            widths[path] = page.evaluate("document.documentElement.scrollWidth")
        page.goto(f"{live_server.url}/developers")
        for _ in range(3):  # Skip link, name, search field.
            page.keyboard.press("Tab")
        page.keyboard.type("duplicate_payment")
        page.keyboard.press("Enter")
        page.get_by_role("heading", name="duplicate_payment").wait_for()
        found = page.locator("a.line").count()
        browser.close()

    assert widths == dict.fromkeys(PAGES, 390)
    assert found >= 1
    assert troubles == []
