"""Invoices written by hand on the staff site."""

from decimal import Decimal

import pytest
from django.test import Client
from django.urls import reverse

from billing.models import Invoice
from ispcore.admin.actions import CONFIRMED
from ispcore.tenants.models import Tenant
from tests.admin.test_actions import action_url
from tests.factories import BillingProfileFactory, SubscriberFactory

pytestmark = pytest.mark.django_db


def test_a_draft_is_written_and_gets_another_line(browser: Client, acting: Tenant) -> None:
    customer = SubscriberFactory(billing_profile=BillingProfileFactory(currency="EUR"))
    visit = {"description": "Visit", "quantity": "1", "unit_price": "30.00", "tax_class": ""}
    goodwill = {"description": "Goodwill", "quantity": "2", "unit_price": "-5.00", "tax_class": ""}

    written = browser.post(
        reverse("admin:billing_invoice_add"), {"subscriber": customer.pk, "currency": "", **visit}
    )
    draft = Invoice.objects.get()
    browser.post(action_url(draft, "add_line"), {CONFIRMED: "yes", **goodwill})

    draft.refresh_from_db()
    assert written["Location"] == reverse("admin:billing_invoice_change", args=[draft.pk])
    assert (draft.status, draft.subscriber, draft.net) == ("draft", customer, Decimal(20))
    lines = draft.lines.order_by("position").values_list("description", "quantity", "unit_price")
    assert list(lines) == [("Visit", 1, 30), ("Goodwill", 2, -5)]


def test_a_draft_without_a_price_is_refused(browser: Client, acting: Tenant) -> None:
    customer = SubscriberFactory(billing_profile=BillingProfileFactory(currency="EUR"))

    refused = browser.post(
        reverse("admin:billing_invoice_add"),
        {"subscriber": customer.pk, "description": "Visit", "quantity": "1", "unit_price": ""},
    )

    assert b"This field is required." in refused.content
    assert not Invoice.objects.exists()
