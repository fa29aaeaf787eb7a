"""The map of a subnet: what each square says, how it zooms, and that a keyboard walks it."""

from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone

from ipam.admin import map as drawing
from ipam.models import Subnet
from ipam.services import allocation, pools, release, space
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant, User
from tests.admin.browsing import logged_in
from tests.admin.test_hardware_pages import page_of
from tests.factories import SubscriptionFactory
from tests.ipam.space import make_pool, make_prefix_pool, subnet_in


def kinds(drawn: drawing.Map) -> dict[str, str]:
    return {cell.name: cell.kind for cell in drawn.cells}


@pytest.mark.django_db
@pytest.mark.usefixtures("acting")
class TestMap:
    def test_of_a_24_has_a_square_for_each_address_in_its_state(self) -> None:
        vrf = space.default_vrf()
        subnet = subnet_in(vrf, "203.0.113.0/24", gateway="203.0.113.1")
        pool = pools.create_pool(
            vrf_id=vrf.pk, name="homes", ranges_given=[{"first": "203.0.113.10", "last": "203.0.113.20"}],
            exclusions=[{"first": "203.0.113.12", "last": "203.0.113.12", "reason": "printer"}],
        )  # fmt: skip
        now = timezone.now()
        allocation.allocate(at=now, pool_id=pool.pk, assigned_to="lamp", address="203.0.113.10")
        release.reserve(at=now, pool_id=pool.pk, address="203.0.113.11", reserved_for="new router")
        given = allocation.allocate(at=now, pool_id=pool.pk, assigned_to="old", address="203.0.113.13")
        release.release(at=now, address_id=given.address.pk)

        drawn = drawing.draw(subnet)

        found = kinds(drawn)
        assert len(found) == 256
        assert {found[f"203.0.113.{last}"] for last in (0, 1, 12, 255)} == {"never"}
        assert [found[f"203.0.113.{last}"] for last in (10, 11, 13, 14, 21)] == [
            "assigned", "reserved", "quarantined", "free", "outside",
        ]  # fmt: skip
        says = {cell.name: cell.says for cell in drawn.cells}
        assert says["203.0.113.10"].startswith("Assigned to lamp, since ")
        assert says["203.0.113.11"] == "Reserved: new router"
        assert says["203.0.113.12"] == "Excluded from the pool homes: printer"
        assert says["203.0.113.1"] == "Gateway of 203.0.113.0/24: never handed out"
        assert ("assigned", "Assigned", 1) in drawn.legend

    def test_of_a_16_has_a_square_for_each_24_and_leads_to_it(self) -> None:
        subnet = subnet_in(space.default_vrf(), "10.0.0.0/16")
        inner = subnet_in(subnet.vrf, "10.0.3.0/24", name="third")
        allocation.allocate(at=timezone.now(), subnet_id=inner.pk, assigned_to="lamp")

        drawn = drawing.draw(subnet)

        assert drawn.of_blocks
        assert len(drawn.cells) == 256
        third, fourth = drawn.cells[3], drawn.cells[4]
        assert (third.name, third.percent, third.is_subnet, third.kind) == ("10.0.3.0/24", 1, True, "some")
        assert third.url == page_of(inner)
        assert (fourth.percent, fourth.kind, fourth.is_subnet) == (0, "empty", False)
        assert fourth.url == f"{page_of(subnet)}?at=10.0.4.0/24#map"

    @pytest.mark.parametrize(
        ("network", "squares"),
        [
            ("10.0.0.0/20", 16),
            ("10.0.0.0/12", 16),
            ("10.0.0.0/8", 256),
            ("10.0.0.0/23", 2),
            ("10.0.0.0/31", 2),
        ],
    )
    def test_of_any_size_has_at_most_256_squares(self, network: str, squares: int) -> None:
        assert len(drawing.draw(subnet_in(space.default_vrf(), network)).cells) == squares

    def test_zooms_into_a_part_and_back(self) -> None:
        subnet = subnet_in(space.default_vrf(), "10.0.0.0/8")

        drawn = drawing.draw(subnet, "10.7.9.0/24")

        assert (drawn.network, len(drawn.cells)) == ("10.7.9.0/24", 256)
        assert [name for name, _ in drawn.crumbs] == ["10.0.0.0/8", "10.7.0.0/16"]

    @pytest.mark.parametrize("at", ["nonsense", "192.0.2.0/24", "2001:db8::/64", "0.0.0.0/0", "10.0.0.0/99"])
    def test_of_what_is_no_part_is_the_whole(self, at: str) -> None:
        subnet = subnet_in(space.default_vrf(), "10.0.0.0/16")

        assert drawing.draw(subnet, at).network == "10.0.0.0/16"

    def test_of_delegated_prefixes_has_a_square_for_each(self) -> None:
        pool = make_prefix_pool()
        subnet = Subnet.objects.get()
        given = allocation.allocate(at=timezone.now(), pool_id=pool.pk, assigned_to="lamp").address

        whole, part = drawing.draw(subnet), drawing.draw(subnet, "2001:db8::/48")

        assert (whole.of_blocks, len(whole.cells), whole.cells[0].name) == (True, 256, "2001:db8::/48")
        assert len(part.cells) == 256
        assert kinds(part)[given.address] == "assigned"
        assert part.cells[1].name == "2001:db8:0:100::/56"

    def test_of_a_64_shows_the_used_parts(self) -> None:
        pool = make_pool("2001:db8:5::/64", "2001:db8:5::1:0", "2001:db8:5::1:ffff", family=6)
        allocation.allocate(at=timezone.now(), pool_id=pool.pk, assigned_to="lamp")
        subnet = Subnet.objects.get()

        drawn = drawing.draw(subnet)

        assert [cell.name for cell in drawn.cells] == ["2001:db8:5::1:0/120"]
        inside = drawing.draw(subnet, "2001:db8:5::1:0/120")
        assert kinds(inside)["2001:db8:5::1:0"] == "assigned"
        assert [name for name, _ in inside.crumbs] == ["2001:db8:5::/64"]

    def test_costs_the_same_however_much_is_used(self, query_count: Callable[..., int]) -> None:
        pool = make_pool(last="203.0.113.60")
        subnet = Subnet.objects.get()
        allocation.allocate(at=timezone.now(), pool_id=pool.pk, subscription_id=SubscriptionFactory().pk)
        one = query_count(drawing.draw, subnet)

        for _ in range(5):
            allocation.allocate(at=timezone.now(), pool_id=pool.pk, subscription_id=SubscriptionFactory().pk)

        assert query_count(drawing.draw, subnet) == one


