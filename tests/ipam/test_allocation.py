"""Handing out: the next free address, a named one, a prefix; each to one holder."""

from datetime import timedelta
from typing import Any

import pytest

from ipam.models import Address, AddressState, PastAssignment, Pool, Subnet
from ipam.services import allocation, layout, naming, pools, release, space, usage
from ispcore.events.models import Event
from subscribers.models import ServiceStatus
from tests.factories import SubscriptionFactory
from tests.ipam.space import NOW, make_pool, make_prefix_pool, subnet_in

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("acting")]


def give(pool, line=None, **fields):
    holder = {"subscription_id": line.pk} if line else {"assigned_to": "test"}
    return allocation.allocate(at=NOW, pool_id=pool.pk, **holder, **fields)


class TestNextFree:
    def test_begins_with_the_first_address(self):
        pool, line = make_pool(), SubscriptionFactory()

        given = give(pool, line, hostname="home.example")

        row = Address.objects.get(pk=given.address.pk)
        assert given.is_new
        assert (row.address, row.state, row.subscription_id) == ("203.0.113.10", "assigned", line.pk)
        assert (row.hostname, row.assigned_at, row.free_since) == ("home.example", NOW, None)
        assert row == given.address
        told = Event.objects.get(name="ipam.address_assigned")
        assert told.payload == {"address_id": str(row.pk), "subscription_id": str(line.pk)}

    def test_gives_a_line_its_own_again(self):
        pool, line = make_pool(), SubscriptionFactory()
        first = give(pool, line)

        again = give(pool, line)

        assert (again.address, again.is_new) == (first.address, False)
        assert Address.objects.filter(state=AddressState.ASSIGNED).count() == 1
        assert Event.objects.filter(name="ipam.address_assigned").count() == 1

    def test_gives_the_longest_free_first(self):
        pool = make_pool(hold_seconds=0)
        first = [give(pool).address for _ in range(2)]
        for row in first:
            release.release(at=NOW + timedelta(minutes=1), address_id=row.pk)

        given = [give(pool).address.address for _ in range(10)]

        assert given == [f"203.0.113.{n}" for n in (*range(12, 20), 10, 11)]

    def test_makes_rows_in_steps(self):
        pool = make_pool("10.0.0.0/8", "10.0.0.0", "10.255.255.255")

        give(pool)

        assert Address.objects.count() == layout.STEP
        assert Pool.objects.get().ranges.get().next_address == "10.0.4.1"

    def test_leaves_out_what_a_subnet_keeps_for_itself(self):
        vrf = space.default_vrf()
        subnet_in(vrf, "192.0.2.0/29", gateway="192.0.2.1")
        pool = make_pool(
            "192.0.2.0/29", "192.0.2.0", "192.0.2.7", exclusions=[{"first": "192.0.2.3", "last": "192.0.2.4"}]
        )

        given = [give(pool).address.address for _ in range(3)]

        assert given == ["192.0.2.2", "192.0.2.5", "192.0.2.6"]
        assert usage.counts_of_pools([pool.pk])[pool.pk] == usage.Counts(3, 0, 3, 0)
        with pytest.raises(allocation.PoolExhausted):
            give(pool)

    def test_hands_out_both_addresses_of_a_slash_31(self):
        pool = make_pool("192.0.2.2/31", "192.0.2.2", "192.0.2.3")

        assert [give(pool).address.address for _ in range(2)] == ["192.0.2.2", "192.0.2.3"]

    def test_never_hands_out_the_subnet_router_anycast(self):
        pool = make_pool("2001:db8::/64", "2001:db8::", "2001:db8::ffff:ffff:ffff:ffff", family=6)

        assert give(pool).address.address == "2001:db8::1"
        assert usage.counts_of_pools([pool.pk])[pool.pk].total == 2**64 - 1

    def test_delegates_prefixes(self):
        pool, line = make_prefix_pool(), SubscriptionFactory()

        given = [give(pool, line).address.address, give(pool).address.address]

        assert given == ["2001:db8::/56", "2001:db8:0:100::/56"]
        assert usage.counts_of_pools([pool.pk])[pool.pk] == usage.Counts(2**16, 0, 2, 0)

    def test_says_what_is_left_when_nothing_is(self):
        pool = make_pool()
        held = [give(pool) for _ in range(10)]
        release.release(at=NOW, address_id=held[0].address.pk)
        before = list(Address.objects.order_by("pk").values())

        with pytest.raises(allocation.PoolExhausted) as refusal:
            give(pool)

        assert str(refusal.value) == (
            "Nothing is left in homes: of 10, 9 are assigned, 0 reserved and 1 resting. "
            "The next becomes free at 2026-03-02T12:00:00Z."
        )
        assert list(Address.objects.order_by("pk").values()) == before

    def test_gives_what_has_rested_long_enough(self):
        pool = make_pool(hold_seconds=60)
        held = [give(pool) for _ in range(10)]
        release.release(at=NOW, address_id=held[3].address.pk)

        given = allocation.allocate(at=NOW + timedelta(seconds=60), pool_id=pool.pk, assigned_to="next")

        assert given.address.address == "203.0.113.13"

    def test_refuses_an_inactive_pool(self):
        pool = make_pool(is_active=False)

        with pytest.raises(allocation.PoolInactive):
            give(pool)

        assert not Address.objects.exists()

    @pytest.mark.parametrize("status", [ServiceStatus.TERMINATED, ServiceStatus.CANCELLED])
    def test_refuses_a_line_that_ended(self, status):
        pool, line = make_pool(), SubscriptionFactory(status=status)

        with pytest.raises(allocation.LineEnded):
            give(pool, line)

        assert not Address.objects.exists()

    @pytest.mark.parametrize(
        ("fields", "refusal"),
        [({"family": 6}, naming.WrongFamily), ({"prefix_length": 56}, pools.WrongLength)],
    )
    def test_refuses_what_the_pool_does_not_have(self, fields, refusal):
        pool = make_pool()

        with pytest.raises(refusal):
            give(pool, **fields)

        assert not Address.objects.exists()


