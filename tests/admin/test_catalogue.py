"""Zones, plans, premises and the dashboard's numbers as staff see and change them."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant
from subscribers.models import Plan, PlanZone, Zone
from tests.admin.test_customers import page_of
from tests.factories import SubscriptionFactory, ZoneFactory


@pytest.mark.django_db
class TestCatalogue:
    PLAN = {
        "name": "Fibre 200",
        "code": "F200",
        "down_kbps": "200000",
        "up_kbps": "1500000",
        "price": "1234.50",
        "currency": "eur",
        "period": "month",
    }

    def test_a_plan_shows_its_price_and_speeds(self, browser: Client, acting: Tenant) -> None:
        zone = ZoneFactory()

        answer = browser.post("/admin/subscribers/plan/add/", {**self.PLAN, "sold_in": [zone.pk]})

        assert answer.status_code == 302
        assert PlanZone.objects.get().zone_id == zone.pk
        page = browser.get("/admin/subscribers/plan/").content.decode()
        assert '<span class="isp-money">1\u202f234.50\u00a0EUR</span>' in page
        assert "200\u00a0Mbit/s" in page
        assert "1.5\u00a0Gbit/s" in page

    def test_a_plan_in_use_is_not_deleted(self, browser: Client, rows: dict[str, Any]) -> None:
        plan = rows["subscribers.Plan"]

        browser.post(reverse("admin:subscribers_plan_delete", args=[plan.pk]), {"post": "yes"})

        with tenant_context(plan.tenant_id):
            assert Plan.objects.filter(pk=plan.pk).exists()

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            ({"sold_from": "2026-02-01", "sold_until": "2026-02-01"}, "not after the day"),
            ({"currency": "12"}, "Three capital letters"),
        ],
    )
    def test_a_plans_refusals_stand_at_their_field(
        self, browser: Client, acting: Tenant, change: dict[str, str], said: str
    ) -> None:
        answer = browser.post("/admin/subscribers/plan/add/", {**self.PLAN, **change})

        assert said in answer.content.decode()
        assert not Plan.objects.exists()

    def test_a_zone_does_not_lie_in_itself(self, browser: Client, acting: Tenant) -> None:
        outer = ZoneFactory()
        inner = ZoneFactory(parent=outer)

        answer = browser.post(page_of(outer), {"name": outer.name, "parent": inner.pk})

        assert b"lies in this one" in answer.content
        assert Zone.objects.get(pk=outer.pk).parent is None

    def test_a_billing_profile_needs_its_day(self, browser: Client, acting: Tenant) -> None:
        form = {
            "name": "Monthly",
            "payment_kind": "postpaid",
            "currency": "EUR",
            "due_days": "14",
            "grace_days": "0",
            "cycle": "day_of_month",
        }

        answer = browser.post("/admin/subscribers/billingprofile/add/", form)

        assert b"Say on which day of the month" in answer.content
        assert (
            browser.post("/admin/subscribers/billingprofile/add/", {**form, "cycle_day": "5"}).status_code
            == 302
        )

    def test_a_premise_needs_a_whole_position(self, browser: Client, acting: Tenant) -> None:
        url = "/admin/subscribers/premise/add/"

        half = browser.post(url, {"address_line1": "1 Road", "latitude": "38.7"})
        beyond = browser.post(url, {"address_line1": "1 Road", "latitude": "98.7", "longitude": "1"})

        assert b"or neither" in half.content
        assert b"90 degrees" in beyond.content
        answer = browser.post(url, {"address_line1": "1 Road", "latitude": "38.7", "longitude": "-9.1"})
        assert answer.status_code == 302


@pytest.mark.django_db
class TestDashboard:
    def test_counts_lines_and_months(self, browser: Client, acting: Tenant) -> None:
        now = timezone.now()
        SubscriptionFactory(status="active", provisioned_at=now)
        SubscriptionFactory(status="suspended", provisioned_at=now - timedelta(days=70))
        SubscriptionFactory(status="terminated", provisioned_at=now - timedelta(days=900), terminated_at=now)

        context = browser.get("/admin/").context

        tiles = {tile.label: tile for tile in context["tiles"]}
        assert [tiles[name].value for name in ("Active lines", "Suspended lines", "Prospects")] == [1, 1, 3]
        for name in ("Active lines", "Suspended lines", "Prospects"):
            assert browser.get(tiles[name].url).context["cl"].result_count == tiles[name].value
        chart = next(chart for chart in context["charts"] if chart.title == "New and ended services")
        assert len(chart.bars) == 12
        assert chart.bars[-1].value == "1 new, 1 ended"
        assert sum(bar.parts[0].value for bar in chart.bars) == 2
