"""What accounts follow: lines, holds, plans, addresses, data used; and what live sessions are told of it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from aaa.models import (
    Account,
    AccountState,
    NasType,
    Policy,
    PolicyReply,
    RadiusSettings,
    ServiceProfile,
    Session,
    SessionAction,
)
from aaa.services import accounts, policies, settings, settling
from ipam.models import Address, Pool, Subnet, Vrf
from subscribers.models import Hold, Subscription
from tests.aaa.online import make_nas, make_session
from tests.factories import PlanFactory, SubscriptionFactory

pytestmark = pytest.mark.django_db

AT = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _bound(acting: Any) -> None:
    """Everything here acts for one tenant."""


@pytest.fixture
def line() -> Subscription:
    line: Subscription = SubscriptionFactory(status="active", plan=PlanFactory(name="Fibre 100"))
    return line


@pytest.fixture
def profile() -> ServiceProfile:
    profile: ServiceProfile = ServiceProfile.objects.create(name="PPPoE")
    return profile


@pytest.fixture
def account(line: Subscription, profile: ServiceProfile) -> Account:
    return accounts.create_account(
        at=AT, username="jane", password="secret", service_profile_id=profile.pk, subscription_id=line.pk
    )


def settle(account: Account, at: datetime = AT) -> Account:
    settling.settle([account.pk], at=at)
    account.refresh_from_db()
    return account


def context_of(account: Account) -> str:
    return account.wanted.partition(":")[0] if not account.wanted.startswith("refused") else account.wanted


def online(account: Account, nas_type: str = NasType.MIKROTIK) -> Session:
    return make_session(make_nas(None, nas_type), account, f"s-{nas_type}", applied=account.wanted)


def action_of(session: Session) -> tuple[str, str] | None:
    found = SessionAction.objects.filter(session_id=session.pk).order_by("-id").first()
    return (found.kind, found.cause) if found else None


class TestALine:
    def test_gives_its_account_the_policy_of_its_plan(self, account: Account, line: Subscription) -> None:
        policy = Policy.objects.get()
        assert (policy.name, policy.plan_id, policy.down_kbps, policy.up_kbps) == (
            "Fibre 100", line.plan_id, 100_000, 20_000,
        )  # fmt: skip
        assert account.policy_id == policy.pk
        assert PolicyReply.objects.get(policy=policy, nas_type="mikrotik").r1 == "20M/100M"
        assert PolicyReply.objects.count() == len(NasType)
        assert context_of(account) == "active"
        assert len(account.wanted) <= 80

    def test_that_waits_or_is_over_lets_nobody_in(self, account: Account, line: Subscription) -> None:
        for status in ("pending_installation", "terminated", "cancelled", "draft"):
            Subscription.objects.update(status=status)
            settle(account)
            assert (account.blocked_reason, account.wanted) == (status, "refused:blocked")

    def test_on_hold_is_refused_or_let_into_the_garden(self, account: Account, line: Subscription) -> None:
        Subscription.objects.update(status="suspended")
        Hold.objects.create(subscription=line, reason="non_payment", opened_at=AT)
        assert (settle(account).blocked_reason, account.wanted) == ("non_payment", "refused:blocked")

        garden = policies.create_policy(name="Garden", down_kbps=1000, up_kbps=1000, address_list="unpaid")
        settings.change_settings(unpaid="garden", garden_policy_id=garden.pk)
        assert context_of(settle(account)) == "blocked"

        Hold.objects.create(subscription=line, reason="abuse", opened_at=AT)
        assert (settle(account).blocked_reason, account.wanted) == ("abuse", "refused:blocked")

    def test_changes_its_plan(self, account: Account, line: Subscription) -> None:
        session = online(account)
        Subscription.objects.update(plan=PlanFactory(name="Fibre 500", down_kbps=500_000, up_kbps=100_000))

        queued = settling.settle([account.pk], at=AT, cause="plan_change")

        account.refresh_from_db()
        assert (queued, account.policy.name) == (1, "Fibre 500")
        assert action_of(session) == ("coa", "plan_change")
        assert settling.settle([account.pk], at=AT) == 0
        assert SessionAction.objects.get().wanted == account.wanted

    def test_does_not_change_a_policy_that_is_kept(self, account: Account) -> None:
        special = policies.create_policy(name="Special", down_kbps=7)
        accounts.change_account(account_id=account.pk, at=AT, policy_id=special.pk, keeps_policy=True)

        Subscription.objects.update(plan=PlanFactory())

        assert settle(account).policy_id == special.pk

    def test_hands_on_its_addresses(self, account: Account, line: Subscription) -> None:
        vrf = Vrf.objects.create(name="default")
        pool4 = Pool.objects.create(vrf=vrf, name="public", prefix_length=32)
        pool6 = Pool.objects.create(vrf=vrf, name="pd", kind="prefix", family=6, prefix_length=56)
        manage = Pool.objects.create(vrf=vrf, name="onus", prefix_length=32, purpose="management")
        session = online(account)
        for pool, address in ((manage, "10.0.0.9"), (pool4, "203.0.113.9"), (pool6, "2001:db8:1:100::/56")):
            Address.objects.create(
                vrf=vrf, pool=pool, address=address, state="assigned", subscription=line, assigned_at=AT
            )

        settle(account)

        assert (account.assigned_ip4, account.assigned_delegated_prefix, account.assigned_ipv6_prefix) == (
            "203.0.113.9", "2001:db8:1:100::/56", None,
        )  # fmt: skip
        assert action_of(session) == ("disconnect", "address")

    def test_gives_its_addresses_to_one_account(self, account: Account, line: Subscription, profile) -> None:
        vrf = Vrf.objects.create(name="default")
        Address.objects.create(
            vrf=vrf, address="203.0.113.9", state="assigned", subscription=line, assigned_at=AT
        )
        second = accounts.create_account(
            at=AT, username="jane-2", service_profile_id=profile.pk, subscription_id=line.pk
        )

        assert (settle(account).assigned_ip4, settle(second).assigned_ip4) == ("203.0.113.9", None)


class TestALiveSession:
    def test_is_ended_when_its_line_is_barred_and_when_it_leaves_the_garden(self, account, line) -> None:
        garden = policies.create_policy(name="Garden", down_kbps=1000, up_kbps=1000)
        settings.change_settings(unpaid="garden", garden_policy_id=garden.pk)
        session = online(settle(account))
        Subscription.objects.update(status="suspended")
        Hold.objects.create(subscription=line, reason="non_payment", opened_at=AT)

        settle(account)
        into = action_of(session)
        SessionAction.objects.all().delete()
        Session.objects.update(applied=account.wanted)
        Subscription.objects.update(status="active")
        Hold.objects.update(released_at=AT)
        settle(account)

        assert (into, action_of(session)) == (("disconnect", "hold"), ("disconnect", "release"))

    def test_is_ended_when_a_value_must_vanish(self, account, line) -> None:
        policy = Policy.objects.get()
        policies.change_policy(policy_id=policy.pk, filter_id="guests")
        session = online(settle(account))

        policies.change_policy(policy_id=policy.pk, filter_id="")
        settle(account)

        assert action_of(session) == ("disconnect", "policy")

    def test_of_a_nas_that_takes_no_coa_is_ended(self, account) -> None:
        session = online(account, NasType.WISPR)
        Subscription.objects.update(plan=PlanFactory(down_kbps=5))

        settle(account)

        assert action_of(session) == ("disconnect", "policy")

    def test_that_the_change_does_not_concern_is_left_alone(self, account) -> None:
        session = online(account, NasType.OTHER)
        Subscription.objects.update(plan=PlanFactory(down_kbps=5))

        settle(account)

        session.refresh_from_db()
        assert action_of(session) is None
        assert session.applied == account.wanted

    def test_of_another_account_is_left_alone(self, account, profile) -> None:
        other = accounts.create_account(at=AT, username="joe", service_profile_id=profile.pk)
        session = online(other)

        accounts.change_account(account_id=account.pk, at=AT, enabled=False)

        assert action_of(session) is None

    def test_without_our_class_is_ended_but_never_changed(self, account) -> None:
        session = make_session(make_nas(None), account, "s1")
        assert settling.settle([account.pk], at=AT) == 0

        accounts.change_account(account_id=account.pk, at=AT, enabled=False)

        assert action_of(session) == ("disconnect", "account")

    def test_has_one_open_action_that_follows_the_last_wish(self, account) -> None:
        session = online(account)
        accounts.change_account(account_id=account.pk, at=AT, enabled=False)
        accounts.change_account(account_id=account.pk, at=AT, enabled=True)
        Subscription.objects.update(plan=PlanFactory(down_kbps=5))

        settle(account)

        action = SessionAction.objects.get()
        assert (action.session_id, action.kind, action.wanted) == (session.pk, "disconnect", account.wanted)

    def test_is_not_asked_again_at_once_after_a_failure(self, account) -> None:
        online(account)
        accounts.change_account(account_id=account.pk, at=AT, enabled=False)
        SessionAction.objects.update(state="failed", finished_at=AT)

        assert settling.settle([account.pk], at=AT + timedelta(minutes=5)) == 0
        assert settling.settle([account.pk], at=AT + timedelta(minutes=16)) == 1

    def test_of_a_purged_account_is_ended(self, account) -> None:
        session = online(account)

        assert accounts.purge_accounts(account_ids=[account.pk], at=AT) == 1

        action = SessionAction.objects.get()
        assert (action.kind, action.cause, action.account_id, action.session_id) == (
            "disconnect", "account", None, session.pk,
        )  # fmt: skip
        assert accounts.purge_accounts(account_ids=[account.pk], at=AT) == 0


class TestTheClock:
    def test_expires_an_account(self, account) -> None:
        session = online(
            accounts.change_account(account_id=account.pk, at=AT, expires_at=AT + timedelta(hours=1))
        )
        later = AT + timedelta(hours=1)

        found = settling.accounts_expired(since=AT, until=later)
        settle(account, later)

        assert found == [account.pk]
        assert (account.wanted, action_of(session)) == ("refused:expired", ("disconnect", "expiry"))

    def test_expired_accounts_may_have_a_garden(self, account) -> None:
        garden = policies.create_policy(name="Garden", down_kbps=1000, up_kbps=1000)
        settings.change_settings(expired="garden", garden_policy_id=garden.pk)
        accounts.change_account(account_id=account.pk, at=AT, expires_at=AT)

        assert context_of(settle(account)) == "expired"


class TestManyAtOnce:
    def test_costs_the_same_for_one_account_or_six(self, profile, query_count) -> None:
        def make(count: int) -> list[Any]:
            return [
                accounts.create_account(
                    at=AT, username=f"u{Account.objects.count()}", service_profile_id=profile.pk,
                    subscription_id=SubscriptionFactory(status="active", plan=plan).pk,
                ).pk
                for _ in range(count)
            ]  # fmt: skip

        plan = PlanFactory()
        one, six = make(1), make(6)

        assert query_count(settling.settle, one, at=AT) == query_count(settling.settle, six, at=AT)

    def test_leaves_other_tenants_alone(self, account, other_tenant) -> None:
        from ispcore.tenants.context import tenant_context

        with tenant_context(other_tenant.pk):
            assert settling.settle([account.pk], at=AT) == 0
            assert not AccountState.objects.exists()
            assert RadiusSettings.objects.count() == 0

    def test_is_harmless_without_accounts(self) -> None:
        assert settling.settle([], at=AT) == 0
        assert Subnet.objects.count() == 0
