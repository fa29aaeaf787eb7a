"""Accounts: made, changed, purged; made with lines; static addresses in the plan."""

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from aaa import tasks
from aaa.models import Account, AccountState, AuthAttempt, PastSession, Policy, ServiceProfile
from aaa.services import accounts, addresses, policies, profiles, purge, settings
from ipam.models import Address, Subnet, Vrf
from ispcore.events.models import Event
from ispcore.tenants.context import tenant_context
from ispcore.tenants.fields import new_id
from subscribers.models import Plan, Subscription
from tests.aaa.online import make_nas, make_session
from tests.factories import AccountFactory, PlanFactory, SubscriptionFactory

pytestmark = pytest.mark.django_db

AT = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)


@pytest.fixture
def profile(acting: Any) -> ServiceProfile:
    profile: ServiceProfile = ServiceProfile.objects.create(name="PPPoE")
    return profile


def make(profile: ServiceProfile, username: str = "jane", **fields: Any) -> Account:
    return accounts.create_account(at=AT, username=username, service_profile_id=profile.pk, **fields)


def accounts_read() -> int:
    """Return how many accounts this transaction's statements and checks have fetched."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'aaa_account'"
        )
        (read,) = cursor.fetchone()
    return int(read)


class TestAnAccount:
    def test_gets_a_random_password_a_state_and_a_domain(self, profile: ServiceProfile) -> None:
        account = make(profile, "Jane@Example.NET")

        assert (account.username_key, account.domain) == ("jane@example.net", "example.net")
        assert len(account.password.reveal()) == accounts.PASSWORD_LENGTH
        assert AccountState.objects.filter(account=account).count() == 1
        assert Event.objects.filter(name="aaa.account_changed").count() == 1

    def test_costs_the_same_when_many_were_made_before_it(self, profile: ServiceProfile) -> None:
        make(profile, "first")  # For whose checks the session makes its plans.
        before = accounts_read()

        for n in range(40):
            AccountFactory(username=f"user{n}@north.example", service_profile=profile)
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")

        assert accounts_read() - before <= 2 * 40

    def test_has_a_name_of_its_own_in_any_case(self, profile: ServiceProfile) -> None:
        make(profile, "jane")

        with pytest.raises(IntegrityError), transaction.atomic():
            make(profile, "JANE")

        assert Account.objects.count() == 1

    def test_keeps_its_password_unless_another_is_given(self, profile: ServiceProfile) -> None:
        account = make(profile, password="first")

        changed = accounts.change_account(account_id=account.pk, at=AT, name="Jane", password="")
        assert changed.password.reveal() == "first"

        changed = accounts.change_account(account_id=account.pk, at=AT, password="second")
        assert changed.password.reveal() == "second"

    def test_names_only_what_there_is(self, profile: ServiceProfile) -> None:
        for name, refusal in (
            ("policy_id", accounts.ProfileUnknown),
            ("virtual_id", accounts.VirtualUnknown),
            ("pool_id", accounts.PoolUnknown),
            ("subscription_id", accounts.LineUnknown),
        ):
            with pytest.raises(refusal):
                make(profile, "jane", **{name: new_id()})

        assert not Account.objects.exists()


class TestAStaticAddress:
    @pytest.fixture
    def subnet(self, acting: Any) -> Subnet:
        vrf = Vrf.objects.create(name="default")
        subnet: Subnet = Subnet.objects.create(vrf=vrf, network="203.0.113.0/24")
        return subnet

    def test_is_kept_back_in_the_plan_and_given_back(self, profile: ServiceProfile, subnet: Subnet) -> None:
        account = make(profile, static_ip4="203.0.113.9")
        row = Address.objects.get()
        assert (row.address, row.state, row.subnet_id) == ("203.0.113.9", "reserved", subnet.pk)

        accounts.change_account(account_id=account.pk, at=AT, static_ip4="203.0.113.10")
        states = dict(Address.objects.values_list("address", "state"))
        assert states == {"203.0.113.9": "free", "203.0.113.10": "reserved"}

        accounts.purge_accounts(account_ids=[account.pk], at=AT)
        assert set(Address.objects.values_list("state", flat=True)) == {"free"}

    def test_that_another_holds_is_refused(self, profile: ServiceProfile, subnet: Subnet) -> None:
        line = SubscriptionFactory()
        Address.objects.create(
            vrf_id=subnet.vrf_id, subnet=subnet, address="203.0.113.9", state="assigned", subscription=line,
            assigned_at=AT,
        )  # fmt: skip

        with pytest.raises(addresses.AddressNotFree, match=r"203\.0\.113\.9 is not free .* assigned"):
            make(profile, static_ip4="203.0.113.9")

        assert not Account.objects.exists()

    def test_within_a_prefix_that_another_holds_is_refused(
        self, profile: ServiceProfile, subnet: Subnet
    ) -> None:
        Address.objects.create(
            vrf_id=subnet.vrf_id, subnet=subnet, address="203.0.113.8/29", state="assigned",
            assigned_to="a router", assigned_at=AT,
        )  # fmt: skip

        with pytest.raises(
            addresses.AddressNotFree, match=r"203\.0\.113\.9 is not free .* 203\.0\.113\.8/29"
        ):
            make(profile, static_ip4="203.0.113.9")

        assert not Account.objects.exists()
        assert list(Address.objects.values_list("address", flat=True)) == ["203.0.113.8/29"]

    def test_that_its_own_line_holds_is_its_own(self, profile: ServiceProfile, subnet: Subnet) -> None:
        line = SubscriptionFactory(status="active")
        Address.objects.create(
            vrf_id=subnet.vrf_id, subnet=subnet, address="203.0.113.9", state="assigned", subscription=line,
            assigned_at=AT,
        )  # fmt: skip

        account = make(profile, static_ip4="203.0.113.9", subscription_id=line.pk)

        assert account.static_ip4 == "203.0.113.9"
        assert Address.objects.get().state == "assigned"

    def test_outside_the_plan_is_nobodys(self, profile: ServiceProfile, subnet: Subnet) -> None:
        make(profile, static_ip4="198.51.100.9")

        assert not Address.objects.exists()


class TestMadeWithALine:
    @pytest.fixture
    def wanted(self, profile: ServiceProfile) -> None:
        settings.change_settings(
            creates_accounts=True, service_profile_id=profile.pk, username_template="{number}@example.net"
        )

    @pytest.mark.usefixtures("wanted")
    def test_has_the_name_of_the_template(self, acting: Any) -> None:
        line = SubscriptionFactory(status="active", number=184)

        tasks.follow_subscription(tenant_id=str(acting.pk), subscription_id=str(line.pk))
        tasks.follow_subscription(tenant_id=str(acting.pk), subscription_id=str(line.pk))

        account = Account.objects.get()
        assert (account.username, account.subscription_id) == ("184@example.net", line.pk)
        assert account.timezone == "Africa/Johannesburg" or account.timezone == acting.timezone
        assert account.policy is not None
        assert account.wanted.startswith("active:")

    @pytest.mark.usefixtures("wanted")
    def test_finds_a_free_name(self, acting: Any, profile: ServiceProfile) -> None:
        make(profile, "184@example.NET")
        line = SubscriptionFactory(status="active", number=184)

        account = accounts.create_account_of_line(subscription_id=line.pk, at=AT)

        assert account is not None
        assert account.username == "184@example.net-2"

    def test_only_where_the_provider_wants_it(self, acting: Any) -> None:
        line = SubscriptionFactory(status="active")

        assert accounts.create_account_of_line(subscription_id=line.pk, at=AT) is None

        assert not Account.objects.exists()

    @pytest.mark.usefixtures("wanted")
    def test_but_not_for_a_line_that_is_over(self, acting: Any) -> None:
        line = SubscriptionFactory(status="terminated")

        assert accounts.create_account_of_line(subscription_id=line.pk, at=AT) is None

    def test_needs_to_know_which_service(self, acting: Any) -> None:
        with pytest.raises(settings.ProfileNeeded), transaction.atomic():
            settings.change_settings(creates_accounts=True)

        assert settings.radius_settings().creates_accounts is False

    @pytest.mark.parametrize("template", ["", "fixed", "{name}", "{number}{", "{number!r}"])
    def test_needs_a_template_that_makes_names(self, template: str, profile: ServiceProfile) -> None:
        with pytest.raises(settings.BadTemplate), transaction.atomic():
            settings.change_settings(username_template=template)


@pytest.mark.django_db(transaction=True)
def test_two_messages_at_once_make_one_account(tenant: Any) -> None:
    with tenant_context(tenant.pk):
        profile = ServiceProfile.objects.create(name="PPPoE")
        settings.change_settings(creates_accounts=True, service_profile_id=profile.pk)
        line = SubscriptionFactory(status="active")

    def follow() -> None:
        try:
            tasks.follow_subscription(tenant_id=str(tenant.pk), subscription_id=str(line.pk))
        finally:
            connection.close()

    threads = [threading.Thread(target=follow) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    with tenant_context(tenant.pk):
        assert Account.objects.count() == 1


class TestPurge:
    def idle(self, profile: ServiceProfile, *, seen: datetime | None, **fields: Any) -> Account:
        account = make(profile, f"u{Account.objects.count()}", **fields)
        Account.objects.filter(pk=account.pk).update(created_at=AT - timedelta(hours=100))
        AccountState.objects.filter(account=account).update(last_seen_at=seen)
        return account

    def test_takes_what_nobody_used_for_its_hours(self, profile: ServiceProfile) -> None:
        old, recent = AT - timedelta(hours=48), AT - timedelta(hours=47)
        self.idle(profile, seen=old, inactive_purge_hours=48)
        kept = self.idle(profile, seen=recent, inactive_purge_hours=48)
        never = self.idle(profile, seen=None)
        unseen_kept = self.idle(profile, seen=None, inactive_purge_hours=48, purge_if_seen=True)
        self.idle(profile, seen=None, inactive_purge_hours=48)
        in_use = self.idle(profile, seen=old, inactive_purge_hours=48)
        make_session(make_nas(None), in_use, "s1")

        assert purge.purge_idle_accounts(at=AT) == 2
        assert purge.purge_idle_accounts(at=AT) == 0

        assert set(Account.objects.values_list("pk", flat=True)) == {
            kept.pk, never.pk, unseen_kept.pk, in_use.pk,
        }  # fmt: skip

    def test_of_records_keeps_them_as_long_as_the_provider_says(self, profile: ServiceProfile) -> None:
        from django.utils import timezone

        now = timezone.now()
        settings.change_settings(attempt_days=30)
        for days in (29, 31):
            at = now - timedelta(days=days)
            AuthAttempt.objects.create(at=at, last_at=at, username="jane", username_key="jane", accepted=True)
        PastSession.objects.create(
            unique_key=new_id(), acct_session_id="s", username="jane", started_at=now, stopped_at=now,
            last_event_at=now, last_seen_at=now, counted_at=now,
        )  # fmt: skip

        assert purge.forget_old_records(at=now) == 1

        assert (AuthAttempt.objects.count(), PastSession.objects.count()) == (1, 1)


class TestPolicies:
    def test_follow_their_plans(self, profile: ServiceProfile) -> None:
        plan = PlanFactory(down_kbps=1000, up_kbps=1000)
        policy = policies.create_policy(name="Followed", plan_id=plan.pk, guaranteed_down_kbps=900)
        Plan.objects.update(down_kbps=500, burst_down_kbps=800)

        assert policies.follow_plans() == [policy.pk]
        assert policies.follow_plans() == []

        policy.refresh_from_db()
        assert (policy.down_kbps, policy.burst_down_kbps, policy.guaranteed_down_kbps) == (500, 800, 500)
        assert "500k" in policy.replies.get(nas_type="mikrotik").r1
        assert Event.objects.filter(name="aaa.policy_changed").count() == 2

    def test_of_a_plan_cannot_have_other_speeds(self, profile: ServiceProfile) -> None:
        policy = policies.create_policy(name="Followed", plan_id=PlanFactory().pk)

        with pytest.raises(policies.PolicyFollowsPlan):
            policies.change_policy(policy_id=policy.pk, down_kbps=7)

        policy.refresh_from_db()
        assert policy.down_kbps == 100_000

    def test_that_are_used_stay(self, profile: ServiceProfile) -> None:
        policy = policies.create_policy(name="Used", down_kbps=1)
        make(profile, policy_id=policy.pk)

        with pytest.raises(policies.PolicyInUse, match="1 account"):
            policies.remove_policy(policy_id=policy.pk)
        with pytest.raises(profiles.ServiceProfileInUse, match="1 account"):
            profiles.remove_service_profile(service_profile_id=profile.pk)

        assert Policy.objects.count() == ServiceProfile.objects.count() == 1

    def test_that_only_the_settings_or_a_cap_name_stay(self, profile: ServiceProfile) -> None:
        policy = policies.create_policy(name="Slow", down_kbps=1)
        account = make(profile, throttle_policy_id=policy.pk, over_cap="throttle")
        settings.change_settings(garden_policy_id=policy.pk, service_profile_id=profile.pk)

        with pytest.raises(policies.PolicyInUse, match="1 account and 1 RADIUS settings"):
            policies.remove_policy(policy_id=policy.pk)
        accounts.purge_accounts(account_ids=[account.pk], at=AT)
        with pytest.raises(profiles.ServiceProfileInUse, match="1 RADIUS settings"):
            profiles.remove_service_profile(service_profile_id=profile.pk)

        assert Policy.objects.filter(pk=policy.pk).exists()
        assert ServiceProfile.objects.count() == 1

    def test_whose_lines_are_told(self, acting: Any, profile: ServiceProfile) -> None:
        line = SubscriptionFactory(status="active")
        account = make(profile, subscription_id=line.pk)
        session = make_session(make_nas(None), account, "s1", applied=account.wanted)
        assert account.policy_id is not None
        policies.change_policy(policy_id=account.policy_id, address_list="vip")

        tasks.follow_policy(tenant_id=str(acting.pk), policy_id=str(account.policy_id))

        assert account.actions.get().session_id == session.pk
        assert Subscription.objects.count() == 1
