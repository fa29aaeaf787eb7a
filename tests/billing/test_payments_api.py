"""`billing/payments`, `billing/gateways` and what belongs to them, as integrators call them."""

import json
from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
import stripe
from django.utils import timezone

from billing.models import GatewayAccount, GatewayEvent, Payment, Transfer
from billing.services.gateways import accounts
from ispcore.jobs.models import Job
from ispcore.tenants.context import tenant_context
from ispcore.tenants.roles import Role
from tests.billing.notices import SECRET, make_checkout, make_gateway, paid
from tests.billing.paying import NOON, open_of, owe, payer
from tests.billing.stripe_api import API_KEY
from tests.client import Api

pytestmark = pytest.mark.django_db


@pytest.fixture
def jane(tenant):
    with tenant_context(tenant.pk):
        return payer()


@pytest.fixture
def anonymous():
    return Api()


def given(jane, **fields):
    return {"subscriber_id": str(jane.pk), "amount": "25.00", "currency": "EUR", "method": "cash", **fields}


def test_a_payment_is_booked_and_shown(api, tenant, jane, admin_user):
    with tenant_context(tenant.pk):
        invoice = owe(jane, "20")

    response = api.post(
        "billing/payments", given(jane, reference="slip 7", received_at="2026-03-10T12:00:00Z")
    )

    assert response.status_code == 201
    shown = response.json()["data"]
    assert response["Location"].endswith(f"/api/v1/billing/payments/{shown['id']}")
    assert {name: shown[name] for name in ("amount", "allocated", "refunded", "credit", "status")} == {
        "amount": "25.00",
        "allocated": "20.00",
        "refunded": "0.00",
        "credit": "5.00",
        "status": "received",
    }
    assert [(one["invoice_id"], one["amount"]) for one in shown["allocations"]] == [
        (str(invoice.pk), "20.00")
    ]
    assert api.get(f"billing/payments/{shown['id']}").json()["data"] == shown
    (listed,) = api.get("billing/payments?has_credit=true&method=cash").json()["data"]
    assert (listed["id"], "allocations" in listed) == (shown["id"], False)
    with tenant_context(tenant.pk):
        assert Payment.objects.get().created_by == admin_user


def test_a_repeated_reference_is_the_first_payment(api, tenant, jane):
    first = api.post("billing/payments", given(jane, reference="slip 7"))

    again = api.post("billing/payments", given(jane, reference="slip 7"))
    other = api.post("billing/payments", given(jane, reference="slip 7", amount="26.00"))

    assert (first.status_code, again.status_code, other.status_code) == (201, 200, 409)
    assert again.json()["data"] == first.json()["data"]
    assert other.json()["error"]["code"] == "duplicate_payment"
    assert other.json()["error"]["field"] == "reference"
    with tenant_context(tenant.pk):
        assert (Payment.objects.count(), Transfer.objects.count()) == (1, 1)


@pytest.mark.parametrize(
    ("fields", "status", "code", "field"),
    [
        ({"amount": "0.00"}, 422, "amount_not_positive", "amount"),
        ({"amount": "-5.00"}, 422, "amount_not_positive", "amount"),
        ({"amount": "5.001"}, 422, "amount_too_precise", "amount"),
        ({"amount": 5}, 422, "validation_error", "amount"),
        ({"amount": "1e3"}, 422, "validation_error", "amount"),
        ({"currency": "USD"}, 409, "currency_mismatch", "currency"),
        ({"method": "barter"}, 422, "validation_error", "method"),
        ({"subscriber_id": str(uuid4())}, 404, "not_found", "subscriber_id"),
        ({"received_at": (timezone.now() + timedelta(hours=1)).isoformat()}, 422, "received_in_future", "received_at"),
        ({"allocations": [{"invoice_id": str(uuid4()), "amount": "1.00"}]}, 404, "not_found", "allocations"),
    ],
)  # fmt: skip
def test_refusals_say_what_and_where(api, tenant, jane, fields, status, code, field):
    response = api.post("billing/payments", given(jane, **fields))

    error = response.json()["error"]
    assert (response.status_code, error["code"], error["field"]) == (status, code, field)
    with tenant_context(tenant.pk):
        assert not Transfer.objects.exists()


def test_a_void_invoice_is_not_paid(api, tenant, jane):
    with tenant_context(tenant.pk):
        invoice = owe(jane, "20")
        invoice.status, invoice.open_amount, invoice.voided_at = "void", 0, NOON
        invoice.save()

    shares = [{"invoice_id": str(invoice.pk), "amount": "20.00"}]
    response = api.post("billing/payments", given(jane, allocations=shares))

    assert response.status_code == 409
    assert response.json()["error"]["code"] == "invoice_not_open"
    assert "was made void; choose another invoice" in response.json()["error"]["message"]
    with tenant_context(tenant.pk):
        assert not Payment.objects.exists()


