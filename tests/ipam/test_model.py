"""A randomised walk: whatever is done in whatever order, the book stays true."""

from collections import Counter
from datetime import datetime, timedelta

import pytest
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ipam.models import Address, AddressState, PastAssignment, Pool
from ipam.services import allocation, layout, naming, pools, ranges, release, usage
from ispcore.errors import DomainError
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant
from tests.factories import SubscriptionFactory
from tests.ipam.space import NOW, make_pool, make_prefix_pool

LINES = 6
HOLD = 600


class Book(RuleBasedStateMachine):
    """Two pools, one of addresses and one of prefixes, and six lines; `held` is what must be true of them."""

    @initialize()
    def begin(self):
        self.transaction = transaction.atomic()
        self.transaction.__enter__()
        self.tenant = Tenant.objects.create(slug="walk", name="Walk")
        self.context = tenant_context(self.tenant.pk)
        self.context.__enter__()
        line = SubscriptionFactory()
        more = {"subscriber": line.subscriber, "plan": line.plan, "premise": line.premise}
        self.lines = [line.pk, *(SubscriptionFactory(**more).pk for _ in range(LINES - 1))]
        self.pools = {
            "address": make_pool("192.0.2.0/28", "192.0.2.0", "192.0.2.15", hold_seconds=HOLD),
            "prefix": make_prefix_pool(hold_seconds=0),
        }
        self.spans = {"address": (0, 15)}
        self.at = NOW
        self.held: dict[tuple[str, int], str] = {}
        self.rests: dict[str, datetime] = {}
        self.reserved: set[str] = set()

    def teardown(self):
        """Undo the walk, so that the next begins with nothing."""
        if hasattr(self, "context"):
            self.context.__exit__(None, None, None)
        if hasattr(self, "transaction"):
            transaction.set_rollback(True)
            self.transaction.__exit__(None, None, None)

    def attempt(self, call, **fields):
        """Return what the call answers, or its refusal, after which nothing may have changed."""
        before = list(Address.objects.exclude(state="free").order_by("pk").values())
        try:
            with transaction.atomic():
                return call(at=self.at, **fields)
        except DomainError as refusal:
            assert list(Address.objects.exclude(state="free").order_by("pk").values()) == before
            return refusal

    def usable(self):
        first, last = self.spans["address"]
        return {f"192.0.2.{n}" for n in range(max(first, 1), min(last, 14) + 1)}

    def resting(self):
        return {address for address, until in self.rests.items() if until > self.at}

    @rule(kind=st.sampled_from(["address", "prefix"]), line=st.integers(0, LINES - 1))
    def allocate(self, kind, line):
        answer = self.attempt(
            allocation.allocate, pool_id=self.pools[kind].pk, subscription_id=self.lines[line]
        )
        if (kind, line) in self.held:
            assert (answer.address.address, answer.is_new) == (self.held[kind, line], False)
        elif (
            kind == "address" and not self.usable() - set(self.held.values()) - self.resting() - self.reserved
        ):
            assert isinstance(answer, allocation.PoolExhausted)
        else:
            self.given(kind, line, answer)

    def given(self, kind, line, answer):
        address = answer.address.address
        assert answer.is_new
        assert address not in self.held.values()
        assert kind == "prefix" or address in self.usable()
        assert address not in self.reserved
        self.rests.pop(address, None)
        self.held[kind, line] = address

    @rule(number=st.integers(0, 15), line=st.integers(0, LINES - 1))
    def allocate_by_name(self, number, line):
        address = f"192.0.2.{number}"
        was_last = naming.was_last_held_by(
            Address(vrf=self.pools["address"].vrf, address=address), self.lines[line]
        )
        answer = self.attempt(
            allocation.allocate,
            pool_id=self.pools["address"].pk,
            subscription_id=self.lines[line],
            address=address,
        )
        if self.held.get(("address", line)) == address:
            assert not answer.is_new
        elif (
            address not in self.usable()
            or address in self.held.values()
            or address in self.reserved
            or ("address", line) in self.held
            or (address in self.resting() and not was_last)
        ):
            assert isinstance(answer, DomainError)
        else:
            self.given("address", line, answer)

    @rule(kind=st.sampled_from(["address", "prefix"]), line=st.integers(0, LINES - 1))
    def give_back(self, kind, line):
        address = self.held.pop((kind, line), None)
        if address is None:
            return
        row = self.attempt(release.release, subscription_id=self.lines[line], pool_id=self.pools[kind].pk)
        assert (row.address, row.subscription_id) == (address, None)
        if kind == "address":
            self.rests[address] = self.at + timedelta(seconds=HOLD)

    @rule(number=st.integers(1, 14))
    def reserve(self, number):
        address = f"192.0.2.{number}"
        answer = self.attempt(
            release.reserve, pool_id=self.pools["address"].pk, address=address, reserved_for="x"
        )
        if isinstance(answer, DomainError):
            assert address in self.held.values() or address in self.resting() or address not in self.usable()
        else:
            self.reserved.add(address)
            self.rests.pop(address, None)

    @precondition(lambda self: self.reserved)
    @rule()
    def unreserve(self):
        address = sorted(self.reserved)[0]
        self.attempt(release.unreserve, address_id=Address.objects.get(address=address).pk)
        self.reserved.discard(address)

    @rule(first=st.integers(0, 7), last=st.integers(8, 15))
    def resize(self, first, last):
        answer = self.attempt(
            lambda at, **fields: pools.change_pool(**fields),
            pool_id=self.pools["address"].pk,
            ranges_given=[{"first": f"192.0.2.{first}", "last": f"192.0.2.{last}"}],
        )
        lost = [
            address for (kind, _), address in self.held.items()
            if kind == "address" and not first <= int(address.rpartition(".")[2]) <= last
        ]  # fmt: skip
        assert isinstance(answer, pools.RangeInUse) == bool(lost)
        if not lost:
            self.spans["address"] = (first, last)

    @rule(minutes=st.integers(1, 15))
    def let_time_pass(self, minutes):
        self.at += timedelta(minutes=minutes)
        allocation.end_quarantines(at=self.at)

    @rule()
    def fold(self):
        usage.fold(at=self.at)

    @invariant()
    def the_book_is_true(self):
        if not hasattr(self, "pools"):
            return
        rows = list(Address.objects.filter(state=AddressState.ASSIGNED))
        assert Counter(row.address for row in rows) == Counter(self.held.values())
        assert {(row.subscription_id, row.address) for row in rows} == {
            (self.lines[line], address) for (_, line), address in self.held.items()
        }
        kept = Address.objects.filter(state=AddressState.RESERVED).values_list("address", flat=True)
        assert set(kept) == self.reserved

    @invariant()
    def every_row_of_a_pool_lies_in_its_ranges(self):
        if not hasattr(self, "pools"):
            return
        for pool in Pool.objects.prefetch_related("ranges__subnet", "exclusions"):
            spans = [span for part in pool.ranges.all() for span in layout.spans_of(part, [])]
            for address in Address.objects.filter(pool=pool).values_list("address", flat=True)[:50]:
                span = ranges.span_of(address)
                assert any(each.first <= span.first and span.last <= each.last for each in spans)

    @invariant()
    def the_counts_are_those_of_the_rows(self):
        if not hasattr(self, "pools"):
            return
        for pool in self.pools.values():
            counts = usage.counts_of_pools([pool.pk])[pool.pk]
            rows = Counter(Address.objects.filter(pool=pool).values_list("state", flat=True))
            assert (counts.reserved, counts.assigned, counts.quarantined) == (
                rows["reserved"], rows["assigned"], rows["quarantined"],
            )  # fmt: skip
        assert usage.counts_of_pools([self.pools["address"].pk])[self.pools["address"].pk].total == len(
            self.usable()
        )

    @invariant()
    def nobody_held_one_address_twice_at_once(self):
        if not hasattr(self, "pools"):
            return
        ended: dict[str, datetime] = {}
        for past in PastAssignment.objects.order_by("began_at", "ended_at", "id"):
            assert past.address not in ended or ended[past.address] <= past.began_at
            ended[past.address] = past.ended_at


@pytest.mark.django_db
@pytest.mark.timeout(900)
def test_the_book_stays_true():
    from hypothesis.stateful import run_state_machine_as_test

    run_state_machine_as_test(
        Book,
        settings=settings(
            max_examples=20,
            stateful_step_count=25,
            deadline=None,
            database=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
