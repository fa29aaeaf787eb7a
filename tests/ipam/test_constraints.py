"""What the database itself refuses, asked as the runtime role with plain SQL around every service."""

import pytest
from django.db import DatabaseError, connection, transaction

from ipam.models import Address, Subnet
from ipam.services import space
from ispcore.tenants.context import tenant_context
from tests.factories import AddressFactory, SubscriptionFactory
from tests.ipam.space import NOW, make_pool, make_prefix_pool, subnet_in

pytestmark = pytest.mark.django_db


def run(sql, **values):
    with connection.cursor() as cursor:
        cursor.execute(sql, values)


def insert_subnet(tenant, vrf, network, parent=None):
    run(
        "INSERT INTO ipam_subnet (id, tenant_id, created_at, updated_at, vrf_id, network, first_address, last_address,"
        " parent_id, parent_network, name, site, dns_servers, notes) "
        "SELECT uuidv7(), %(tenant)s, now(), now(), %(vrf)s, net, set_masklen(net::inet, bits),"
        " set_masklen(broadcast(net), bits), %(parent)s, %(around)s, '', '', '{}', '' "
        "FROM (SELECT %(network)s::cidr AS net, CASE family(%(network)s) WHEN 4 THEN 32 ELSE 128 END AS bits) AS new",
        tenant=tenant.pk, vrf=vrf.pk, network=network, parent=parent and parent.pk, around=parent and parent.network,
    )  # fmt: skip


def insert_address(tenant, vrf, address, state="free", **columns):
    times = {"free": "free_since", "assigned": "assigned_at", "quarantined": "quarantined_until"}
    columns = {"assigned_to": "", "reserved_for": "", **columns}
    if state in times:
        columns.setdefault(times[state], NOW)
    names = "".join(f", {name}" for name in columns)
    values = "".join(f", %({name})s" for name in columns)
    run(
        "INSERT INTO ipam_address (id, tenant_id, created_at, updated_at, vrf_id, address, state, hostname, note"
        f"{names}) VALUES (uuidv7(), %(tenant)s, now(), now(), %(vrf)s, %(address)s, %(state)s, '', ''{values})",
        tenant=tenant.pk, vrf=vrf.pk, address=address, state=state, **columns,
    )  # fmt: skip


def refused(name):
    return pytest.raises(DatabaseError, match=name)


class TestSubnets:
    @pytest.fixture
    def vrf(self, acting):
        return space.default_vrf()

    @pytest.mark.parametrize(
        "network", ["10.0.0.0/16", "10.0.0.0/8", "10.0.4.0/24", "0.0.0.0/0", "10.0.255.255/32"]
    )
    def test_never_overlap_beside_one_another(self, network, acting, vrf):
        insert_subnet(acting, vrf, "10.0.0.0/16")

        with refused("subnet_overlaps|subnet_network_unique"), transaction.atomic():
            insert_subnet(acting, vrf, network)

        assert Subnet.objects.count() == 1

    def test_may_overlap_in_another_vrf(self, acting, vrf):
        for each in (vrf, space.create_vrf(name="other")):
            insert_subnet(acting, each, "10.0.0.0/16")

        assert Subnet.objects.count() == 2

    def test_lie_in_their_parent(self, acting, vrf):
        insert_subnet(acting, vrf, "10.0.0.0/16")

        with refused("subnet_within_its_parent"), transaction.atomic():
            insert_subnet(acting, vrf, "10.1.0.0/24", Subnet.objects.get())

    def test_cannot_shrink_below_a_child(self, acting, vrf):
        parent = subnet_in(vrf, "10.0.0.0/16")
        subnet_in(vrf, "10.0.200.0/24")

        with refused("subnet_within_its_parent"), transaction.atomic():
            run(
                "UPDATE ipam_subnet SET network = '10.0.0.0/17', last_address = '10.0.127.255' WHERE id = %(id)s",
                id=parent.pk,
            )

        assert Subnet.objects.get(pk=parent.pk).network == "10.0.0.0/16"

    def test_cannot_have_a_parent_of_another_vrf(self, acting, vrf):
        insert_subnet(acting, vrf, "10.0.0.0/16")

        with refused("subnet_follows_its_parent"), transaction.atomic():
            insert_subnet(acting, space.create_vrf(name="other"), "10.0.1.0/24", Subnet.objects.get())

    def test_have_no_host_bits_and_true_bounds(self, acting, vrf):
        with refused("invalid cidr value"), transaction.atomic():
            insert_subnet(acting, vrf, "10.0.0.1/16")
        subnet = subnet_in(vrf, "10.0.0.0/16")
        with refused("subnet_bounds_of_its_network"), transaction.atomic():
            run("UPDATE ipam_subnet SET last_address = '10.0.0.9' WHERE id = %(id)s", id=subnet.pk)
        with refused("subnet_gateway_inside"), transaction.atomic():
            run("UPDATE ipam_subnet SET gateway = '10.1.0.1' WHERE id = %(id)s", id=subnet.pk)


