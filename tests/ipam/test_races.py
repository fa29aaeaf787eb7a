"""Many callers at one moment, in threads, in processes and over HTTP: no address has two holders."""

import json
import os
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.db import connections

from ipam.models import Address, AddressState, PoolUsage, UsageDelta
from ipam.services import allocation, naming, pools, release, usage
from ispcore.events.models import Event
from ispcore.tenants.context import tenant_context
from tests.factories import SubscriptionFactory
from tests.ipam.space import NOW, make_pool, make_prefix_pool

pytestmark = pytest.mark.django_db(transaction=True)

AT_ONCE = 64
PROCESSES = 4

# What one process does: its share of the requests, as many threads, begun together when it is told to.
PROCESS = """
import json, sys, django
django.setup()
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any
from uuid import UUID
from tests.ipam.test_races import take_each
job = json.loads(sys.stdin.readline())
print("ready", flush=True)
sys.stdin.readline()
print(json.dumps(take_each(UUID(job["tenant"]), UUID(job["pool"]), [UUID(line) for line in job["lines"]])))
"""


def take_each(tenant_id, pool_id, lines):
    """Ask for one address for each line, all at the same moment; return the addresses, or why there was none."""
    gate = Barrier(len(lines))

    def take(line):
        gate.wait()
        try:
            with tenant_context(tenant_id):
                given = allocation.allocate(at=NOW, pool_id=pool_id, subscription_id=line)
            return given.address.address
        except allocation.PoolExhausted as refusal:
            return refusal.code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(lines)) as threads:
        return list(threads.map(take, lines))


@pytest.fixture
def ten(tenant):
    """A pool of ten addresses, and lines for 64 callers."""
    with tenant_context(tenant.pk):
        line = SubscriptionFactory()
        lines = [SubscriptionFactory(subscriber=line.subscriber, plan=line.plan, premise=line.premise).pk
                 for _ in range(AT_ONCE)]  # fmt: skip
        return make_pool(), lines


def tell(worker, line):
    worker.stdin.write(f"{line}\n")
    worker.stdin.flush()


def assert_ten_were_given(tenant, pool, answers):
    given = Counter(answers)
    assert given.pop("pool_exhausted") == AT_ONCE - 10
    assert given == {f"203.0.113.{n}": 1 for n in range(10, 20)}
    with tenant_context(tenant.pk):
        rows = Address.objects.filter(state=AddressState.ASSIGNED)
        assert (rows.count(), rows.values("address").distinct().count()) == (10, 10)
        assert rows.values("subscription_id").distinct().count() == 10
        assert usage.counts_of_pools([pool.pk])[pool.pk] == usage.Counts(10, 0, 10, 0)
        assert Event.objects.filter(name="ipam.address_assigned").count() == 10


def test_threads_share_the_last_ten_addresses(ten, tenant):
    pool, lines = ten

    assert_ten_were_given(tenant, pool, take_each(tenant.pk, pool.pk, lines))


