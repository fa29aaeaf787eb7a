"""Who may log in, asked of the database as FreeRADIUS asks it: every reason, their order, and what the NAS hears."""

import time
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.utils import timezone

from aaa.models import (
    Account,
    Barred,
    MacLock,
    Nas,
    NasRealm,
    OverCap,
    RadiusSettings,
    Session,
)
from aaa.services.status import status_of
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant
from tests.aaa.deciding import HERE, THERE, attempts, change, garden, past, rate
from tests.aaa.radius_role import Radius
from tests.factories import AccountFactory, NasFactory

pytestmark = pytest.mark.django_db(transaction=True)

MESSAGES = {
    "unknown": "Unknown user name or wrong password",
    "disabled": "This account is switched off",
    "expired": "This account has expired",
    "quota": "Account credits depleted",
    "blocked": "Service suspended for non-payment",
    "mac": "This account belongs to another device",
    "sessions": "Already connected as often as the account allows",
}
NOTHING = dict.fromkeys(
    ["password", "r1", "framed_ip", "framed_pool", "session_timeout", "interim", "class", "context"]
)


class TestClient:
    def test_a_nas_is_told_by_its_address(self, radius: Radius, nas: Nas) -> None:
        assert radius.client(nas.address) == f"{nas.pk}|yes|shared|with the NAS"

    def test_one_that_cannot_sign_may_be_let_off(self, radius: Radius, tenant: Tenant) -> None:
        with tenant_context(tenant.pk):
            old = NasFactory(require_message_authenticator=False, secret="x")

        assert radius.client(old.address) == f"{old.pk}|no|x"

    @pytest.mark.parametrize("off", ["nas", "tenant"])
    def test_what_is_switched_off_is_nobody(self, radius: Radius, tenant: Tenant, nas: Nas, off: str) -> None:
        with tenant_context(tenant.pk):
            if off == "nas":
                Nas.objects.update(is_active=False)
        if off == "tenant":
            Tenant.objects.filter(pk=tenant.pk).update(is_active=False)

        assert radius.client(nas.address) == ""
        assert radius.authorize(nas.pk, "jane")["reason"] == "unknown"

    @pytest.mark.parametrize("source", ["192.0.2.77", "2001:db8::1"])
    def test_a_stranger_is_nobody(self, radius: Radius, source: str) -> None:
        assert radius.client(source) == ""