@pytest.mark.django_db(transaction=True)
def test_the_map_is_walked_by_arrow_keys_and_fits_a_phone(
    live_server: Any, monkeypatch: pytest.MonkeyPatch, tenant: Tenant, admin_user: User
) -> None:
    with tenant_context(tenant.pk):
        pool = make_pool()
        allocation.allocate(at=timezone.now(), pool_id=pool.pk, assigned_to="lamp")
        page_url = page_of(Subnet.objects.get())

    with logged_in(admin_user, live_server.url, monkeypatch) as page:
        page.goto(live_server.url + page_url)
        says = page.locator("#map-says")
        stops = page.locator(".isp-grid-map .isp-cell[tabindex='0']")
        stops.first.focus()
        assert (stops.count(), says.inner_text()) == (
            1,
            "203.0.113.0: Network address of 203.0.113.0/24: never handed out",
        )
        for _ in range(10):
            page.keyboard.press("ArrowRight")
        assert says.inner_text().startswith("203.0.113.10: Assigned to lamp, since ")
        page.keyboard.press("ArrowDown")
        assert says.inner_text() == "203.0.113.26: Free, in no pool"
        assert stops.count() == 1
        page.keyboard.press("ArrowUp")
        page.keyboard.press("Enter")
        page.wait_for_url("**/ipam/address/**")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.goto(live_server.url + page_url)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
