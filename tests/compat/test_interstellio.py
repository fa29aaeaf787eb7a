"""The Subscriber Accounts API, request by request as its page has them."""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import RequestFactory
from django.utils import timezone

from aaa.models import Account, AccountState, DailyUsage, ServiceProfile
from ispcore.api.envelope import error_response
from ispcore.auth import services as credentials
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant, User
from ispcore.tenants.roles import Role
from tests.aaa.online import make_account, make_nas
from tests.compat.accounts import FIELDS, client_of, make_request, refusal, token_of
from tests.compat.client import Foreign
from tests.factories import AccountFactory, PoolFactory

pytestmark = pytest.mark.django_db

BAD = (400, "Bad Request")
MILLISECONDS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


@pytest.fixture
def client(admin_user: User) -> Foreign:
    return client_of(admin_user)


@pytest.fixture
def body(acting: Tenant) -> dict[str, Any]:
    return make_request()


@pytest.fixture
def made(client: Foreign, body: dict[str, Any]) -> dict[str, Any]:
    """The account of the page's example, as it was answered."""
    shown: dict[str, Any] = client.post("v1/subscriber", body).json()
    return shown


class TestCreate:
    def test_of_the_example_answers_the_example(self, client: Foreign, body: Any, tenant: Tenant) -> None:
        response = client.post("v1/subscriber", body)

        shown = response.json()
        account = Account.objects.get()
        assert response.status_code == 200
        assert response["Content-Type"] == "application/json"
        assert list(shown) == FIELDS
        assert MILLISECONDS.fullmatch(shown.pop("creation_time"))
        assert MILLISECONDS.fullmatch(shown.pop("updated_time"))
        assert shown == body | {
            "id": str(account.pk), "pool_id": None, "domain": "example.com", "tenant_id": str(tenant.pk),
            "calling_station_id": "", "static_ip4": None, "last_known_nas_name": None, "last_known_nas_ip4": None,
            "expire": None, "last_seen": None, "inactive_purge": None, "purge_if_seen": False, "locked_tags": "",
            "service": "BROADBAND PPPOE", "virtual": "BROADBAND AAA", "profile": "15 Mbps Uncapped",
            "uncapped_data": False,
        }  # fmt: skip
        assert len(account.password.reveal()) == 16

    def test_takes_every_property_of_the_page(self, client: Foreign, body: Any) -> None:
        more = {
            "calling_station_id": "02:00:5E:00:00:01", "enabled": False, "expire": "2024-09-24T07:54:00.000Z",
            "inactive_purge": 720, "name": "", "pool_id": str(PoolFactory().pk), "purge_if_seen": True,
            "static_ip4": "203.0.113.9",
        }  # fmt: skip

        shown = client.post("v1/subscriber/", body | more).json()

        assert {name: shown[name] for name in body | more} == body | more

    @pytest.mark.parametrize("name", ["profile_id", "service_id", "timezone", "username", "virtual_id"])
    def test_without_what_must_be_included_makes_nothing(self, name: str, client: Foreign, body: Any) -> None:
        del body[name]

        response = client.post("v1/subscriber", body)

        assert refusal(response) == BAD
        assert response.json()["error"]["description"] == f"{name}: This field is required."
        assert not Account.objects.exists()

    @pytest.mark.parametrize(
        "wrong",
        [
            {"profile_id": None},
            {"virtual_id": None},
            {"profile_id": str(uuid4())},
            {"service_id": str(uuid4())},
            {"virtual_id": "x"},
            {"pool_id": str(uuid4())},
            {"timezone": "Mars/Olympus"},
            {"enabled": "yes"},
            {"expire": "tomorrow"},
            {"inactive_purge": 0},
            {"static_ip4": "2001:db8::1"},
            {"username": ""},
            {"usernam": "x"},
        ],
    )
    def test_of_what_cannot_be_makes_nothing(self, wrong: Any, client: Foreign, body: Any) -> None:
        response = client.post("v1/subscriber", body | wrong)

        assert refusal(response) == BAD
        assert not Account.objects.exists()

    def test_of_a_user_name_that_exists_is_a_bad_request(self, client: Foreign, made: Any, body: Any) -> None:
        response = client.post("v1/subscriber", body | {"username": "TEST@example.com"})

        assert refusal(response) == BAD
        assert Account.objects.count() == 1

    def test_of_what_is_no_json_is_a_bad_request(self, client: Foreign, acting: Tenant) -> None:
        assert refusal(client.send("post", "v1/subscriber", b"{", "application/json")) == BAD


