"""What an OLT's and an ONU's page say, and what may be done with ONUs from their list."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from hardware.models import Olt, OltPolling, Onu, ProvisioningJob, SignalLimits, WaitingOnu
from ispcore.admin.actions import CONFIRMED
from ispcore.jobs.models import Job, JobStatus
from ispcore.tenants.models import Tenant
from tests.admin.test_actions import action_url
from tests.admin.test_hardware_pages import line_up, page_of, text_of
from tests.factories import OltFactory, OnuFactory, PonPortFactory, SubscriptionFactory


@pytest.mark.django_db
class TestOltPage:
    def test_shows_a_port_in_numbers_and_words(self, browser: Client, acting: Tenant) -> None:
        olt = OltFactory()
        port = PonPortFactory(
            olt=olt, index="0/2/7", is_up=True, onu_count=20, online_count=17, down_bps=1_244_160_000,
            up_bps=4_200_000, counted_at=timezone.now(),
        )  # fmt: skip
        OnuFactory(olt=olt, pon_port=port, rx_power_dbm=-26.4)

        page = text_of(browser.get(page_of(olt)).content)

        assert "Slot 0/2 17 of 20 online" in page
        assert (
            "Port 7 Some offline 17 of 20 online ↓ 1.24 Gbit/s (50 %) ↑ 4.2 Mbit/s weakest −26.4 dBm" in page
        )

    @pytest.mark.parametrize(
        ("port", "word"),
        [
            ({"onu_count": 20, "online_count": 18}, "Good"),
            ({"onu_count": 20, "online_count": 15}, "Some offline"),
            ({"onu_count": 20, "online_count": 14}, "Many offline"),
            ({"onu_count": 20, "online_count": 20, "is_up": False}, "Down"),
            ({"onu_count": 0, "online_count": 0, "is_up": False}, "Down, not in use"),
            ({"onu_count": 0, "online_count": 0}, "No ONU"),
        ],
    )
    def test_says_a_ports_health(
        self, port: dict[str, Any], word: str, browser: Client, acting: Tenant
    ) -> None:
        olt = OltFactory()
        PonPortFactory(olt=olt, index="0/1/3", **port)

        page = text_of(browser.get(page_of(olt)).content)

        assert f"Port 3 {word} " in page

    def test_says_what_stands_in_the_way_of_authorising(self, browser: Client, acting: Tenant) -> None:
        bare = OltFactory()
        able = OltFactory(cli_protocol="ssh", cli_username="isp", cli_password="kept-quiet")
        closed = OltFactory(vendor="ufiber")

        pages = [text_of(browser.get(page_of(olt)).content) for olt in (bare, able, closed)]

        assert "Authorising an ONU from here not yet register its command line below" in pages[0]
        assert "Authorising an ONU from here yes over SSH" in pages[1]
        assert "Authorising an ONU from here no use the device's own interface" in pages[2].replace(
            "&#x27;", "'"
        )
        assert "kept-quiet" not in browser.get(page_of(able)).content.decode()

    def test_says_how_it_is_polled(self, browser: Client, acting: Tenant) -> None:
        olt = OltFactory(last_answer_at=timezone.now() - timedelta(hours=2))
        now = timezone.now()
        OltPolling.objects.create(
            olt=olt, status_due_at=now + timedelta(minutes=20, seconds=30), optics_due_at=now, inventory_due_at=now,
            status_read_at=now - timedelta(hours=2), failures=4, max_repetitions=10,
        )  # fmt: skip

        page = text_of(browser.get(page_of(olt)).content).replace("\xa0", " ")

        assert "Does not answer" in page
        assert "The last 4 readings were not answered" in page
        assert "It is asked again in 20 minutes." in page
        assert "Asked for fewer rows at a time, after answers were lost" in page

    def test_a_badge_leads_to_its_own_waiting_onus(
        self, browser: Client, rows: dict[str, Any], acting: Tenant
    ) -> None:
        other = OltFactory()
        WaitingOnu.objects.create(
            olt=other,
            pon_port="0/1/0",
            serial="HWTCOTHER",
            first_seen_at=timezone.now(),
            last_seen_at=timezone.now(),
        )
        olt = rows["hardware.Olt"]

        page = browser.get(page_of(olt)).content.decode()
        listed = browser.get(f"{reverse('admin:hardware_waitingonu_changelist')}?olt__id__exact={olt.pk}")

        assert f"waitingonu/?olt__id__exact={olt.pk}" in page
        assert "1 waiting for authorisation" in text_of(page.encode())
        assert listed.context["cl"].result_count == 1

    def test_new_optics_class_classifies_its_onus(self, browser: Client, acting: Tenant) -> None:
        olt = OltFactory()
        onu = OnuFactory(olt=olt, rx_power_dbm=-26)
        SignalLimits.objects.create(
            pon_class="C+", overload_above_dbm=-8, warning_below_dbm=-27, critical_below_dbm=-30
        )
        form = {
            "name": olt.name, "vendor": "huawei", "ip": olt.ip, "snmp_port": olt.snmp_port, "snmp_version": "2c",
            "cli_protocol": "none", "pon_class": "C+", "is_polled": "on",
        }  # fmt: skip

        answer = browser.post(page_of(olt), form)

        onu.refresh_from_db()
        assert answer.status_code == 302
        assert onu.signal == "good"

    @pytest.mark.parametrize(
        ("given", "said"),
        [
            ({"cli_username": ""}, "The command line needs a user"),
            ({"cli_password": ""}, "The command line needs a password"),
            ({"cli_username": "a\tb"}, "One line without control characters"),
        ],
    )
    def test_a_command_line_takes_a_user_and_a_password(
        self, given: dict[str, str], said: str, browser: Client, acting: Tenant
    ) -> None:
        form = {
            "name": "Hill", "vendor": "huawei", "ip": "192.0.2.9", "snmp_port": "161", "snmp_version": "2c",
            "community": "kept", "pon_class": "B+", "cli_protocol": "ssh", "cli_username": "isp",
            "cli_password": "quiet",
        }  # fmt: skip

        answer = browser.post(reverse("admin:hardware_olt_add"), form | given)

        assert said in answer.content.decode()
        assert not Olt.objects.exists()


@pytest.mark.django_db
class TestOnuPage:
    def test_says_state_cause_and_age(self, browser: Client, acting: Tenant) -> None:
        now = timezone.now()
        onu = OnuFactory(
            status="offline", last_down_cause="dying_gasp", status_changed_at=now - timedelta(hours=3, minutes=5),
            observed_at=now - timedelta(hours=2), measured_at=now - timedelta(hours=4),
        )  # fmt: skip

        page = text_of(browser.get(page_of(onu)).content).replace("\xa0", " ")

        assert "Offline: power failure (dying gasp) for 3 hours" in page
        assert "Out of date: last read 4 hours ago." in page

    def test_says_when_it_was_never_measured(self, browser: Client, acting: Tenant) -> None:
        page = text_of(browser.get(page_of(OnuFactory())).content)

        assert "Never measured: its optics are not known." in page

    def test_draws_what_was_measured_between_its_own_limits(self, browser: Client, acting: Tenant) -> None:
        SignalLimits.objects.create(pon_class="C+", warning_below_dbm=-28, critical_below_dbm=-31)
        onu = OnuFactory(olt=OltFactory(pon_class="C+"))
        line_up(onu, at=timezone.now())

        titles = [each["title"] for each in browser.get(page_of(onu)).context["charts"]]
        page = text_of(browser.get(page_of(onu)).content)

        assert titles == [
            "What the ONU receives", "What the OLT receives of it", "Traffic",
            "What the ONU sends", "Temperature",
        ]  # fmt: skip
        assert "Warning: −28 to −31 dBm" in page
        assert "Went offline: power failure (dying gasp)" in page
        assert "Signal became warning" in page

    @pytest.mark.parametrize(
        ("asked", "shown"), [("1", "Day"), ("31", "Month"), ("400", "Week"), ("x", "Week")]
    )
    def test_reads_a_month_at_the_most(self, asked: str, shown: str, browser: Client, acting: Tenant) -> None:
        onu = OnuFactory()

        windows = browser.get(f"{page_of(onu)}?days={asked}").context["windows"]

        assert [name for _, name, current in windows if current] == [shown]

    def test_reading_it_leads_to_the_job_and_back(self, browser: Client, acting: Tenant) -> None:
        onu = OnuFactory()

        answer = browser.post(action_url(onu, "read_now"), {CONFIRMED: "yes"})

        job = Job.objects.get(status=JobStatus.QUEUED)
        assert answer["Location"] == reverse("admin:jobs_job_change", args=[job.pk])
        assert job.params["onu_id"] == str(onu.pk)
        assert page_of(onu) in browser.get(answer["Location"]).content.decode()


@pytest.mark.django_db
class TestRestart:
    def test_previews_what_it_comes_to(self, browser: Client, acting: Tenant) -> None:
        online = OnuFactory(olt=self._olt())
        unable = OnuFactory(olt=OltFactory(vendor="ufiber"), status="offline")

        page = text_of(self._send(browser, [online, unable]).content)

        assert "Chosen: 2, of which 1 online, on 2 OLTs." in page
        assert "1 cannot be restarted from here: their OLT does not offer it." in page
        assert not ProvisioningJob.objects.exists()

    def test_of_one_leads_to_its_job(self, browser: Client, acting: Tenant) -> None:
        olt = self._olt()
        onu = OnuFactory(olt=olt, pon_port=PonPortFactory(olt=olt, index="0/1/0"), onu_id=3)

        answer = browser.post(action_url(onu, "restart"), {CONFIRMED: "yes"})

        change = ProvisioningJob.objects.get()
        assert answer["Location"] == page_of(change)
        assert (change.action, change.onu) == ("reboot", onu)

    def test_of_several_makes_a_job_each_and_leaves_out_who_is_off(
        self, browser: Client, acting: Tenant
    ) -> None:
        olt = self._olt()
        port = PonPortFactory(olt=olt, index="0/1/0")
        units = [OnuFactory(olt=olt, pon_port=port, onu_id=number) for number in range(3)]
        off = OnuFactory(olt=olt, pon_port=port, onu_id=9, status="offline")

        answer = self._send(browser, [*units, off], CONFIRMED, which="online")

        assert answer["Location"] == reverse("admin:hardware_provisioningjob_changelist")
        asked = ProvisioningJob.objects.values_list("action", "serial")
        assert sorted(asked) == sorted(("reboot", unit.serial) for unit in units)

    def test_is_refused_for_more_than_fit(self, browser: Client, acting: Tenant) -> None:
        olt = self._olt()
        port = PonPortFactory(olt=olt)
        units = OnuFactory.create_batch(51, olt=olt, pon_port=port, onu_id=1)

        answer = self._send(browser, units, CONFIRMED, which="online")

        assert "At most 50 at a time, and 51 are chosen." in text_of(answer.content)
        assert not ProvisioningJob.objects.exists()

    def _olt(self) -> Olt:
        olt: Olt = OltFactory(cli_protocol="ssh", cli_username="isp", cli_password="quiet")
        return olt

    def _send(self, browser: Client, onus: list[Onu], *said: str, **answers: str) -> Any:
        chosen = {"action": "restart", "_selected_action": [str(onu.pk) for onu in onus]}
        return browser.post(
            reverse("admin:hardware_onu_changelist"), chosen | dict.fromkeys(said, "yes") | answers
        )


@pytest.mark.django_db
class TestFilters:
    def test_narrow_the_onus(self, browser: Client, acting: Tenant) -> None:
        port = PonPortFactory()
        weak = OnuFactory(olt=port.olt, pon_port=port, rx_power_dbm=-26)
        served = OnuFactory(olt=port.olt, pon_port=port, subscription=SubscriptionFactory())
        OnuFactory(status="offline", signal="none")

        def listed(query: str) -> set[str]:
            page = browser.get(f"{reverse('admin:hardware_onu_changelist')}?{query}")
            return {onu.serial for onu in page.context["cl"].result_list}

        assert listed("signal=weak") == listed("signal=warning") == {weak.serial}
        assert listed("service=linked") == {served.serial}
        assert listed(f"pon_port__id__exact={port.pk}") == {weak.serial, served.serial}
        assert len(listed("telemetry=none")) == 3
        assert len(listed("telemetry=fresh")) == 0
        assert len(listed("pon_port__id__exact=nonsense")) == 3

    def test_of_ports_are_those_of_the_chosen_olt(self, browser: Client, acting: Tenant) -> None:
        port, other = PonPortFactory(index="0/1/0"), PonPortFactory(index="0/9/9")
        OnuFactory(olt=port.olt, pon_port=port)

        page = browser.get(f"{reverse('admin:hardware_onu_changelist')}?olt__id__exact={port.olt_id}").content

        assert str(port.pk).encode() in page
        assert str(other.pk).encode() not in page
