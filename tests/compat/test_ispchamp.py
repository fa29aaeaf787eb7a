"""ISPChamp's page, request by request: subscribers, billing, addresses, sessions, tickets."""

import pytest

from ispcore.tenants.context import tenant_context
from ispcore.tenants.roles import Role
from subscribers.models import Subscriber
from tests.aaa.online import make_account, make_nas, make_policy, make_session
from tests.billing.cycles import issued, make_lines, make_settings
from tests.compat.client import Foreign
from tests.factories import SubnetFactory, SubscriberFactory, VrfFactory
from tests.ipam.space import make_pool
from tests.support.desk import make_line, make_subject, make_zone

pytestmark = pytest.mark.django_db

V1 = "api/v1"
HARDWARE = [
    "olt/sync", "olt/discover", "olt/onu/status", "olt/onu/signal", "olt/pon/stats", "olt/onu/authorize",
    "olt/onu/unauthorize",
]  # fmt: skip


@pytest.fixture
def champ(admin_user, tenant):
    return Foreign("ispchamp", admin_user, X_Tenant_ID=tenant.slug)


def fine(response, name, status=200):
    """Return what stands beside `"status": "success"` under a name."""
    assert response.status_code == status, response.content
    body = response.json()
    assert body["status"] == "success"
    assert set(body) - {"pagination"} == {"status", name}
    return body[name]


def refusal(response):
    body = response.json()
    assert body["status"] == "error"
    assert body["request_id"] == response["X-Request-ID"]
    return response.status_code, body["code"]


class TestCredentials:
    @pytest.mark.parametrize(
        ("verb", "path"),
        [
            ("get", "subscribers/"),
            ("post", "subscribers/"),
            ("get", "subscribers/1"),
            ("patch", "subscribers/1"),
            ("delete", "subscribers/1"),
            ("post", "subscribers/1/activate"),
            ("post", "subscribers/1/suspend"),
            ("get", "billing/invoices"),
            ("post", "billing/invoices/generate"),
            ("get", "billing/invoices/1"),
            ("post", "billing/payments"),
            ("get", "billing/payments"),
            *(("post", f"hardware/{path}") for path in HARDWARE),
            ("get", "ipam/pools"),
            ("post", "ipam/pools"),
            ("get", "ipam/subnets"),
            ("post", "ipam/allocate"),
            ("post", "ipam/release"),
            ("get", "ipam/vrfs"),
            ("get", "aaa/sessions"),
            ("post", "aaa/coa"),
            ("post", "aaa/disconnect"),
            ("get", "aaa/policies"),
            ("post", "aaa/policies"),
            ("get", "support/tickets"),
            ("post", "support/tickets"),
            ("patch", "support/tickets/1"),
            ("post", "support/tickets/1/comments"),
        ],
    )
    def test_every_operation_needs_a_bearer_token(self, verb, path, db):
        response = getattr(Foreign("ispchamp"), verb)(f"{V1}/{path}")

        assert refusal(response) == (401, "not_authenticated")
        assert response["WWW-Authenticate"].startswith("Bearer")

    def test_a_tenant_that_is_not_the_caller_s(self, admin_user, other_tenant):
        response = Foreign("ispchamp", admin_user, X_Tenant_ID=other_tenant.slug).get(f"{V1}/subscribers/")

        assert refusal(response) == (403, "tenant_forbidden")

    def test_who_belongs_to_several_must_name_one(self, tenant, other_tenant, make_user):
        both = make_user("both", {tenant: Role.SUPPORT, other_tenant: Role.SUPPORT})

        assert refusal(Foreign("ispchamp", both).get(f"{V1}/subscribers/")) == (400, "tenant_required")
        response = Foreign("ispchamp", both, X_Tenant_ID=str(other_tenant.pk)).get(f"{V1}/subscribers/")
        assert fine(response, "subscribers") == []

    def test_a_role_may_do_no_more_than_natively(self, tenant, make_user):
        looker = Foreign("ispchamp", make_user("looker", {tenant: Role.SUPPORT}))

        assert refusal(looker.post(f"{V1}/hardware/olt/discover", {"ip": "10.0.0.1"})) == (
            403,
            "permission_denied",
        )
        assert refusal(looker.post(f"{V1}/billing/payments", {})) == (403, "permission_denied")

    def test_what_there_is_not(self, champ, other_tenant):
        with tenant_context(other_tenant.pk):
            theirs = SubscriberFactory()

        assert refusal(champ.get(f"{V1}/nothing")) == (404, "not_found")
        assert refusal(champ.get(f"{V1}/subscribers/{theirs.pk}")) == (404, "not_found")
        assert refusal(champ.put(f"{V1}/billing/invoices")) == (405, "method_not_allowed")


