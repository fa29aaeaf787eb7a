"""Addresses follow the life of a line, whatever is lost, repeated or exhausted."""

from datetime import timedelta
from typing import Any

import pytest

from hardware.services import ping
from ipam import tasks
from ipam.models import Address, AddressState, PastAssignment, Pool
from ipam.selectors import waiting_lines
from ipam.services import allocation, lines
from ipam.services.lines import Settled
from ispcore.events.models import Event
from ispcore.events.services import relay_tenant
from ispcore.tenants.context import tenant_context
from ispcore.wiring import HANDLERS
from subscribers.models import HoldReason, ServiceStatus, Subscription
from subscribers.services import lines as services
from tests.factories import PlanFactory, SubscriptionFactory
from tests.ipam.space import NOW, make_pool, make_prefix_pool

pytestmark = pytest.mark.django_db


@pytest.fixture
def pool(acting) -> Pool:
    return make_pool()


@pytest.fixture
def plan(pool) -> Any:
    return PlanFactory(pool_hint=pool.name)


def make_line(plan: Any, status: str = ServiceStatus.ACTIVE) -> Subscription:
    line: Subscription = SubscriptionFactory(plan=plan, status=status)
    return line


def settle(line: Subscription, at: Any = NOW) -> Settled:
    return lines.settle_line(subscription_id=line.pk, at=at)


def held_by(line: Subscription) -> list[str]:
    return list(
        Address.objects.filter(subscription=line).order_by("address").values_list("address", flat=True)
    )


def set_status(line: Subscription, status: str) -> None:
    Subscription.objects.filter(pk=line.pk).update(status=status)


class TestSettling:
    def test_an_active_line_gets_an_address_of_its_plans_pool_once(self, plan):
        line = make_line(plan)

        outcomes = [settle(line), settle(line)]

        assert outcomes == [Settled.GIVEN, Settled.KEPT]
        assert held_by(line) == ["203.0.113.10"]
        assert Event.objects.filter(name="ipam.address_assigned").count() == 1

    @pytest.mark.parametrize("status", [ServiceStatus.DRAFT, ServiceStatus.PENDING_INSTALLATION])
    def test_one_that_waits_for_its_installation_gets_none(self, status, plan):
        line = make_line(plan, status)

        assert settle(line) == Settled.KEPT
        assert held_by(line) == []

    def test_one_whose_plan_names_no_pool_gets_none(self, pool):
        line = make_line(PlanFactory())

        assert settle(line) == Settled.KEPT
        assert held_by(line) == []

    def test_a_pool_that_does_not_exist_or_hands_out_nothing_gives_none(self, plan, pool):
        Pool.objects.update(is_active=False)
        one, two = make_line(plan), make_line(PlanFactory(pool_hint="no such pool"))

        assert [settle(one), settle(two)] == [Settled.KEPT, Settled.KEPT]
        assert not Address.objects.exclude(subscription=None).exists()

    def test_a_suspended_line_keeps_its_address(self, plan):
        line = make_line(plan)
        settle(line)

        set_status(line, ServiceStatus.SUSPENDED)
        outcome = settle(line)

        assert outcome == Settled.KEPT
        assert held_by(line) == ["203.0.113.10"]

    @pytest.mark.parametrize("status", [ServiceStatus.TERMINATED, ServiceStatus.CANCELLED])
    def test_one_that_is_over_gives_all_back_to_rest(self, status, plan):
        line = make_line(plan)
        settle(line)
        prefixes = make_prefix_pool()
        allocation.allocate(at=NOW, pool_id=prefixes.pk, subscription_id=line.pk)

        set_status(line, status)
        outcomes = [settle(line, NOW + timedelta(hours=1)), settle(line, NOW + timedelta(hours=2))]

        assert outcomes == [Settled.RELEASED, Settled.KEPT]
        assert held_by(line) == []
        resting = Address.objects.filter(state=AddressState.QUARANTINED)
        assert sorted(resting.values_list("address", flat=True)) == ["2001:db8::/56", "203.0.113.10"]
        past = PastAssignment.objects.filter(subscription=line)
        assert set(past.values_list("began_at", "ended_at", "reason")) == {
            (NOW, NOW + timedelta(hours=1), "service ended")
        }

    def test_a_line_that_is_gone_is_nothing(self, plan):
        line = make_line(plan)
        line.delete()

        assert settle(line) == Settled.KEPT


