"""Webhooks in the admin: the secret is shown once, buttons do what they say, and what fails is seen."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from ispcore.events import services
from ispcore.events.models import WebhookDelivery, WebhookEndpoint
from ispcore.events.services import endpoints
from ispcore.tenants.models import Tenant
from ispcore.tenants.roles import Role

pytestmark = pytest.mark.django_db
LIST = "/admin/events/webhookendpoint/"
LOG = "/admin/events/webhookdelivery/"
GIVEN: dict[str, Any] = {
    "url": "https://erp.example/in",
    "description": "Accounting",
    "event_types": ["billing.*", "aaa.account_changed"],
}


@pytest.fixture
def webhook(acting: Tenant) -> WebhookEndpoint:
    made, _ = endpoints.create_webhook(**GIVEN)
    made.refresh_from_db()
    return made


def do(browser: Client, webhook: Any, name: str, **answers: Any) -> Any:
    return browser.post(f"{LIST}{webhook.pk}/do/{name}/", {"confirmed": "yes", **answers}, follow=True)


def test_set_up_shows_the_secret_once(browser: Client, acting: Tenant) -> None:
    page = browser.post(f"{LIST}add/", GIVEN)

    (made,) = WebhookEndpoint.objects.all()
    secret = made.secret.reveal()
    assert (made.url, made.description, made.event_types) == tuple(GIVEN.values())
    assert secret in page.content.decode().replace("&#x2B;", "+")
    assert "no-store" in page["Cache-Control"]
    shown = browser.get(f"{LIST}{made.pk}/change/").content.decode()
    assert secret[6:20] not in shown
    assert "Accounting" in shown


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("https://10.0.0.1/", "10.0.0.1 is in a private or reserved network"),
        ("http://erp.example/", "Messages go by HTTPS"),
        ("https://localhost/", "leads nowhere outside"),
    ],
)
def test_an_address_that_may_not_be_is_refused_at_its_field(
    browser: Client, acting: Tenant, url: str, said: str
) -> None:
    page = browser.post(f"{LIST}add/", {**GIVEN, "url": url}).content.decode()

    assert said in page
    assert url in page
    assert not WebhookEndpoint.objects.exists()


def test_changed(browser: Client, webhook: WebhookEndpoint) -> None:
    browser.post(f"{LIST}{webhook.pk}/change/", {**GIVEN, "event_types": [], "description": "Stock"})

    webhook.refresh_from_db()
    assert (webhook.description, webhook.event_types, webhook.is_enabled) == ("Stock", [], True)


def test_switched_off_and_on_tested_rotated_and_removed(browser: Client, webhook: WebhookEndpoint) -> None:
    old = webhook.secret.reveal()

    do(browser, webhook, "disable")
    webhook.refresh_from_db()
    assert (webhook.is_enabled, webhook.disabled_reason) == (False, "by_hand")
    assert "off: switched off by hand" in browser.get(LIST).content.decode()
    do(browser, webhook, "send_test")
    assert not WebhookDelivery.objects.exists()
    do(browser, webhook, "enable")
    assert "On the way" in do(browser, webhook, "send_test").content.decode()
    assert WebhookDelivery.objects.get().event.name == "platform.webhook_tested"
    page = do(browser, webhook, "rotate_secret")
    webhook.refresh_from_db()
    assert (webhook.previous_secret.reveal(), webhook.secret.reveal() != old) == (old, True)
    assert "no-store" in page["Cache-Control"]
    assert "whsec_" in page.content.decode()
    assert "Removed." in do(browser, webhook, "remove").content.decode()
    assert not WebhookEndpoint.objects.exists()


def test_a_time_is_sent_again(browser: Client, webhook: WebhookEndpoint) -> None:
    services.publish("billing.run_issued", run_id="1")
    services.relay_tenant()
    WebhookDelivery.objects.update(status="failed", next_attempt_at=None)
    since = timezone.localtime() - timedelta(hours=1)

    page = do(browser, webhook, "replay", since=f"{since:%Y-%m-%dT%H:%M}", until="", only_missed="on")

    assert "1 on the way." in page.content.decode()
    assert list(WebhookDelivery.objects.order_by("pk").values_list("status", "is_replay")) == [
        ("failed", False),
        ("waiting", True),
    ]


def test_a_delivery_shows_its_attempts_and_is_sent_again(browser: Client, rows: dict[str, Any]) -> None:
    delivery = rows["events.WebhookDelivery"]

    page = browser.get(f"{LOG}{delivery.pk}/change/").content.decode()
    listed = browser.get(f"{LOG}?endpoint__id__exact={delivery.endpoint_id}").content.decode()

    assert "Hardware: discovery finished" in page
    assert re.search(r"Come back later.*120\u202fms|120\u202fms.*Come back later", page, re.DOTALL)
    assert "1 of 10" in listed
    browser.post(f"{LOG}{delivery.pk}/do/replay/", {"confirmed": "yes"})


def test_what_fails_is_on_the_dashboard(browser: Client, webhook: WebhookEndpoint) -> None:
    assert "Accounting" not in browser.get("/admin/").content.decode()

    WebhookEndpoint.objects.update(failing_since=timezone.now() - timedelta(hours=2))
    assert "Nothing arrives there; it is tried again." in browser.get("/admin/").content.decode()

    WebhookEndpoint.objects.update(is_enabled=False, disabled_at=timezone.now(), disabled_reason="failing")
    assert "Failed for five days: nothing is sent there any more." in browser.get("/admin/").content.decode()


def test_who_may_only_look_has_no_buttons(browser_as: Any, webhook: WebhookEndpoint) -> None:
    looking = browser_as(Role.NETWORK_OPERATIONS)

    page = looking.get(f"{LIST}{webhook.pk}/change/").content.decode()

    assert "Rotate secret" not in page
    assert looking.post(f"{LIST}{webhook.pk}/do/disable/", {"confirmed": "yes"}).status_code == 403
    webhook.refresh_from_db()
    assert webhook.is_enabled