@pytest.mark.usefixtures("acting")
class TestRanges:
    def move(self, first, last):
        run(
            "UPDATE ipam_poolrange SET first = %(first)s, last = %(last)s, next_address = NULL",
            first=first,
            last=last,
        )

    @pytest.mark.parametrize(
        ("first", "last", "name"),
        [
            ("203.0.112.0", "203.0.113.19", "pool_range_within_its_subnet"),
            ("203.0.113.19", "203.0.113.10", "pool_range_in_order|range lower bound"),
            ("2001:db8::1", "2001:db8::2", "pool_range_of_its_family|pool_range_within|pool_range_aligned"),
        ],
    )
    def test_stay_in_their_subnet_and_family(self, first, last, name):
        make_pool()

        with refused(name), transaction.atomic():
            self.move(first, last)

    def test_never_cut_a_prefix(self):
        make_prefix_pool()

        with refused("pool_range_aligned"), transaction.atomic():
            self.move("2001:db8::", "2001:db8:0:1ff:ffff:ffff:ffff:fffe")

    def test_never_overlap(self):
        make_pool()
        other = make_pool(first="203.0.113.30", last="203.0.113.39", name="other")

        with refused("pool_range_overlaps"), transaction.atomic():
            run(
                "UPDATE ipam_poolrange SET first = '203.0.113.19', next_address = NULL WHERE pool_id = %(id)s",
                id=other.pk,
            )

    def test_follow_their_subnet(self):
        make_pool()

        with refused("pool_range_within_its_subnet"), transaction.atomic():
            run("UPDATE ipam_subnet SET network = '203.0.113.128/25', first_address = '203.0.113.128'")

    def test_are_of_their_pools_shape(self):
        make_pool()

        with refused("pool_range_fits_its_pool"), transaction.atomic():
            run("UPDATE ipam_pool SET family = 6, prefix_length = 128")


class TestAddresses:
    @pytest.fixture
    def vrf(self, acting):
        return space.default_vrf()

    def test_stand_once_in_a_vrf(self, acting, vrf):
        insert_address(acting, vrf, "10.0.0.1")

        with refused("address_once_per_vrf"), transaction.atomic():
            insert_address(acting, vrf, "10.0.0.1", "assigned", assigned_to="x")

        insert_address(acting, space.create_vrf(name="other"), "10.0.0.1")
        assert Address.objects.count() == 2

    @pytest.mark.parametrize("other", ["2001:db8::/56", "2001:db8::/48", "2001:db8:0:10::/60"])
    def test_delegated_prefixes_never_overlap(self, other, acting, vrf):
        insert_address(acting, vrf, "2001:db8::/56")

        with refused("address_prefix_overlaps|address_once_per_vrf"), transaction.atomic():
            insert_address(acting, vrf, other)

    @pytest.mark.parametrize(
        ("state", "columns", "name"),
        [
            ("assigned", {}, "address_holder_fits_state"),
            ("assigned", {"assigned_to": "x", "free_since": NOW}, "address_times_fit_state"),
            ("assigned", {"assigned_to": "x", "assigned_at": None}, "address_times_fit_state"),
            ("free", {"assigned_to": "x"}, "address_holder_fits_state"),
            ("free", {"free_since": None}, "address_times_fit_state"),
            ("free", {"reserved_for": "x"}, "address_reserved_for_fits_state"),
            ("quarantined", {"quarantined_until": None}, "address_times_fit_state"),
            ("lost", {}, "address_times_fit_state"),
        ],
    )
    def test_have_what_their_state_needs_and_nothing_else(self, state, columns, name, acting, vrf):
        with refused(name), transaction.atomic():
            insert_address(acting, vrf, "10.0.0.1", state, **columns)

        assert not Address.objects.exists()

    def test_a_line_holds_one_of_each_pool(self, acting, vrf):
        pool, line = make_pool(vrf=vrf), SubscriptionFactory()
        insert_address(acting, vrf, "203.0.113.10", "assigned", pool_id=pool.pk, subscription_id=line.pk)

        with refused("address_one_per_service_and_pool"), transaction.atomic():
            insert_address(acting, vrf, "203.0.113.11", "assigned", pool_id=pool.pk, subscription_id=line.pk)

    def test_past_holders_cannot_be_deleted(self, acting):
        with refused("permission denied"), transaction.atomic():
            run("DELETE FROM ipam_pastassignment")


def test_another_tenants_addresses_cannot_be_seen_taken_or_pointed_at(tenant, other_tenant):
    with tenant_context(other_tenant.pk):
        theirs = AddressFactory()
        line = SubscriptionFactory()

    with tenant_context(tenant.pk):
        assert Address._base_manager.filter(pk=theirs.pk).update(note="mine") == 0
        with refused("row-level security"), transaction.atomic():
            insert_address(other_tenant, theirs.vrf, "198.51.100.200")
        own = space.default_vrf()
        with refused("same_tenant"), transaction.atomic():
            insert_address(tenant, own, "10.0.0.1", "assigned", subscription_id=line.pk)
            run("SET CONSTRAINTS ALL IMMEDIATE")
        with refused("same_tenant"), transaction.atomic():
            insert_subnet(tenant, theirs.vrf, "198.18.0.0/15")
            run("SET CONSTRAINTS ALL IMMEDIATE")
        assert not Address.objects.exists()
        assert not Subnet.objects.exists()