def test_processes_share_the_last_ten_addresses(ten, tenant):
    pool, lines = ten
    workers: list[Any] = [
        subprocess.Popen([sys.executable, "-c", PROCESS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                         env=os.environ | {"DJANGO_SETTINGS_MODULE": "ispcore.settings"})
        for _ in range(PROCESSES)
    ]  # fmt: skip
    share = AT_ONCE // PROCESSES
    for number, worker in enumerate(workers):
        mine = lines[number * share : (number + 1) * share]
        job = {"tenant": str(tenant.pk), "pool": str(pool.pk), "lines": [str(line) for line in mine]}
        tell(worker, json.dumps(job))
    assert [worker.stdout.readline() for worker in workers] == ["ready\n"] * PROCESSES

    for worker in workers:
        tell(worker, "go")
    answers = [answer for worker in workers for answer in json.loads(worker.communicate()[0])]

    assert_ten_were_given(tenant, pool, answers)


def test_callers_over_http_share_the_last_ten_addresses(ten, tenant, api):
    pool, lines = ten
    gate = Barrier(AT_ONCE)

    def post(line):
        gate.wait()
        try:
            body = api.post("ipam/allocate", {"pool_id": str(pool.pk), "service_id": str(line)}).json()
            return body["data"]["address"] if body["success"] else body["error"]["code"]
        finally:
            connections.close_all()

    with ThreadPoolExecutor(AT_ONCE) as threads:
        answers = list(threads.map(post, lines))

    assert_ten_were_given(tenant, pool, answers)


@pytest.mark.parametrize("make", [make_pool, make_prefix_pool])
def test_one_line_gets_one_address_however_often_it_asks_at_once(make, tenant):
    with tenant_context(tenant.pk):
        pool, line = make(), SubscriptionFactory().pk

    answers = take_each(tenant.pk, pool.pk, [line] * 16)

    assert len(set(answers)) == 1
    with tenant_context(tenant.pk):
        assert Address.objects.filter(subscription_id=line).count() == 1


def test_rows_are_made_once_by_those_who_need_them_at_once(tenant):
    with tenant_context(tenant.pk):
        pool = make_prefix_pool()
        lines = [SubscriptionFactory().pk for _ in range(16)]

    answers = take_each(tenant.pk, pool.pk, lines)

    assert sorted(answers) == sorted(
        "2001:db8::/56" if n == 0 else f"2001:db8:0:{n:x}00::/56" for n in range(16)
    )
    with tenant_context(tenant.pk):
        assert Address.objects.count() == 1024


def test_one_address_named_by_many_has_one_holder(tenant):
    with tenant_context(tenant.pk):
        pool = make_pool()
        lines = [SubscriptionFactory().pk for _ in range(12)]
    gate = Barrier(len(lines))

    def take(line):
        gate.wait()
        try:
            with tenant_context(tenant.pk):
                allocation.allocate(at=NOW, pool_id=pool.pk, subscription_id=line, address="203.0.113.15")
            return "given"
        except naming.AddressTaken as refusal:
            return refusal.code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(lines)) as threads:
        assert Counter(threads.map(take, lines)) == {"given": 1, "address_taken": 11}


def test_an_address_is_released_once(tenant):
    with tenant_context(tenant.pk):
        pool, line = make_pool(hold_seconds=0), SubscriptionFactory().pk
        row = allocation.allocate(at=NOW, pool_id=pool.pk, subscription_id=line).address
    gate = Barrier(8)

    def give_back(_):
        gate.wait()
        try:
            with tenant_context(tenant.pk):
                return release.release(at=NOW, address_id=row.pk, subscription_id=line).state
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(give_back, range(8))) == {"free"}

    with tenant_context(tenant.pk):
        assert Event.objects.filter(name="ipam.address_released").count() == 1


def test_a_pool_that_shrinks_loses_nothing_that_is_being_given(tenant):
    with tenant_context(tenant.pk):
        pool = make_pool()
        lines = [SubscriptionFactory().pk for _ in range(8)]
        allocation.end_quarantines(at=NOW)
    gate = Barrier(9)

    def shrink():
        gate.wait()
        try:
            with tenant_context(tenant.pk):
                pools.change_pool(
                    pool_id=pool.pk, ranges_given=[{"first": "203.0.113.10", "last": "203.0.113.13"}]
                )
            return "shrunk"
        except pools.RangeInUse:
            return "refused"
        finally:
            connections.close_all()

    def take(line):
        gate.wait()
        try:
            with tenant_context(tenant.pk):
                return allocation.allocate(at=NOW, pool_id=pool.pk, subscription_id=line).address.address
        except allocation.PoolExhausted as refusal:
            return refusal.code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(9) as threads:
        shrunk = threads.submit(shrink)
        given = list(threads.map(take, lines))

    with tenant_context(tenant.pk):
        held = set(Address.objects.filter(pool=pool, state="assigned").values_list("address", flat=True))
        assert held == {each for each in given if each != "pool_exhausted"}
        if shrunk.result() == "shrunk":
            assert held <= {f"203.0.113.{n}" for n in range(10, 14)}


def test_folding_at_once_counts_each_change_once(tenant):
    with tenant_context(tenant.pk):
        pool = make_pool()
    for _ in range(5):
        with tenant_context(tenant.pk):
            allocation.allocate(at=NOW, pool_id=pool.pk, assigned_to="x")
    gate = Barrier(4)

    def fold(_):
        gate.wait()
        try:
            with tenant_context(tenant.pk):
                usage.fold(at=NOW)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(fold, range(4)))

    with tenant_context(tenant.pk):
        assert (PoolUsage.objects.get().assigned, UsageDelta.objects.count()) == (5, 0)