def test_allocations_are_released_and_made_by_hand(api, tenant, jane):
    with tenant_context(tenant.pk):
        first, second = owe(jane, "20"), owe(jane, "30")
    payment = api.post("billing/payments", given(jane, amount="20.00")).json()["data"]
    path = f"billing/payments/{payment['id']}"

    released = api.post(f"{path}/release", {"allocation_id": payment["allocations"][0]["id"]})
    shares = [{"invoice_id": str(second.pk), "amount": "15.00"}]
    allocated = api.post(f"{path}/allocations", {"allocations": shares})

    assert released.json()["data"]["credit"] == "20.00"
    assert allocated.json()["data"]["credit"] == "5.00"
    with tenant_context(tenant.pk):
        assert open_of(first, second) == [(20, "issued"), (15, "partly_paid")]


def test_money_goes_back(api, tenant, jane):
    payment = api.post("billing/payments", given(jane)).json()["data"]
    path = f"billing/payments/{payment['id']}"

    part = api.post(f"{path}/refund", {"amount": "5.00", "reason": "asked for"})
    beyond = api.post(f"{path}/refund", {"amount": "20.01", "reason": "asked for"})
    bounced = api.post(f"{path}/bounce", {"reason": "no funds"})
    after = api.post(f"{path}/refund", {"amount": "1.00", "reason": "asked for"})

    assert part.json()["data"]["refunds"][0]["amount"] == "5.00"
    assert (beyond.status_code, beyond.json()["error"]["code"]) == (409, "refund_beyond_payment")
    assert bounced.json()["data"]["status"] == "bounced"
    assert (after.status_code, after.json()["error"]["code"]) == (409, "payment_not_refundable")


def test_a_list_takes_the_same_queries_for_one_and_six(api, tenant, jane, query_count):
    api.post("billing/payments", given(jane))
    api.get("billing/payments")
    one = query_count(api.get, "billing/payments")
    for _ in range(5):
        api.post("billing/payments", given(jane))

    assert query_count(api.get, "billing/payments") == one


class TestGateways:
    body = {"kind": "stripe", "label": "Cards", "api_key": API_KEY, "webhook_secret": SECRET}

    def test_are_registered_without_showing_their_secrets(self, api, tenant):
        response = api.post("billing/gateways", self.body)

        assert response.status_code == 201
        shown = response.json()["data"]
        assert API_KEY not in response.content.decode()
        assert SECRET not in response.content.decode()
        assert shown["callback_path"] == f"/api/v1/billing/gateways/{shown['name']}/callback"
        assert shown["name"].startswith("north.stripe-")

    def test_change(self, api, tenant):
        pk = api.post("billing/gateways", self.body).json()["data"]["id"]

        changed = api.patch(f"billing/gateways/{pk}", {"is_enabled": False})
        kind = api.patch(f"billing/gateways/{pk}", {"kind": "demo_bank"})
        removed = api.delete(f"billing/gateways/{pk}")

        assert changed.json()["data"]["is_enabled"] is False
        assert (kind.status_code, kind.json()["error"]["field"]) == (422, "kind")
        assert removed.status_code == 204
        with tenant_context(tenant.pk):
            assert not GatewayAccount.objects.exists()

    def test_are_the_administrators(self, api_as):
        response = api_as(Role.SUBSCRIBER_ACCOUNTS).post("billing/gateways", self.body)

        assert response.status_code == 403

    def test_take_signed_notices_without_a_credential(self, anonymous, tenant):
        with tenant_context(tenant.pk):
            gateway = make_gateway()
            name = accounts.public_name(gateway)
            body = json.dumps(paid(make_checkout(gateway)))
        path = f"billing/gateways/{name}/callback"

        def send(secret):
            header = stripe.WebhookSignature.generate_signature_header(body, secret)
            return anonymous.send("post", path, body.encode(), "application/json", Stripe_Signature=header)

        wrong, first, again = send("whsec_wrong_wrong_wrong"), send(SECRET), send(SECRET)

        assert (wrong.status_code, wrong.json()["error"]["code"]) == (401, "invalid_signature")
        assert (first.status_code, first.json()["data"]) == (200, {"outcome": "booked"})
        assert again.json()["data"] == {"outcome": "booked"}
        with tenant_context(tenant.pk):
            assert Payment.objects.get().amount == Decimal(15)
            assert GatewayEvent.objects.count() == 1
            assert GatewayAccount.objects.get().refusal.startswith("The notice is refused")

    def test_send_payers_to_pay(self, api, tenant):
        with tenant_context(tenant.pk):
            gateway, invoice = make_gateway(), owe(payer(), "20")
        asked = {
            "gateway_id": str(gateway.pk),
            "invoice_id": str(invoice.pk),
            "return_url": "https://isp.example/",
        }

        response = api.post("billing/checkouts", asked, Prefer="respond-async")
        mixed = api.post("billing/checkouts", {**asked, "currency": "EUR"})
        empty = api.post(
            "billing/checkouts", {"gateway_id": str(gateway.pk), "return_url": "https://isp.example/"}
        )

        assert response.status_code == 202
        assert (mixed.status_code, mixed.json()["error"]["field"]) == (422, "currency")
        assert empty.status_code == 400
        with tenant_context(tenant.pk):
            assert Job.objects.get().kind == "billing.begin_checkout"
        (listed,) = api.get("billing/checkouts?status=open").json()["data"]
        assert (listed["amount"], listed["invoice_id"]) == ("20.00", str(invoice.pk))
