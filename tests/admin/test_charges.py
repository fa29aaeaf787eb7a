"""The pages of charges, discounts, taxes, settings and the ledger: what they do, refuse, say and cost."""

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from billing.models import (
    AddOn,
    BillingSettings,
    Discount,
    OneOffCharge,
    OveragePrice,
    TaxExemption,
    TaxRate,
)
from ispcore.admin.actions import CONFIRMED
from ispcore.jobs.models import Job
from ispcore.tenants.models import Tenant
from ispcore.tenants.roles import Role
from subscribers.models import Subscription
from tests.admin.test_actions import action_url
from tests.admin.test_hardware_pages import page_of, text_of
from tests.factories import BillingProfileFactory, PlanFactory, SubscriberFactory, SubscriptionFactory

pytestmark = pytest.mark.django_db


def add_url(name: str) -> str:
    return reverse(f"admin:billing_{name}_add")


@pytest.fixture
def line(acting: Tenant) -> Subscription:
    made: Subscription = SubscriptionFactory(
        subscriber=SubscriberFactory(billing_profile=BillingProfileFactory(currency="EUR")),
        plan=PlanFactory(currency="EUR", cap_bytes=10**11),
        status="active",
    )
    return made


@pytest.fixture
def today() -> date:
    return timezone.now().date()


def test_an_add_on_is_made_and_what_is_wrong_is_said_at_its_field(
    browser: Client, line: Subscription, today: date
) -> None:
    form = {"subscription": line.pk, "name": "TV", "price": "9.90", "currency": "usd", "starts_on": today}

    refused = browser.post(add_url("addon"), form)
    assert b"is billed in EUR, not in USD" in refused.content
    assert not AddOn.objects.exists()

    crossed = browser.post(add_url("addon"), form | {"currency": "eur", "ends_on": today})
    assert "the day it begins." in text_of(crossed.content)
    assert "Constraint" not in text_of(crossed.content)
    finer = browser.post(add_url("addon"), form | {"currency": "eur", "price": "9.901"})
    assert "EUR has 2 digits after the point; 9.901 is finer." in text_of(finer.content)
    made = browser.post(add_url("addon"), form | {"currency": "eur"})

    added = AddOn.objects.get()
    assert made.status_code == 302
    assert (added.price, added.currency) == (Decimal("9.90"), "EUR")
    assert b'value="9.90"' in browser.get(page_of(added)).content


def test_a_charge_is_cancelled_by_who_may(
    browser: Client, browser_as: Callable[[Role], Client], line: Subscription, today: date
) -> None:
    browser.post(
        add_url("oneoffcharge"),
        {
            "subscriber": line.subscriber_id, "name": "Router", "amount": "90", "currency": "EUR", "due_on": today,
            "instalments": "3",
        },
    )  # fmt: skip
    charge = OneOffCharge.objects.get()
    url = action_url(charge, "cancel")

    refused = browser_as(Role.SUBSCRIBER_ADMINISTRATOR).post(url, {CONFIRMED: "yes"})
    before = OneOffCharge.objects.get().cancelled_at
    browser.post(url, {CONFIRMED: "yes"})

    assert (refused.status_code, before) == (403, None)
    assert OneOffCharge.objects.get().cancelled_at is not None
    assert "Cancelled" in text_of(browser.get(reverse("admin:billing_oneoffcharge_changelist")).content)


def test_a_discount_is_a_percentage_or_an_amount(browser: Client, line: Subscription, today: date) -> None:
    form = {"subscriber": line.subscriber_id, "name": "Welcome", "percent": "10", "starts_on": today}

    both = browser.post(add_url("discount"), form | {"amount": "5"})
    assert "Give either a percentage" in text_of(both.content)
    assert not Discount.objects.exists()
    browser.post(add_url("discount"), form)

    assert Discount.objects.get().percent == 10


