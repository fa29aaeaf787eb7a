"""Payments, gateways and their notices, as staff see and settle them."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from billing.models import GatewayAccount, GatewayEvent, Payment, Refund
from billing.services import payments
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant
from ispcore.tenants.roles import Role
from tests.billing.paying import open_of, owe, payer

pytestmark = pytest.mark.django_db
NEW = {"method": "cash", "currency": "", "reference": "", "received_at": "", "note": ""}


@pytest.fixture
def jane(tenant: Tenant) -> Any:
    with tenant_context(tenant.pk):
        return payer()


@pytest.fixture
def paid(tenant: Tenant, jane: Any) -> Payment:
    """A payment of 50 that paid an invoice of 20."""
    with tenant_context(tenant.pk):
        owe(jane, "20")
        found: Payment = payments.receive(
            subscriber_id=jane.pk,
            amount=Decimal(50),
            currency="EUR",
            method="cash",
            received_at=timezone.now(),
        )
        return found


def act(browser: Client, payment: Payment, name: str, **answers: str) -> Any:
    url = reverse("admin:billing_payment_action", args=[payment.pk, name])
    return browser.post(url, {"confirmed": "yes", **answers}, follow=True)


def test_a_payment_is_taken_from_the_subscribers_page(browser: Client, tenant: Tenant, jane: Any) -> None:
    with tenant_context(tenant.pk):
        invoice = owe(jane, "20")
    tab = browser.get(reverse("admin:subscribers_subscriber_change", args=[jane.pk]) + "?tab=payments")
    add = f"{reverse('admin:billing_payment_add')}?subscriber={jane.pk}"

    asked = browser.get(add)
    answer = browser.post(add, {**NEW, "subscriber": str(jane.pk), "amount": "25.50"}, follow=True)

    assert add in tab.content.decode()
    assert jane.full_name in asked.content.decode()
    page = answer.content.decode()
    assert "Booked: " in page
    assert "is left as credit" in page
    assert invoice.number in page
    with tenant_context(tenant.pk):
        assert open_of(invoice) == [(0, "paid")]
        assert Payment.objects.get().currency == "EUR"


def test_the_same_receipt_is_booked_once(browser: Client, tenant: Tenant, jane: Any) -> None:
    add = reverse("admin:billing_payment_add")
    given = {**NEW, "subscriber": str(jane.pk), "amount": "25", "reference": "slip 7"}

    browser.post(add, given)
    again = browser.post(add, given, follow=True)
    other = browser.post(add, {**given, "amount": "26"})

    assert "was booked before" in again.content.decode()
    assert "This one differs" in other.content.decode()
    with tenant_context(tenant.pk):
        assert Payment.objects.count() == 1


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"amount": "0"}, "greater than zero"),
        ({"amount": "1.005"}, "has 2 digits after the point"),
        ({"currency": "usd"}, "is billed in EUR, not in USD"),
        ({"received_at": "2099-01-01T12:00"}, "still to come"),
    ],
)
def test_what_cannot_be_is_said_at_its_field(
    browser: Client, tenant: Tenant, jane: Any, fields: dict[str, str], words: str
) -> None:
    given = {**NEW, "subscriber": str(jane.pk), "amount": "25", **fields}

    page = browser.post(reverse("admin:billing_payment_add"), given).content.decode()

    assert words in page
    with tenant_context(tenant.pk):
        assert not Payment.objects.exists()


def test_credit_is_allocated_and_released(browser: Client, tenant: Tenant, jane: Any, paid: Payment) -> None:
    with tenant_context(tenant.pk):
        second = owe(jane, "40", due_on=date(2026, 4, 1))

    allocated = act(browser, paid, "allocate", invoice=str(second.pk), amount="10")
    with tenant_context(tenant.pk):
        newest = str(paid.allocations.order_by("-pk")[0].pk)
    released = act(browser, paid, "release", allocation=newest)
    act(browser, paid, "allocate", invoice="oldest", amount="")

    assert "Allocated: " in allocated.content.decode()
    assert "Released." in released.content.decode()
    with tenant_context(tenant.pk):
        assert open_of(second) == [(10, "partly_paid")]


def test_a_refund_says_what_is_too_much(browser: Client, tenant: Tenant, paid: Payment) -> None:
    beyond = act(browser, paid, "refund", amount="50.01", reason="Moved away", reference="")
    done = act(browser, paid, "refund", amount="35", reason="Moved away", reference="")

    assert "Refund that much at most" in beyond.content.decode()
    assert "Moved away" in done.content.decode()
    assert "Partly refunded" in done.content.decode()
    with tenant_context(tenant.pk):
        assert [one.amount for one in Refund.objects.all()] == [35]


def test_a_bounce_takes_it_back(browser: Client, tenant: Tenant, paid: Payment) -> None:
    page = act(browser, paid, "bounce", reason="No funds").content.decode()

    assert "Bounced" in page
    assert "No funds" in page
    with tenant_context(tenant.pk):
        assert Payment.objects.get().status == "bounced"


def test_who_may_only_look_changes_nothing(
    browser_as: Callable[[Role], Client], tenant: Tenant, paid: Payment
) -> None:
    browser = browser_as(Role.SUBSCRIBER_ADMINISTRATOR)

    page = browser.get(reverse("admin:billing_payment_change", args=[paid.pk])).content.decode()
    answer = act(browser, paid, "bounce", reason="No funds")

    assert "Take it back" not in page
    assert answer.status_code == 403
    with tenant_context(tenant.pk):
        assert Payment.objects.get().status == "received"


@pytest.mark.parametrize("query", ["method=cash", "status=received", "credit=yes", "q={number}", "q=slip"])
def test_the_list_filters(browser: Client, tenant: Tenant, jane: Any, paid: Payment, query: str) -> None:
    url = f"{reverse('admin:billing_payment_changelist')}?{query.format(number=jane.number)}"

    found = str(paid.pk) in browser.get(url).content.decode()

    assert found is (query != "q=slip")


def test_the_list_asks_as_often_for_one_and_six(
    browser: Client, tenant: Tenant, jane: Any, paid: Payment, query_count: Callable[..., int]
) -> None:
    url = reverse("admin:billing_payment_changelist")
    browser.get(url)
    one = query_count(browser.get, url)
    with tenant_context(tenant.pk):
        for _ in range(5):
            payments.receive(
                subscriber_id=payer().pk,
                amount=Decimal(5),
                currency="EUR",
                method="bank",
                received_at=timezone.now(),
            )

    assert query_count(browser.get, url) == one


class TestGateways:
    def add(self, browser: Client) -> Any:
        given = {
            "kind": "stripe",
            "label": "Cards",
            "api_key": "sk_test_never_shown",
            "webhook_secret": "whsec_never_shown_secret",
            "is_enabled": "on",
        }
        return browser.post(reverse("admin:billing_gatewayaccount_add"), given, follow=True)

    def test_are_added_and_tell_their_address(self, browser: Client, tenant: Tenant) -> None:
        page = self.add(browser).content.decode()

        with tenant_context(tenant.pk):
            key = GatewayAccount.objects.get().key
        assert f"/api/v1/billing/gateways/north.{key}/callback" in page
        assert "Nothing was heard of it yet" in page
        assert "never_shown" not in page

    def test_keep_their_secrets_when_the_label_changes(self, browser: Client, tenant: Tenant) -> None:
        self.add(browser)
        with tenant_context(tenant.pk):
            account = GatewayAccount.objects.get()

        browser.post(
            reverse("admin:billing_gatewayaccount_change", args=[account.pk]),
            {"label": "Card payments", "api_key": "", "webhook_secret": "", "is_enabled": "on"},
        )

        with tenant_context(tenant.pk):
            changed = GatewayAccount.objects.get()
        assert changed.label == "Card payments"
        assert changed.webhook_secret.reveal() == "whsec_never_shown_secret"

    def test_say_when_notices_are_refused(self, browser: Client, tenant: Tenant) -> None:
        self.add(browser)
        with tenant_context(tenant.pk):
            GatewayAccount.objects.update(
                refused_at=timezone.now(), refusal="The notice is refused: its signature is wrong."
            )
            account = GatewayAccount.objects.get()

        page = browser.get(reverse("admin:billing_gatewayaccount_change", args=[account.pk])).content.decode()

        assert "Its notices are refused" in page
        assert "Compare the signing secret" in page

    def test_are_the_administrators(self, browser_as: Callable[[Role], Client]) -> None:
        browser = browser_as(Role.SUBSCRIBER_ACCOUNTS)

        assert browser.get(reverse("admin:billing_gatewayaccount_changelist")).status_code == 200
        assert browser.get(reverse("admin:billing_gatewayaccount_add")).status_code == 403


def test_a_notice_that_waits_is_tried_again_or_taken_off(
    browser: Client, tenant: Tenant, rows: dict[str, Any]
) -> None:
    event = rows["billing.GatewayEvent"]
    with tenant_context(tenant.pk):
        GatewayEvent.objects.update(
            facts={
                "event_id": "evt", "name": "refund.created", "kind": "refunded", "happened_at": "", "key": "",
                "remote_payment": "pi_1", "remote_refund": "re_1", "amount": "5.00", "currency": "EUR", "detail": "",
            },
            payment=None,
        )  # fmt: skip

    def do(name: str, **answers: str) -> str:
        url = reverse("admin:billing_gatewayevent_action", args=[event.pk, name])
        return browser.post(url, {"confirmed": "yes", **answers}, follow=True).content.decode()

    assert "Still waits: The payment it belongs to has not come yet." in do("retry")
    assert "Settled by hand: paid back in cash" in do("dismiss", reason="paid back in cash")
    with tenant_context(tenant.pk):
        assert GatewayEvent.objects.get().outcome == "ignored"
