"""How full pools are: counted by changes, told once per threshold, sampled by the hour."""

from datetime import UTC, date, datetime, timedelta

import pytest

from ipam.models import Address, PoolUsage, Subnet, SubnetUsage, UsageDelta, UsageLevel, UsageSample
from ipam.services import allocation, pools, release, space, usage
from ipam.tasks import end_quarantines, fold_usage, sample_usage
from ispcore.events.models import Event
from ispcore.tenants.context import tenant_context
from tests.ipam.space import NOW, make_pool, subnet_in

pytestmark = pytest.mark.django_db


def give(pool, count=1):
    return [allocation.allocate(at=NOW, pool_id=pool.pk, assigned_to="x").address for _ in range(count)]


def told():
    return [
        event.name.removeprefix("ipam.pool_")
        for event in Event.objects.filter(name__startswith="ipam.pool_").order_by("id")
    ]


@pytest.mark.usefixtures("acting")
class TestCounts:
    def test_are_present_before_and_after_they_are_folded(self):
        pool = make_pool()
        rows = give(pool, 4)
        release.release(at=NOW, address_id=rows[0].pk)
        release.reserve(at=NOW, pool_id=pool.pk, address="203.0.113.19", reserved_for="x")

        before = usage.counts_of_pools([pool.pk])
        usage.fold(at=NOW)

        assert before == usage.counts_of_pools([pool.pk]) == {pool.pk: usage.Counts(10, 1, 3, 1)}
        assert (before[pool.pk].free, before[pool.pk].used_percent) == (5, 50.0)
        assert not UsageDelta.objects.exists()
        assert (SubnetUsage.objects.get().assigned, PoolUsage.objects.get().total) == (3, 10)

    def test_take_one_statement_for_many_pools(self, query_count):
        made = [
            make_pool(first=f"203.0.113.{n}", last=f"203.0.113.{n}", name=str(n)) for n in (10, 20, 30, 40)
        ]

        one = query_count(usage.counts_of_pools, [made[0].pk])
        many = query_count(usage.counts_of_pools, [pool.pk for pool in made])

        assert (one, many) == (1, 1)
        assert query_count(pools.next_free, made[:1]) == query_count(pools.next_free, made)

    def test_of_a_subnet_hold_those_of_subnets_within(self):
        around = subnet_in(space.default_vrf(), "203.0.0.0/16")
        give(make_pool(), 3)

        inner = Subnet.objects.get(network="203.0.113.0/24")

        for _ in range(2):
            counts = usage.counts_of_subnets([around.pk, inner.pk])
            assert counts == {
                around.pk: usage.Counts(65534, 0, 3, 0),
                inner.pk: usage.Counts(254, 0, 3, 0),
            }
            usage.fold(at=NOW)

    def test_of_a_pool_that_is_gone_are_dropped(self):
        pool = make_pool(hold_seconds=0)
        for row in give(pool, 2):
            release.release(at=NOW, address_id=row.pk)
        pools.remove_pool(pool_id=pool.pk)

        assert usage.fold(at=NOW) == 0
        assert not UsageDelta.objects.exists()


@pytest.mark.usefixtures("acting")
class TestThresholds:
    def test_each_is_told_once_when_it_is_crossed(self):
        pool = make_pool(hold_seconds=0)
        rows = give(pool, 7)
        usage.fold(at=NOW)
        assert told() == []

        rows += give(pool)
        usage.fold(at=NOW)
        usage.fold(at=NOW)
        assert told() == ["nearly_full"]

        rows += give(pool, 2)
        usage.fold(at=NOW)
        assert told() == ["nearly_full", "full"]
        assert Event.objects.filter(name="ipam.pool_full").get().payload == {"pool_id": str(pool.pk)}

        for row in rows:
            release.release(at=NOW, address_id=row.pk)
        usage.fold(at=NOW)
        assert told() == ["nearly_full", "full", "relieved"]
        assert PoolUsage.objects.get().level == UsageLevel.OK

    @pytest.mark.parametrize(
        ("used", "before", "level"),
        [
            (799, "ok", "ok"),
            (800, "ok", "warning"),
            (781, "warning", "warning"),
            (780, "warning", "warning"),
            (779, "warning", "ok"),
            (950, "ok", "critical"),
            (930, "critical", "critical"),
            (929, "critical", "warning"),
            (999, "ok", "critical"),
            (1000, "ok", "full"),
            (981, "full", "full"),
            (979, "full", "critical"),
        ],
    )
    def test_are_left_again_a_little_below(self, used, before, level):
        pool = make_pool()

        assert usage.level_of(usage.Counts(1000, 0, used, 0), pool, before=before) == level


class TestTasks:
    pytestmark = pytest.mark.django_db(databases=["default", "platform"], transaction=True)

    def test_fold_and_free_for_every_tenant(self, tenant, other_tenant):
        for each in (tenant, other_tenant):
            with tenant_context(each.pk):
                row = give(make_pool(hold_seconds=1))[0]
                release.release(at=NOW - timedelta(days=400), address_id=row.pk)

        assert (fold_usage(), end_quarantines()) == (2, 2)
        assert (fold_usage(), end_quarantines()) == (2, 0)
        assert sample_usage() == 2
        for each in (tenant, other_tenant):
            with tenant_context(each.pk):
                assert Address.objects.exclude(state="free").count() == 0
                assert UsageSample.objects.get().quarantined == 0


@pytest.mark.usefixtures("acting")
class TestSamples:
    def test_are_taken_once_an_hour(self):
        give(make_pool(), 3)
        usage.fold(at=NOW)

        taken = [usage.take_samples(at=NOW + timedelta(minutes=n)) for n in (5, 30, 65)]

        assert taken == [1, 0, 1]
        assert [(s.at, s.assigned, int(s.total)) for s in UsageSample.objects.order_by("at")] == [
            (datetime(2026, 3, 1, hour, tzinfo=UTC), 3, 10) for hour in (12, 13)
        ]

    def test_tell_the_day_it_runs_out(self):
        pool = make_pool()
        give(pool, 4)
        for day in range(4):  # One a day: six are left.
            UsageSample.objects.create(
                pool=pool,
                at=NOW - timedelta(days=3 - day),
                total=10,
                assigned=day + 1,
                reserved=0,
                quarantined=0,
            )

        assert usage.runs_out_on(pool, at=NOW) == date(2026, 3, 7)

    def test_tell_no_day_when_it_does_not_grow(self):
        pool = make_pool()
        assert usage.runs_out_on(pool, at=NOW) is None
        for day in range(3):
            UsageSample.objects.create(
                pool=pool, at=NOW - timedelta(days=day), total=10, assigned=5, reserved=0, quarantined=0
            )

        assert usage.runs_out_on(pool, at=NOW) is None