def test_a_tax_in_force_is_replaced_and_not_changed(browser: Client, acting: Tenant, today: date) -> None:
    browser.post(add_url("taxrate"), {"name": "VAT", "percent": "20", "starts_on": today - timedelta(days=9)})
    rate = TaxRate.objects.get()

    browser.post(page_of(rate), {"name": "Other", "percent": "5"})
    browser.post(
        action_url(rate, "replace"),
        {CONFIRMED: "yes", "percent": "21", "starts_on": today + timedelta(days=9)},
    )

    assert list(TaxRate.objects.order_by("starts_on").values_list("name", "percent", "ends_on")) == [
        ("VAT", 20, today + timedelta(days=9)),
        ("VAT", 21, None),
    ]


def test_the_price_of_data_is_that_of_a_capped_plan(browser: Client, line: Subscription, today: date) -> None:
    form = {"plan": line.plan_id, "price": "2", "currency": "EUR", "starts_on": today.replace(day=2)}

    refused = browser.post(add_url("overageprice"), form)
    browser.post(add_url("overageprice"), form | {"starts_on": today.replace(day=1)})

    assert "give the first day of one" in text_of(refused.content)
    assert OveragePrice.objects.get().price == 2


def test_settings_are_one_record(browser: Client, acting: Tenant, today: date) -> None:
    form = {
        "bills_from": today, "unbilled_holds": ["vacation", "staff"], "bound_percent": "30", "invoice_prefix": "re",
        "credit_note_prefix": "GS",
    }  # fmt: skip

    refused = browser.post(add_url("billingsettings"), form)
    browser.post(add_url("billingsettings"), form | {"invoice_prefix": "RE"})
    again = browser.get(add_url("billingsettings"))

    kept = BillingSettings.objects.get()
    assert "One to eight capital letters and digits" in text_of(refused.content)
    assert (kept.invoice_prefix, kept.unbilled_holds, kept.bound_percent) == ("RE", ["staff", "vacation"], 30)
    assert again.status_code == 403


def test_the_ledger_is_counted_again_in_the_background(
    browser: Client, rows: dict[str, Any], acting: Tenant
) -> None:
    page = text_of(browser.get(page_of(rows["billing.LedgerCheck"])).content)

    browser.post(action_url(rows["billing.LedgerCheck"], "count_again"), {CONFIRMED: "yes"})

    assert "kept 1, transfers make 2 EUR" in page
    assert "Invoice numbers have no gaps holds" in page
    assert Job.objects.filter(kind="billing.recount_ledger").count() == 1


def test_a_customers_page_shows_what_is_charged_at_a_constant_cost(
    browser: Client, line: Subscription, today: date, query_count: Callable[..., int]
) -> None:
    rate = TaxRate.objects.create(name="VAT", percent=20, starts_on=today)
    urls = [
        f"{reverse('admin:subscribers_subscriber_change', args=[line.subscriber_id])}?tab=charges",
        reverse("admin:subscribers_subscription_change", args=[line.pk]),
    ]

    def add(count: int) -> None:
        for place in range(count):
            AddOn.objects.create(
                subscription=line, name=f"TV {place}", price="9.90", currency="EUR", starts_on=today
            )
            OneOffCharge.objects.create(
                subscriber=line.subscriber,
                subscription=line,
                name="Visit",
                amount=5,
                currency="EUR",
                due_on=today,
            )
            Discount.objects.create(
                subscriber=line.subscriber, subscription=line, name="Off", amount="1.5", starts_on=today
            )
            TaxExemption.objects.create(
                subscriber=line.subscriber, rate=rate, reason="Embassy", starts_on=today
            )

    empty = [text_of(browser.get(url).content) for url in urls]
    add(1)
    once = [query_count(browser.get, url) for url in urls]
    add(5)
    often = [query_count(browser.get, url) for url in urls]

    assert all("Nothing besides the plan." in page for page in empty)
    assert once == often
    for url in urls:
        page = text_of(browser.get(url).content)
        assert "TV 4" in page
        assert "9.90\u00a0EUR" in page or "9.90 EUR" in page