class TestPlanChanges:
    @pytest.fixture
    def other(self, pool) -> Pool:
        return make_pool("198.51.100.0/24", "198.51.100.10", "198.51.100.10", name="business")

    def test_the_dynamic_address_moves_with_the_plan(self, plan, other):
        line = make_line(plan)
        settle(line)

        Subscription.objects.update(plan=PlanFactory(pool_hint="business"))
        outcome = settle(line)

        assert outcome == Settled.GIVEN
        assert held_by(line) == ["198.51.100.10"]
        assert PastAssignment.objects.get().reason == "plan changed"

    def test_it_stays_while_the_new_pool_is_exhausted(self, plan, other):
        line, first = make_line(plan), make_line(PlanFactory(pool_hint="business"))
        settle(line)
        settle(first)

        Subscription.objects.filter(pk=line.pk).update(plan=first.plan)
        outcome = settle(line)

        assert outcome == Settled.WAITING
        assert held_by(line) == ["203.0.113.10"]

    def test_a_static_one_stays_and_takes_the_place_of_a_dynamic_one(self, plan, other):
        static = make_pool("192.0.2.0/24", "192.0.2.10", "192.0.2.19", name="fixed", purpose="static")
        line = make_line(plan)
        allocation.allocate(at=NOW, pool_id=static.pk, subscription_id=line.pk)

        outcomes = [settle(line)]
        set_status(line, ServiceStatus.SUSPENDED)
        outcomes.append(settle(line))
        Subscription.objects.update(plan=PlanFactory(pool_hint="business"), status=ServiceStatus.ACTIVE)
        outcomes.append(settle(line))

        assert outcomes == [Settled.KEPT] * 3
        assert held_by(line) == ["192.0.2.10"]

    def test_a_prefix_given_by_staff_stays(self, plan, other):
        prefixes = make_prefix_pool()
        line = make_line(plan)
        settle(line)
        allocation.allocate(at=NOW, pool_id=prefixes.pk, subscription_id=line.pk)

        Subscription.objects.update(plan=PlanFactory(pool_hint="business"))
        settle(line)

        assert held_by(line) == ["198.51.100.10", "2001:db8::/56"]


class TestExhaustion:
    def test_the_line_waits_where_staff_see_it_and_the_sweep_gives_it_one_later(self, acting):
        pool = make_pool(first="203.0.113.10", last="203.0.113.10", hold_seconds=0)
        plan = PlanFactory(pool_hint=pool.name)
        first, second, third = (make_line(plan) for _ in range(3))
        settle(first)

        assert settle(second) == Settled.WAITING
        assert set(waiting_lines()) == set(waiting_lines(pool)) == {second, third}

        assert lines.settle_lost_lines(tenant_id=acting.pk, at=NOW) == 0
        set_status(first, ServiceStatus.TERMINATED)
        changed = lines.settle_lost_lines(tenant_id=acting.pk, at=NOW)

        assert changed == 2
        assert (held_by(first), held_by(second), held_by(third)) == ([], ["203.0.113.10"], [])
        assert set(waiting_lines()) == {third}

    def test_the_event_comes_to_an_end(self, acting):
        pool = make_pool(first="203.0.113.10", last="203.0.113.10")
        plan = PlanFactory(pool_hint=pool.name)
        settle(make_line(plan))

        outcome = tasks.settle_line(tenant_id=str(acting.pk), subscription_id=str(make_line(plan).pk))

        assert outcome == "waiting"

    def test_an_exhausted_pool_is_asked_once_a_sweep(self, acting, query_count):
        pool = make_pool(first="203.0.113.10", last="203.0.113.10")
        plan = PlanFactory(pool_hint=pool.name)
        settle(make_line(plan))
        make_line(plan)
        one = query_count(lines.settle_lost_lines, tenant_id=acting.pk, at=NOW)

        for _ in range(5):
            make_line(plan)

        assert query_count(lines.settle_lost_lines, tenant_id=acting.pk, at=NOW) == one


