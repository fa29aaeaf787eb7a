"""The address pages: what they say, what they draw, what they cost, and who may do what."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from ipam.models import (
    Address,
    CgnatRule,
    Drift,
    PastAssignment,
    Pool,
    Reconciliation,
    Vrf,
)
from ipam.services import allocation, cgnat, release, space
from ispcore.admin.actions import CONFIRMED
from ispcore.tenants.models import AuditEntry, Tenant, User
from ispcore.tenants.roles import Role
from tests.admin.test_actions import action_url
from tests.admin.test_hardware_pages import page_of, text_of
from tests.factories import SubscriberFactory, SubscriptionFactory
from tests.ipam.space import make_pool, subnet_in

CODES = re.compile(
    r"\b(quarantined|used_but_free|used_by_other|assigned_not_seen|unknown_address|pool_exhausted|is_active|"
    r"prefix_length|hold_seconds|take_reserved|reserved_for|assigned_to|nearly_full)\b"
)
LOOK_UP = "/admin/ipam/cgnatrule/look-up/"
LISTS = ["vrf", "subnet", "pool", "address", "cgnatrule", "bookimport", "reconciliation", "drift"]


def list_of(name: str) -> str:
    return reverse(f"admin:ipam_{name}_changelist")


def confirm(browser: Client, row: Any, name: str, /, **data: Any) -> Any:
    return browser.post(action_url(row, name), {CONFIRMED: "yes", **data}, follow=True)


@pytest.mark.django_db
class TestEveryPage:
    def test_reads_as_words(self, browser: Client, rows: dict[str, Any], acting: Tenant) -> None:
        pages = [page_of(row) for label, row in rows.items() if label.startswith("ipam.")]
        pages += [list_of(name) for name in LISTS]
        pages += [LOOK_UP, page_of(rows["subscribers.Subscription"])]
        pages += [f"{page_of(rows['subscribers.Subscriber'])}?tab=addresses", "/admin/"]
        pages += [
            reverse(f"admin:ipam_{name}_add")
            for name in ("pool", "bookimport", "reconciliation", "cgnatrule")
        ]

        answers = {page: browser.get(page) for page in pages}

        assert {answer.status_code for answer in answers.values()} == {200}
        found = {page: CODES.findall(text_of(answer.content)) for page, answer in answers.items()}
        assert {page: codes for page, codes in found.items() if codes} == {}
        assert not any("{'" in text_of(answer.content) for answer in answers.values())

    @pytest.mark.parametrize(
        ("label", "name"),
        [
            ("ipam.Address", "release_it"), ("ipam.Pool", "allocate"), ("ipam.Pool", "reserve"),
            ("ipam.Pool", "deactivate"), ("ipam.Subnet", "add_within"), ("ipam.Subnet", "assign"),
            ("ipam.Subnet", "reserve_range"), ("ipam.CgnatRule", "end"), ("ipam.Drift", "dismiss"),
            ("ipam.Drift", "reserve"), ("ipam.BookImport", "check_rows"), ("ipam.Reconciliation", "keep_all"),
        ],
    )  # fmt: skip
    def test_offers_what_the_role_may_do_and_nothing_else(
        self, label: str, name: str, browser_as: Callable[[Role], Client], rows: dict[str, Any]
    ) -> None:
        row = rows[label]
        button = f"/do/{name}/".encode()

        assert button in browser_as(Role.NETWORK_OPERATIONS).get(page_of(row)).content
        staff = browser_as(Role.STAFF_MEMBER)
        assert button not in staff.get(page_of(row)).content
        assert staff.post(action_url(row, name), {CONFIRMED: "yes"}).status_code == 403


@pytest.mark.django_db
class TestCosts:
    @pytest.mark.parametrize("name", LISTS)
    def test_a_list_costs_the_same_for_one_row_or_six(
        self, name: str, browser: Client, acting: Tenant, query_count: Callable[..., int]
    ) -> None:
        self._make(1)
        browser.get(list_of(name))
        one = query_count(browser.get, list_of(name))

        for number in range(2, 7):
            self._make(number)

        assert query_count(browser.get, list_of(name)) == one

    def test_a_subnets_page_costs_the_same_for_one_within_or_six(
        self, browser: Client, acting: Tenant, query_count: Callable[..., int]
    ) -> None:
        subnet = subnet_in(space.default_vrf(), "10.0.0.0/16")
        make_pool("10.0.0.0/24", "10.0.0.10", "10.0.0.19", name="first")
        browser.get(page_of(subnet))
        one = query_count(browser.get, page_of(subnet))

        for number in range(1, 6):
            make_pool(f"10.0.{number}.0/24", f"10.0.{number}.10", f"10.0.{number}.19", name=f"pool {number}")

        assert query_count(browser.get, page_of(subnet)) == one

    def test_a_customers_tab_costs_the_same_for_one_line_or_six(
        self, browser: Client, acting: Tenant, query_count: Callable[..., int]
    ) -> None:
        customer, pool = SubscriberFactory(), make_pool()
        page = f"{page_of(customer)}?tab=addresses"
        self._give(pool, customer)
        browser.get(page)
        one = query_count(browser.get, page)

        for _ in range(5):
            self._give(pool, customer)

        assert query_count(browser.get, page) == one

    def test_an_address_page_costs_the_same_for_one_past_holder_or_six(
        self, browser: Client, acting: Tenant, query_count: Callable[..., int]
    ) -> None:
        pool = make_pool(first="203.0.113.10", last="203.0.113.10", hold_seconds=0)
        self._hold_and_release(pool, 1)
        address = Address.objects.get()
        browser.get(page_of(address))
        one = query_count(browser.get, page_of(address))

        for number in range(2, 7):
            self._hold_and_release(pool, number)

        assert PastAssignment.objects.count() == 6
        assert query_count(browser.get, page_of(address)) == one

    def _hold_and_release(self, pool: Pool, number: int) -> None:
        at = timezone.now() + timedelta(seconds=number)
        given = allocation.allocate(at=at, pool_id=pool.pk, subscription_id=SubscriptionFactory().pk)
        release.release(at=at, address_id=given.address.pk, reason="test")

    def _give(self, pool: Pool, customer: Any) -> None:
        line = SubscriptionFactory(subscriber=customer)
        allocation.allocate(at=timezone.now(), pool_id=pool.pk, subscription_id=line.pk)

    def _make(self, number: int) -> None:
        """Make one more of everything that is listed."""
        now = timezone.now()
        pool = make_pool(
            f"10.{number}.0.0/24", f"10.{number}.0.10", f"10.{number}.0.10",
            vrf=space.create_vrf(name=f"vrf {number}"), name=f"pool {number}",
        )  # fmt: skip
        line = SubscriptionFactory()
        held = allocation.allocate(at=now, pool_id=pool.pk, subscription_id=line.pk).address
        cgnat.create_rule(
            name=f"rule {number}", vrf_id=pool.vrf_id, inside_first=f"10.{number}.0.0",
            inside_last=f"10.{number}.0.9", public_first=f"198.51.100.{number}",
            public_last=f"198.51.100.{number}", valid_from=now,
        )  # fmt: skip
        run = Reconciliation.objects.create(vrf_id=pool.vrf_id, seen_in="arp", status="done", started_at=now)
        Drift.objects.create(
            reconciliation=run, vrf_id=pool.vrf_id, address=held.address, kind="used_by_other", record=held,
            holder=line, seen_subscription=SubscriptionFactory(),
        )  # fmt: skip


@pytest.mark.django_db
@pytest.mark.usefixtures("acting")
class TestAddresses:
    @pytest.mark.parametrize(
        ("typed", "found"),
        [
            ("203.0.113.10", ["203.0.113.10"]),
            ("203.0.113.", ["203.0.113.10", "203.0.113.11"]),
            ("203.0.113.8/29", ["203.0.113.10", "203.0.113.11"]),
            ("lamp-2", ["203.0.113.11"]),
            ("nothing", []),
        ],
    )
    def test_are_found_by_address_network_and_host(
        self, typed: str, found: list[str], browser: Client
    ) -> None:
        pool = make_pool(last="203.0.113.11")
        for number in (1, 2):
            allocation.allocate(
                at=timezone.now(), pool_id=pool.pk, assigned_to="lamp", hostname=f"lamp-{number}.example"
            )

        shown = browser.get(list_of("address"), {"q": typed}).context["cl"].result_list

        assert [row.address for row in shown] == found

    def test_are_found_by_the_service_that_holds_them(self, browser: Client) -> None:
        pool, line = make_pool(), SubscriptionFactory()
        held = allocation.allocate(at=timezone.now(), pool_id=pool.pk, subscription_id=line.pk).address

        shown = browser.get(list_of("address"), {"q": f"#{line.number}"}).context["cl"].result_list

        assert [row.pk for row in shown] == [held.pk]

    def test_of_a_subnet_are_those_of_subnets_within_as_well(self, browser: Client) -> None:
        make_pool("203.0.113.0/25", last="203.0.113.10")
        allocation.allocate(at=timezone.now(), pool_id=Pool.objects.get().pk, assigned_to="lamp")
        outer = space.create_subnet(vrf_id=Vrf.objects.get().pk, network="203.0.113.0/24")
        other = space.create_subnet(vrf_id=outer.vrf_id, network="10.0.0.0/24")

        inside = browser.get(list_of("address"), {"subnet__id__exact": str(outer.pk)}).context["cl"]
        outside = browser.get(list_of("address"), {"subnet__id__exact": str(other.pk)}).context["cl"]

        assert [row.address for row in inside.result_list] == ["203.0.113.10"]
        assert list(outside.result_list) == []

    def test_are_released_with_a_reason_that_stays_known(self, browser: Client, admin_user: User) -> None:
        pool, line = make_pool(), SubscriptionFactory()
        held = allocation.allocate(at=timezone.now(), pool_id=pool.pk, subscription_id=line.pk).address

        without = confirm(browser, held, "release_it")
        held.refresh_from_db()
        assert (without.status_code, held.state) == (200, "assigned")

        answer = confirm(browser, held, "release_it", reason="moved out")

        held.refresh_from_db()
        past = PastAssignment.objects.get()
        assert held.state == "quarantined"
        assert (past.subscription_id, past.reason, past.ended_by_id) == (line.pk, "moved out", admin_user.pk)
        assert "moved out" in text_of(answer.content)

    def test_are_kept_back_and_freed(self, browser: Client) -> None:
        pool = make_pool(hold_seconds=0)
        given = allocation.allocate(at=timezone.now(), pool_id=pool.pk, assigned_to="lamp").address
        release.release(at=timezone.now(), address_id=given.pk)

        confirm(browser, given, "keep", reserved_for="router")
        given.refresh_from_db()
        assert (given.state, given.reserved_for) == ("reserved", "router")

        confirm(browser, given, "free_it")
        given.refresh_from_db()
        assert given.state == "free"

    def test_are_released_many_at_once(self, browser: Client) -> None:
        pool = make_pool()
        held = [
            allocation.allocate(at=timezone.now(), pool_id=pool.pk, assigned_to=f"lamp {n}").address.pk
            for n in range(3)
        ]

        browser.post(
            list_of("address"),
            {"action": "release_them", ACTION_CHECKBOX_NAME: held, CONFIRMED: "yes", "reason": "scrapped"},
        )

        assert set(Address.objects.filter(pk__in=held).values_list("state", flat=True)) == {"quarantined"}

    def test_take_a_host_name_and_a_note_and_nothing_else(self, browser: Client) -> None:
        pool = make_pool()
        held = allocation.allocate(at=timezone.now(), pool_id=pool.pk, assigned_to="lamp").address

        browser.post(page_of(held), {"hostname": "lamp.example", "note": "hall", "state": "free"})

        held.refresh_from_db()
        assert (held.hostname, held.note, held.state) == ("lamp.example", "hall", "assigned")

    def test_of_a_line_stand_on_its_page_with_what_the_world_sees(self, browser: Client) -> None:
        pool = make_pool("100.64.0.0/24", "100.64.0.1", "100.64.0.9", purpose="cgnat")
        line, now = SubscriptionFactory(), timezone.now()
        allocation.allocate(at=now, pool_id=pool.pk, subscription_id=line.pk)
        cgnat.create_rule(
            name="homes", vrf_id=pool.vrf_id, inside_first="100.64.0.0", inside_last="100.64.0.31",
            public_first="203.0.113.1", public_last="203.0.113.1", valid_from=now - timedelta(hours=1),
        )  # fmt: skip

        pages = [browser.get(page_of(line)), browser.get(f"{page_of(line.subscriber)}?tab=addresses")]

        for page in pages:
            assert "100.64.0.1" in text_of(page.content)
            assert "203.0.113.1, ports 3040 – 5055" in text_of(page.content)


@pytest.mark.django_db
@pytest.mark.usefixtures("acting")
class TestCgnat:
    def _rule(self) -> CgnatRule:
        pool = make_pool("100.64.0.0/24", "100.64.0.1", "100.64.0.9", purpose="cgnat")
        return cgnat.create_rule(
            name="homes", vrf_id=pool.vrf_id, pool_id=pool.pk, inside_first="100.64.0.0",
            inside_last="100.64.0.31", public_first="203.0.113.1", public_last="203.0.113.1",
            valid_from=timezone.now() - timedelta(days=1),
        )  # fmt: skip

    def test_tells_who_was_behind_a_port_and_writes_down_who_asked(
        self, browser: Client, admin_user: User
    ) -> None:
        rule, line = self._rule(), SubscriptionFactory()
        at = timezone.now() - timedelta(hours=2)
        allocation.allocate(at=at, pool_id=rule.pool_id, subscription_id=line.pk)
        when = timezone.localtime(at + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%S")

        answer = browser.post(
            LOOK_UP,
            {"public_address": "203.0.113.1", "port": "3040", "moment": when, "reference": "Court 12/26"},
        )

        said = text_of(answer.content)
        assert (
            f"{line.subscriber.full_name}, service {line.number}, was behind 203.0.113.1, port 3040" in said
        )
        entry = AuditEntry.objects.get(action="looked up a CGNAT address")
        assert entry.user_id == admin_user.pk
        assert "Court 12/26" in entry.detail

    @pytest.mark.parametrize("missing", ["public_address", "port", "moment", "reference"])
    def test_is_not_asked_without_all_of_it(self, missing: str, browser: Client) -> None:
        asked = {
            "public_address": "203.0.113.1",
            "port": "3040",
            "moment": "2026-01-01T10:00",
            "reference": "x",
        }

        answer = browser.post(LOOK_UP, {**asked, missing: ""})

        assert list(answer.context["form"].errors) == [missing]
        assert not AuditEntry.objects.filter(action="looked up a CGNAT address").exists()

    def test_finds_nobody_in_words_and_writes_that_down_too(self, browser: Client) -> None:
        asked = {"public_address": "192.0.2.1", "port": "80", "moment": "2026-01-01T10:00", "reference": "x"}

        answer = browser.post(LOOK_UP, asked)

        assert "Nobody is known behind 192.0.2.1, port 80" in text_of(answer.content)
        assert AuditEntry.objects.filter(action="looked up a CGNAT address").count() == 1

    def test_look_up_is_closed_to_whom_nothing_is_revealed(
        self, browser_as: Callable[[Role], Client]
    ) -> None:
        assert browser_as(Role.NETWORK_OPERATIONS).get(LOOK_UP).status_code == 403

    def test_rule_is_made_ended_and_never_edited(self, browser: Client) -> None:
        vrf = space.default_vrf()
        form = {
            "name": "homes", "vrf": vrf.pk, "inside_first": "100.64.0.0", "inside_last": "100.64.0.31",
            "public_first": "203.0.113.1", "public_last": "203.0.113.1", "first_port": "1024",
            "ports_per_line": "2016", "valid_from": "2026-01-01T00:00",
        }  # fmt: skip

        small = browser.post(reverse("admin:ipam_cgnatrule_add"), {**form, "inside_last": "100.64.0.63"})
        assert "2 public addresses; 1 are given" in text_of(small.content) or "need 2" in text_of(
            small.content
        )
        assert not CgnatRule.objects.exists()
        browser.post(reverse("admin:ipam_cgnatrule_add"), form)
        rule = CgnatRule.objects.get()
        assert browser.post(page_of(rule), {**form, "name": "other"}).status_code == 403
        confirm(browser, rule, "end")

        rule.refresh_from_db()
        assert rule.name == "homes"
        assert rule.valid_until is not None
