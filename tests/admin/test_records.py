"""What a record's page tells: its history, a job's progress, an ONU's readings; and how values read."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from hardware.models import Olt, Reading
from ispcore import audit
from ispcore.admin import charts, formats
from ispcore.jobs.models import Job, JobStatus
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant, User
from ispcore.tenants.roles import Role
from tests.factories import OltFactory, OnuFactory


@pytest.mark.django_db
class TestHistory:
    def test_says_when_who_what_and_from_where_but_no_secret(self, browser: Client, tenant: Tenant) -> None:
        form = {
            "name": "Hill",
            "vendor": "huawei",
            "ip": "192.0.2.9",
            "snmp_port": "161",
            "snmp_version": "2c",
            "cli_protocol": "none",
            "pon_class": "B+",
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


def test_charts_of_one_time_share_their_axis() -> None:
    now = timezone.now()
    start = now - timedelta(days=31)
    mark = charts.Mark(now - timedelta(days=3), "Went offline", "danger")
    points = [(now - timedelta(days=9), 1.0), (now, 3.0)]

    drawn = charts.lines(
        [charts.Series("Down", points), charts.Series("Up", points, "good")],
        unit="Mbit/s",
        marks=[mark],
        start=start,
        end=now,
    )
    happened = charts.strip([mark, mark], start=start, end=now)

    assert (
        re.findall(r'class="isp-mark isp-danger" x1="([\d.]+)"', drawn)
        == re.findall(r'class="isp-happened isp-danger" cx="([\d.]+)"', happened)[:1]
    )
    assert "Down: 2 readings between 1.0 and 3.0 Mbit/s; the last one 3.0 Mbit/s." in drawn
    assert "Went offline (2)" in happened
    assert 5 <= len(re.findall(r'text-anchor="middle"', happened)) <= 7
    assert charts.strip([], start=start, end=now) == ""
    assert charts.lines([charts.Series("", [])], unit="dBm", start=start, end=now) == ""


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
