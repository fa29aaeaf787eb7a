"""Accounts, top-ups and a service's RADIUS over HTTP."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from aaa.models import (
    Account,
    AccountState,
    AuthAttempt,
    DailyUsage,
    ServiceProfile,
    SessionAction,
    TopUp,
)
from ispcore.crypto import MASK
from ispcore.tenants.models import AuditEntry
from ispcore.tenants.roles import Role
from tests.aaa.online import make_account, make_nas, make_session
from tests.client import Api
from tests.factories import SubscriptionFactory

pytestmark = pytest.mark.django_db

SEED_FIELDS = {
    "id", "virtual_id", "service_id", "profile_id", "pool_id", "domain", "tenant_id", "name", "username",
    "calling_station_id", "static_ip4", "last_known_nas_name", "last_known_nas_ip4", "enabled", "creation_time",
    "updated_time", "expire", "timezone", "last_seen", "inactive_purge", "purge_if_seen", "locked_tags", "service",
    "virtual", "profile", "uncapped_data",
}  # fmt: skip


@pytest.fixture
def api(admin_user: Any) -> Api:
    return Api(admin_user)


@pytest.fixture
def profile(acting: Any) -> ServiceProfile:
    profile: ServiceProfile = ServiceProfile.objects.create(name="BROADBAND PPPOE")
    return profile


def usernames(response: Any) -> list[str]:
    return sorted(row["username"] for row in response.json()["data"])


class TestAccounts:
    def test_are_made_as_the_reference_shows(self, api: Any, profile: ServiceProfile) -> None:
        policy = api.post(
            "aaa/policies", {"name": "15 Mbps Uncapped", "down_kbps": 15_000, "up_kbps": 15_000}
        )
        virtual = api.post("aaa/virtual-servers", {"name": "BROADBAND AAA", "realm": "example.com"})
        body = {
            "virtual_id": virtual.json()["data"]["id"],
            "service_id": str(profile.pk),
            "profile_id": policy.json()["data"]["id"],
            "name": "TEST Account",
            "username": "test@example.com",
            "enabled": True,
            "timezone": "Africa/Johannesburg",
        }

        response = api.post("aaa/accounts", body)

        shown = response.json()["data"]
        assert response.status_code == 201
        assert set(shown) >= SEED_FIELDS
        assert "password" not in shown
        assert {name: shown[name] for name in body} == body
        assert (shown["service"], shown["virtual"], shown["profile"], shown["domain"]) == (
            "BROADBAND PPPOE", "BROADBAND AAA", "15 Mbps Uncapped", "example.com",
        )  # fmt: skip
        assert response["Location"].endswith(shown["id"])
        assert api.get(f"aaa/accounts/{shown['id']}").json()["data"] == shown

    def test_tell_where_they_were_seen_last(self, api: Any, acting: Any) -> None:
        account, nas = make_account("jane"), make_nas(None)
        seen = timezone.now().replace(microsecond=0)
        AccountState.objects.filter(account=account).update(last_seen_at=seen, last_nas_id=nas.pk)

        shown = api.get(f"aaa/accounts/{account.pk}").json()["data"]

        assert (shown["last_known_nas_name"], shown["last_known_nas_ip4"]) == (nas.name, nas.address)
        assert shown["last_seen"] == seen.isoformat().replace("+00:00", "Z")

    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ("username=JANE@example.net", ["jane@example.net"]),
            ("username=Jane*", ["jane@example.net", "janet"]),
            ("username=jane", []),
            ("username=*", ["jane@example.net", "janet", "joe%"]),
            ("username=joe%25*", ["joe%"]),
            ("username=j%25*", []),
            ("username=j_*", []),
            ("calling_station_id=02:00:5e:00:00:01", ["jane@example.net"]),
            ("calling_station_id=0200.5E00.0001", ["jane@example.net"]),
            ("calling_station_id=02-00-5E*", ["jane@example.net", "janet"]),
            ("calling_station_id=10.0.*", ["joe%"]),
            ("calling_station_id=*", ["jane@example.net", "janet", "joe%"]),
            ("search=jane", ["jane@example.net", "janet"]),
            ("search=02:00:5e:00:00:02", ["janet"]),
            ("search=jane x", []),
            ("enabled=false", ["janet"]),
        ],
    )
    def test_are_found_with_wildcards(self, query: str, found: list[str], api: Any, acting: Any) -> None:
        make_account("jane@example.net", calling_station_id="02:00:5E:00:00:01")
        make_account("janet", calling_station_id="02-00-5E-00-00-02", enabled=False)
        make_account("joe%", calling_station_id="10.0.0.1")

        assert usernames(api.get(f"aaa/accounts?{query}")) == found

    def test_are_found_by_the_beginning_of_an_id(self, api: Any, acting: Any) -> None:
        accounts = [make_account(f"u{n}") for n in range(3)]
        key = str(accounts[0].pk)

        assert usernames(api.get(f"aaa/accounts?id={key}")) == ["u0"]
        assert usernames(api.get(f"aaa/accounts?id={key[:-1]}*")) == ["u0"]
        assert usernames(api.get(f"aaa/accounts?id={key[:4]}*")) == ["u0", "u1", "u2"]
        assert usernames(api.get("aaa/accounts?id=ffff*")) == []
        for wrong in ("x", key[:-1], key + "0*", "*x"):
            assert api.get(f"aaa/accounts?id={wrong}").status_code == 422

    def test_are_ordered_by_name_and_device(self, api: Any, acting: Any) -> None:
        for name, station in (
            ("b", "02:00:5E:00:00:03"),
            ("A", "02:00:5E:00:00:02"),
            ("c", "02:00:5E:00:00:01"),
        ):
            make_account(name, calling_station_id=station)

        def order(by: str) -> list[str]:
            return [row["username"] for row in api.get(f"aaa/accounts?ordering={by}").json()["data"]]

        assert (order("username"), order("-calling_station_id"), order("id")) == (
            ["A", "b", "c"], ["b", "A", "c"], ["b", "A", "c"],
        )  # fmt: skip

    def test_cannot_share_a_user_name(self, api: Any, profile: ServiceProfile) -> None:
        make_account("jane")

        response = api.post("aaa/accounts", {"username": "JANE", "service_id": str(profile.pk)})

        assert (response.status_code, Account.objects.count()) == (409, 1)

    def test_change_and_their_sessions_follow(self, api: Any, acting: Any) -> None:
        account = make_account("jane")
        make_session(make_nas(None), account, "s1", applied=account.wanted)

        response = api.patch(
            f"aaa/accounts/{account.pk}", {"enabled": False, "expire": "2030-01-01T00:00:00Z"}
        )

        assert response.json()["data"]["enabled"] is False
        assert SessionAction.objects.get().kind == "disconnect"

    def test_are_purged(self, api: Any, acting: Any) -> None:
        account = make_account("jane")

        assert api.delete(f"aaa/accounts/{account.pk}").status_code == 204

        assert not Account.objects.exists()

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("static_ip4", "2001:db8::1"), ("static_ip4", "203.0.113.0/24"), ("static_ip4", "x"),
            ("delegated_prefix", "203.0.113.0/24"), ("delegated_prefix", "2001:db8::1"), ("timezone", "Mars/Base"),
            ("inactive_purge", 0), ("cap_bytes", 0), ("over_cap", "stop"), ("username", ""), ("enabled", "yes"),
            ("throttle_profile_id", 7),
        ],
    )  # fmt: skip
    def test_refuse_values_that_are_none(
        self, field: str, value: Any, api: Any, profile: ServiceProfile
    ) -> None:
        body = {"username": "jane", "service_id": str(profile.pk), field: value}

        response = api.post("aaa/accounts", body)

        assert (response.status_code, response.json()["error"]["field"]) == (422, field)
        assert not Account.objects.exists()

    def test_reveal_their_password_to_some_and_say_so(self, api: Any, api_as: Any, acting: Any) -> None:
        account = make_account("jane", password="pa55")

        shown = api.post(f"aaa/accounts/{account.pk}/reveal-password")

        assert shown.json()["data"] == {"username": "jane", "password": "pa55"}
        assert shown["Cache-Control"] == "no-store"
        entry = AuditEntry.objects.get()
        assert (entry.action, entry.detail) == ("revealed RADIUS password", "account jane")
        assert api_as(Role.SUPPORT).post(f"aaa/accounts/{account.pk}/reveal-password").status_code == 403
        assert AuditEntry.objects.count() == 1

    def test_cost_the_same_for_one_status_or_many_sessions(
        self, api: Any, acting: Any, query_count: Any
    ) -> None:
        account, nas = make_account("jane"), make_nas(None)
        api.get(f"aaa/accounts/{account.pk}/status")
        before = query_count(api.get, f"aaa/accounts/{account.pk}/status")
        for n in range(6):
            make_session(nas, account, f"s{n}")

        assert query_count(api.get, f"aaa/accounts/{account.pk}/status") == before


class TestStatus:
    def test_is_as_the_reference_shows(self, api: Any, acting: Any) -> None:
        account = make_account("jane", cap_bytes=100)
        AccountState.objects.filter(account=account).update(
            used_bytes=300 * 10**9, allowance_bytes=100, period_started_at=timezone.now()
        )
        DailyUsage.objects.create(
            account=account, day=timezone.now().date(), in4_bytes=150 * 10**9, out6_bytes=150 * 10**9
        )

        shown = api.get(f"aaa/accounts/{account.pk}/status").json()["data"]

        assert {name: shown[name] for name in ("active", "messages", "upload", "download")} == {
            "active": False, "messages": ["Account credits depleted"], "upload": "150.000", "download": "150.000",
        }  # fmt: skip
        assert shown["upload_bytes"] == 150 * 10**9

    def test_of_an_account_in_order_has_no_messages(self, api: Any, acting: Any) -> None:
        account = make_account("jane")
        make_session(make_nas(None), account, "s1")

        shown = api.get(f"aaa/accounts/{account.pk}/status").json()["data"]

        assert (shown["active"], shown["messages"], shown["sessions"], shown["allowance_bytes"]) == (
            True,
            [],
            1,
            None,
        )

    def test_says_every_reason_in_the_providers_words(self, api: Any, acting: Any) -> None:
        api.patch("aaa/settings", {"messages": {"blocked": "Please pay"}})
        account = make_account(
            "jane", enabled=False, expires_at=timezone.now() - timedelta(days=1), blocked_reason="non_payment"
        )

        shown = api.get(f"aaa/accounts/{account.pk}/status").json()["data"]

        assert shown["messages"] == ["This account is switched off", "This account has expired", "Please pay"]


class TestTopUps:
    def test_are_given_and_taken_back(self, api: Any, acting: Any) -> None:
        account = make_account("jane", cap_bytes=10)

        made = api.post("aaa/top-ups", {"account_id": str(account.pk), "bytes": 5, "note": "gift"})
        state = AccountState.objects.get(account=account)
        gone = api.delete(f"aaa/top-ups/{made.json()['data']['id']}")

        assert (made.status_code, made.json()["data"]["left_bytes"], state.allowance_bytes) == (201, 5, 15)
        assert (gone.status_code, AccountState.objects.get(account=account).allowance_bytes) == (204, 10)
        assert TopUp.objects.get().closed_at is not None

    def test_need_a_cap(self, api: Any, acting: Any) -> None:
        account = make_account("jane")

        response = api.post("aaa/top-ups", {"account_id": str(account.pk), "bytes": 5})

        assert (response.status_code, response.json()["error"]["code"]) == (409, "no_data_cap")


class TestAServicesRadius:
    def test_status_shows_attempts_and_accounting_as_the_reference_does(self, api: Any, acting: Any) -> None:
        line = SubscriptionFactory()
        account = make_account("jane", subscription=line, password="pa55")
        session = make_session(make_nas(None), account, "s1", in4_bytes=7, out6_bytes=9)
        at = timezone.now()
        for accepted, reason in ((False, "password"), (True, "")):
            AuthAttempt.objects.create(
                at=at, last_at=at, username="jane", username_key="jane", accepted=accepted, reason=reason
            )

        shown = api.get(f"services/{line.pk}/radius/status").json()["data"]

        assert set(shown) == {"username", "password", "authentication_attempts", "accounting"}
        assert (shown["username"], shown["password"]) == ("jane", MASK)
        assert [each["reply"] for each in shown["authentication_attempts"]] == [
            "Access-Accept", "Access-Reject: Wrong password",
        ]  # fmt: skip
        [accounting] = shown["accounting"]
        assert set(accounting) == {
            "session_id", "username", "ipaddress", "acct_start_time", "acct_stop_time", "session_time",
            "input_octets", "output_octets", "ipv6_input_octets", "ipv6_output_octets", "terminate_cause",
            "update_time",
        }  # fmt: skip
        assert (accounting["session_id"], accounting["ipaddress"]) == ("s1", "100.64.0.9")
        assert (accounting["input_octets"], accounting["ipv6_output_octets"]) == (7, 9)
        assert accounting["acct_stop_time"] is None
        assert session.username == "jane"

    def test_reveals_the_password_to_some_and_says_so(self, api: Any, api_as: Any, acting: Any) -> None:
        line = SubscriptionFactory()
        make_account("jane", subscription=line, password="pa55")

        shown = api.get(f"services/{line.number}/radius/status?reveal=true")

        assert shown.json()["data"]["password"] == "pa55"
        assert AuditEntry.objects.count() == 1
        assert (
            api_as(Role.SUPPORT).get(f"services/{line.number}/radius/status?reveal=true").status_code == 403
        )
        assert api_as(Role.SUBSCRIBER_SUPPORT).get(f"services/{line.number}/radius/status").status_code == 200
        assert AuditEntry.objects.count() == 1

    def test_without_an_account_is_told(self, api: Any, acting: Any) -> None:
        line = SubscriptionFactory()

        for what in ("status", "usage"):
            response = api.get(f"services/{line.pk}/radius/{what}")
            assert (response.status_code, response.json()["error"]["code"]) == (404, "account_not_found")