class TestReasons:
    CLOSED: dict[str, dict[str, Any]] = {
        "disabled": {"enabled": False},
        "expired": {"expires_at": past(seconds=1)},
        "quota": {"state_allowance_bytes": 10, "state_used_bytes": 10},
        "blocked": {"blocked_reason": "non_payment"},
        "mac": {"calling_station_id": THERE},
        "sessions": {"profile_max_sessions": 1},
    }

    def close(self, name: str, account: Account, nas: Nas, radius: Radius) -> None:
        change(account, **self.CLOSED[name])
        if name == "sessions":
            radius.accounting(nas.pk, "Start", login="jane", station="aa:bb:cc:99:99:99")

    @pytest.mark.parametrize("reason", list(CLOSED))
    def test_each_is_found_and_said_in_plain_words(
        self, radius: Radius, nas: Nas, jane: Account, reason: str
    ) -> None:
        self.close(reason, jane, nas, radius)

        answer = radius.authorize(nas.pk, "JANE", HERE)

        assert (answer["reason"], answer["message"]) == (reason, MESSAGES[reason])
        assert NOTHING.items() <= answer.items()

    def test_their_order_is_that_of_the_most_useful_word(
        self, radius: Radius, nas: Nas, jane: Account
    ) -> None:
        for reason in reversed(self.CLOSED):
            self.close(reason, jane, nas, radius)

            assert radius.authorize(nas.pk, "jane", HERE)["reason"] == reason

    @pytest.mark.parametrize(
        "login", ["", "nobody", "jane ", "jane'--", "x' OR '1'='1", "jane\\", "%", "_ane"]
    )
    def test_who_is_not_there_is_unknown(self, radius: Radius, nas: Nas, jane: Account, login: str) -> None:
        answer = radius.authorize(nas.pk, login, HERE)

        assert (answer["reason"], answer["message"]) == ("unknown", MESSAGES["unknown"])
        assert radius.post_auth(nas.pk, login, HERE, result="reject", reason="unknown") == ""
        assert attempts(Tenant.objects.get()) == [(login, False, "unknown", 1)]

    @pytest.mark.parametrize("name", ["O'Brien; DROP TABLE aaa_account", "سلمى", 'a"b=c#d$e', "Straße"])
    def test_any_letter_may_be_in_a_user_name(
        self, radius: Radius, nas: Nas, tenant: Tenant, name: str
    ) -> None:
        with tenant_context(tenant.pk):
            AccountFactory(username=name, password=name)

        answer = radius.authorize(nas.pk, name.upper() if name != "Straße" else name, HERE)

        assert (answer["reason"], answer["password"]) == ("", name)

    def test_a_provider_may_use_words_of_its_own(
        self, radius: Radius, nas: Nas, jane: Account, tenant: Tenant
    ) -> None:
        change(jane, enabled=False)
        with tenant_context(tenant.pk):
            RadiusSettings.objects.create(messages={"disabled": "Bitte anrufen"})

        assert radius.authorize(nas.pk, "jane", HERE)["message"] == "Bitte anrufen"
        assert radius.authorize(nas.pk, "nobody", HERE)["message"] == MESSAGES["unknown"]

    @pytest.mark.parametrize(
        "fields",
        [
            {"expires_at": timezone.now() + timedelta(hours=1)},
            {"state_allowance_bytes": 10, "state_used_bytes": 9},
            {"state_allowance_bytes": 10, "state_used_bytes": 10, "uncapped_data": True},
            {"state_allowance_bytes": 10, "state_used_bytes": 10, "state_period_ends_at": past(seconds=1)},
            {"calling_station_id": "AABB.CC00.0001"},
            {"calling_station_id": THERE, "profile_mac_lock": MacLock.NONE},
        ],
        ids=["not yet expired", "not yet used up", "uncapped", "period over", "same device", "no lock"],
    )
    def test_what_bars_nobody(self, radius: Radius, nas: Nas, jane: Account, fields: dict[str, Any]) -> None:
        change(jane, **fields)

        answer = radius.authorize(nas.pk, "jane", HERE)

        assert (answer["reason"], answer["password"], answer["context"]) == ("", "dial-in secret", "active")

    @pytest.mark.parametrize(
        "nas_id", ["", "not-a-uuid", "x' OR 1=1", "00000000-0000-7000-8000-000000000000"]
    )
    def test_a_client_that_is_no_nas_of_ours_knows_nobody(
        self, radius: Radius, jane: Account, nas_id: str
    ) -> None:
        assert radius.authorize(nas_id, "jane", HERE)["reason"] == "unknown"
        assert radius.post_auth(nas_id, "jane", HERE) == ""
        assert radius.accounting(nas_id, "Start") == 0


class TestTenants:
    def test_one_user_name_of_two_tenants_is_two_accounts(
        self, radius: Radius, tenant: Tenant, other_tenant: Tenant
    ) -> None:
        doors: dict[str, Any] = {}
        for each in (tenant, other_tenant):
            with tenant_context(each.pk):
                AccountFactory(username="jane", password=f"of {each.slug}")
                doors[each.slug] = NasFactory(address=f"10.201.0.{len(doors) + 1}").pk

        assert {slug: radius.authorize(pk, "jane")["password"] for slug, pk in doors.items()} == {
            "north": "of north",
            "south": "of south",
        }

    def test_a_foreign_nas_knows_none_of_ours(
        self, radius: Radius, jane: Account, other_tenant: Tenant
    ) -> None:
        with tenant_context(other_tenant.pk):
            theirs = NasFactory()

        assert radius.authorize(theirs.pk, "jane")["reason"] == "unknown"
        radius.accounting(theirs.pk, "Start", login="jane", nas_ip="10.200.0.1")
        with tenant_context(jane.tenant_id):
            assert not Session.objects.exists()
        with tenant_context(other_tenant.pk):
            assert Session.objects.get().account_id is None


