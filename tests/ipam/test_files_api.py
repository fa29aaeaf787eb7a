"""Imports, comparisons, CGNAT and waiting services as an integrator calls them."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart
from django.utils import timezone

from ipam.models import Address, AddressState, BookImport, CgnatRule, Drift, Pool, Reconciliation, Vrf
from ipam.services import allocation, space
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import AuditEntry
from ispcore.tenants.roles import Role
from tests.factories import PlanFactory, SubscriptionFactory
from tests.ipam.importing import check, take_in
from tests.ipam.space import NOW, make_pool
from tests.ipam.test_reconciliation import perform

pytestmark = pytest.mark.django_db
RULE = {
    "name": "North", "inside_first": "100.64.0.0", "inside_last": "100.64.0.255",
    "public_first": "203.0.113.0", "public_last": "203.0.113.7",
}  # fmt: skip


@pytest.fixture
def pool(acting) -> Pool:
    return make_pool()


def send(api, path: str, content: bytes | None = None, **fields: Any):
    form = {"file": SimpleUploadedFile("list.csv", content)} if content is not None else {}
    body = encode_multipart(BOUNDARY, {**form, **fields})
    return api.send("post", path, body, MULTIPART_CONTENT, Prefer="respond-async")


class TestImports:
    def test_are_uploaded_checked_taken_in_and_dropped(self, pool, api, acting):
        uploaded = send(api, "ipam/imports", b"address,service\n203.0.113.10,\n203.0.113.11,no\n")
        path = f"ipam/imports/{uploaded.json()['data']['id']}"

        early = api.post(f"{path}/run")
        checked = api.post(f"{path}/check", Prefer="respond-async")
        check(BookImport.objects.get(), acting)
        listed = api.get(f"{path}/errors").json()["data"]
        take_in(BookImport.objects.get(), acting)

        assert uploaded.status_code == 201
        assert uploaded["Location"].endswith(path)
        assert uploaded.json()["data"]["file_format"] == "csv"
        assert (early.status_code, early.json()["error"]["code"]) == (409, "import_not_checked")
        assert (checked.status_code, checked.json()["data"]["kind"]) == (202, "ipam.check_book")
        assert listed == [
            {
                "row": 3, "field": "service", "values": {"address": "203.0.113.11", "service": "no"},
                "message": "There is no service with the number or ISP reference 'no'.",
            }
        ]  # fmt: skip
        assert api.get(path).json()["data"]["rows_created"] == 1
        assert api.delete(path).status_code == 204
        assert api.get(path).status_code == 404

    @pytest.mark.parametrize(
        ("fields", "status", "code"),
        [
            ({"content": b""}, 422, "wrong_columns"),
            ({"content": b"address\n", "vrf_id": "x"}, 422, "validation_error"),
            ({"content": b"address\n", "vrf_id": "01900000-0000-7000-8000-000000000000"}, 404, "not_found"),
            ({"content": b"address\n", "colour": "red"}, 422, "validation_error"),
            ({}, 400, "missing_field"),
        ],
    )
    def test_of_what_cannot_be_are_refused(self, fields, status, code, api, acting):
        response = send(api, "ipam/imports", **fields)

        assert (response.status_code, response.json()["error"]["code"]) == (status, code)
        assert not BookImport.objects.exists()

    @pytest.mark.django_db(transaction=True)
    def test_by_a_worker(self, tenant, api, worker):
        with tenant_context(tenant.pk):
            make_pool()
        uploaded = send(api, "ipam/imports", b"address\n203.0.113.10\n")
        path = f"ipam/imports/{uploaded.json()['data']['id']}"

        checked = api.post(f"{path}/check", Prefer="wait=40")
        done = api.post(f"{path}/run", Prefer="wait=40")

        assert (checked.status_code, checked.json()["data"]["status"]) == (200, "checked")
        assert (done.status_code, done.json()["data"]["rows_created"]) == (200, 1)
        with tenant_context(tenant.pk):
            assert Address.objects.exclude(state=AddressState.FREE).get().address == "203.0.113.10"


class TestComparisons:
    def test_of_a_list_and_its_repairs(self, pool, api, acting):
        started = send(
            api, "ipam/reconciliations", b"ip,mac\n203.0.113.10,aa:bb\n192.0.2.1,cc:dd\n", seen_in="arp"
        )
        perform(Reconciliation.objects.get())
        path = f"ipam/reconciliations/{Reconciliation.objects.get().pk}"
        unknown = Drift.objects.get(kind="unknown_address")

        shown = api.get(path).json()["data"]
        repaired = api.post(f"{path}/repair")
        wrong = api.post(f"ipam/drifts/{unknown.pk}/repair", {"how": "reserve"})
        dismissed = api.post(f"ipam/drifts/{unknown.pk}/repair", {"how": "dismiss"})

        assert (started.status_code, started.json()["data"]["kind"]) == (202, "ipam.reconcile")
        assert (shown["status"], shown["addresses_seen"], shown["drifts_found"]) == ("done", 2, 2)
        assert repaired.json()["data"] == {"repaired": 1, "left": 0}
        assert (wrong.status_code, wrong.json()["error"]["code"]) == (409, "drift_not_repairable")
        assert (dismissed.status_code, dismissed.json()["data"]["repair"]) == (200, "dismissed")
        assert api.get("ipam/drifts?is_open=true").json()["data"] == []
        assert len(api.get("ipam/drifts?is_open=false&kind=used_but_free").json()["data"]) == 1

    @pytest.mark.parametrize(
        ("fields", "status", "code"),
        [
            ({"seen_in": "arp"}, 422, "list_missing"),
            ({"seen_in": "netflow", "content": b"ip\n"}, 422, "validation_error"),
            ({"content": b"ip\n"}, 400, "missing_field"),
        ],
    )
    def test_that_cannot_be_are_refused(self, fields, status, code, api, acting):
        response = send(api, "ipam/reconciliations", **fields)

        assert (response.status_code, response.json()["error"]["code"]) == (status, code)
        assert not Reconciliation.objects.exists()

    def test_of_sessions_need_no_file(self, pool, api, acting):
        assert send(api, "ipam/reconciliations", seen_in="sessions").status_code == 202


class TestCgnat:
    @pytest.fixture
    def vrf(self, acting) -> Vrf:
        return space.default_vrf()

    def test_rules_are_added_ended_and_followed(self, vrf, api):
        body = {**RULE, "vrf_id": str(vrf.pk)}
        first = api.post("ipam/cgnat-rules", body)
        path = f"ipam/cgnat-rules/{first.json()['data']['id']}"

        overlapping = api.post("ipam/cgnat-rules", {**body, "name": "Second"})
        removed = api.delete(path)
        ended = api.post(f"{path}/end", {})
        second = api.post("ipam/cgnat-rules", {**body, "name": "Second"})

        assert first.status_code == 201
        assert (overlapping.status_code, overlapping.json()["error"]["code"]) == (409, "cgnat_rule_overlaps")
        assert (removed.status_code, removed.json()["error"]["code"]) == (409, "cgnat_rule_has_begun")
        assert ended.json()["data"]["valid_until"] is not None
        assert second.status_code == 201
        found = api.get("ipam/cgnat-rules?public_address=203.0.113.3&valid_until__isnull=true").json()["data"]
        assert [rule["name"] for rule in found] == ["Second"]
        assert CgnatRule.objects.count() == 2

    def test_a_look_up_names_the_holder_and_is_kept(self, vrf, api, admin_user):
        subnet = space.create_subnet(vrf_id=vrf.pk, network="100.64.0.0/10")
        line = SubscriptionFactory(subscriber__full_name="Jane Doe")
        moment = timezone.now() - timedelta(hours=1)
        allocation.allocate(
            at=moment - timedelta(hours=1),
            subnet_id=subnet.pk,
            address="100.64.0.33",
            subscription_id=line.pk,
        )
        api.post("ipam/cgnat-rules", {**RULE, "vrf_id": str(vrf.pk), "valid_from": "2026-01-01T00:00:00Z"})
        body = {
            "public_address": "203.0.113.1",
            "port": 4000,
            "at": moment.isoformat(),
            "reference": "Court 7/26",
        }

        found = api.post("ipam/cgnat/lookup", body)
        missed = api.post("ipam/cgnat/lookup", {**body, "port": 1})
        shown = api.get(f"services/{line.number}/cgnat").json()["data"]

        data = found.json()["data"]
        assert (found.status_code, found["Cache-Control"]) == (200, "no-store")
        assert (data["found"], data["inside_address"], data["service_number"]) == (
            True,
            "100.64.0.33",
            line.number,
        )
        assert (data["subscriber_name"], data["held_until"]) == ("Jane Doe", None)
        assert (missed.status_code, missed.json()["data"]["found"]) == (200, False)
        entries = AuditEntry.objects.filter(action="looked up a CGNAT address").order_by("id")
        assert [entry.user for entry in entries] == [admin_user] * 2
        assert [entry.detail.rpartition(": ")[2] for entry in entries] == [f"service {line.number}", "nobody"]
        assert [(each["public_address"], each["first_port"], each["last_port"]) for each in shown] == [
            ("203.0.113.1", 3040, 5055)
        ]

    @pytest.mark.parametrize(
        ("change", "status", "code"),
        [
            ({"reference": ""}, 422, "validation_error"),
            ({"reference": None}, 422, "validation_error"),
            ({"at": "2999-01-01T00:00:00Z"}, 422, "moment_in_the_future"),
            ({"port": 65_536}, 422, "validation_error"),
            ({"public_address": "2001:db8::1"}, 422, "validation_error"),
        ],
    )
    def test_one_without_what_it_needs_is_refused(self, change, status, code, vrf, api):
        body = {
            "public_address": "203.0.113.1",
            "port": 1,
            "at": "2026-01-01T00:00:00Z",
            "reference": "Court 7/26",
        }

        response = api.post("ipam/cgnat/lookup", {**body, **change})

        assert (response.status_code, response.json()["error"]["code"]) == (status, code)
        assert not AuditEntry.objects.exists()

    def test_is_for_administrators_only(self, vrf, api_as):
        body = {
            "public_address": "203.0.113.1",
            "port": 1,
            "at": "2026-01-01T00:00:00Z",
            "reference": "Court 7/26",
        }

        assert api_as(Role.NETWORK_OPERATIONS).post("ipam/cgnat/lookup", body).status_code == 403
        assert not AuditEntry.objects.exists()


def test_services_that_wait_for_an_address_are_listed(acting, api):
    pool = make_pool(first="203.0.113.10", last="203.0.113.10")
    plan = PlanFactory(pool_hint=pool.name)
    served, waiting = (SubscriptionFactory(plan=plan, status="active") for _ in range(2))
    allocation.allocate(at=NOW, pool_id=pool.pk, subscription_id=served.pk)
    SubscriptionFactory(plan=plan, status="suspended")

    listed = api.get("ipam/waiting-services").json()["data"]
    narrowed = api.get("ipam/waiting-services?pool=other").json()["data"]

    assert [(each["id"], each["pool"]) for each in listed] == [(str(waiting.pk), "homes")]
    assert narrowed == []
