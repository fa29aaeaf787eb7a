"""AEx's services, request by request as its page has them: ordered, changed, listed, and what changed of them."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from ispcore import redis
from ispcore.auth import services as credentials
from ispcore.crypto import MASK
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant, User
from ispcore.tenants.roles import Role
from subscribers.models import ServiceStatus, Subscription
from tests.compat.aex import MILLISECONDS, refusal
from tests.compat.client import Foreign
from tests.factories import PlanFactory, PremiseFactory, SubscriberFactory, SubscriptionFactory

ITEM = [
    "id", "customer_id", "product_id", "provider_id", "premise_id", "provisioned_date", "sales_agent", "created_at",
    "updated_at", "created_by_id", "status",
]  # fmt: skip
FULL = [*ITEM, "isp_reference", "wifi_user_name", "wifi_password"]
CHANGE = ["service_id", "customer_name", "full_address", "status", "product", "last_updated_date"]


@pytest.fixture
def client(admin_user: User) -> Foreign:
    return Foreign("aex", admin_user)


@pytest.fixture
def client_as(make_user: Any, tenant: Tenant) -> Any:
    return lambda role: Foreign("aex", make_user(str(role), {tenant: role}))


@pytest.mark.django_db
class TestCreation:
    @pytest.fixture
    def body(self, acting: Tenant) -> dict[str, str]:
        return {
            "customer_id": str(SubscriberFactory().pk),
            "product_id": str(PlanFactory().pk),
            "premise_id": str(PremiseFactory().pk),
        }

    def test_answers_201_and_where_the_service_is(
        self, client: Foreign, body: Any, tenant: Tenant, admin_user: User
    ) -> None:
        response = client.post("services", body)

        shown, line = dict(response.json()), Subscription.objects.get()
        assert response.status_code == 201
        assert response["Location"] == f"http://testserver/compat/aex/services/{line.pk}"
        assert list(shown) == FULL
        assert MILLISECONDS.fullmatch(shown.pop("created_at"))
        assert MILLISECONDS.fullmatch(shown.pop("updated_at"))
        assert shown == body | {
            "id": str(line.pk), "provider_id": str(tenant.pk), "provisioned_date": None, "sales_agent": "",
            "created_by_id": str(admin_user.pk), "status": "Pending installation", "isp_reference": "",
            "wifi_user_name": "", "wifi_password": "",
        }  # fmt: skip
        path = response["Location"].partition("/compat/aex/")[2]
        assert client.get(path).json() == response.json()

    @pytest.mark.parametrize("name", ["customer_id", "product_id", "premise_id"])
    def test_needs_all_three(self, name: str, client: Foreign, body: Any) -> None:
        unknown = client.post("services", body | {name: str(uuid4())})
        wrong = client.post("services/", body | {name: "x"})
        del body[name]
        missing = client.post("services", body)

        assert refusal(missing) == (400, "missing_field")
        assert missing.json()["errors"] == {name: "This field is required."}
        assert refusal(wrong) == (400, "validation_error")
        assert refusal(unknown) == (400, "not_found")
        assert not Subscription.objects.exists()

    def test_with_a_key_is_done_once(self, client: Foreign, body: Any) -> None:
        first = client.post("services", body, Idempotency_Key="k")
        again = client.post("services", body, Idempotency_Key="k")

        assert (again.status_code, again.json(), again["Location"]) == (201, first.json(), first["Location"])
        assert Subscription.objects.count() == 1


@pytest.mark.django_db
class TestUpdate:
    @pytest.fixture
    def line(self, acting: Tenant) -> Subscription:
        line: Subscription = SubscriptionFactory(status=ServiceStatus.ACTIVE)
        return line

    def test_answers_the_full_service_with_what_was_changed(
        self, client: Foreign, line: Subscription
    ) -> None:
        change = {"isp_reference": "R-77", "wifi_user_name": "Harbour", "wifi_password": "correct horse"}

        response = client.put(f"services/{line.pk}", change)

        shown = response.json()
        line.refresh_from_db()
        assert response.status_code == 200
        assert response["Cache-Control"] == "no-store"
        assert list(shown) == FULL
        assert {name: shown[name] for name in change} == change
        assert (line.isp_reference, line.wifi_name) == ("R-77", "Harbour")
        assert line.wifi_password.reveal() == "correct horse"
        assert client.get(f"services/{line.pk}").json()["wifi_password"] == MASK

    @pytest.mark.parametrize(
        "change", [{"isp_reference": "R-1"}, {"wifi_user_name": "Home"}, {"wifi_password": "correct horse"}]
    )
    def test_leaves_what_is_not_given(self, change: Any, client: Foreign, line: Subscription) -> None:
        before = client.get(f"services/{line.pk}").json()

        after = client.put(f"services/{line.pk}/", change).json()

        assert after | {"updated_at": ""} == before | change | {"updated_at": ""}

    @pytest.mark.parametrize("name", ["wifi_user_name", "wifi_username", "wifi_name"])
    def test_takes_the_name_of_the_network_in_any_spelling(
        self, name: str, client: Foreign, line: Subscription
    ) -> None:
        response = client.put(f"services/{line.pk}", {name: "Harbour"})

        assert (response.status_code, response.json()["wifi_user_name"]) == (200, "Harbour")

    def test_takes_a_service_as_it_was_answered(self, client: Foreign, line: Subscription) -> None:
        client.put(f"services/{line.pk}", {"wifi_password": "correct horse"})
        shown = client.get(f"services/{line.pk}").json()

        response = client.put(f"services/{line.pk}", shown | {"isp_reference": "R-2"})

        line.refresh_from_db()
        assert (response.status_code, line.isp_reference) == (200, "R-2")
        assert line.wifi_password.reveal() == "correct horse"

    @pytest.mark.parametrize(
        "change",
        [{"wifi_password": "short"}, {"wifi_user_name": "x" * 33}, {"speed": 1}, {"isp_reference": 7}],
    )
    def test_to_what_cannot_be_changes_nothing(
        self, change: Any, client: Foreign, line: Subscription
    ) -> None:
        before = client.get(f"services/{line.pk}").json()

        assert refusal(client.put(f"services/{line.pk}", change)) == (400, "validation_error")
        assert client.get(f"services/{line.pk}").json() == before

    def test_of_a_version_that_is_over_is_refused(self, client: Foreign, line: Subscription) -> None:
        path = f"services/{line.pk}"
        old = client.get(path)["ETag"]
        new = client.put(path, {"wifi_password": "correct horse"}, If_Match=old)["ETag"]

        assert refusal(client.put(path, {"isp_reference": "a"}, If_Match=old)) == (412, "stale_version")
        assert client.put(path, {"isp_reference": "b"}, If_Match=new).status_code == 200


@pytest.mark.django_db
class TestList:
    def test_is_that_of_the_example(self, client: Foreign, acting: Tenant, admin_user: User) -> None:
        line = SubscriptionFactory(
            sales_agent="Thandeka", created_by=admin_user, provisioned_at=datetime(2021, 4, 28, 15, 13, tzinfo=UTC)
        )  # fmt: skip

        response = client.get("services")

        body = response.json()
        assert (response.status_code, response["Content-Type"]) == (200, "application/json")
        assert list(body) == ["items", "page", "count", "total"]
        assert (body["page"], body["count"], body["total"]) == (1, 1, 1)
        [item] = body["items"]
        assert list(item) == ITEM
        assert item | {"created_at": "", "updated_at": ""} == {
            "id": str(line.pk), "customer_id": str(line.subscriber_id), "product_id": str(line.plan_id),
            "provider_id": str(acting.pk), "premise_id": str(line.premise_id),
            "provisioned_date": "2021-04-28T15:13:00.000Z", "sales_agent": "Thandeka", "created_at": "",
            "updated_at": "", "created_by_id": str(admin_user.pk), "status": "Pending installation",
        }  # fmt: skip

    def test_comes_in_pages(self, client: Foreign, acting: Tenant) -> None:
        made = [str(SubscriptionFactory().pk) for _ in range(5)]

        pages = [client.get(f"services?page={page}&page_size=2").json() for page in (1, 2, 3, 4)]

        assert [page["count"] for page in pages] == [2, 2, 1, 0]
        assert [page["page"] for page in pages] == [1, 2, 3, 4]
        assert {page["total"] for page in pages} == {5}
        assert [item["id"] for page in pages for item in page["items"]] == made[::-1]

    @pytest.mark.parametrize(
        ("status", "found"),
        [
            ("Pending installation", 1),
            ("pending_installation", 1),
            ("ACTIVE", 2),
            ("Suspended", 0),
        ],
    )
    def test_is_narrowed_by_status(self, status: str, found: int, client: Foreign, acting: Tenant) -> None:
        SubscriptionFactory()
        SubscriptionFactory.create_batch(2, status=ServiceStatus.ACTIVE)

        body = client.get("services", {"status": status}).json()

        assert (body["count"], body["total"]) == (found, found)
        assert {item["status"].lower() for item in body["items"]} <= {status.lower().replace("_", " ")}

    @pytest.mark.parametrize(
        "query",
        ["page=0", "page=x", "page_size=0", "page_size=1001", "status=gone", "status=", "stauts=Active"],
    )
    def test_of_a_mistyped_query_is_a_bad_request(self, query: str, client: Foreign, acting: Tenant) -> None:
        assert refusal(client.get(f"services?{query}"))[0] == 400

    def test_costs_the_same_for_one_and_for_six(
        self, client: Foreign, acting: Tenant, query_count: Any
    ) -> None:
        SubscriptionFactory()
        one = query_count(client.get, "services")
        SubscriptionFactory.create_batch(5)

        assert query_count(client.get, "services") == one


@pytest.mark.django_db(transaction=True)
class TestSnapshot:
    def again(self, client: Foreign) -> Any:
        """Call as 10 minutes later."""
        redis.client().flushdb()
        return client.get("services/snapshot").json()

    def test_lists_what_changed_since_the_last_call(self, client: Foreign, tenant: Tenant) -> None:
        with tenant_context(tenant.pk):
            premise = PremiseFactory(address_line1="1 Harbour Road", city="Northport", country="PT")
            line = SubscriptionFactory(
                premise=premise, subscriber__full_name="Jane Doe", plan__name="Fibre 50", status="active"
            )

        first = client.get("services/snapshot")
        nothing = self.again(client)
        with tenant_context(tenant.pk):
            Subscription.objects.update(isp_reference="new")
        changed = self.again(client)

        [entry] = first.json()
        assert first.status_code == 200
        assert list(entry) == CHANGE
        assert MILLISECONDS.fullmatch(entry.pop("last_updated_date"))
        assert entry == {
            "service_id": str(line.pk), "customer_name": "Jane Doe", "status": "Active", "product": "Fibre 50",
            "full_address": "1 Harbour Road, Northport, PT",
        }  # fmt: skip
        assert nothing == []
        assert [each["service_id"] for each in changed] == [str(line.pk)]

    def test_may_be_called_once_in_ten_minutes(self, client: Foreign, tenant: Tenant) -> None:
        first, second = client.get("services/snapshot"), client.get("services/snapshot/")

        assert first.json() == []
        assert refusal(second) == (429, "rate_limited")
        assert 590 <= int(second["Retry-After"]) <= 600
        assert client.get("services").status_code == 200

    def test_counts_for_each_credential(self, client: Foreign, client_as: Any, tenant: Tenant) -> None:
        with tenant_context(tenant.pk):
            SubscriptionFactory()
        colleague = client_as(Role.SUPPORT)

        assert [len(each.get("services/snapshot").json()) for each in (client, colleague)] == [1, 1]

    def test_a_refused_call_loses_nothing(self, client: Foreign, tenant: Tenant) -> None:
        client.get("services/snapshot")
        with tenant_context(tenant.pk):
            SubscriptionFactory()

        refused = client.get("services/snapshot")

        assert refused.status_code == 429
        assert len(self.again(client)) == 1


@pytest.mark.django_db
class TestCallers:
    PATHS = (
        "services", "services/snapshot", "services/{pk}", "services/{pk}/device/status",
        "services/{pk}/device/status/live", "services/{pk}/radius/status", "services/{pk}/radius/usage",
    )  # fmt: skip

    def test_without_a_credential_are_refused(self, acting: Tenant) -> None:
        stranger = Foreign("aex")
        answers = [stranger.get(path.format(pk=uuid4())) for path in self.PATHS]
        answers += [stranger.post("services", {}), stranger.put(f"services/{uuid4()}", {})]

        assert {refusal(answer) for answer in answers} == {(401, "not_authenticated")}

    @pytest.mark.parametrize("key", ["x", "0", "01900000-0000-7000-8000-000000000000"])
    def test_find_no_service_that_is_not_there(self, key: str, client: Foreign) -> None:
        answers = [client.get(path.format(pk=key)) for path in self.PATHS[2:]]
        answers.append(client.put(f"services/{key}", {}))

        assert {refusal(answer) for answer in answers} == {(404, "not_found")}

    def test_find_no_service_of_another_provider(self, client: Foreign, other_tenant: Tenant) -> None:
        with tenant_context(other_tenant.pk):
            theirs = SubscriptionFactory()

        answers = [client.get(path.format(pk=theirs.pk)) for path in self.PATHS[2:]]
        answers.append(client.put(f"services/{theirs.pk}", {"isp_reference": "mine"}))

        assert {refusal(answer) for answer in answers} == {(404, "not_found")}
        assert client.get("services").json()["total"] == 0
        with tenant_context(other_tenant.pk):
            assert Subscription.objects.get().isp_reference == ""

    def test_may_use_a_key(self, tenant: Tenant) -> None:
        with tenant_context(tenant.pk):
            _, secret = credentials.create_api_key(
                name="fno", role=Role.SUPPORT, created_by=None, at=timezone.now()
            )
        client = Foreign("aex", token=secret)

        assert client.get("services").status_code == 200
        assert refusal(client.post("services", {})) == (403, "permission_denied")
        assert refusal(client.get("nothing")) == (404, "not_found")
        assert refusal(client.delete(f"services/{uuid4()}"))[0] in (403, 405)