class TestRealms:
    @pytest.fixture
    def mirror(self, tenant: Tenant, other_tenant: Tenant, nas: Nas) -> Nas:
        """South's customers dial in at North's NAS as user@south.example."""
        with tenant_context(other_tenant.pk):
            stands_for: Nas = NasFactory(address=None, mirror_of=nas.pk)
        with tenant_context(tenant.pk):
            NasRealm.objects.create(
                nas=nas, realm="south.example", guest=other_tenant, guest_nas_id=stands_for.pk
            )
        return stands_for

    @pytest.mark.parametrize("username", ["sam", "sam@south.example"])
    def test_a_granted_realm_leads_to_the_guest(
        self, radius: Radius, nas: Nas, mirror: Nas, other_tenant: Tenant, username: str
    ) -> None:
        with tenant_context(other_tenant.pk):
            AccountFactory(username=username, password="of south")

        answer = radius.authorize(nas.pk, "Sam@South.Example", HERE)
        radius.post_auth(nas.pk, "Sam@South.Example", HERE, klass=answer["class"], handed=answer["handed"])
        radius.accounting(nas.pk, "Start", login="sam@south.example", klass=answer["class"], station=HERE)

        assert (answer["reason"], answer["password"], answer["nas_type"]) == ("", "of south", "mikrotik")
        assert attempts(other_tenant) == [("Sam@South.Example", True, "", 1)]
        with tenant_context(other_tenant.pk):
            session = Session.objects.get()
            assert (session.nas_id, session.account.username) == (mirror.pk, username)

    def test_the_owners_customers_stay_the_owners(
        self, radius: Radius, nas: Nas, mirror: Nas, jane: Account, other_tenant: Tenant
    ) -> None:
        with tenant_context(other_tenant.pk):
            AccountFactory(username="jane", password="of south")

        assert radius.authorize(nas.pk, "jane", HERE)["password"] == "dial-in secret"
        assert radius.authorize(nas.pk, "jane@south.example", HERE)["password"] == "of south"
        assert radius.authorize(nas.pk, "jane@north.example", HERE)["reason"] == "unknown"

    def test_a_realm_holds_on_its_nas_only(
        self, radius: Radius, tenant: Tenant, mirror: Nas, other_tenant: Tenant
    ) -> None:
        with tenant_context(other_tenant.pk):
            AccountFactory(username="sam")
        with tenant_context(tenant.pk):
            another = NasFactory()

        assert radius.authorize(another.pk, "sam@south.example")["reason"] == "unknown"

    def test_a_restart_ends_the_guests_sessions_as_well(
        self, radius: Radius, nas: Nas, mirror: Nas, other_tenant: Tenant
    ) -> None:
        radius.accounting(nas.pk, "Start", login="sam@south.example", at=past(minutes=5))

        radius.accounting(nas.pk, "Accounting-On", login="")

        with tenant_context(other_tenant.pk):
            assert Session.objects.get().ended_by == "nas"


