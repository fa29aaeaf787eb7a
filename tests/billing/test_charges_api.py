"""Add-ons, charges, discounts, prices of data, taxes, exemptions and settings over the API."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from billing.models import AddOn, BillingSettings, Discount, InvoiceLine, OneOffCharge, TaxRate
from ispcore.jobs.models import Job
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant
from subscribers.models import Subscription
from tests.client import Api
from tests.factories import BillingProfileFactory, PlanFactory, SubscriberFactory, SubscriptionFactory

TODAY = timezone.now().date()
COMING = TODAY + timedelta(days=40)
pytestmark = pytest.mark.django_db


@pytest.fixture
def line(tenant: Tenant) -> Subscription:
    with tenant_context(tenant.pk):
        made: Subscription = SubscriptionFactory(
            subscriber=SubscriberFactory(billing_profile=BillingProfileFactory(currency="EUR")),
            plan=PlanFactory(currency="EUR", cap_bytes=10**11),
            status="active",
        )
    return made


def add_on(line: Subscription, **fields: Any) -> dict[str, Any]:
    given = {
        "service_id": str(line.pk),
        "name": "TV",
        "price": "9.90",
        "currency": "EUR",
        "starts_on": str(TODAY),
    }
    return {**given, **fields}


def test_an_add_on_is_made_changed_and_removed(api: Api, line: Subscription, tenant: Tenant) -> None:
    made = api.post("billing/add-ons", add_on(line))
    path = f"billing/add-ons/{made.json()['data']['id']}"
    changed = api.patch(path, {"price": "12.50", "ends_on": str(COMING)})
    listed = api.get(f"billing/add-ons?service_id={line.pk}")
    removed = api.delete(path)

    assert made.status_code == 201
    assert made.json()["data"] | {"id": "", "created_at": "", "updated_at": ""} == {
        "id": "", "service_id": str(line.pk), "name": "TV", "price": "9.90", "currency": "EUR", "tax_class": "",
        "starts_on": str(TODAY), "ends_on": None, "created_at": "", "updated_at": "",
    }  # fmt: skip
    assert (changed.json()["data"]["price"], changed.json()["data"]["ends_on"]) == ("12.50", str(COMING))
    assert [each["id"] for each in listed.json()["data"]] == [made.json()["data"]["id"]]
    assert removed.status_code == 204
    with tenant_context(tenant.pk):
        assert not AddOn.objects.exists()


@pytest.mark.parametrize(
    ("fields", "status", "code", "field"),
    [
        ({"currency": "USD"}, 409, "currency_mismatch", "currency"),
        ({"price": "0.00"}, 422, "validation_error", "price"),
        ({"price": "9.901"}, 422, "validation_error", "price"),
        ({"price": 9.9}, 422, "validation_error", "price"),
        ({"price": "-1"}, 422, "validation_error", "price"),
        ({"ends_on": str(TODAY)}, 422, "validation_error", "ends_on"),
        ({"starts_on": "2001-01-01"}, 422, "validation_error", "starts_on"),
        ({"colour": "red"}, 422, "validation_error", "colour"),
    ],
)
def test_what_is_wrong_is_refused_at_its_field(
    api: Api, line: Subscription, tenant: Tenant, fields: dict[str, Any], status: int, code: str, field: str
) -> None:
    answer = api.post("billing/add-ons", add_on(line, **fields))

    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert answer.json()["error"]["field"] == field
    with tenant_context(tenant.pk):
        assert not AddOn.objects.exists()


def test_what_an_add_on_belongs_to_stays(api: Api, line: Subscription, tenant: Tenant) -> None:
    made = api.post("billing/add-ons", add_on(line)).json()["data"]

    answer = api.patch(f"billing/add-ons/{made['id']}", {"currency": "USD"})

    assert (answer.status_code, answer.json()["error"]["field"]) == (422, "currency")
    with tenant_context(tenant.pk):
        assert AddOn.objects.get().currency == "EUR"


def test_a_charge_in_instalments_is_cancelled(api: Api, line: Subscription, tenant: Tenant) -> None:
    made = api.post(
        "billing/charges",
        {
            "subscriber_id": str(line.subscriber_id), "name": "Router", "amount": "90.00", "currency": "EUR",
            "due_on": str(TODAY), "instalments": 3,
        },
    ).json()["data"]  # fmt: skip

    cancelled = api.post(f"billing/charges/{made['id']}/cancel")
    refused = api.patch(f"billing/charges/{made['id']}", {"amount": "80.00"})

    assert (made["instalments"], made["charged"], made["kind"]) == (3, 0, "one_off")
    assert cancelled.json()["data"]["cancelled_at"] is not None
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "charge_cancelled")
    with tenant_context(tenant.pk):
        assert OneOffCharge.objects.get().amount == 90


def test_a_discount_of_an_amount_names_its_service(api: Api, line: Subscription, tenant: Tenant) -> None:
    given = {
        "subscriber_id": str(line.subscriber_id),
        "name": "Off",
        "amount": "5.00",
        "starts_on": str(TODAY),
    }

    refused = api.post("billing/discounts", given)
    made = api.post("billing/discounts", {**given, "service_id": str(line.pk)})

    assert (refused.status_code, refused.json()["error"]["field"]) == (422, "service_id")
    assert (made.status_code, made.json()["data"]["amount"], made.json()["data"]["percent"]) == (
        201,
        "5",
        None,
    )
    with tenant_context(tenant.pk):
        assert Discount.objects.get().amount == 5


def test_the_price_of_data_ends_with_a_month(api: Api, line: Subscription) -> None:
    first = TODAY.replace(day=1)
    made = api.post(
        "billing/overage-prices",
        {"plan_id": str(line.plan_id), "price": "1.50", "currency": "EUR", "starts_on": str(first)},
    )
    path = f"billing/overage-prices/{made.json()['data']['id']}"

    refused = api.patch(path, {"ends_on": str(first + timedelta(days=44))})
    ended = api.patch(path, {"ends_on": str((first + timedelta(days=40)).replace(day=1))})
    kept = api.delete(path)

    assert (made.status_code, refused.status_code, ended.status_code) == (201, 422, 200)
    assert (kept.status_code, kept.json()["error"]["code"]) == (409, "overage_price_in_force")


def test_a_rate_is_replaced_and_an_exemption_made(api: Api, line: Subscription, tenant: Tenant) -> None:
    rate = api.post("billing/tax-rates", {"name": "VAT", "percent": "20", "starts_on": "2026-01-01"}).json()[
        "data"
    ]
    path = f"billing/tax-rates/{rate['id']}"

    refused = api.patch(path, {"percent": "21"})
    replaced = api.post(f"{path}/replace", {"percent": "21.5", "starts_on": str(COMING)})
    freed = api.post(
        "billing/tax-exemptions",
        {
            "subscriber_id": str(line.subscriber_id),
            "reason": "Embassy",
            "starts_on": str(TODAY),
            "rate_id": rate["id"],
        },
    )

    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "tax_rate_in_force")
    assert (replaced.status_code, Decimal(replaced.json()["data"]["percent"])) == (200, Decimal("21.5"))
    assert freed.status_code == 201
    with tenant_context(tenant.pk):
        assert list(TaxRate.objects.order_by("starts_on").values_list("ends_on", flat=True)) == [COMING, None]


def test_settings_are_each_tenants_own(api: Api, tenant: Tenant, other_tenant: Tenant) -> None:
    with tenant_context(other_tenant.pk):
        BillingSettings.objects.create(bills_from="2020-01-01", invoice_prefix="THEIRS")

    shown = api.get("billing/settings")
    changed = api.patch("billing/settings", {"invoice_prefix": "OURS", "unbilled_holds": ["staff"]})
    refused = api.patch("billing/settings", {"invoice_prefix": "o-u"})

    assert (shown.json()["data"]["invoice_prefix"], shown.json()["data"]["bills_from"]) == ("INV", str(TODAY))
    assert (changed.json()["data"]["invoice_prefix"], changed.json()["data"]["unbilled_holds"]) == (
        "OURS",
        ["staff"],
    )
    assert (refused.status_code, refused.json()["error"]["field"]) == (422, "invoice_prefix")
    with tenant_context(other_tenant.pk):
        assert BillingSettings.objects.get().invoice_prefix == "THEIRS"


def test_the_ledger_is_counted_again_as_a_task(api: Api, tenant: Tenant) -> None:
    answer = api.post("billing/ledger-checks", Prefer="respond-async")

    assert answer.status_code == 202
    with tenant_context(tenant.pk):
        assert Job.objects.get().kind == "billing.recount_ledger"
        assert not InvoiceLine.objects.exists()