class TestSweep:
    def test_settles_what_no_event_told(self, plan, pool, acting):
        given, ended = make_line(plan), make_line(plan)
        settle(ended)
        set_status(ended, ServiceStatus.CANCELLED)
        make_line(plan, ServiceStatus.SUSPENDED)

        changed = [lines.settle_lost_lines(tenant_id=acting.pk, at=NOW) for _ in range(2)]

        assert changed == [2, 0]
        assert held_by(given) == ["203.0.113.11"]
        assert held_by(ended) == []

    def test_walks_more_lines_than_a_batch(self, plan, acting, monkeypatch):
        monkeypatch.setattr(lines, "BATCH", 2)
        made = [make_line(plan) for _ in range(5)]

        lines.settle_lost_lines(tenant_id=acting.pk, at=NOW)

        assert sorted(address for line in made for address in held_by(line)) == [
            f"203.0.113.{n}" for n in range(10, 15)
        ]

    @pytest.mark.django_db(transaction=True, databases=["default", "platform"])
    def test_finds_the_tenants_that_need_it(self, tenant, other_tenant):
        with tenant_context(tenant.pk):
            line = make_line(PlanFactory(pool_hint=make_pool().name))
        with tenant_context(other_tenant.pk):
            theirs = make_line(PlanFactory(pool_hint="homes"))

        changed = tasks.settle_lost_lines()

        assert changed == 1
        with tenant_context(tenant.pk):
            assert held_by(line) == ["203.0.113.10"]
        with tenant_context(other_tenant.pk):
            assert held_by(theirs) == []


def deliver() -> None:
    """Hand over what happened and run the handlers, as a worker would, until nothing more happens."""
    for event in Event.objects.filter(delivered_at=None).order_by("id"):
        if "ipam.tasks.settle_line" in HANDLERS[event.name]:
            tasks.settle_line(tenant_id=str(event.tenant_id), **event.payload)
    relay_tenant()


def test_a_lines_life_moves_its_address(plan, acting):
    line = make_line(plan, ServiceStatus.PENDING_INSTALLATION)
    story = []

    services.activate_service(subscription_id=line.pk, at=NOW)
    deliver()
    story.append(held_by(line))
    services.open_hold(subscription_id=line.pk, reason=HoldReason.STAFF, at=NOW)
    deliver()
    story.append(held_by(line))
    services.release_hold(subscription_id=line.pk, reason=HoldReason.STAFF, at=NOW)
    deliver()
    story.append(held_by(line))
    services.terminate_service(subscription_id=line.pk, at=NOW)
    deliver()
    story.append(held_by(line))

    assert story == [["203.0.113.10"]] * 3 + [[]]


def test_the_ping_asks_the_address_book(plan):
    line = make_line(plan)
    before = ping.address_of(line.pk)
    prefixes = make_prefix_pool()
    allocation.allocate(at=NOW, pool_id=prefixes.pk, subscription_id=line.pk)
    with_a_prefix = ping.address_of(line.pk)
    settle(line)

    assert (before, with_a_prefix, ping.address_of(line.pk)) == (None, None, "203.0.113.10")


def test_a_live_session_knows_better_than_the_book(plan):
    line = make_line(plan)
    settle(line)
    ping.register_address_source("test", lambda _: "192.0.2.7")

    try:
        assert ping.address_of(line.pk) == "192.0.2.7"
    finally:
        ping.remove_address_source("test")
