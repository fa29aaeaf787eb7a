"""Figures stand at the right edge of their column, and so do their heads."""

from datetime import date
from typing import Any

import pytest
from playwright.sync_api import Page, sync_playwright

from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant, User
from tests.billing.paying import owe, payer
from tests.conftest import PASSWORD
from tests.needs import require

# How far the text of a head ends from where the amounts below it end.
DISTANCE = """name => {
    const edge = element => {
        const range = document.createRange();
        range.selectNodeContents(element);
        return range.getBoundingClientRect().right;
    };
    const head = document.querySelector(`#result_list th.column-${name}`);
    const cells = [...document.querySelectorAll(`#result_list td.field-${name}`)];
    return Math.max(...cells.map(cell => Math.abs(edge(cell) - edge(head))));
}"""


@pytest.mark.django_db(transaction=True)
def test_heads_of_amounts_stand_over_their_figures(
    live_server: Any, monkeypatch: pytest.MonkeyPatch, tenant: Tenant, admin_user: User
) -> None:
    (chromium,) = require("chromium")
    # The browser's own event loop runs in this thread, and Django would take it for an asynchronous view.
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
    with tenant_context(tenant.pk):
        jane = payer()
        owe(jane, "1200")
        owe(jane, "20", due_on=date(2026, 4, 1))
        paid = owe(jane, "7")
        type(paid).objects.filter(pk=paid.pk).update(open_amount=0, status="paid")

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        _log_in(page, live_server.url, admin_user)
        page.goto(f"{live_server.url}/admin/billing/invoice/")
        distances = [page.evaluate(DISTANCE, name) for name in ("total_shown", "open_shown")]
        browser.close()

    assert [distance < 2 for distance in distances] == [True, True], distances


def _log_in(page: Page, url: str, user: User) -> None:
    page.goto(f"{url}/admin/login/")
    page.fill("input[name=username]", user.email)
    page.fill("input[name=password]", PASSWORD)
    page.press("input[name=password]", "Enter")
    page.wait_for_url("**/admin/")