class TestNamed:
    def test_takes_one_beyond_the_rows_made(self):
        pool = make_pool()

        given = [
            give(pool, address="203.0.113.12").address.address,
            *(give(pool).address.address for _ in range(3)),
        ]

        assert given == ["203.0.113.12", "203.0.113.10", "203.0.113.11", "203.0.113.13"]

    def test_is_the_same_again_for_its_line(self):
        pool, line = make_pool(), SubscriptionFactory()
        first = give(pool, line, address="203.0.113.12")

        again = give(pool, line, address="203.0.113.12")

        assert (again.address, again.is_new) == (first.address, False)

    @pytest.mark.parametrize(
        ("address", "refusal"),
        [
            ("203.0.113.9", "it lies outside the ranges of homes"),
            ("203.0.113.20", "it lies outside the ranges of homes"),
            ("198.51.100.1", "it lies outside the ranges of homes"),
            ("203.0.113.11", r"the pool keeps 203.0.113.11 – 203.0.113.11 back \(printer\)"),
        ],
    )
    def test_refuses_what_is_not_the_pools(self, address, refusal):
        pool = make_pool(exclusions=[{"first": "203.0.113.11", "last": "203.0.113.11", "reason": "printer"}])

        with pytest.raises(naming.AddressNotAllowed, match=refusal):
            give(pool, address=address)

        assert not Address.objects.exists()

    @pytest.mark.parametrize(
        ("address", "name"),
        [("192.0.2.0", "network address"), ("192.0.2.7", "broadcast address"), ("192.0.2.1", "gateway")],
    )
    @pytest.mark.parametrize("by", ["pool", "subnet"])
    def test_refuses_what_the_subnet_keeps(self, address, name, by):
        subnet = subnet_in(space.default_vrf(), "192.0.2.0/29", gateway="192.0.2.1")
        place: dict[str, Any] = {"subnet_id": subnet.pk}
        if by == "pool":
            place = {"pool_id": make_pool("192.0.2.0/29", "192.0.2.0", "192.0.2.7").pk}

        with pytest.raises(naming.AddressNotAllowed, match=f"it is the {name} of 192.0.2.0/29"):
            allocation.allocate(at=NOW, address=address, assigned_to="x", **place)

        assert not Address.objects.exists()

    def test_refuses_one_that_is_held(self):
        pool, line = make_pool(), SubscriptionFactory()
        give(pool, line, address="203.0.113.12")

        with pytest.raises(naming.AddressTaken, match="assigned"):
            give(pool, SubscriptionFactory(), address="203.0.113.12")

        assert Address.objects.get(state=AddressState.ASSIGNED).subscription_id == line.pk

    def test_refuses_a_second_one_of_the_pool(self):
        pool, line = make_pool(), SubscriptionFactory()
        give(pool, line)

        with pytest.raises(naming.LineHoldsAnother, match=r"203.0.113.10 of homes"):
            give(pool, line, address="203.0.113.12")

        assert Address.objects.filter(subscription_id=line.pk).count() == 1

    def test_refuses_one_kept_back_unless_told(self):
        pool = make_pool()
        release.reserve(at=NOW, pool_id=pool.pk, address="203.0.113.12", reserved_for="new router")

        with pytest.raises(naming.AddressReserved, match="new router"):
            give(pool, address="203.0.113.12")

        assert Address.objects.get(address="203.0.113.12").state == AddressState.RESERVED
        given = give(pool, address="203.0.113.12", take_reserved=True)
        assert (given.address.state, given.address.reserved_for) == ("assigned", "")

    def test_lets_only_the_last_holder_have_a_resting_one(self):
        pool, line = make_pool(), SubscriptionFactory()
        give(pool, line)
        release.release(at=NOW, subscription_id=line.pk)

        with pytest.raises(
            naming.AddressTaken, match="resting after its last holder until 2026-03-02T12:00:00Z"
        ):
            give(pool, SubscriptionFactory(), address="203.0.113.10")

        assert give(pool, line, address="203.0.113.10").is_new

    def test_takes_the_prefix_named(self):
        pool = make_prefix_pool()

        given = give(pool, address="2001:db8:0:4200::/56")

        assert given.address.address == "2001:db8:0:4200::/56"

    @pytest.mark.parametrize("address", ["2001:db8:0:4200::/57", "2001:db8:0:4200::"])
    def test_refuses_what_is_no_prefix_of_the_pools_length(self, address):
        pool = make_prefix_pool()

        with pytest.raises(pools.WrongLength, match=r"prefixes hands out /56"):
            give(pool, address=address)

        assert not Address.objects.exists()

    def test_refuses_host_bits(self):
        pool = make_prefix_pool()

        with pytest.raises(naming.AddressNotAllowed, match="its host bits are set"):
            give(pool, address="2001:db8:0:4201::/56")