class TestReply:
    def test_a_whole_one(self, radius: Radius, nas: Nas, jane: Account) -> None:
        change(
            jane,
            wanted="active:7",
            profile_idle_timeout=900,
            profile_ipv6_pool="six",
            profile_delegated_pool="pd",
        )

        answer = radius.authorize(nas.pk, "jane", HERE)

        token, _, applied = answer.pop("class").partition(";")
        assert UUID(token).version == 4
        assert applied == "active:7"
        assert answer.pop("handed").startswith(f"{jane.tenant_id}|{jane.pk}|{nas.pk}|")
        assert answer == {
            "reason": "", "message": "", "password": "dial-in secret", "nas_type": "mikrotik", "r1": "20M/100M",
            "r2": None, "r3": None, "r4": None, "r5": None, "r6": None, "framed_ip": None, "framed_pool": "dynamic",
            "framed_ipv6_prefix": None, "framed_ipv6_pool": "six", "delegated_prefix": None, "delegated_pool": "pd",
            "session_timeout": None, "interim": "300", "idle_timeout": "900", "context": "active",
        }  # fmt: skip

    def test_addresses_of_its_own_take_the_place_of_pools(
        self, radius: Radius, nas: Nas, jane: Account
    ) -> None:
        change(
            jane,
            assigned_ip4="100.64.0.9",
            static_ip4="192.0.2.9",
            framed_ipv6_prefix="2001:db8:1::/64",
            assigned_delegated_prefix="2001:db8:aa00::/56",
            profile_ipv6_pool="six",
            profile_delegated_pool="pd",
        )

        answer = radius.authorize(nas.pk, "jane", HERE)

        assert (answer["framed_ip"], answer["framed_pool"]) == ("192.0.2.9", None)
        assert (answer["framed_ipv6_prefix"], answer["framed_ipv6_pool"]) == ("2001:db8:1::/64", None)
        assert (answer["delegated_prefix"], answer["delegated_pool"]) == ("2001:db8:aa00::/56", None)

    def test_the_smallest_time_ends_the_session_and_expiry_ends_not_all_at_once(
        self, radius: Radius, nas: Nas, jane: Account
    ) -> None:
        change(jane, profile_session_timeout=86400)
        assert radius.authorize(nas.pk, "jane", HERE)["session_timeout"] == "86400"

        change(jane, expires_at=timezone.now() + timedelta(hours=1))
        began = time.monotonic()
        seconds = {int(radius.authorize(nas.pk, "jane", HERE)["session_timeout"]) for _ in range(12)}
        passed = time.monotonic() - began

        assert all(3590 - passed <= each < 3600 + 300 for each in seconds)
        assert len(seconds) > 1

    @pytest.mark.parametrize(
        ("fields", "bar", "context"),
        [
            ({"blocked_reason": "non_payment"}, {"unpaid": Barred.GARDEN}, "blocked"),
            ({"blocked_reason": "abuse"}, {"suspended": Barred.GARDEN}, "blocked"),
            ({"expires_at": past(days=1)}, {"expired": Barred.GARDEN}, "expired"),
        ],
    )
    def test_the_walled_garden_has_its_own_rate_and_no_way_around(
        self, radius: Radius, nas: Nas, jane: Account, tenant: Tenant,
        fields: dict[str, Any], bar: dict[str, Any], context: str,
    ) -> None:  # fmt: skip
        garden(tenant, garden_pool="garden", **bar)
        change(
            jane, static_ip4="192.0.2.9", framed_ipv6_prefix="2001:db8:1::/64", wanted="active:7", **fields
        )

        answer = radius.authorize(nas.pk, "jane", HERE)

        assert (answer["reason"], answer["context"], answer["r1"], answer["r2"]) == (
            "",
            context,
            "1M/1M",
            "unpaid",
        )
        assert (answer["framed_ip"], answer["framed_pool"]) == (None, "garden")
        assert (answer["framed_ipv6_prefix"], answer["framed_ipv6_pool"]) == (None, None)
        assert answer["class"].endswith(f";{context}")

    @pytest.mark.parametrize(
        ("reason", "message"),
        [
            ("draft", "Service not active yet"),
            ("pending_installation", "Service not active yet"),
            ("terminated", "Service ended"),
            ("cancelled", "Service ended"),
        ],
    )
    def test_a_line_that_has_not_begun_or_is_over_has_no_garden(
        self, radius: Radius, nas: Nas, jane: Account, tenant: Tenant, reason: str, message: str
    ) -> None:
        garden(tenant, unpaid=Barred.GARDEN, suspended=Barred.GARDEN)
        change(jane, blocked_reason=reason)

        answer = radius.authorize(nas.pk, "jane", HERE)
        with tenant_context(tenant.pk):
            status = status_of(Account.objects.get(pk=jane.pk), at=timezone.now())

        assert (answer["reason"], answer["message"]) == ("blocked", message)
        assert status.messages == [message]

    def test_a_garden_for_the_unpaid_is_none_for_others(
        self, radius: Radius, nas: Nas, jane: Account, tenant: Tenant
    ) -> None:
        garden(tenant, unpaid=Barred.GARDEN)
        change(jane, blocked_reason="abuse")

        assert radius.authorize(nas.pk, "jane", HERE)["reason"] == "blocked"

    def test_who_used_up_the_cap_may_be_slowed_down_instead(
        self, radius: Radius, nas: Nas, jane: Account
    ) -> None:
        with tenant_context(jane.tenant_id):
            slow = rate("Slow", r1="512k/512k")
        change(
            jane, over_cap=OverCap.THROTTLE, throttle_policy=slow, state_allowance_bytes=1, state_used_bytes=2
        )

        answer = radius.authorize(nas.pk, "jane", HERE)

        assert (answer["reason"], answer["context"], answer["r1"]) == ("", "throttled", "512k/512k")
