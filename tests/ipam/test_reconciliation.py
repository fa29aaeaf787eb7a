"""The book against sessions, ARP lists and leases; repairs that take nothing from anybody."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.utils import timezone

from ipam import tasks
from ipam.models import Address, AddressState, Drift, Pool, Reconciliation, ReconciliationStatus, Vrf
from ipam.services import allocation, reconciliation, release, space
from ipam.services.reconciliation import SeenAddress
from ispcore.errors import DomainError
from ispcore.files.models import StoredFile
from ispcore.jobs import services as jobs
from ispcore.jobs.models import Job
from ispcore.tenants.context import tenant_context
from subscribers.models import ServiceStatus, Subscription
from tests.factories import SubscriptionFactory
from tests.ipam.space import NOW, make_pool, make_prefix_pool
from tests.subscribers.importing import csv_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def pool(acting) -> Pool:
    return make_pool()


@pytest.fixture
def sessions() -> Iterator[list[SeenAddress]]:
    """What live sessions use, as an upper app will tell it."""
    seen: list[SeenAddress] = []
    reconciliation.register_session_source("test", lambda vrf_id: seen)
    yield seen
    reconciliation.remove_session_source("test")


def make_line(**fields: Any) -> Subscription:
    line: Subscription = SubscriptionFactory(**{"status": ServiceStatus.ACTIVE, **fields})
    return line


def give(pool: Pool, line: Any = None, to: str = "") -> str:
    given = allocation.allocate(
        at=NOW, pool_id=pool.pk, subscription_id=line.pk if line else None, assigned_to=to
    )
    return str(given.address.address)


def perform(found: Reconciliation) -> Reconciliation:
    assert found.job is not None
    jobs.perform(
        tenant_id=str(found.tenant_id),
        job_id=str(found.job.pk),
        work=lambda run: reconciliation.reconcile(run, at=NOW),
    )
    found.refresh_from_db()
    return found


def compare(seen_in: str = "sessions", rows: list[list[str]] | None = None, **fields: Any) -> Reconciliation:
    content = [csv_of(rows)] if rows is not None else None
    return perform(
        reconciliation.request_reconciliation(
            seen_in=seen_in, at=NOW, name="list.csv", content=content, **fields
        )
    )


def drifts(found: Reconciliation) -> list[tuple[str, str]]:
    rows = Drift.objects.filter(reconciliation=found).order_by("address")
    return list(rows.values_list("address", "kind"))


class TestSessions:
    def test_tell_every_kind_of_drift(self, pool, sessions):
        one, two, three = make_line(), make_line(), make_line()
        held = [give(pool, line) for line in (one, two, three)]
        release.reserve(at=NOW, pool_id=pool.pk, address="203.0.113.14", reserved_for="a server")
        sessions += [
            SeenAddress(held[0], one.pk),
            SeenAddress(held[1], three.pk, seen_as="three@example", seen_at=NOW),
            SeenAddress("203.0.113.13", three.pk),
            SeenAddress("203.0.113.14", three.pk),
            SeenAddress("192.0.2.9", seen_as="aa:bb"),
        ]

        found = compare()

        assert (found.status, found.addresses_seen, found.drifts_found) == (ReconciliationStatus.DONE, 5, 4)
        assert drifts(found) == [
            ("192.0.2.9", "unknown_address"),
            ("203.0.113.11", "used_by_other"),
            ("203.0.113.12", "assigned_not_seen"),
            ("203.0.113.13", "used_but_free"),
        ]
        other = Drift.objects.get(kind="used_by_other")
        assert (other.holder, other.seen_subscription, other.seen_as, other.seen_at) == (
            two, three, "three@example", NOW,
        )  # fmt: skip
        assert other.record == Address.objects.get(address=held[1])

    def test_agree_with_a_book_that_is_right(self, pool, sessions):
        line = make_line()
        sessions.append(SeenAddress(give(pool, line), line.pk))
        give(pool, make_line(status=ServiceStatus.SUSPENDED))
        give(pool, to="core-1 loopback")

        assert drifts(compare()) == []

    def test_what_is_used_in_a_delegated_prefix_is_its_holders(self, acting, sessions):
        prefixes = make_prefix_pool()
        line, other = make_line(), make_line()
        give(prefixes, line)
        sessions += [SeenAddress("2001:db8::1", line.pk), SeenAddress("2001:db8:0:5::2", other.pk)]

        found = compare()

        assert drifts(found) == [("2001:db8:0:5::2", "used_by_other")]

    def test_prefixes_are_missed_only_where_prefixes_are_seen(self, acting, sessions):
        prefixes = make_prefix_pool()
        line, other = make_line(), make_line()
        give(prefixes, line)
        give(prefixes, other)
        sessions.append(SeenAddress("2001:db8::1", line.pk))
        first = drifts(compare())

        sessions.append(SeenAddress("2001:db8::/56", line.pk))

        assert (first, drifts(compare())) == ([], [("2001:db8:0:100::/56", "assigned_not_seen")])

    def test_a_resting_address_in_use_is_free_in_the_book(self, pool, sessions):
        line = make_line()
        address = give(pool, line)
        release.release_line(at=NOW, subscription_id=line.pk)
        sessions.append(SeenAddress(address, line.pk))

        assert drifts(compare()) == [(address, "used_but_free")]

    def test_that_nobody_tells_of_compare_nothing(self, pool, sessions):
        give(pool, make_line())

        found = compare()

        assert found.status == ReconciliationStatus.FAILED
        assert found.message == "Nothing was seen in use, so nothing was compared: no live session was told."
        assert not Drift.objects.exists()

    def test_run_once_at_a_time_and_store_nothing_twice(self, pool, sessions):
        sessions.append(SeenAddress("192.0.2.9"))
        first = reconciliation.request_reconciliation(seen_in="sessions", at=NOW)

        assert reconciliation.request_reconciliation(seen_in="sessions", at=NOW) == first
        perform(first)
        Job.objects.update(status="queued", finished_at=None)
        perform(first)

        assert Drift.objects.count() == 1

    def test_of_another_vrf_or_provider_say_nothing(self, pool, sessions, other_tenant):
        with tenant_context(other_tenant.pk):
            theirs = make_line()
            give(make_pool(), theirs)
        blue = Vrf.objects.create(name="blue")
        sessions.append(SeenAddress("203.0.113.10", theirs.pk))

        here, there = compare(), compare(vrf_id=blue.pk)

        assert drifts(here) == [("203.0.113.10", "used_but_free")]
        assert Drift.objects.get(reconciliation=here).seen_subscription is None
        assert drifts(there) == [("203.0.113.10", "unknown_address")]

    def test_costs_the_same_for_one_and_many(self, pool, sessions, query_count):
        sessions.append(SeenAddress("203.0.113.10"))
        one = query_count(compare)

        sessions += [SeenAddress(f"203.0.113.{n}") for n in range(11, 17)]

        assert query_count(compare) == one


class TestLists:
    @pytest.mark.parametrize(
        ("header", "row", "seen_as"),
        [
            (["IP_ADDRESS", "MAC_ADDRESS", "INTERFACE"], ["203.0.113.10", "0011.2233.4455", "Vlan30"],
             "0011.2233.4455"),
            (["address", "mac-address", "host-name", "status"], ["203.0.113.10", "00:11:22:33:44:55", "tv", "bound"],
             "00:11:22:33:44:55 tv"),
            (["IPAddress", "ScopeId", "ClientId", "HostName", "AddressState"],
             ["203.0.113.10", "203.0.113.0", "00-11-22", "pc", "Active"], "00-11-22 pc"),
            (["address", "hwaddr", "client_id", "valid_lifetime", "expire", "subnet_id", "hostname", "state"],
             ["203.0.113.10", "00:11:22", "", "3600", "1772370000", "1", "", "0"], "00:11:22"),
        ],
    )  # fmt: skip
    def test_of_common_programs_are_read(self, header, row, seen_as, pool):
        found = compare("arp", [header, row])

        assert drifts(found) == [("203.0.113.10", "used_but_free")]
        assert Drift.objects.get().seen_as == seen_as

    def test_kea_leases_of_prefixes_and_expired_ones(self, acting):
        make_prefix_pool()
        header = ["address", "duid", "lease_type", "prefix_len", "hwaddr", "state"]
        rows = [
            ["2001:db8:0:100::", "00:01", "2", "56", "", "0"],
            ["2001:db8:0:200::", "00:02", "2", "56", "", "2"],
        ]

        assert drifts(compare("dhcp", [header, *rows])) == [("2001:db8:0:100::/56", "used_but_free")]

    def test_name_a_service_by_number_or_reference(self, pool):
        one, two = make_line(), make_line(isp_reference="ISP-2")
        held = [give(pool, one), give(pool, two)]
        rows = [["ip", "service"], [held[0], "ISP-2"], [held[1], str(two.number)], ["203.0.113.12", "nobody"]]

        found = compare("arp", rows)

        assert drifts(found) == [(held[0], "used_by_other"), ("203.0.113.12", "used_but_free")]

    def test_gateways_and_what_a_pool_keeps_back_are_no_drift(self, acting):
        pool = make_pool(exclusions=[{"first": "203.0.113.12", "last": "203.0.113.13", "reason": "routers"}])
        subnet = pool.ranges.get().subnet
        space.change_subnet(subnet_id=subnet.pk, gateway="203.0.113.1")

        assert drifts(compare("arp", [["ip"], ["203.0.113.1"], ["203.0.113.12"]])) == []

    def test_miss_only_what_lies_in_networks_they_know(self, pool):
        far = make_pool("198.51.100.0/24", "198.51.100.10", "198.51.100.19", name="far")
        near, missed = make_line(), make_line()
        address = give(pool, near)
        give(pool, missed)
        give(pool, to="printer")
        give(far, make_line())

        arp = compare("arp", [["ip"], [address]])
        dhcp = compare("dhcp", [["ip"], [address]])

        assert drifts(arp) == [("203.0.113.11", "assigned_not_seen"), ("203.0.113.12", "assigned_not_seen")]
        assert drifts(dhcp) == drifts(arp)
        Pool.objects.update(purpose="static")
        assert drifts(compare("dhcp", [["ip"], [address]])) == []

    def test_rows_without_an_address_are_counted(self, pool):
        rows = [
            ["ip", "last_seen_at"],
            ["203.0.113.10", "2026-02-03 04:05:06"],
            ["none", ""],
            ["", ""],
            ["x", ""],
        ]

        found = compare("arp", rows)

        assert (found.addresses_seen, found.message) == (1, "2 rows of the list hold no address.")
        assert Drift.objects.get().seen_at == datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)
        assert not StoredFile.objects.exists()

    @pytest.mark.parametrize(
        ("fields", "code"),
        [
            ({"seen_in": "arp"}, "list_missing"),
            ({"seen_in": "arp", "content": [b"mac\naa\n"]}, "wrong_columns"),
            ({"seen_in": "dhcp", "content": [b"%PDF-1"]}, "file_unreadable"),
            ({"seen_in": "sessions", "content": [b"ip\n"]}, "list_not_wanted"),
            ({"seen_in": "arp", "content": [b"ip\n"], "vrf_id": UUID(int=1)}, "not_found"),
        ],
    )
    def test_what_cannot_be_compared_is_refused(self, fields, code, acting):
        with pytest.raises(DomainError) as refusal:
            reconciliation.request_reconciliation(at=NOW, **fields)

        assert refusal.value.code == code
        assert not Reconciliation.objects.exists()
        assert not StoredFile.objects.exists()


class TestRepairs:
    def repair(self, address: str, how: str) -> Drift:
        drift = Drift.objects.get(address=address)
        return reconciliation.repair_drift(drift_id=drift.pk, how=how, at=NOW)

    def test_a_free_address_in_use_is_kept_back(self, pool):
        compare("arp", [["ip", "mac"], ["203.0.113.15", "00:11:22:33:44:55"]])

        drift = self.repair("203.0.113.15", "reserve")
        again = self.repair("203.0.113.15", "reserve")

        row = Address.objects.get(address="203.0.113.15")
        assert (row.state, row.reserved_for) == (
            AddressState.RESERVED,
            "In use by the arp list: 00:11:22:33:44:55",
        )
        assert (drift.repair, drift.repaired_at, again) == ("reserved", NOW, drift)

    def test_so_is_a_resting_one(self, pool, sessions):
        line = make_line()
        address = give(pool, line)
        release.release_line(at=NOW, subscription_id=line.pk)
        sessions.append(SeenAddress(address))
        compare()

        self.repair(address, "reserve")

        assert Address.objects.get(address=address).state == AddressState.RESERVED

    def test_it_is_assigned_to_the_line_that_uses_it(self, pool, sessions):
        line = make_line()
        sessions.append(SeenAddress("203.0.113.15", line.pk))
        compare()

        drift = self.repair("203.0.113.15", "assign")

        row = Address.objects.get(address="203.0.113.15")
        assert (row.state, row.subscription, row.pool) == (AddressState.ASSIGNED, line, pool)
        assert drift.repair == "assigned"

    def test_a_line_that_has_one_of_the_pool_gets_no_second(self, pool, sessions):
        line = make_line()
        give(pool, line)
        sessions.append(SeenAddress("203.0.113.15", line.pk))
        compare()

        with pytest.raises(DomainError) as refusal:
            self.repair("203.0.113.15", "assign")

        assert refusal.value.code == "line_holds_another"
        assert Drift.objects.get(address="203.0.113.15").repair == ""

    @pytest.mark.parametrize(
        ("kind", "how", "code"),
        [
            ("used_by_other", "assign", "drift_not_repairable"),
            ("used_by_other", "reserve", "drift_not_repairable"),
            ("assigned_not_seen", "reserve", "drift_not_repairable"),
            ("unknown_address", "reserve", "drift_not_repairable"),
            ("used_but_free", "assign", "nobody_seen"),
        ],
    )
    def test_nothing_is_taken_from_a_line(self, kind, how, code, pool, sessions):
        one, two, three = make_line(), make_line(), make_line()
        held = [give(pool, line) for line in (one, two)]
        sessions += [SeenAddress(held[0], three.pk), SeenAddress("192.0.2.1"), SeenAddress("203.0.113.15")]
        compare()
        drift = Drift.objects.get(kind=kind)

        with pytest.raises(DomainError) as refusal:
            reconciliation.repair_drift(drift_id=drift.pk, how=how, at=NOW)
        reconciliation.repair_drift(drift_id=drift.pk, how="dismiss", at=NOW)

        assert refusal.value.code == code
        rows = Address.objects.exclude(subscription=None).order_by("address")
        assert list(rows.values_list("address", "subscription")) == [(held[0], one.pk), (held[1], two.pk)]
        drift.refresh_from_db()
        assert drift.repair == "dismissed"

    def test_one_assigned_meanwhile_is_left_alone(self, pool, sessions):
        sessions.append(SeenAddress("203.0.113.10"))
        compare()
        line = make_line()
        give(pool, line)

        with pytest.raises(reconciliation.DriftOutdated):
            self.repair("203.0.113.10", "reserve")

        assert Address.objects.get(address="203.0.113.10").subscription == line

    def test_all_at_once_are_kept_back_but_what_is_taken_or_rests(self, pool, sessions):
        line = make_line()
        resting = give(pool, line)
        now = timezone.now()
        release.release_line(at=now, subscription_id=line.pk)
        sessions += [SeenAddress(f"203.0.113.{n}") for n in (10, 11, 12, 200)]
        found = compare()
        taken = give(pool, make_line())

        done = reconciliation.repair_all(reconciliation_id=found.pk, at=now)
        again = reconciliation.repair_all(reconciliation_id=found.pk, at=now)

        assert (resting, taken) == ("203.0.113.10", "203.0.113.11")
        assert (done.repaired, done.left, again.repaired) == (2, 2, 0)
        kept = Address.objects.filter(state=AddressState.RESERVED).order_by("address")
        assert list(kept.values_list("address", flat=True)) == ["203.0.113.12", "203.0.113.200"]


@pytest.mark.django_db(transaction=True, databases=["default", "platform"])
def test_every_night_the_book_is_compared_where_sessions_are_told(tenant, other_tenant, sessions):
    with tenant_context(tenant.pk):
        make_pool()
        Vrf.objects.create(name="empty")
        old = Reconciliation.objects.create(
            vrf=space.default_vrf(),
            seen_in="arp",
            status="done",
            started_at=timezone.now() - timedelta(days=91),
        )
        Drift.objects.create(reconciliation=old, vrf=old.vrf, address="192.0.2.1", kind="unknown_address")

    assert tasks.reconcile_all() == 1

    with tenant_context(tenant.pk):
        started = Reconciliation.objects.get()
        assert (started.seen_in, started.vrf.name, started.job.kind) == (
            "sessions",
            "default",
            "ipam.reconcile",
        )
        assert not Drift.objects.exists()
    with tenant_context(other_tenant.pk):
        assert not Reconciliation.objects.exists()