class TestSubnet:
    def test_gives_addresses_of_its_pool(self):
        make_pool()

        given = allocation.allocate(at=NOW, subnet_id=Subnet.objects.get().pk, assigned_to="x")

        assert given.address.address == "203.0.113.10"

    def test_without_a_pool_gives_its_own_outside_of_subnets_within(self):
        vrf = space.default_vrf()
        subnet = subnet_in(vrf, "192.0.2.0/28", gateway="192.0.2.1")
        subnet_in(vrf, "192.0.2.4/30")

        given = [
            allocation.allocate(at=NOW, subnet_id=subnet.pk, assigned_to="x").address.address
            for _ in range(9)
        ]

        assert given == [f"192.0.2.{n}" for n in (2, 3, *range(8, 15))]
        with pytest.raises(allocation.SubnetExhausted):
            allocation.allocate(at=NOW, subnet_id=subnet.pk, assigned_to="x")

    def test_gives_a_named_address_of_a_pool_as_the_pools(self):
        pool = make_pool()

        given = allocation.allocate(
            at=NOW, subnet_id=Subnet.objects.get().pk, address="203.0.113.15", assigned_to="x"
        )

        assert given.address.pool_id == pool.pk

    def test_refuses_an_address_elsewhere(self):
        make_pool()

        with pytest.raises(naming.AddressNotAllowed, match=r"it lies outside 203.0.113.0/24"):
            allocation.allocate(
                at=NOW, subnet_id=Subnet.objects.get().pk, address="198.51.100.1", assigned_to="x"
            )

    def test_refuses_an_address_within_a_delegated_prefix(self):
        subnet = subnet_in(space.default_vrf(), "2001:db8::/48")
        allocation.allocate(at=NOW, subnet_id=subnet.pk, address="2001:db8:0:100::/56", assigned_to="x")

        for address in ("2001:db8:0:100::1", "2001:db8:0:100::/64", "2001:db8::/52"):
            with pytest.raises(naming.AddressTaken):
                allocation.allocate(at=NOW, subnet_id=subnet.pk, address=address, assigned_to="x")

        assert Address.objects.count() == 1

    def test_refuses_a_prefix_where_no_pool_delegates_one(self):
        make_pool()

        with pytest.raises(allocation.NoPoolForPrefixes):
            allocation.allocate(at=NOW, subnet_id=Subnet.objects.get().pk, prefix_length=29, assigned_to="x")


