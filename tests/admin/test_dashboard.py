"""The dashboard's numbers lead to the rows they count, and no list costs more for more rows."""

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from hardware.models import DiscoveryRun, RunOutcome
from ispcore import redis, sums
from ispcore.admin.dashboard import Chart, Tile
from ispcore.jobs.models import Job, JobStatus
from ispcore.tenants.models import Tenant, User
from ispcore.tenants.roles import Role
from subscribers.models import Hold
from tests.aaa.online import make_account, make_nas, make_session
from tests.billing.issued import make_customer, make_issued
from tests.billing.paying import receive
from tests.factories import (
    BillingProfileFactory,
    OltFactory,
    OnuFactory,
    PonPortFactory,
    PremiseFactory,
    SubscriberFactory,
    SubscriptionFactory,
    ZoneFactory,
)


def shown(browser: Client) -> tuple[list[Tile], list[Chart]]:
    context = browser.get("/admin/").context
    return context["tiles"], context["charts"]


@pytest.mark.django_db
class TestDashboard:
    def test_teaches_where_there_is_nothing(self, browser: Client) -> None:
        page = browser.get("/admin/").content.decode()

        assert "Register your first OLT" in page
        assert reverse("admin:hardware_olt_add") in page

    def test_a_large_providers_numbers_are_kept_as_they_were_counted(
        self, browser: Client, acting: Tenant, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        customer = make_customer()
        make_issued(customer, "39.90")
        receive(customer, "10.00")
        OnuFactory(olt=OltFactory(), subscription=SubscriptionFactory(), rx_power_dbm=-20.0)
        make_session(make_nas(None), make_account("jane"), "80000001")
        counted = shown(browser)
        monkeypatch.setattr(sums, "EXACT_UP_TO", -1)

        first, kept = shown(browser), shown(browser)

        assert counted == first == kept
        assert all(redis.client().exists(f"sum:{acting.pk}:{name}") for name in sums._sums)

    def test_counts_and_classes(self, browser: Client, acting: Tenant) -> None:
        olt = OltFactory()
        for rx in (-8.0, -25.0, -25.1, -27.0, -27.1, -7.9, None):
            OnuFactory(olt=olt, rx_power_dbm=rx)
        OnuFactory(olt=olt, status="offline", rx_power_dbm=-29)

        context = browser.get("/admin/").context

        assert {tile.label: tile.value for tile in context["tiles"]} == {
            "OLTs": 1, "ONUs online": 7, "ONUs offline": 1, "ONUs vanished": 0, "Low signal": 3,
            "Open outages": 0, "Waiting ONUs": 0,
            "Jobs failed": 0, "Jobs running": 0,
        }  # fmt: skip
        assert [(bar.label, bar.value) for bar in context["charts"][0].bars] == [
            ("Good", "2 (29 %)"), ("Warning", "2 (29 %)"), ("Critical", "1 (14 %)"), ("Overload", "1 (14 %)"),
            ("No reading", "1 (14 %)"),
        ]  # fmt: skip

    def test_every_tile_and_bar_leads_to_the_rows_it_counts(self, browser: Client, acting: Tenant) -> None:
        olt = OltFactory()
        for rx in (-20, -26, -28, -5, None):
            OnuFactory(olt=olt, rx_power_dbm=rx)
        Job.objects.create(kind="a.b", status=JobStatus.FAILED, finished_at=timezone.now())
        Job.objects.create(kind="a.b", status=JobStatus.RUNNING)
        context = browser.get("/admin/").context
        counted = [(tile.url, tile.value) for tile in context["tiles"]]
        counted += [(bar.url, bar.parts[0].value) for bar in context["charts"][0].bars]

        listed = [(url, browser.get(url).context["cl"].result_count) for url, _ in counted]

        assert listed == counted

    def test_names_what_needs_attention(self, browser: Client, acting: Tenant) -> None:
        OltFactory(name="Silent", last_error="No answer.")
        Job.objects.create(
            kind="hardware.discover_olt",
            status=JobStatus.FAILED,
            error_code="internal_error",
            error_message="Crashed.",
            finished_at=timezone.now(),
        )

        titles = [concern.title for concern in browser.get("/admin/").context["concerns"]]

        assert titles == ["Silent", "Discover OLT"]

    def test_costs_the_same_for_one_row_or_many(
        self, browser: Client, acting: Tenant, query_count: Callable[..., int]
    ) -> None:
        OnuFactory()
        one = query_count(browser.get, "/admin/")

        OnuFactory.create_batch(5)

        assert query_count(browser.get, "/admin/") == one


@pytest.mark.django_db
class TestCosts:
    @pytest.mark.parametrize(
        "page",
        [
            "hardware/olt/",
            "hardware/onu/",
            "hardware/discoveryrun/",
            "jobs/job/",
            "tenants/membership/",
            "subscribers/subscriber/",
            "subscribers/subscription/",
            "subscribers/premise/",
            "subscribers/zone/",
            "subscribers/plan/",
            "subscribers/billingprofile/",
        ],
    )
    def test_lists_cost_the_same_for_one_row_or_six(
        self,
        page: str,
        browser: Client,
        acting: Tenant,
        make_user: Callable[..., User],
        query_count: Callable[..., int],
    ) -> None:
        self._make(acting, make_user, 1)
        one = query_count(browser.get, f"/admin/{page}")

        for number in range(2, 7):
            self._make(acting, make_user, number)

        assert query_count(browser.get, f"/admin/{page}") == one

    def test_an_olts_page_costs_the_same_for_one_port_or_six(
        self, browser: Client, acting: Tenant, query_count: Callable[..., int]
    ) -> None:
        olt = OltFactory()
        page = reverse("admin:hardware_olt_change", args=[olt.pk])
        OnuFactory(olt=olt, pon_port=PonPortFactory(olt=olt))
        browser.get(page)  # Django asks for a model's content type once per process.
        one = query_count(browser.get, page)

        for _ in range(5):
            OnuFactory(olt=olt, pon_port=PonPortFactory(olt=olt))

        assert query_count(browser.get, page) == one

    def _make(self, tenant: Tenant, make_user: Callable[..., User], number: int) -> None:
        user = make_user(f"person{number}", {tenant: Role.SUPPORT})
        onu = OnuFactory(pon_port=PonPortFactory())
        now = timezone.now()
        job = Job.objects.create(
            kind="hardware.discover_olt", status="succeeded", finished_at=now, requested_by=user
        )
        DiscoveryRun.objects.create(
            olt=onu.olt, job=job, outcome=RunOutcome.COMPLETE, started_at=now, finished_at=now
        )
        premise = PremiseFactory(zone=ZoneFactory(parent=ZoneFactory()))
        line = SubscriptionFactory(
            subscriber=SubscriberFactory(tags=["vip"], billing_profile=BillingProfileFactory()),
            premise=premise,
            status="suspended",
        )
        Hold.objects.create(subscription=line, reason="abuse", opened_at=now)