class TestGet:
    def test_answers_the_account(self, client: Foreign, made: Any) -> None:
        response = client.get(f"v1/subscriber/{made['id']}")

        assert (response.status_code, response.json()) == (200, made)
        assert client.get(f"v1/subscriber/{made['id']}/").json() == made

    def test_tells_where_and_when_it_was_seen_last(self, client: Foreign, acting: Tenant) -> None:
        account, nas = make_account("jane"), make_nas(None)
        seen = datetime(2021, 7, 5, 6, 57, 43, tzinfo=UTC)
        AccountState.objects.filter(account=account).update(last_seen_at=seen, last_nas_id=nas.pk)

        shown = client.get(f"v1/subscriber/{account.pk}").json()

        assert (shown["last_seen"], shown["last_known_nas_name"], shown["last_known_nas_ip4"]) == (
            "2021-07-05T06:57:43.000Z", nas.name, nas.address,
        )  # fmt: skip

    def test_writes_times_in_the_zone_asked_for(self, client: Foreign, acting: Tenant) -> None:
        account = make_account("jane", expires_at=datetime(2024, 9, 24, 7, 54, tzinfo=UTC))

        there = client.get(f"v1/subscriber/{account.pk}", X_Timezone="Africa/Johannesburg").json()
        utc = client.get(f"v1/subscriber/{account.pk}").json()
        nowhere = client.get(f"v1/subscriber/{account.pk}", X_Timezone="Mars/Olympus")

        assert there["expire"] == "2024-09-24T09:54:00.000+02:00"
        assert utc["expire"] == "2024-09-24T07:54:00.000Z"
        assert refusal(nowhere) == BAD

    @pytest.mark.parametrize("verb", ["get", "patch", "delete"])
    @pytest.mark.parametrize("key", ["x", "0001d2f0-61c7-4ab8-b4db-21118b886711"])
    def test_of_no_account_is_not_found(self, verb: str, key: str, client: Foreign, body: Any) -> None:
        response = client.send(verb, f"v1/subscriber/{key}", b'{"timezone": "UTC"}', "application/json")

        assert refusal(response) == (404, "Not Found")
        assert refusal(client.get(f"v2/subscriber/status/{key}")) == (404, "Not Found")

    def test_of_another_tenants_is_not_found(self, client: Foreign, other_tenant: Tenant) -> None:
        with tenant_context(other_tenant.pk):
            theirs = AccountFactory()
        path = f"v1/subscriber/{theirs.pk}"

        answers = [
            client.get(path), client.patch(path, {"timezone": "UTC"}), client.delete(path),
            client.get(f"v2/subscriber/status/{theirs.pk}"),
        ]  # fmt: skip

        assert [refusal(answer) for answer in answers] == [(404, "Not Found")] * 4
        with tenant_context(other_tenant.pk):
            assert Account.objects.get().timezone == "UTC"


