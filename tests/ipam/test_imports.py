"""Address books out of tables: what becomes of each row, said before and done after."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from ipam.models import Address, AddressState, BookImport, BookStatus, Pool, Subnet, Vrf
from ipam.services import allocation, imports, release, space
from ipam.services.imports import runs
from ispcore.errors import DomainError
from ispcore.events.models import Event
from ispcore.files.models import StoredFile
from ispcore.jobs import services as jobs
from ispcore.jobs.models import Job, JobStatus
from ispcore.tenants.context import tenant_context
from tests.factories import SubscriptionFactory
from tests.ipam.importing import check, counts, errors, import_file, perform, table, take_in, upload
from tests.ipam.space import NOW, make_pool, make_prefix_pool, subnet_in

pytestmark = pytest.mark.django_db
HEADER = ["address", "service", "assigned to", "state", "hostname", "note"]


@pytest.fixture
def pool(acting) -> Pool:
    return make_pool()


def stored(*addresses: str) -> list[tuple[str, str, Any, str]]:
    rows = Address.objects.exclude(state=AddressState.FREE).order_by("address")
    if addresses:
        rows = rows.filter(address__in=addresses)
    return list(rows.values_list("address", "state", "subscription__number", "assigned_to"))


def test_assignments_are_checked_and_then_taken_in(pool, acting):
    line, other = SubscriptionFactory(), SubscriptionFactory(isp_reference="ISP-7")
    content = table(
        HEADER,
        ["203.0.113.10", str(line.number), "", "", "home.example", "since 2019"],
        ["203.0.113.11", "ISP-7", "", "active", "", ""],
        ["203.0.113.200", "", "core-1 loopback", "", "", ""],
        ["203.0.113.12", "", "", "", "", "somebody's"],
    )

    of_import = check(upload(content), acting)

    assert (of_import.status, counts(of_import), errors(of_import)) == (BookStatus.CHECKED, (4, 0, 0, 0), [])
    assert not Address.objects.exclude(state=AddressState.FREE).exists()
    assert not Event.objects.exists()

    take_in(of_import, acting)

    assert (of_import.status, counts(of_import)) == (BookStatus.IMPORTED, (4, 0, 0, 0))
    assert stored() == [
        ("203.0.113.10", "assigned", line.number, ""),
        ("203.0.113.11", "assigned", other.number, ""),
        ("203.0.113.12", "reserved", None, ""),
        ("203.0.113.200", "assigned", None, "core-1 loopback"),
    ]
    first = Address.objects.get(address="203.0.113.10")
    assert (first.pool, first.hostname, first.note) == (pool, "home.example", "since 2019")
    assert first.subnet == Subnet.objects.get()
    assert Address.objects.get(address="203.0.113.200").pool is None
    assert Event.objects.filter(name="ipam.address_assigned").count() == 3
    assert not StoredFile.objects.exists()


def test_it_can_be_done_again_and_again(pool, acting):
    line = SubscriptionFactory()
    content = table(HEADER, ["203.0.113.10", str(line.number), "", "", "", ""], ["203.0.113.12"] + [""] * 5)
    import_file(content, acting)
    before = list(Address.objects.order_by("pk").values())

    again = import_file(content, acting)
    changed = import_file(
        table(HEADER, ["203.0.113.10", str(line.number), "", "", "new.example", ""]), acting
    )

    assert counts(again) == (0, 0, 2, 0)
    assert counts(changed) == (0, 1, 0, 0)
    first = Address.objects.get(address="203.0.113.10")
    assert first.hostname == "new.example"
    assert {row["assigned_at"] for row in before if row["address"] == "203.0.113.10"} == {first.assigned_at}
    assert Event.objects.filter(name="ipam.address_assigned").count() == 1


def test_the_pool_goes_on_around_what_was_taken_in(pool, acting):
    import_file(table(["address"], *([f"203.0.113.{n}"] for n in (10, 11, 13))), acting)

    given = [
        allocation.allocate(at=NOW, pool_id=pool.pk, assigned_to=f"d{n}").address.address for n in range(2)
    ]

    assert given == ["203.0.113.12", "203.0.113.14"]


@pytest.mark.parametrize(
    ("row", "field", "message"),
    [
        (["", "", "", "", "", ""], "", ""),
        (["10.0.0", "", "", "", "", ""], "address", "'10.0.0' is no IP address."),
        (["192.0.2.1", "", "", "", "", ""], "address", "192.0.2.1 lies in no subnet of its VRF. Add the subnet first."),
        (["203.0.113.0", "", "", "", "", ""], "address",
         "203.0.113.0 is never handed out: the network address of 203.0.113.0/24."),
        (["203.0.113.255", "", "", "", "", ""], "address",
         "203.0.113.255 is never handed out: the broadcast address of 203.0.113.0/24."),
        (["203.0.113.0/24", "", "", "", "", ""], "address",
         "203.0.113.0/24 is a subnet: give an address, or a prefix within one."),
        (["203.0.113.12/30", "", "", "", "", ""], "address",
         "203.0.113.12/30 lies in the pool homes, which hands out single addresses."),
        (["203.0.113.10", "77", "", "", "", ""], "service",
         "There is no service with the number or ISP reference '77'."),
        (["203.0.113.10", "{ended}", "", "", "", ""], "service", "Service {ended} is terminated."),
        (["203.0.113.10", "twice", "", "", "", ""], "service",
         "Several services have this reference; give a number, one of: {twice}."),
        (["203.0.113.10", "1", "router", "", "", ""], "service",
         "Give the service that holds it, or in `assigned to` what else does."),
        (["203.0.113.10", "", "", "assigned", "", ""], "service",
         "Give the service that holds it, or in `assigned to` what else does."),
        (["203.0.113.10", "", "router", "free", "", ""], "state", "An address that is free has no holder."),
        (["203.0.113.10", "", "", "borrowed", "", ""], "state",
         "'borrowed' is no state: give assigned, reserved or free."),
        (["203.0.113.10", "", "", "", "h" * 254, ""], "hostname", "At most 253 characters."),
    ],
)  # fmt: skip
def test_a_row_that_is_wrong_is_told_at_its_field(row, field, message, pool, acting):
    ended = SubscriptionFactory(status="terminated")
    lines = [SubscriptionFactory(isp_reference="twice") for _ in range(2)]
    named = {"ended": ended.number, "twice": ", ".join(str(line.number) for line in lines)}
    content = table(HEADER, [cell.format(**named) for cell in row], ["203.0.113.19", "", "good", "", "", ""])

    of_import = import_file(content, acting)

    wanted = [(2, field, message.format(**named))] if message else []
    assert errors(of_import) == wanted
    assert [each[0] for each in stored()] == ["203.0.113.19"]


def test_what_somebody_holds_is_taken_from_nobody(pool, acting):
    line, other = SubscriptionFactory(), SubscriptionFactory()
    allocation.allocate(at=NOW, pool_id=pool.pk, subscription_id=line.pk)
    allocation.allocate(at=NOW, pool_id=pool.pk, assigned_to="router")
    content = table(
        HEADER,
        ["203.0.113.10", str(other.number), "", "", "", ""],
        ["203.0.113.10", "", "", "free", "", ""],
        ["203.0.113.11", str(other.number), "", "", "", ""],
        ["203.0.113.15", str(line.number), "", "", "", ""],
    )

    of_import = import_file(content, acting)

    assert counts(of_import) == (0, 0, 0, 4)
    assert errors(of_import) == [
        (2, "address", f"203.0.113.10 is held by service {line.number}. Release it first."),
        (3, "address", f"203.0.113.10 is held by service {line.number}. Release it first."),
        (4, "address", "203.0.113.11 is held by router. Release it first."),
        (
            5,
            "service",
            f"The service {line.number} already holds 203.0.113.10 of this pool. Release it first.",
        ),
    ]
    assert stored() == [
        ("203.0.113.10", "assigned", line.number, ""), ("203.0.113.11", "assigned", None, "router"),
    ]  # fmt: skip


def test_a_row_is_compared_with_those_before_it(pool, acting):
    line, other = SubscriptionFactory(), SubscriptionFactory()
    content = table(
        HEADER,
        ["203.0.113.10", str(line.number), "", "", "", ""],
        ["203.0.113.10", str(other.number), "", "", "", ""],
        ["203.0.113.11", str(line.number), "", "", "", ""],
        ["203.0.113.12", str(other.number), "", "", "", ""],
    )

    of_import = import_file(content, acting)

    assert errors(of_import) == [
        (3, "address", "Row 2 of this file has the same address."),
        (4, "service", "Row 2 of this file gives the service another of this pool."),
    ]
    assert [row[:3:2] for row in stored()] == [("203.0.113.10", line.number), ("203.0.113.12", other.number)]


def test_what_rests_and_what_is_kept_back(pool, acting):
    now = timezone.now()
    for number in range(2):
        row = allocation.allocate(at=now, pool_id=pool.pk, assigned_to=f"d{number}").address
        release.release(at=now - timedelta(days=3) * number, address_id=row.pk)
    release.reserve(at=now, pool_id=pool.pk, address="203.0.113.12", reserved_for="a server")
    content = table(
        ["address", "assigned to", "state"],
        ["203.0.113.10", "router", ""],
        ["203.0.113.11", "router", ""],
        ["203.0.113.12", "server", ""],
        ["203.0.113.13", "", "free"],
    )

    of_import = import_file(content, acting)

    assert counts(of_import) == (1, 1, 1, 1)
    [(_, _, why)] = errors(of_import)
    assert why.startswith("203.0.113.10 rests after its last holder")
    assert stored("203.0.113.11", "203.0.113.12", "203.0.113.13") == [
        ("203.0.113.11", "assigned", None, "router"), ("203.0.113.12", "assigned", None, "server"),
    ]  # fmt: skip


def test_prefixes_pools_and_vrfs(acting):
    prefixes = make_prefix_pool()
    inner = Vrf.objects.create(name="inner", rd="64500:1")
    subnet_in(inner, "2001:db8::/40")
    line = SubscriptionFactory()
    content = table(
        ["Prefix", "VRF", "Pool", "Service"],
        ["2001:db8:0:100::/56", "", "prefixes", str(line.number)],
        ["2001:db8:0:200::/60", "", "", str(line.number)],
        ["2001:db8:0:200::/56", "64500:1", "", str(line.number)],
        ["2001:db8:0:201::1", "inner", "", ""],
        ["2001:db8:0:300::/56", "inner", "prefixes", ""],
        ["2001:db8:0:300::/56", "outer", "", ""],
    )

    of_import = import_file(content, acting)

    assert errors(of_import) == [
        (3, "address", "2001:db8:0:200::/60 lies in the pool prefixes, which hands out /56 prefixes."),
        (6, "pool", "2001:db8:0:300::/56 lies outside the ranges of prefixes."),
        (7, "vrf", "There is no VRF “outer”."),
    ]
    held = Address.objects.filter(subscription=line).order_by("address")
    assert [(each.address, each.pool, each.vrf.name) for each in held] == [
        ("2001:db8:0:100::/56", prefixes, "default"), ("2001:db8:0:200::/56", None, "inner"),
    ]  # fmt: skip


def test_a_stored_prefix_stands_in_the_way_of_an_address_in_it(acting):
    subnet = subnet_in(space.default_vrf(), "10.0.0.0/16")
    allocation.allocate(at=NOW, subnet_id=subnet.pk, address="10.0.8.0/29", assigned_to="customer")

    of_import = import_file(table(["address"], ["10.0.8.3"], ["10.0.8.0/28"], ["10.0.8.8"]), acting)

    assert errors(of_import) == [
        (2, "address", "10.0.8.0/29 stands in the way: an address has one holder."),
        (3, "address", "10.0.8.0/29 stands in the way: an address has one holder."),
    ]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "wrong_columns"),
        (b"service\n7\n", "wrong_columns"),
        (b"address,ip\n1,2\n", "wrong_columns"),
        (b"%PDF-1.7", "file_unreadable"),
        (b'{"results": []}', "file_unreadable"),
        (b'{"results": [', "file_unreadable"),
    ],
)
def test_a_file_of_another_kind_is_refused_and_nothing_is_kept(content, code, acting):
    with pytest.raises(DomainError) as refusal:
        upload(content)

    assert refusal.value.code == code
    assert not BookImport.objects.exists()
    assert not StoredFile.objects.exists()


def test_another_providers_names_are_unknown(pool, acting, other_tenant):
    with tenant_context(other_tenant.pk):
        theirs = SubscriptionFactory(isp_reference="theirs")
        Vrf.objects.create(name="theirs")
        make_pool(name="theirs")
    content = table(
        ["address", "vrf", "service", "pool"],
        ["203.0.113.10", "theirs", "", ""],
        ["203.0.113.11", "", "theirs", ""],
        ["203.0.113.12", "", str(theirs.number), ""],
        ["203.0.113.13", "", "", "theirs"],
    )

    of_import = import_file(content, acting)

    assert [(row, field) for row, field, _ in errors(of_import)] == [
        (2, "vrf"), (3, "service"), (4, "service"), (5, "pool"),
    ]  # fmt: skip


class TestRuns:
    @pytest.fixture
    def content(self, pool, monkeypatch) -> bytes:
        monkeypatch.setattr(runs, "BATCH", 2)
        return table(["address"], *([f"203.0.113.{n}"] for n in range(10, 17)))

    def test_a_run_that_was_killed_goes_on_after_the_last_batch(self, content, acting, monkeypatch):
        of_import = check(upload(content), acting)
        take, batches = runs._Run.take, []

        def dying(self, *given):
            batches.append(1)
            if len(batches) == 3:
                raise KeyboardInterrupt
            take(self, *given)

        monkeypatch.setattr(runs._Run, "take", dying)
        with pytest.raises(KeyboardInterrupt):
            take_in(of_import, acting)
        of_import.refresh_from_db()
        assert (of_import.status, of_import.rows_created) == (BookStatus.IMPORTING, 4)
        job = Job.objects.get(kind=imports.TAKE_IN)
        Job.objects.filter(pk=job.pk).update(status=JobStatus.QUEUED, finished_at=None)

        perform(job, of_import, acting)

        assert (of_import.status, counts(of_import)) == (BookStatus.IMPORTED, (7, 0, 0, 0))
        assert len(stored()) == 7

    def test_what_is_not_checked_is_not_taken_in(self, content, acting):
        of_import = upload(content)

        with pytest.raises(imports.BookImportNotChecked):
            imports.request_run(import_id=of_import.pk)
        take_in(check(of_import, acting), acting)
        with pytest.raises(imports.BookImportIsOver):
            imports.request_run(import_id=of_import.pk)

        assert Job.objects.count() == 2

    def test_one_runs_at_a_time(self, content, acting):
        of_import = upload(content)
        job = imports.request_check(import_id=of_import.pk)

        assert imports.request_check(import_id=of_import.pk) == job
        with pytest.raises(imports.BookImportIsRunning):
            imports.request_run(import_id=of_import.pk)
        with pytest.raises(imports.BookImportIsRunning):
            imports.remove_book_import(import_id=of_import.pk)
        jobs.cancel(job_id=job.pk)
        imports.remove_book_import(import_id=of_import.pk)

        assert not BookImport.objects.exists()
        assert not StoredFile.objects.exists()

    def test_a_message_that_comes_again_does_nothing(self, content, acting):
        of_import = import_file(content, acting)
        job = Job.objects.get(kind=imports.TAKE_IN)
        Job.objects.filter(pk=job.pk).update(status=JobStatus.QUEUED, finished_at=None)

        perform(job, of_import, acting)

        assert counts(of_import) == (7, 0, 0, 0)

    def test_costs_the_same_queries_for_one_row_and_six(self, pool, acting, query_count):
        lines = [SubscriptionFactory() for _ in range(7)]
        files = [
            table(["address", "service"], ["203.0.113.10", str(lines[0].number)]),
            table(
                ["address", "service"], *([f"203.0.113.{11 + n}", str(lines[1 + n].number)] for n in range(6))
            ),
        ]

        found = []
        for content in files:
            of_import = check(upload(content), acting)
            found.append(query_count(take_in, of_import, acting))

        assert len(stored()) == 7
        assert found[0] == found[1]
