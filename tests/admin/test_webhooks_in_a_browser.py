"""Webhooks in Chromium: set up by keyboard on a phone, and no page wider than it."""

import os
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from ispcore.events.models import WebhookEndpoint
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant, User
from tests.admin.browsing import logged_in
from tests.admin.webhook_rows import fill_webhooks
from tests.factories import OltFactory

pytestmark = pytest.mark.django_db(transaction=True)
LIST = "/admin/events/webhookendpoint/"
LOG = "/admin/events/webhookdelivery/"


def look(page: Page, name: str) -> None:
    """Check that nothing sticks out; keep a picture where ISP_SCREENSHOTS names a folder."""
    folder = os.environ.get("ISP_SCREENSHOTS")
    if folder:
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), name


@pytest.mark.parametrize("width", [390, 1280])
def test_pages_fit_and_a_webhook_is_set_up(
    live_server: Any, monkeypatch: pytest.MonkeyPatch, tenant: Tenant, admin_user: User, width: int
) -> None:
    with tenant_context(tenant.pk):
        made = fill_webhooks(tenant, OltFactory().pk)
    webhook, delivery = made["events.WebhookEndpoint"], made["events.WebhookDelivery"]

    with logged_in(admin_user, live_server.url, monkeypatch, width=width) as page:
        for name, path in (
            ("list", LIST),
            ("page", f"{LIST}{webhook.pk}/change/"),
            ("ask", f"{LIST}{webhook.pk}/do/replay/"),
            ("log", LOG),
            ("delivery", f"{LOG}{delivery.pk}/change/"),
            ("add", f"{LIST}add/"),
        ):
            page.goto(f"{live_server.url}{path}")
            look(page, f"{name}-{width}")
        page.get_by_label("Address", exact=False).first.fill("https://erp.example/in")
        page.get_by_label("Description").fill("Stock")
        page.get_by_label("Billing: all, and those to come").focus()
        page.keyboard.press("Space")
        page.get_by_role("button", name="Save", exact=True).click()
        page.get_by_text("The secret of Stock").wait_for()
        look(page, f"secret-{width}")
        secret = page.get_by_label("The new secret").input_value()
        page.get_by_role("link", name="I have copied it").click()
        page.get_by_text("Nothing was sent yet").wait_for()

    with tenant_context(tenant.pk):
        stored = WebhookEndpoint.objects.get(description="Stock")
    assert (stored.url, stored.event_types) == ("https://erp.example/in", ["billing.*"])
    assert stored.secret.reveal() == secret