class TestUpdate:
    def test_of_the_example_answers_the_account(self, client: Foreign, made: Any, body: Any) -> None:
        response = client.patch(f"v1/subscriber/{made['id']}", body | {"name": "Second"})

        shown = response.json()
        assert response.status_code == 200
        assert list(shown) == FIELDS
        assert shown | {"updated_time": None} == made | {"name": "Second", "updated_time": None}

    @pytest.mark.parametrize(
        "change",
        [
            {"calling_station_id": "02:00:5E:00:00:09"},
            {"enabled": False},
            {"expire": "2030-01-01T00:00:00.000Z"},
            {"expire": None},
            {"inactive_purge": 24},
            {"name": "Other"},
            {"purge_if_seen": True},
            {"static_ip4": "203.0.113.10"},
            {"username": "other@example.org"},
        ],
    )
    def test_of_one_property_leaves_the_others(self, change: Any, client: Foreign, made: Any) -> None:
        shown = client.patch(f"v1/subscriber/{made['id']}", change | {"timezone": "UTC"}).json()

        follows = {"updated_time": shown["updated_time"], "domain": shown["domain"]}
        assert shown == made | follows | change | {"timezone": "UTC"}

    def test_moves_it_to_other_records(self, client: Foreign, made: Any) -> None:
        other = str(ServiceProfile.objects.create(name="HOTSPOT").pk)
        pool = str(PoolFactory().pk)

        shown = client.patch(
            f"v1/subscriber/{made['id']}", {"service_id": other, "pool_id": pool, "timezone": "UTC"}
        ).json()

        assert (shown["service_id"], shown["service"], shown["pool_id"]) == (other, "HOTSPOT", pool)

    def test_takes_an_account_as_it_was_answered(self, client: Foreign, made: Any) -> None:
        response = client.patch(f"v1/subscriber/{made['id']}", made)

        assert response.status_code == 200
        assert response.json() | {"updated_time": None} == made | {"updated_time": None}

    def test_without_a_time_zone_changes_nothing(self, client: Foreign, made: Any) -> None:
        response = client.patch(f"v1/subscriber/{made['id']}", {"name": "Other"})

        assert refusal(response) == BAD
        assert response.json()["error"]["description"] == "timezone: This field is required."
        assert client.get(f"v1/subscriber/{made['id']}").json() == made

    @pytest.mark.parametrize("wrong", [{"service_id": str(uuid4())}, {"profile_id": "x"}, {"enabled": None}])
    def test_to_what_cannot_be_changes_nothing(self, wrong: Any, client: Foreign, made: Any) -> None:
        response = client.patch(f"v1/subscriber/{made['id']}", wrong | {"timezone": "UTC"})

        assert refusal(response) == BAD
        assert client.get(f"v1/subscriber/{made['id']}").json() == made


class TestPurge:
    def test_answers_nothing_and_the_account_is_gone(self, client: Foreign, made: Any) -> None:
        response = client.delete(f"v1/subscriber/{made['id']}")

        assert (response.status_code, response.content) == (204, b"")
        assert not Account.objects.exists()
        assert refusal(client.delete(f"v1/subscriber/{made['id']}")) == (404, "Not Found")


class TestStatus:
    def test_of_the_example(self, client: Foreign, acting: Tenant) -> None:
        account = make_account("jane", cap_bytes=300 * 10**9)
        today = timezone.now().date()
        AccountState.objects.filter(account=account).update(
            used_bytes=300 * 10**9, allowance_bytes=300 * 10**9, period_started_at=timezone.now()
        )
        DailyUsage.objects.create(
            account_id=account.pk,
            day=today,
            in4_bytes=100 * 10**9,
            in6_bytes=50 * 10**9,
            out4_bytes=150 * 10**9,
        )

        response = client.get(f"v2/subscriber/status/{account.pk}")

        assert response.status_code == 200
        assert list(response.json().items()) == [
            ("active", False), ("messages", ["Account credits depleted"]), ("upload", "150.000"),
            ("download", "150.000"),
        ]  # fmt: skip

    def test_of_one_that_runs(self, client: Foreign, acting: Tenant) -> None:
        account = make_account("jane")

        shown = client.get(f"v2/subscriber/status/{account.pk}/").json()

        assert shown == {"active": True, "messages": [], "upload": "0.000", "download": "0.000"}

    def test_says_all_that_is_in_its_way(self, client: Foreign, acting: Tenant) -> None:
        account = make_account("jane", enabled=False, expires_at=timezone.now() - timedelta(days=1))

        shown = client.get(f"v2/subscriber/status/{account.pk}").json()

        assert (shown["active"], shown["messages"]) == (
            False, ["This account is switched off", "This account has expired"],
        )  # fmt: skip


