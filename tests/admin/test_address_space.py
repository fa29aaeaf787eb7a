"""Subnets and pools as staff make, divide and hand out of them."""

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from ipam.models import Address, AddressState, Pool, PoolUsage, Subnet, UsageSample
from ipam.services import allocation, release, space, usage
from ispcore.tenants.models import User
from tests.admin.test_actions import action_url
from tests.admin.test_addresses import confirm, list_of
from tests.admin.test_hardware_pages import page_of, text_of
from tests.factories import SubscriptionFactory
from tests.ipam.space import make_pool, subnet_in


@pytest.mark.django_db
@pytest.mark.usefixtures("acting")
class TestSubnets:
    def test_are_listed_as_a_tree(self, browser: Client) -> None:
        vrf = space.default_vrf()
        for network in ("10.0.1.0/24", "10.0.0.0/16", "10.0.1.128/25", "10.0.0.0/24"):
            space.create_subnet(vrf_id=vrf.pk, network=network)

        shown = browser.get(list_of("subnet")).context["cl"].result_list

        assert [(row.network, row.depth) for row in shown] == [
            ("10.0.0.0/16", 0), ("10.0.0.0/24", 1), ("10.0.1.0/24", 1), ("10.0.1.128/25", 2),
        ]  # fmt: skip

    @pytest.mark.parametrize(
        ("typed", "found"),
        [
            ("10.0.1.200", ["10.0.0.0/16", "10.0.1.0/24"]),
            ("10.0.0.0/15", ["10.0.0.0/16", "10.0.1.0/24"]),
            ("400", ["10.0.1.0/24"]),
            ("cellar", ["10.0.1.0/24"]),
            ("192.0.2.1", []),
        ],
    )
    def test_are_found_by_address_vlan_and_name(self, typed: str, found: list[str], browser: Client) -> None:
        vrf = space.default_vrf()
        space.create_subnet(vrf_id=vrf.pk, network="10.0.0.0/16")
        space.create_subnet(vrf_id=vrf.pk, network="10.0.1.0/24", name="The cellar", vlan_id=400)

        shown = browser.get(list_of("subnet"), {"q": typed}).context["cl"].result_list

        assert [row.network for row in shown] == found

    def test_are_made_by_the_service_that_finds_their_place(self, browser: Client) -> None:
        outer = subnet_in(space.default_vrf(), "10.0.0.0/16")

        browser.post(
            reverse("admin:ipam_subnet_add"),
            {"vrf": outer.vrf_id, "network": "10.0.1.0/24", "dns_servers": "192.0.2.1, 192.0.2.2"},
        )

        made = Subnet.objects.get(network="10.0.1.0/24")
        assert (made.parent_id, made.dns_servers) == (outer.pk, ["192.0.2.1", "192.0.2.2"])

    @pytest.mark.parametrize(
        ("given", "said"),
        [
            ({"network": "10.0.0.0/16"}, "already"),
            ({"network": "nonsense"}, "is no IP address"),
            ({"network": "10.9.0.0/24", "gateway": "10.8.0.1"}, "no host address of"),
            ({"network": "10.9.0.0/24", "dns_servers": "a, b"}, "is no IP address"),
        ],
    )
    def test_say_what_was_wrong(self, given: dict[str, str], said: str, browser: Client) -> None:
        outer = subnet_in(space.default_vrf(), "10.0.0.0/16")

        answer = browser.post(reverse("admin:ipam_subnet_add"), {"vrf": outer.vrf_id, **given})

        assert answer.status_code == 200
        assert said in text_of(answer.content)
        assert Subnet.objects.count() == 1

    def test_take_a_subnet_within(self, browser: Client) -> None:
        outer = subnet_in(space.default_vrf(), "10.0.0.0/16")
        subnet_in(outer.vrf, "10.0.0.0/17")

        asked = browser.get(action_url(outer, "add_within"))
        outside = confirm(browser, outer, "add_within", network="10.9.0.0/24")
        inside = confirm(browser, outer, "add_within", network="10.0.200.0/24", name="new", vlan_id="7")

        assert "No subnet lies yet in 10.0.128.0/17" in text_of(asked.content)
        assert "does not lie in it" in text_of(outside.content)
        made = Subnet.objects.get(network="10.0.200.0/24")
        assert (made.parent_id, made.name, made.vlan_id) == (outer.pk, "new", 7)
        assert inside.redirect_chain[-1][0] == page_of(made)

    def test_reserve_a_range_or_nothing_of_it(self, browser: Client) -> None:
        subnet = subnet_in(space.default_vrf(), "10.0.0.0/24")
        allocation.allocate(at=timezone.now(), subnet_id=subnet.pk, assigned_to="lamp", address="10.0.0.7")

        refused = confirm(
            browser, subnet, "reserve_range", first="10.0.0.5", last="10.0.0.9", reserved_for="x"
        )
        taken = confirm(browser, subnet, "reserve_range", first="10.0.0.8", last="10.0.0.9", reserved_for="x")

        assert "10.0.0.7 is assigned" in text_of(refused.content)
        assert "Reserved: 2 addresses." in text_of(taken.content)
        kept = Address.objects.filter(state=AddressState.RESERVED).order_by("address")
        assert [row.address for row in kept] == ["10.0.0.8", "10.0.0.9"]

    def test_give_the_next_free_address_to_a_line(self, browser: Client, admin_user: User) -> None:
        subnet = subnet_in(space.default_vrf(), "10.0.0.0/24")
        line = SubscriptionFactory()

        confirm(browser, subnet, "assign", line=f"#{line.number}")

        held = Address.objects.get(subscription=line)
        assert (held.address, held.state, held.changed_by_id) == ("10.0.0.1", "assigned", admin_user.pk)

    @pytest.mark.parametrize(
        ("given", "said"),
        [
            ({}, "Name either a service or what else holds it"),
            ({"line": "77"}, "There is no service 77"),
            ({"line": "x"}, "The service's number"),
            ({"assigned_to": "lamp", "address": "10.0.0.0"}, "not handed out"),
        ],
    )
    def test_give_nothing_to_nobody(self, given: dict[str, str], said: str, browser: Client) -> None:
        subnet = subnet_in(space.default_vrf(), "10.0.0.0/24")

        answer = confirm(browser, subnet, "assign", **given)

        assert said in text_of(answer.content).replace("&#x27;", "'")
        assert not Address.objects.exclude(state=AddressState.FREE).exists()

    def test_in_use_are_not_deleted(self, browser: Client) -> None:
        make_pool()
        subnet = Subnet.objects.get()

        answer = browser.post(
            reverse("admin:ipam_subnet_delete", args=[subnet.pk]), {"post": "yes"}, follow=True
        )

        assert "the pool homes has a range in it" in text_of(answer.content)
        assert Subnet.objects.filter(pk=subnet.pk).exists()


