"""Logging in, acting for a tenant, the sidebar, the dashboard, the palette, history and a job's progress."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from hardware.models import DiscoveryRun, Olt, Reading, RunOutcome
from ispcore import audit
from ispcore.admin import charts, formats
from ispcore.jobs.models import Job, JobStatus
from ispcore.tenants.context import tenant_context
from ispcore.tenants.middleware import SESSION_KEY
from ispcore.tenants.models import AuditEntry, Tenant, User
from ispcore.tenants.roles import Role
from tests.admin.conftest import browser_of
from tests.conftest import PASSWORD
from tests.factories import OltFactory, OnuFactory, PonPortFactory

LOGIN = "/admin/login/"
SWITCH = "/admin/tenant/"


@pytest.mark.django_db
class TestLogIn:
    def test_by_e_mail_whatever_its_case(self, client: Client, admin_user: User) -> None:
        answer = client.post(LOGIN, {"username": "Admin@staff.example", "password": PASSWORD})

        assert answer["Location"] == "/admin/"
        assert client.get("/admin/").status_code == 200

    def test_names_the_product_and_says_what_was_wrong(self, client: Client, admin_user: User) -> None:
        page = client.post(LOGIN, {"username": admin_user.email, "password": "wrong"}).content.decode()

        assert "ISPCore" in page
        assert "The e-mail address or the password is wrong" in page

    def test_is_closed_to_people_without_a_staff_role(
        self, client: Client, tenant: Tenant, make_user: Callable[..., User]
    ) -> None:
        customer = make_user("customer", {tenant: Role.CUSTOMER})

        page = client.post(LOGIN, {"username": customer.email, "password": PASSWORD}).content.decode()

        assert "no staff role" in page
        assert "_auth_user_id" not in client.session

    def test_slows_down_guessing(self, client: Client, admin_user: User) -> None:
        for _ in range(10):
            client.post(LOGIN, {"username": admin_user.email, "password": "wrong"})

        page = client.post(LOGIN, {"username": admin_user.email, "password": PASSWORD}).content.decode()

        assert "Too many attempts" in page


@pytest.mark.django_db
class TestSwitcher:
    def test_platform_staff_choose_before_they_see_anything(self, operator: User, tenant: Tenant) -> None:
        browser = browser_of(operator)

        assert browser.get("/admin/hardware/olt/")["Location"] == SWITCH
        assert tenant.name in browser.get(SWITCH).content.decode()

    def test_is_recorded_in_the_tenant_entered(self, operator: User, tenant: Tenant) -> None:
        browser = browser_of(operator)

        browser.post(SWITCH, {"tenant": str(tenant.pk)})

        assert browser.session[SESSION_KEY] == str(tenant.pk)
        with tenant_context(tenant.pk):
            entry = AuditEntry.objects.get()
        assert (entry.action, entry.user_id, entry.ip) == ("switched tenant", operator.pk, "127.0.0.1")
        assert tenant.name in browser.get("/admin/").content.decode()

    def test_a_person_of_two_tenants_moves_between_them(
        self, tenant: Tenant, other_tenant: Tenant, make_user: Callable[..., User]
    ) -> None:
        browser = browser_of(make_user("both", {tenant: Role.SUPPORT, other_tenant: Role.ADMINISTRATOR}))

        browser.post(SWITCH, {"tenant": str(other_tenant.pk)})

        page = browser.get("/admin/").content.decode()
        assert "You act for South" in page
        assert SWITCH in page

    @pytest.mark.parametrize("wanted", ["foreign", "none", "nonsense", ""])
    def test_is_closed_to_foreign_tenants(
        self, browser: Client, tenant: Tenant, other_tenant: Tenant, wanted: str
    ) -> None:
        given = {"foreign": str(other_tenant.pk), "none": "00000000-0000-7000-8000-000000000000"}.get(
            wanted, wanted
        )

        answer = browser.post(SWITCH, {"tenant": given})

        assert answer.status_code == 403
        assert SESSION_KEY not in browser.session
        for each in (tenant, other_tenant):
            with tenant_context(each.pk):
                assert not AuditEntry.objects.exists()
        assert "South" not in browser.get(SWITCH).content.decode()

    def test_a_switched_off_tenant_is_not_offered(
        self, operator: User, tenant: Tenant, other_tenant: Tenant
    ) -> None:
        Tenant.objects.filter(pk=other_tenant.pk).update(is_active=False)

        browser = browser_of(operator)

        assert "South" not in browser.get(SWITCH).content.decode()
        assert browser.post(SWITCH, {"tenant": str(other_tenant.pk)}).status_code == 403


@pytest.mark.django_db
class TestSidebar:
    @pytest.mark.parametrize(
        ("role", "titles"),
        [
            (
                Role.ADMINISTRATOR,
                [
                    "Dashboard",
                    "OLTs",
                    "ONUs",
                    "Discovery runs",
                    "Users",
                    "API keys",
                    "Events",
                    "Jobs",
                    "Audit",
                ],
            ),
            (Role.NETWORK_OPERATIONS, ["Dashboard", "OLTs", "ONUs", "Discovery runs", "Events", "Jobs"]),
            (Role.SUBSCRIBER_ACCOUNTS, ["Dashboard", "Jobs"]),
        ],
    )
    def test_shows_what_the_role_may_see_in_the_order_of_the_domains(
        self, browser_as: Callable[[Role], Client], role: Role, titles: list[str]
    ) -> None:
        page = browser_as(role).get("/admin/").context

        assert [item["title"] for group in page["sidebar_navigation"] for item in group["items"]] == titles


@pytest.mark.django_db
class TestDashboard:
    def test_teaches_where_there_is_nothing(self, browser: Client) -> None:
        page = browser.get("/admin/").content.decode()

        assert "Register your first OLT" in page
        assert reverse("admin:hardware_olt_add") in page

    def test_counts_and_classes(self, browser: Client, acting: Tenant) -> None:
        olt = OltFactory()
        for rx in (-8.0, -25.0, -25.1, -27.0, -27.1, -7.9, None):
            OnuFactory(olt=olt, rx_power_dbm=rx)
        OnuFactory(olt=olt, status="offline", rx_power_dbm=-29)

        context = browser.get("/admin/").context

        assert {tile.label: tile.value for tile in context["tiles"]} == {
            "OLTs": 1, "ONUs online": 7, "ONUs offline": 1, "ONUs vanished": 0, "Low signal": 3,
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
        ["hardware/olt/", "hardware/onu/", "hardware/discoveryrun/", "jobs/job/", "tenants/membership/"],
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


@pytest.mark.django_db
class TestPalette:
    def test_finds_records_and_pages(self, browser: Client, rows: dict[str, Any]) -> None:
        found = browser.get("/admin/search/?extended=1&s=hwtcn").content.decode()
        pages = browser.get("/admin/search/?extended=1&s=discov").content.decode()

        assert "HWTCNORTH" in found
        assert "Discovery runs" in pages

    def test_forgets_the_last_tenant_when_switching(
        self,
        operator: User,
        tenant: Tenant,
        other_tenant: Tenant,
        rows: dict[str, Any],
        foreign_rows: dict[str, Any],
    ) -> None:
        browser = browser_of(operator)
        browser.post(SWITCH, {"tenant": str(tenant.pk)})
        here = browser.get("/admin/search/?extended=1&s=HWTC").content.decode()

        browser.post(SWITCH, {"tenant": str(other_tenant.pk)})
        there = browser.get("/admin/search/?extended=1&s=HWTC").content.decode()

        assert ("HWTCNORTH" in here, "HWTCSOUTH" in here) == (True, False)
        assert ("HWTCNORTH" in there, "HWTCSOUTH" in there) == (False, True)

    def test_finds_nothing_the_role_may_not_see(
        self, browser_as: Callable[[Role], Client], rows: dict[str, Any]
    ) -> None:
        found = browser_as(Role.SUBSCRIBER_ACCOUNTS).get("/admin/search/?extended=1&s=HWTC").content.decode()

        assert "HWTCNORTH" not in found


@pytest.mark.django_db
class TestHistory:
    def test_says_when_who_what_and_from_where_but_no_secret(self, browser: Client, tenant: Tenant) -> None:
        form = {
            "name": "Hill",
            "vendor": "huawei",
            "ip": "192.0.2.9",
            "snmp_port": "161",
            "snmp_version": "2c",
        }
        browser.post(reverse("admin:hardware_olt_add"), {**form, "community": "first-one"})
        with tenant_context(tenant.pk):
            olt = Olt.objects.get()
        browser.post(
            reverse("admin:hardware_olt_change", args=[olt.pk]),
            {**form, "vendor": "ufiber", "community": "second-one"},
        )

        page = browser.get(reverse("admin:hardware_olt_history", args=[olt.pk])).content.decode()

        text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))
        assert "Vendor: Huawei SmartAX → became Ubiquiti UFiber" in text
        assert "Community: changed (a secret is never shown)" in text
        assert page.count('<td data-label="Who">Admin</td>') == 2
        assert "127.0.0.1" in page
        assert "first-one" not in page
        assert "second-one" not in page
        assert "v1." not in text

    def test_an_unchanged_secret_is_no_change(
        self, browser: Client, acting: Tenant, admin_user: User
    ) -> None:
        with audit.acting(user_id=admin_user.pk, ip=None, request_id="r"):
            olt = OltFactory()
            olt = Olt.objects.get(pk=olt.pk)
            olt.site = "Roof"
            olt.save()

        entries = browser.get(reverse("admin:hardware_olt_history", args=[olt.pk])).context["entries"]

        assert [change.label for change in entries[0].changes] == ["Site"]

    def test_of_what_nobody_follows_says_so(self, browser: Client, rows: dict[str, Any]) -> None:
        page = browser.get(
            reverse("admin:hardware_onu_history", args=[rows["hardware.Onu"].pk])
        ).content.decode()

        assert "No history is kept" in page


@pytest.mark.django_db
class TestJobProgress:
    @pytest.fixture
    def job(self, acting: Tenant) -> Job:
        return Job.objects.create(
            kind="hardware.discover_olt",
            label="Discovery of Hill",
            status=JobStatus.RUNNING,
            progress_done=13,
            progress_total=40,
            progress_message="Reading distances",
            started_at=timezone.now(),
        )

    def test_the_fragment_polls_while_it_runs(self, browser: Client, job: Job) -> None:
        answer = browser.get(reverse("admin:jobs_job_state", args=[job.pk]), headers={"HX-Request": "true"})

        page = answer.content.decode()
        assert 'hx-trigger="every 1s"' in page
        assert 'aria-live="polite"' in page
        assert 'aria-valuenow="32"' in page
        assert "Reading distances · 13 of 40" in page
        assert "<html" not in page
        assert "HX-Refresh" not in answer

    def test_it_stops_at_the_end(self, browser: Client, job: Job) -> None:
        Job.objects.filter(pk=job.pk).update(
            status=JobStatus.SUCCEEDED,
            finished_at=timezone.now(),
            result={"onus_seen": 1240, "status": "partial"},
        )

        answer = browser.get(reverse("admin:jobs_job_state", args=[job.pk]), headers={"HX-Request": "true"})
        page = browser.get(reverse("admin:jobs_job_change", args=[job.pk])).content.decode()

        assert answer["HX-Refresh"] == "true"
        assert "every 1s" not in answer.content.decode()
        assert "<dt>ONUs seen</dt><dd>1\u202f240</dd>" in page
        assert "<dt>Status</dt><dd>Partial</dd>" in page

    def test_it_is_closed_to_others(
        self, browser_as: Callable[[Role], Client], foreign_rows: dict[str, Any], browser: Client
    ) -> None:
        foreign = reverse("admin:jobs_job_state", args=[foreign_rows["jobs.Job"].pk])

        assert browser.get(foreign).status_code == 404

    def test_a_failure_says_what_to_do(self, browser: Client, rows: dict[str, Any]) -> None:
        page = browser.get(reverse("admin:jobs_job_change", args=[rows["jobs.Job"].pk])).content.decode()

        assert "No answer." in page
        assert "Check that the device has power and network" in page


@pytest.mark.django_db
class TestOnuPage:
    def test_draws_its_readings(self, browser: Client, acting: Tenant) -> None:
        onu, now = OnuFactory(), timezone.now()
        for hours in (1, 2, 60):
            Reading.objects.create(onu=onu, at=now - timedelta(hours=hours), rx_power_dbm=-21.5)
        page = reverse("admin:hardware_onu_change", args=[onu.pk])

        week, day = browser.get(page).content.decode(), browser.get(f"{page}?days=1").content.decode()

        assert "3 readings between −21.5 and −21.5 dBm" in week
        assert "2 readings between" in day
        assert "Warning: −25 to −27 dBm" in week

    def test_says_so_when_there_are_none(self, browser: Client, rows: dict[str, Any]) -> None:
        page = browser.get(
            reverse("admin:hardware_onu_change", args=[rows["hardware.Onu"].pk])
        ).content.decode()

        assert "No reading in this time" in page

    def test_shows_times_in_the_tenants_zone(
        self, tenant: Tenant, browser: Client, rows: dict[str, Any]
    ) -> None:
        Tenant.objects.filter(pk=tenant.pk).update(timezone="Asia/Kolkata")

        page = browser.get(
            reverse("admin:hardware_onu_change", args=[rows["hardware.Onu"].pk])
        ).content.decode()

        assert "+05:30" in page
        assert timezone.get_current_timezone_name() == "UTC"


@pytest.mark.django_db
def test_no_page_names_another_host(browser: Client, rows: dict[str, Any]) -> None:
    pages = [
        "",
        "hardware/olt/",
        "hardware/onu/",
        "jobs/job/",
        f"hardware/olt/{rows['hardware.Olt'].pk}/change/",
    ]

    html = [browser.get(f"/admin/{page}").content.decode() for page in pages]
    html.append(Client().get(LOGIN).content.decode())

    sources = [found for page in html for found in re.findall(r"""(?:src|href|action)=["']([^"']+)""", page)]
    assert [source for source in sources if re.match(r"(https?:)?//", source)] == []


def test_a_line_breaks_where_nothing_was_read() -> None:
    now = timezone.now()
    points = [
        (now - timedelta(hours=3), -20.0),
        (now - timedelta(hours=2), None),
        (now - timedelta(hours=1), -21.0),
    ]

    drawn = charts.line(points, start=now - timedelta(days=1), end=now, unit="dBm", zones=[])

    path = re.search(r'class="isp-curve" d="([^"]+)"', drawn)
    assert path
    assert path[1].count("M") == 2
    assert "L" not in path[1]


@pytest.mark.parametrize(
    ("code", "text"),
    [("hardware.discover_olt", "Discover OLT"), ("onus_seen", "ONUs seen"), ("partial", "Partial")],
)
def test_codes_read_as_words(code: str, text: str) -> None:
    assert formats.readable(code) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "–"), (0.4, "0.4 s"), (75, "1 min 15 s"), (3600 * 26, "1 d 2 h"), (3600, "1 h")],
)
def test_durations_read_in_two_units(seconds: float | None, text: str) -> None:
    assert formats.duration(seconds) == text


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/admin/tenants/tenant/", 403, "Your role may not open this"),
        ("/admin/hardware/nothing/", 404, "There is nothing at this address"),
    ],
)
def test_refusals_say_what_to_do(browser: Client, path: str, status: int, said: str) -> None:
    answer = browser.get(path)

    assert answer.status_code == status
    assert said in answer.content.decode()