class TestHeaders:
    def test_without_a_token_nobody_comes_in(self, acting: Tenant) -> None:
        stranger = Foreign("interstellio")
        key = uuid4()

        answers = [
            stranger.get("v1/subscribers"), stranger.get(f"v1/subscriber/{key}"), stranger.post("v1/subscriber", {}),
            stranger.patch(f"v1/subscriber/{key}", {}), stranger.delete(f"v1/subscriber/{key}"),
            stranger.get(f"v2/subscriber/status/{key}"),
        ]  # fmt: skip

        assert [refusal(answer) for answer in answers] == [(401, "Unauthorized")] * 6
        assert all("WWW-Authenticate" in answer for answer in answers)

    @pytest.mark.parametrize("token", ["x", "a.b.c", "ispk_0_0", "Bearer x"])
    def test_a_wrong_token_is_unauthorized(self, token: str, acting: Tenant) -> None:
        wrong = Foreign("interstellio", **{"X-Auth-Token": token})

        assert refusal(wrong.get("v1/subscribers")) == (401, "Unauthorized")

    def test_an_api_key_is_a_token(self, tenant: Tenant) -> None:
        with tenant_context(tenant.pk):
            _, secret = credentials.create_api_key(
                name="provisioning", role=Role.SUBSCRIBER_ACCOUNTS, created_by=None, at=timezone.now()
            )

        response = Foreign("interstellio", **{"X-Auth-Token": secret}).get("v1/subscribers")

        assert response.status_code == 200

    def test_the_houses_own_header_is_understood_as_well(self, admin_user: User) -> None:
        assert Foreign("interstellio", token=token_of(admin_user)).get("v1/subscribers").status_code == 200

    def test_the_tenant_is_chosen_by_header(
        self, make_user: Any, tenant: Tenant, other_tenant: Tenant, admin_user: User
    ) -> None:
        both = make_user("both", {tenant: Role.SUPPORT, other_tenant: Role.SUPPORT})
        with tenant_context(other_tenant.pk):
            AccountFactory(username="south")
        client = client_of(both)

        found = client.get("v1/subscribers", X_Tenant_ID="south").json()["payload"]

        assert [each["username"] for each in found] == ["south"]
        assert client.get("v1/subscribers", X_Tenant_ID=str(tenant.pk)).json()["payload"] == []
        assert refusal(client.get("v1/subscribers")) == BAD
        for name in ("south", "nobody"):
            answer = client_of(admin_user).get("v1/subscribers", X_Tenant_ID=name)
            assert refusal(answer) == (403, "Forbidden")

    def test_too_many_requests_are_told_when_to_come_back(self, client: Foreign, settings: Any) -> None:
        settings.RATE_LIMIT_PER_MINUTE = 1
        client.get("v1/subscribers")

        response = client.get("v1/subscribers")

        assert refusal(response) == (429, "Too Many Requests")
        assert 1 <= int(response["Retry-After"]) <= 60

    def test_an_unknown_address_answers_in_the_same_shape(self, client: Foreign) -> None:
        assert refusal(client.get("v1/nothing")) == (404, "Not Found")
        assert refusal(client.put("v1/subscribers", {})) == (405, "Method Not Allowed")

    def test_a_lost_database_is_told_in_the_same_shape(self) -> None:
        request = RequestFactory().get("/compat/interstellio/v1/subscribers")

        response = error_response(
            request, status=503, code="dependency_unavailable", message="Try again.", retry_after=5
        )

        assert response.status_code == 503
        assert json.loads(response.content) == {
            "error": {"title": "Service Unavailable", "description": "Try again.", "request_id": ""}
        }
        assert response["Retry-After"] == "5"

    def test_a_key_makes_a_creation_safe_to_repeat(self, client: Foreign, body: Any) -> None:
        first = client.post("v1/subscriber", body, Idempotency_Key="k")
        again = client.post("v1/subscriber", body, Idempotency_Key="k")
        other = client.post("v1/subscriber", body | {"name": "x"}, Idempotency_Key="k")

        assert (first.status_code, again.status_code) == (200, 200)
        assert again.json() == first.json()
        assert refusal(other) == BAD
        assert Account.objects.count() == 1