@pytest.mark.django_db
@pytest.mark.usefixtures("acting")
class TestPools:
    FORM = {
        "name": "homes", "purpose": "dynamic", "is_active": "on", "kind": "address", "family": "4",
        "prefix_length": "", "hold_seconds": "3600", "warn_percent": "80", "critical_percent": "95",
        "dns_servers": "", "notes": "", "exclusions": "",
    }  # fmt: skip

    def test_are_made_with_their_ranges_line_by_line(self, browser: Client) -> None:
        vrf = space.default_vrf()
        subnet_in(vrf, "203.0.113.0/24")
        lines = "203.0.113.10 - 203.0.113.19\r\n203.0.113.128/26\r\n"

        browser.post(
            reverse("admin:ipam_pool_add"),
            {**self.FORM, "vrf": vrf.pk, "ranges": lines, "exclusions": "203.0.113.12 # printer"},
        )

        pool = Pool.objects.get()
        assert [str(each) for each in pool.ranges.all()] == [
            "203.0.113.10 – 203.0.113.19", "203.0.113.128 – 203.0.113.191",
        ]  # fmt: skip
        assert [(each.first, each.reason) for each in pool.exclusions.all()] == [("203.0.113.12", "printer")]

    def test_keep_their_ranges_when_only_the_name_is_changed(self, browser: Client) -> None:
        pool = make_pool()
        before = [each.pk for each in pool.ranges.all()]

        browser.post(
            page_of(pool), {**self.FORM, "name": "new name", "ranges": "203.0.113.10 - 203.0.113.19"}
        )

        pool.refresh_from_db()
        assert pool.name == "new name"
        assert [each.pk for each in pool.ranges.all()] == before

    @pytest.mark.parametrize(
        ("lines", "said"),
        [
            ("203.0.113.300", "Line 1: '203.0.113.300' is no IP address."),
            (
                "203.0.113.30\n203.0.113.5/24",
                "Line 2: 203.0.113.5/24 is no network; 203.0.113.0/24 may be meant.",
            ),
            ("203.0.113.10 - 203.0.113.19 # why", "nothing may stand behind the addresses"),
            ("198.51.100.1 - 198.51.100.9", "lies in no subnet of the VRF"),
            ("2001:db8::1", "the pool is one of IPv4"),
        ],
    )
    def test_say_at_the_field_which_line_is_wrong(self, lines: str, said: str, browser: Client) -> None:
        vrf = space.default_vrf()
        subnet_in(vrf, "203.0.113.0/24")

        answer = browser.post(reverse("admin:ipam_pool_add"), {**self.FORM, "vrf": vrf.pk, "ranges": lines})

        assert answer.status_code == 200
        assert said in " ".join(answer.context["adminform"].form.errors["ranges"])
        assert not Pool.objects.exists()

    def test_allocate_reserve_and_are_switched_off(self, browser: Client) -> None:
        pool = make_pool()
        line = SubscriptionFactory()

        confirm(browser, pool, "allocate", line=line.number)
        again = confirm(browser, pool, "allocate", line=line.number)
        confirm(browser, pool, "reserve", first="203.0.113.15", reserved_for="router")
        confirm(browser, pool, "deactivate")
        refused = confirm(browser, pool, "allocate", assigned_to="lamp")

        assert "holds 203.0.113.10 already" in text_of(again.content)
        assert "it is switched off" in text_of(refused.content)
        states = dict(Address.objects.exclude(state="free").values_list("address", "state"))
        assert states == {"203.0.113.10": "assigned", "203.0.113.15": "reserved"}

    def test_give_a_reserved_address_by_name_and_tick_only(self, browser: Client) -> None:
        pool = make_pool()
        release.reserve(at=timezone.now(), pool_id=pool.pk, address="203.0.113.15", reserved_for="hotel")
        wanted = {"assigned_to": "hotel", "address": "203.0.113.15"}

        refused = confirm(browser, pool, "allocate", **wanted)
        assert "Tick “Also when it is reserved”" in text_of(refused.content)
        assert Address.objects.get(address="203.0.113.15").state == "reserved"

        confirm(browser, pool, "allocate", **wanted, take_reserved="on")
        assert Address.objects.get(address="203.0.113.15").assigned_to == "hotel"

    def test_that_are_exhausted_say_what_is_left(self, browser: Client) -> None:
        pool = make_pool(last="203.0.113.10")
        allocation.allocate(at=timezone.now(), pool_id=pool.pk, assigned_to="lamp")

        refused = confirm(browser, pool, "allocate", assigned_to="second lamp")

        assert "Nothing is left in homes: of 1, 1 are assigned" in text_of(refused.content)

    def test_tell_the_day_they_run_out(self, browser: Client) -> None:
        pool = make_pool()
        now = timezone.now()
        for number in range(5):
            allocation.allocate(at=now, pool_id=pool.pk, assigned_to=f"lamp {number}")
        for day in range(6):
            UsageSample.objects.create(
                pool=pool, at=now - timedelta(days=day), total=10, reserved=0, assigned=5 - day, quarantined=0
            )

        page = browser.get(page_of(pool))

        last = timezone.localdate(now + timedelta(days=5))
        assert f"it runs out on {last:%-d %b %Y}, in 5 days." in text_of(page.content)
        assert b"isp-line-chart" in page.content
        assert "At this pace it is full on" in text_of(page.content)

    def test_nearly_full_stand_on_the_dashboard_and_in_a_list_of_their_own(self, browser: Client) -> None:
        full, empty = (
            make_pool(last="203.0.113.10"),
            make_pool("10.0.0.0/24", "10.0.0.1", "10.0.0.9", name="empty"),
        )
        allocation.allocate(at=timezone.now(), pool_id=full.pk, assigned_to="lamp")
        usage.fold(at=timezone.now())

        dashboard = browser.get("/admin/").context
        tile = next(tile for tile in dashboard["tiles"] if tile.label == "Pools nearly full")
        listed = browser.get(tile.url).context["cl"].result_list

        assert (tile.value, tile.hint) == (1, "of 2")
        assert [row.pk for row in listed] == [full.pk]
        assert [concern.title for concern in dashboard["concerns"] if concern.word == "pool full"] == [
            "homes"
        ]
        assert not PoolUsage.objects.exclude(level="ok").filter(pool=empty).exists()