class TestSubscribers:
    @pytest.mark.parametrize("path", [f"{V1}/subscribers/", f"{V1}/subscribers"])
    def test_are_listed_in_pages_and_filtered(self, path, champ, acting):
        for number in range(3):
            SubscriberFactory(full_name=f"Jane {number}", status="active" if number else "prospect")

        page = champ.get(f"{path}?status=active&page_size=1")

        [shown] = fine(page, "subscribers")
        assert shown["full_name"] == "Jane 2"
        pagination = page.json()["pagination"]
        assert (pagination["page"], pagination["count"], pagination["total"], pagination["pages"]) == (
            1,
            1,
            2,
            2,
        )
        assert "/compat/ispchamp/api/v1/subscribers" in pagination["next"]
        assert refusal(champ.get(f"{path}?stauts=active")) == (400, "unknown_parameter")

    def test_a_life(self, champ, acting):
        made = champ.post(
            f"{V1}/subscribers/", {"full_name": "Jane Doe", "status": "prospect", "external_id": "crm-7"}
        )
        jane = fine(made, "subscriber", 201)
        assert made["Location"] == f"http://testserver/compat/ispchamp/api/v1/subscribers/{jane['id']}"
        assert jane["status"] == "prospect"

        path = f"{V1}/subscribers/{jane['id']}"
        shown = champ.get(path)
        assert fine(shown, "subscriber") == jane
        assert shown["ETag"] == made["ETag"]
        assert fine(champ.patch(path, {"phone": "+15125550100"}), "subscriber")["phone"] == "+15125550100"
        replaced = fine(champ.put(path, {"full_name": "Jane Roe", "status": "prospect"}), "subscriber")
        assert (replaced["full_name"], replaced["phone"]) == ("Jane Roe", "")
        assert fine(champ.post(f"{path}/activate", {}), "subscriber")["status"] == "active"
        suspended = champ.post(f"{path}/suspend", {"reason": "non_payment"})
        assert fine(suspended, "subscriber")["status"] == "suspended"
        gone = champ.delete(path)
        assert (gone.status_code, gone.content) == (204, b"")
        assert Subscriber.objects.get().status == "inactive"

    def test_refusals_keep_their_codes_and_fields(self, champ, acting):
        known = {"full_name": "Jane", "status": "active", "external_id": "crm-7"}
        champ.post(f"{V1}/subscribers/", known)

        again = champ.post(f"{V1}/subscribers/", known | {"full_name": "Joe"})
        nameless = champ.post(f"{V1}/subscribers/", {})

        assert refusal(again) == (409, "duplicate_subscriber")
        assert again.json()["field"] == "external_id"
        assert refusal(nameless) == (400, "missing_field")
        assert "full_name" in [each["field"] for each in nameless.json()["fields"]]
        assert Subscriber.objects.count() == 1

    def test_a_repeat_under_one_key_makes_one(self, champ, acting):
        key = {"X_Idempotency_Key": "one"}
        body = {"full_name": "Jane", "status": "active"}

        first, again = (champ.post(f"{V1}/subscribers/", body, **key) for _ in range(2))

        assert fine(first, "subscriber", 201) == fine(again, "subscriber", 201)
        assert again["Idempotency-Replayed"] == "true"
        assert again["Location"] == first["Location"]


class TestBilling:
    @pytest.fixture
    def invoice(self, acting):
        make_settings()
        make_lines(1)
        return issued().invoices.get()

    def test_invoices_are_listed_and_shown(self, champ, invoice):
        [shown] = fine(champ.get(f"{V1}/billing/invoices?status=issued"), "invoices")
        one = fine(champ.get(f"{V1}/billing/invoices/{invoice.number}"), "invoice")

        assert (shown["number"], one["id"]) == (invoice.number, str(invoice.pk))
        assert fine(champ.get(f"{V1}/billing/invoices?status=void"), "invoices") == []

    def test_a_cycle_is_generated_in_the_background(self, champ, acting):
        make_settings()
        make_lines(1)

        response = champ.post(f"{V1}/billing/invoices/generate", {"on": "2026-03-01"}, Prefer="respond-async")

        assert response.status_code == 202, response.content
        body = response.json()
        assert (body["status"], set(body)) == ("accepted", {"status", "task"})
        assert response["Location"] == f"/compat/ispchamp/api/v1/tasks/{body['task']['id']}"
        task = fine(champ.get(f"{V1}/tasks/{body['task']['id']}"), "task")
        assert task["status"] == "queued"

    def test_a_payment_is_recorded_and_listed(self, champ, invoice):
        body = {
            "subscriber_id": str(invoice.subscriber_id), "amount": "30.00", "currency": "EUR", "method": "cash",
            "reference": "slip 7",
        }  # fmt: skip

        made = champ.post(f"{V1}/billing/payments", body)

        payment = fine(made, "payment", 201)
        assert made["Location"].endswith(f"/compat/ispchamp/api/v1/billing/payments/{payment['id']}")
        assert payment["amount"] == "30.00"
        assert [each["id"] for each in fine(champ.get(f"{V1}/billing/payments"), "payments")] == [
            payment["id"]
        ]
        other = champ.post(f"{V1}/billing/payments", body | {"amount": "31.00"})
        assert refusal(other) == (409, "duplicate_payment")


