"""Dunning and prepaid over the API."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from billing.models import (
    CreditVoucher,
    CreditVoucherBatch,
    DunningNight,
    DunningPolicy,
    Exemption,
    Payment,
    Promise,
)
from billing.services.dunning import suspending, tonight
from ispcore.tenants.context import tenant_context
from ispcore.vouchers.codes import hash_code
from tests.billing import owing
from tests.factories import BillingProfileFactory

DUNNING = "billing/dunning"
PREPAID = "billing/prepaid"
pytestmark = pytest.mark.django_db


def overdue(days: int = 40, **fields):
    line = owing.make_line(owing.make_profile(), **fields)
    owing.invoice(line.subscriber, due_on=timezone.now().date() - timedelta(days=days))
    return line


@pytest.fixture
def policy(tenant):
    with tenant_context(tenant.pk):
        return DunningPolicy.objects.create(business_days_only=False)


def test_tonight_says_who_and_why(api, tenant, other_tenant, policy):
    with tenant_context(other_tenant.pk):
        DunningPolicy.objects.create(business_days_only=False)
        overdue()
    with tenant_context(tenant.pk):
        line = overdue()
        on = tonight.next_night(timezone.now())

    data = api.get(f"{DUNNING}/tonight").json()["data"]

    due_on = timezone.now().date() - timedelta(days=40)
    assert data == {
        "on": on.isoformat(), "running_services": 1, "cap_services": 1, "cut_subscribers": 1, "cut_services": 1,
        "over_cap": False,
        "totals": [{"verdict": "cut", "currency": "EUR", "subscribers": 1, "services": 1, "amount": "31.00"}],
        "rows": [{
            "subscriber_id": str(line.subscriber_id), "number": line.subscriber.number,
            "name": line.subscriber.full_name, "verdict": "cut",
            "why": f"Due since {due_on.day} {due_on:%b %Y}, {(on - due_on).days} days", "amount": "31.00",
            "currency": "EUR", "since": due_on.isoformat(), "services": 1,
        }],
        "next_offset": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    "query", ["on=2026", "on=20260310", "on=1900-01-01", "verdict=maybe", "offset=-1", "offset=9999999"]
)
def test_tonight_refuses_what_it_does_not_know(api, policy, query):
    assert api.get(f"{DUNNING}/tonight?{query}").status_code == 422


class TestPolicies:
    def test_are_made_changed_and_removed(self, api, tenant):
        made = api.post(
            f"{DUNNING}/policies",
            {"reminder_days": [7, 0, 7, -3], "country": "PT", "minimum_balance": "5.00"},
        )
        pk = made.json()["data"]["id"]

        assert made.status_code == 201
        assert made.json()["data"]["reminder_days"] == [-3, 0, 7]
        changed = api.patch(f"{DUNNING}/policies/{pk}", {"late_fee_percent": "1.50"}).json()["data"]
        assert Decimal(changed["late_fee_percent"]) == Decimal("1.5")
        assert api.delete(f"{DUNNING}/policies/{pk}").status_code == 204
        with tenant_context(tenant.pk):
            assert not DunningPolicy.objects.exists()

    @pytest.mark.parametrize(
        ("body", "status", "code"),
        [
            ({"country": "XX"}, 422, "country_unknown"),
            ({"country": "PT", "subdivision": "BY"}, 422, "country_unknown"),
            ({"subdivision": "BY"}, 422, "country_unknown"),
            ({"late_fee_amount": "1.00", "late_fee_percent": "1.00"}, 422, "two_late_fees"),
            ({"late_fee_amount": "0"}, 422, "validation_error"),
            ({"late_fee_percent": ""}, 422, "validation_error"),
            ({"late_fee_percent": "100.01"}, 422, "validation_error"),
            ({"minimum_balance": "-1"}, 422, "validation_error"),
            ({"reminder_days": [366]}, 422, "validation_error"),
            ({"reminder_days": list(range(13))}, 422, "validation_error"),
            ({"cap_percent": 0}, 422, "validation_error"),
        ],
    )
    def test_that_make_no_sense_are_refused(self, api, tenant, body, status, code):
        answer = api.post(f"{DUNNING}/policies", body)

        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
        with tenant_context(tenant.pk):
            assert not DunningPolicy.objects.exists()

    def test_of_a_profile_spares_no_debt_by_itself(self, api, tenant):
        with tenant_context(tenant.pk):
            profile = BillingProfileFactory()

        made = api.post(f"{DUNNING}/policies", {"billing_profile_id": str(profile.pk)})

        assert (made.status_code, made.json()["data"]["minimum_balance"]) == (201, "0.00")

    def test_are_one_for_all(self, api, policy):
        answer = api.post(f"{DUNNING}/policies", {})

        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "dunning_policy_exists")


def test_a_promise_is_made_and_withdrawn(api, tenant, policy):
    with tenant_context(tenant.pk):
        line = overdue()
    until = (timezone.now().date() + timedelta(days=7)).isoformat()
    body = {"subscriber_id": str(line.subscriber_id), "amount": "31.00", "currency": "EUR", "until": until}

    made = api.post(f"{DUNNING}/promises", body)
    again = api.post(f"{DUNNING}/promises", body)
    row = api.get(f"{DUNNING}/tonight").json()["data"]["rows"][0]
    pk = made.json()["data"]["id"]
    withdrawn = [api.post(f"{DUNNING}/promises/{pk}/withdraw").json()["data"]["status"] for _ in range(2)]

    assert (made.status_code, again.json()["error"]["code"]) == (201, "promise_open")
    assert row["verdict"] == "promise"
    assert withdrawn == ["withdrawn", "withdrawn"]
    with tenant_context(tenant.pk):
        assert Promise.objects.count() == 1


def test_an_exemption_is_made_and_ended(api, tenant, policy):
    with tenant_context(tenant.pk):
        line = overdue()
    body = {"subscriber_id": str(line.subscriber_id), "reason": "Dispute"}

    made = api.post(f"{DUNNING}/exemptions", body)
    again = api.post(f"{DUNNING}/exemptions", body)
    row = api.get(f"{DUNNING}/tonight?verdict=exemption").json()["data"]["rows"][0]
    ended = api.post(f"{DUNNING}/exemptions/{made.json()['data']['id']}/end")

    assert (made.status_code, again.json()["error"]["code"]) == (201, "exempt_already")
    assert row["why"] == "Exempt: Dispute"
    assert ended.json()["data"]["ended_at"]
    assert api.get(f"{DUNNING}/exemptions?is_ended=false").json()["data"] == []
    with tenant_context(tenant.pk):
        assert Exemption.objects.count() == 1


def test_a_night_above_the_cap_is_approved_for_what_was_shown(api, tenant, policy):
    at = timezone.now()
    with tenant_context(tenant.pk):
        for _ in range(2):
            overdue()
        night = suspending.begin_night(on=at.date(), at=at)
        DunningNight.objects.update(status="waiting", found_lines=2)

    few = api.post(f"{DUNNING}/nights/{night.pk}/approve", {"services": 1})
    done = api.post(f"{DUNNING}/nights/{night.pk}/approve", {"services": 2})

    assert (few.status_code, few.json()["error"]["code"]) == (409, "more_than_shown")
    assert (done.json()["data"]["status"], done.json()["data"]["approved_services"]) == ("running", 2)
    refused = api.post(f"{DUNNING}/nights/{night.pk}/call-off")
    assert refused.json()["error"]["code"] == "night_not_waiting"


class TestPrepaid:
    def test_a_batch_is_made(self, api, tenant):
        answer = api.post(
            f"{PREPAID}/voucher-batches",
            {"name": "Shop", "quantity": 5, "amount": "20.00", "currency": "EUR"},
            Prefer="respond-async",
        )
        again = api.post(
            f"{PREPAID}/voucher-batches",
            {"name": "Shop", "quantity": 5, "amount": "20.00", "currency": "EUR"},
        )

        assert (answer.status_code, again.status_code) == (202, 409)
        shown = api.get(f"{PREPAID}/voucher-batches").json()["data"][0]
        assert (shown["name"], shown["amount"], shown["unused"]) == ("Shop", "20.00", 0)

    def test_a_voucher_is_redeemed_once(self, api, tenant, other_tenant):
        with tenant_context(other_tenant.pk):
            theirs = CreditVoucherBatch.objects.create(name="T", quantity=1, amount=5, currency="EUR")
            CreditVoucher.objects.create(batch=theirs, code_hash=hash_code("THEIRCODE"), shown="THEI")
        with tenant_context(tenant.pk):
            line = owing.make_line(owing.make_profile())
            batch = CreditVoucherBatch.objects.create(name="S", quantity=1, amount=20, currency="EUR")
            CreditVoucher.objects.create(batch=batch, code_hash=hash_code("ABCD2345"), shown="ABCD")
        subscriber_id = str(line.subscriber_id)

        def redeem(code):
            return api.post(f"{PREPAID}/vouchers/redeem", {"subscriber_id": subscriber_id, "code": code})

        first = redeem("abcd 2345")

        assert first.status_code == 201
        assert (first.json()["data"]["method"], first.json()["data"]["amount"]) == ("voucher", "20.00")
        assert first.json()["data"]["credit"] == "20.00"
        at_its_address = api.get(f"billing/payments/{first.json()['data']['id']}")
        assert first["Location"].endswith(f"/billing/payments/{first.json()['data']['id']}")
        assert (first["ETag"], first.json()["data"]) == (
            at_its_address["ETag"],
            at_its_address.json()["data"],
        )
        assert redeem("ABCD2345").json()["error"]["code"] == "credit_voucher_used"
        assert redeem("THEIRCODE").json()["error"]["code"] == "credit_voucher_unknown"
        shown = api.get(f"{PREPAID}/vouchers?state=used").json()["data"][0]
        assert (shown["subscriber_id"], shown["payment_id"]) == (subscriber_id, first.json()["data"]["id"])
        with tenant_context(tenant.pk):
            assert Payment.objects.count() == 1

    def test_a_top_up_brings_a_service_back(self, api, tenant):
        with tenant_context(tenant.pk):
            line = owing.make_line(owing.make_profile(payment_kind="prepaid"), plan__currency="EUR")
            line.plan.price = Decimal("20.00")
            line.plan.save()
        body = {"subscriber_id": str(line.subscriber_id), "currency": "EUR", "method": "cash"}

        api.post(f"{PREPAID}/top-ups", body | {"amount": "5.00"})
        (waiting,) = api.get(f"{PREPAID}/services?waits=true").json()["data"]
        api.post(f"{PREPAID}/top-ups", body | {"amount": "15.00"})
        (paid,) = api.get(f"{PREPAID}/services").json()["data"]

        assert (waiting["service_id"], waiting["missing"]) == (str(line.pk), "15.00")
        assert (paid["waits_since"], paid["missing"]) == (None, None)
        assert date.fromisoformat(paid["paid_until"]) > timezone.now().date() + timedelta(days=27)