class TestRelease:
    def test_lets_it_rest_and_keeps_who_had_it(self):
        pool, line = make_pool(), SubscriptionFactory()
        given = give(pool, line, hostname="home.example").address
        later = NOW + timedelta(days=2)

        row = release.release(at=later, subscription_id=line.pk, reason="moved")

        assert row == Address.objects.get(pk=given.pk)
        assert (row.state, row.subscription_id, row.hostname) == ("quarantined", None, "")
        assert row.quarantined_until == later + timedelta(days=1)
        past = PastAssignment.objects.get()
        assert (past.address, past.subscription_id, past.began_at, past.ended_at, past.reason, past.hostname) == (
            "203.0.113.10", line.pk, NOW, later, "moved", "home.example",
        )  # fmt: skip
        told = Event.objects.get(name="ipam.address_released")
        assert told.payload == {"address_id": str(row.pk), "subscription_id": str(line.pk)}

    def test_is_free_at_once_when_nothing_is_to_rest(self):
        pool = make_pool(hold_seconds=0)
        given = give(pool).address

        row = release.release(at=NOW, address_id=given.pk)

        assert (row.state, row.free_since, row.quarantined_until) == ("free", NOW, None)

    @pytest.mark.parametrize("by", ["address_id", "subscription_id", "both", "address"])
    def test_can_be_repeated(self, by):
        pool, line = make_pool(), SubscriptionFactory()
        row = give(pool, line).address
        named = {
            "address_id": {"address_id": row.pk},
            "subscription_id": {"subscription_id": line.pk, "pool_id": pool.pk},
            "both": {"address_id": row.pk, "subscription_id": line.pk},
            "address": {"vrf_id": row.vrf_id, "address": row.address},
        }[by]

        answers = [release.release(at=NOW + timedelta(hours=n), **named) for n in range(2)]

        assert answers[0] == answers[1]
        assert answers[1].quarantined_until == NOW + timedelta(days=1)
        assert PastAssignment.objects.count() == 1

    def test_refuses_anothers_address(self):
        pool, line = make_pool(), SubscriptionFactory()
        row = give(pool, line).address

        for fields in ({"address_id": row.pk}, {"vrf_id": row.vrf_id, "address": row.address}, {}):
            with pytest.raises(release.NotHolder):
                release.release(at=NOW, subscription_id=SubscriptionFactory().pk, **fields)

        assert Address.objects.get(pk=row.pk).subscription_id == line.pk
        assert not PastAssignment.objects.exists()

    def test_asks_which_when_a_line_holds_several(self):
        line = SubscriptionFactory()
        give(make_pool(), line)
        give(make_prefix_pool(), line)

        with pytest.raises(release.SeveralHeld, match=r"203.0.113.10, 2001:db8::/56"):
            release.release(at=NOW, subscription_id=line.pk)

        assert [r.address for r in release.release_line(at=NOW, subscription_id=line.pk)] == [
            "203.0.113.10",
            "2001:db8::/56",
        ]
        assert release.release_line(at=NOW, subscription_id=line.pk) == []

    def test_refuses_one_kept_back(self):
        pool = make_pool()
        row, _ = release.reserve(at=NOW, pool_id=pool.pk, address="203.0.113.12", reserved_for="x")

        with pytest.raises(release.NotAssigned):
            release.release(at=NOW, address_id=row.pk)

        assert release.unreserve(at=NOW, address_id=row.pk).state == AddressState.FREE

    def test_keeping_back_can_be_repeated_and_is_refused_of_a_held_one(self):
        pool = make_pool()
        first = release.reserve(at=NOW, pool_id=pool.pk, address="203.0.113.12", reserved_for="x")
        held = give(pool).address

        assert release.reserve(at=NOW, pool_id=pool.pk, address="203.0.113.12", reserved_for="x") == (
            first[0],
            False,
        )
        with pytest.raises(naming.AddressTaken):
            release.reserve(at=NOW, pool_id=pool.pk, address=held.address, reserved_for="x")
        with pytest.raises(naming.AddressTaken):
            release.unreserve(at=NOW, address_id=held.pk)
        assert Address.objects.get(pk=held.pk).state == AddressState.ASSIGNED


def test_next_free_is_told_before_a_row_is_made():
    pool, prefixes = make_pool(), make_prefix_pool()
    expected = {pool.pk: "203.0.113.10", prefixes.pk: "2001:db8::/56"}

    assert pools.next_free(list(Pool.objects.all())) == expected
    assert not Address.objects.exists()
    for pk in expected:
        given = allocation.allocate(at=NOW, pool_id=pk, assigned_to="x").address
        assert given.address == expected[pk]
    for _ in range(9):
        give(pool)
    assert pools.next_free(list(Pool.objects.all())) == {prefixes.pk: "2001:db8:0:100::/56"}


def test_ended_quarantines_are_freed_in_batches():
    pool = make_pool(hold_seconds=60)
    rows = [give(pool).address for _ in range(3)]
    release.release_all(at=NOW, address_ids=[row.pk for row in rows])

    assert allocation.end_quarantines(at=NOW + timedelta(seconds=59)) == 0
    assert allocation.end_quarantines(at=NOW + timedelta(seconds=60), limit=2) == 2
    assert allocation.end_quarantines(at=NOW + timedelta(seconds=60), limit=2) == 1
    assert not Address.objects.filter(state=AddressState.QUARANTINED).exists()