class TestAddresses:
    def test_pools_are_made_and_listed(self, champ, acting):
        vrf = VrfFactory()
        SubnetFactory(vrf=vrf, network="203.0.113.0/24")
        body = {
            "vrf_id": str(vrf.pk), "name": "homes", "ranges": [{"first": "203.0.113.10", "last": "203.0.113.19"}],
        }  # fmt: skip

        made = fine(champ.post(f"{V1}/ipam/pools", body), "pool", 201)

        assert [each["id"] for each in fine(champ.get(f"{V1}/ipam/pools"), "pools")] == [made["id"]]
        assert str(vrf.pk) in [each["id"] for each in fine(champ.get(f"{V1}/ipam/vrfs"), "vrfs")]
        [subnet] = fine(champ.get(f"{V1}/ipam/subnets?vrf_id={vrf.pk}"), "subnets")
        assert subnet["network"] == "203.0.113.0/24"

    def test_an_address_is_allocated_and_released(self, champ, acting):
        pool = make_pool()

        given = champ.post(f"{V1}/ipam/allocate", {"pool_id": str(pool.pk), "assigned_to": "core-1"})
        address = fine(given, "address", 201)
        back = fine(champ.post(f"{V1}/ipam/release", {"address_id": address["id"]}), "address")

        assert (address["address"], back["state"]) == ("203.0.113.10", "quarantined")
        assert given["Location"].endswith(f"/compat/ispchamp/api/v1/ipam/addresses/{address['id']}")


class TestSessions:
    @pytest.fixture
    def session(self, acting):
        return make_session(make_nas(None), make_account("jane", make_policy()), "one")

    def test_live_ones_are_listed(self, champ, session):
        [shown] = fine(champ.get(f"{V1}/aaa/sessions"), "sessions")

        assert (shown["acct_session_id"], shown["username"]) == ("one", "jane")

    @pytest.mark.parametrize("deed", ["coa", "disconnect"])
    def test_one_is_changed_or_ended_in_the_background(self, deed, champ, session):
        body = {"session_id": str(session.pk)}

        response = champ.post(f"{V1}/aaa/{deed}", body, Prefer="respond-async")

        assert (response.status_code, response.json()["status"]) == (202, "accepted")

    def test_policies_are_made_and_listed(self, champ, acting):
        made = fine(
            champ.post(f"{V1}/aaa/policies", {"name": "Fibre 50", "down_kbps": 50_000, "up_kbps": 10_000}),
            "policy",
            201,
        )

        [shown] = fine(champ.get(f"{V1}/aaa/policies"), "policies")
        assert (shown["id"], shown["down_kbps"]) == (made["id"], 50_000)


class TestTickets:
    def test_one_is_opened_moved_and_discussed(self, champ, acting):
        line, subject = make_line(make_zone()), make_subject()
        body = {"subject_id": str(subject.pk), "service_id": str(line.pk), "description": "No light"}

        made = champ.post(f"{V1}/support/tickets", body)
        ticket = fine(made, "ticket", 201)
        path = f"{V1}/support/tickets/{ticket['number']}"
        moved = fine(champ.patch(path, {"status": "in_progress"}), "ticket")
        said = fine(champ.post(f"{path}/comments", {"body": "We are looking."}), "comment")

        assert made["Location"].endswith(f"/compat/ispchamp/api/v1/support/tickets/{ticket['id']}")
        assert (ticket["status"], moved["status"], said["body"]) == ("open", "in_progress", "We are looking.")
        assert [each["id"] for each in fine(champ.get(f"{V1}/support/tickets"), "tickets")] == [ticket["id"]]
        assert fine(champ.get(path), "ticket")["status"] == "in_progress"
        assert "We are looking." in [each["body"] for each in fine(champ.get(f"{path}/comments"), "comments")]
        assert refusal(champ.patch(path, {"status": "closed"})) == (409, "transition_not_allowed")
