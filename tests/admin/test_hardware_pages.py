"""The network's pages: what they say, what they cost, who may do what, and nobody else's rows."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from hardware.models import (
    Onu,
    OnuEvent,
    OnuPreset,
    Outage,
    OutageOnu,
    ProvisioningJob,
    Reading,
    SignalLimits,
    WaitingOnu,
)
from hardware.services import make_reading_partitions
from ispcore.admin.actions import CONFIRMED
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant
from ispcore.tenants.roles import Role
from tests.admin.test_actions import action_url
from tests.factories import OltFactory, OnuFactory, PonPortFactory, SubscriberFactory, SubscriptionFactory

LOW_SIGNAL, MAP = "/admin/hardware/onu/low-signal/", "/admin/hardware/olt/map/"
CODES = re.compile(
    r"\b(dying_gasp|pon_port|olt_rx_power_dbm|rolled_back|device_timeout|native_vlan_port|line_profile|service_profile)\b"
)


def page_of(row: Any) -> str:
    options = row._meta
    return reverse(f"admin:{options.app_label}_{options.model_name}_change", args=[row.pk])


def text_of(html: bytes) -> str:
    """Return what a person reads: no tags, scripts or attributes."""
    content = re.sub(r"(?s)<(script|style)\b.*?</\1>", " ", html.decode())
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", content))


def line_up(onu: Onu, *, at: Any) -> None:
    """File a week of readings, and what happened in it."""
    make_reading_partitions(on=(at - timedelta(days=40)).date())
    for hours in range(1, 40, 6):
        Reading.objects.create(
            onu=onu,
            at=at - timedelta(hours=hours),
            is_online=True,
            rx_power_dbm=-20.0 - hours / 10,
            olt_rx_power_dbm=-22.0,
            tx_power_dbm=2.0,
            temperature_c=40.0,
            up_bytes=10**9 - hours * 10**6,
            down_bytes=10**10 - hours * 10**7,
        )
    OnuEvent.objects.create(onu=onu, at=at - timedelta(hours=5), kind="offline", detail="dying_gasp")
    OnuEvent.objects.create(onu=onu, at=at - timedelta(hours=4), kind="signal", detail="warning")


@pytest.mark.django_db
class TestEveryPage:
    def test_reads_as_words(self, browser: Client, rows: dict[str, Any], acting: Tenant) -> None:
        line_up(rows["hardware.Onu"], at=timezone.now())
        pages = [page_of(row) for label, row in rows.items() if label.startswith("hardware.")]
        pages += [
            reverse(f"admin:hardware_{type(row)._meta.model_name}_changelist")
            for label, row in rows.items()
            if label.startswith("hardware.")
        ]
        pages += [
            LOW_SIGNAL, MAP, f"{page_of(rows['subscribers.Subscriber'])}?tab=network",
            reverse("admin:hardware_waitingonu_authorise", args=[rows["hardware.WaitingOnu"].pk]),
        ]  # fmt: skip

        answers = {page: browser.get(page) for page in pages}

        assert {answer.status_code for answer in answers.values()} == {200}
        found = {page: CODES.findall(text_of(answer.content)) for page, answer in answers.items()}
        assert {page: codes for page, codes in found.items() if codes} == {}
        assert not any("{'" in text_of(answer.content) for answer in answers.values())

    @pytest.mark.parametrize("page", [LOW_SIGNAL, MAP])
    def test_of_its_own_teaches_where_there_is_nothing(self, page: str, browser: Client) -> None:
        answer = browser.get(page)

        assert answer.status_code == 200
        assert b"isp-empty" in answer.content

    @pytest.mark.parametrize("page", [LOW_SIGNAL, MAP])
    def test_of_its_own_is_closed_to_whom_the_network_is_closed(
        self, page: str, browser_as: Callable[[Role], Client]
    ) -> None:
        assert browser_as(Role.SUBSCRIBER_ACCOUNTS).get(page).status_code == 403
        assert browser_as(Role.SUPPORT).get(page).status_code == 200

    def test_shows_nothing_of_another_tenant(
        self, browser: Client, rows: dict[str, Any], foreign_rows: dict[str, Any], other_tenant: Tenant
    ) -> None:
        with tenant_context(other_tenant.pk):
            Onu.objects.update(signal="critical", rx_power_dbm=-29)
        foreign = foreign_rows["hardware.WaitingOnu"]

        listed = [browser.get(page).content.decode() for page in (LOW_SIGNAL, MAP)]
        wizard = browser.get(reverse("admin:hardware_waitingonu_authorise", args=[foreign.pk]))
        state = browser.get(
            reverse(
                "admin:hardware_provisioningjob_state", args=[foreign_rows["hardware.ProvisioningJob"].pk]
            )
        )

        assert not any("south" in page.lower() for page in listed)
        assert [wizard.status_code, state.status_code] == [404, 404]

    @pytest.mark.parametrize(
        ("label", "name"),
        [
            ("hardware.Onu", "restart"), ("hardware.Onu", "remove"), ("hardware.Onu", "read_now"),
            ("hardware.ProvisioningJob", "resume"), ("hardware.ProvisioningJob", "roll_back"),
            ("hardware.Outage", "confirm"), ("hardware.Outage", "close"), ("hardware.Outage", "write_note"),
            ("hardware.Olt", "look_for_waiting"),
        ],
    )  # fmt: skip
    def test_offers_what_the_role_may_do_and_nothing_else(
        self, label: str, name: str, browser_as: Callable[[Role], Client], rows: dict[str, Any]
    ) -> None:
        row = rows[label]
        button = f"/do/{name}/".encode()

        assert button in browser_as(Role.NETWORK_OPERATIONS).get(page_of(row)).content
        support = browser_as(Role.SUPPORT)
        assert button not in support.get(page_of(row)).content
        assert support.post(action_url(row, name), {CONFIRMED: "yes"}).status_code == 403


@pytest.mark.django_db
class TestCosts:
    @pytest.mark.parametrize(
        "page",
        [
            "/admin/hardware/onu/",
            "/admin/hardware/outage/",
            "/admin/hardware/waitingonu/",
            "/admin/hardware/provisioningjob/",
            "/admin/hardware/onupreset/",
            "/admin/hardware/signallimits/",
            LOW_SIGNAL,
            MAP,
        ],
    )
    def test_a_list_costs_the_same_for_one_row_or_six(
        self, page: str, browser: Client, acting: Tenant, query_count: Callable[..., int]
    ) -> None:
        self._make("B+")
        browser.get(page)
        one = query_count(browser.get, page)

        for pon_class in ("C+", "C++", "PX20+", "N1", "N2"):
            self._make(pon_class)

        assert query_count(browser.get, page) == one

    def test_an_onus_page_costs_the_same_for_one_event_or_six(
        self, browser: Client, acting: Tenant, query_count: Callable[..., int]
    ) -> None:
        onu = OnuFactory(pon_port=PonPortFactory(), subscription=SubscriptionFactory())
        now = timezone.now()
        page = f"{page_of(onu)}?days=31"
        line_up(onu, at=now)
        browser.get(page)
        one = query_count(browser.get, page)

        for hours in range(10, 15):
            OnuEvent.objects.create(onu=onu, at=now - timedelta(hours=hours), kind="online")
            self._change(onu)

        assert query_count(browser.get, page) == one

    def test_an_outages_page_costs_the_same_for_one_onu_or_six(
        self, browser: Client, acting: Tenant, query_count: Callable[..., int]
    ) -> None:
        outage = self._make("B+")
        browser.get(page_of(outage))
        one = query_count(browser.get, page_of(outage))

        for _ in range(5):
            onu = OnuFactory(olt=outage.olt, subscription=SubscriptionFactory())
            OutageOnu.objects.create(outage=outage, onu=onu, down_at=timezone.now())

        assert query_count(browser.get, page_of(outage)) == one

    def test_a_customers_tab_costs_the_same_for_one_line_or_six(
        self, browser: Client, acting: Tenant, query_count: Callable[..., int]
    ) -> None:
        customer = SubscriberFactory()
        page = f"{page_of(customer)}?tab=network"
        OnuFactory(subscription=SubscriptionFactory(subscriber=customer))
        browser.get(page)
        one = query_count(browser.get, page)

        for _ in range(5):
            OnuFactory(subscription=SubscriptionFactory(subscriber=customer))

        assert query_count(browser.get, page) == one

    def _make(self, pon_class: str) -> Outage:
        now = timezone.now()
        olt = OltFactory(pon_class=pon_class)
        onu = OnuFactory(
            olt=olt, pon_port=PonPortFactory(olt=olt), rx_power_dbm=-28, subscription=SubscriptionFactory()
        )
        outage = Outage.objects.create(olt=olt, pon_port=onu.pon_port, started_at=now)
        OutageOnu.objects.create(outage=outage, onu=onu, down_at=now)
        WaitingOnu.objects.create(
            olt=olt, pon_port="0/1/0", serial=uuid4().hex[:12], first_seen_at=now, last_seen_at=now
        )
        OnuPreset.objects.create(name=f"For {pon_class}", vendor="huawei")
        SignalLimits.objects.create(pon_class=pon_class)
        self._change(onu)
        return outage

    def _change(self, onu: Onu) -> None:
        ProvisioningJob.objects.create(
            action="reboot", status="failed", olt=onu.olt, onu=onu, subscription=onu.subscription,
            serial=onu.serial, pon_port="0/1/0",
        )  # fmt: skip


@pytest.mark.django_db
class TestOutages:
    def test_stand_open_ones_first(self, browser: Client, acting: Tenant) -> None:
        now = timezone.now()
        old = Outage.objects.create(olt=OltFactory(), status="confirmed", started_at=now - timedelta(days=2))
        new = Outage.objects.create(
            olt=OltFactory(), status="closed", started_at=now, resolved_at=now, closed_at=now
        )

        page = browser.get(reverse("admin:hardware_outage_changelist"))
        still = browser.get(f"{reverse('admin:hardware_outage_changelist')}?state=open")

        assert [outage.pk for outage in page.context["cl"].result_list] == [old.pk, new.pk]
        assert [outage.pk for outage in still.context["cl"].result_list] == [old.pk]

    def test_are_confirmed_noted_and_closed(
        self, browser: Client, rows: dict[str, Any], acting: Tenant, admin_user: Any
    ) -> None:
        outage = rows["hardware.Outage"]

        for name, answers in (
            ("confirm", {}),
            ("write_note", {"note": "Digger in Mill Lane"}),
            ("close", {}),
        ):
            browser.post(action_url(outage, name), {CONFIRMED: "yes", **answers})

        outage.refresh_from_db()
        assert (outage.status, outage.note, outage.closed_by) == ("closed", "Digger in Mill Lane", admin_user)
        assert "Digger in Mill Lane" in browser.get(page_of(outage)).content.decode()

    def test_stand_on_the_dashboard(self, browser: Client, rows: dict[str, Any], acting: Tenant) -> None:
        context = browser.get("/admin/").context

        tiles = {tile.label: tile.value for tile in context["tiles"]}
        assert (tiles["Open outages"], tiles["Waiting ONUs"]) == (1, 1)
        assert "suspected outage" in [concern.word for concern in context["concerns"]]


@pytest.mark.django_db
class TestPresets:
    def test_ask_for_the_vendor_first_and_for_its_fields_then(self, browser: Client, acting: Tenant) -> None:
        add = reverse("admin:hardware_onupreset_add")

        first = text_of(browser.get(add).content)
        huawei = browser.get(f"{add}?vendor=huawei").content.decode()
        fiberhome = browser.get(f"{add}?vendor=fiberhome").content.decode()

        assert "For which vendor" in first
        assert not any(vendor in first for vendor in ("Ubiquiti", "BDCOM", "VSOL"))
        assert 'name="line_profile"' in huawei
        assert 'name="onu_type"' not in huawei
        assert 'name="onu_type"' in fiberhome
        assert 'name="line_profile"' not in fiberhome
        assert 'name="vlan"' not in fiberhome

    def test_are_made_for_it(self, browser: Client, acting: Tenant) -> None:
        add = f"{reverse('admin:hardware_onupreset_add')}?vendor=huawei"
        told = {"vendor": "huawei", "name": "Fibre 100", "line_profile": "10", "service_profile": "bridge"}

        wanting = browser.post(add, told | {"gem_port": "1"})
        typed = browser.post(add, told | {"gem_port": "1", "vlan": "100", "line_profile": "10; quit"})
        made = browser.post(add, told | {"gem_port": "1", "vlan": "100"})

        assert wanting.status_code == typed.status_code == 200
        assert "cannot be typed at a command line" in typed.content.decode()
        assert made.status_code == 302
        preset = OnuPreset.objects.get()
        assert (preset.vendor, preset.line_profile, preset.vlan) == ("huawei", "10", 100)


@pytest.mark.django_db
class TestSignalLimits:
    FORM = {
        "pon_class": "B+", "overload_above_dbm": "-8", "warning_below_dbm": "-22", "critical_below_dbm": "-25",
        "olt_warning_below_dbm": "-28", "olt_critical_below_dbm": "-30",
    }  # fmt: skip

    def test_classify_what_is_stored(self, browser: Client, acting: Tenant) -> None:
        onu = OnuFactory(rx_power_dbm=-23)

        browser.post(reverse("admin:hardware_signallimits_add"), self.FORM)
        onu.refresh_from_db()
        warned = onu.signal
        browser.post(
            reverse("admin:hardware_signallimits_delete", args=[SignalLimits.objects.get().pk]), {"post": "y"}
        )

        onu.refresh_from_db()
        assert (warned, onu.signal) == ("warning", "good")
        assert not SignalLimits.objects.exists()

    def test_must_descend(self, browser: Client, acting: Tenant) -> None:
        answer = browser.post(
            reverse("admin:hardware_signallimits_add"), self.FORM | {"critical_below_dbm": "-20"}
        )

        assert "It must lie below −22 dBm" in answer.content.decode()
        assert not SignalLimits.objects.exists()


@pytest.mark.django_db
class TestCustomersPages:
    def test_show_the_onu_of_the_line(self, browser: Client, rows: dict[str, Any], acting: Tenant) -> None:
        onu, line = rows["hardware.Onu"], rows["subscribers.Subscription"]
        Onu.objects.filter(pk=onu.pk).update(subscription=line)

        pages = [
            browser.get(f"{page_of(rows['subscribers.Subscriber'])}?tab=network").content,
            browser.get(page_of(line)).content,
        ]

        for page in pages:
            text = text_of(page)
            assert onu.serial in text
            assert "Went offline: power failure (dying gasp)" in text
            assert "Part of an outage: Fibre or splitter (loss of signal)." in text
            assert action_url(onu, "read_now").encode() in page

    def test_say_what_to_do_without_one(self, browser: Client, rows: dict[str, Any]) -> None:
        page = browser.get(page_of(rows["subscribers.Subscription"]))

        assert "No ONU is linked to this service. Authorise a waiting one" in text_of(page.content)

    def test_show_none_of_it_to_whom_the_network_is_closed(
        self, browser_as: Callable[[Role], Client], rows: dict[str, Any]
    ) -> None:
        office = browser_as(Role.SUBSCRIBER_ACCOUNTS)

        line = office.get(page_of(rows["subscribers.Subscription"]))
        customer = office.get(f"{page_of(rows['subscribers.Subscriber'])}?tab=network")

        assert b"ONU" not in line.content
        assert b"?tab=network" not in customer.content


@pytest.mark.django_db
class TestLowSignal:
    def test_stands_worst_first_and_names_the_ports(self, browser: Client, acting: Tenant) -> None:
        port = PonPortFactory(olt=OltFactory(name="Hill"), index="0/1/4", online_count=8)
        weak = [
            OnuFactory(olt=port.olt, pon_port=port, rx_power_dbm=rx) for rx in (-26.0, -29.0, -27.5, -5.0)
        ]
        OnuFactory(olt=port.olt, pon_port=port, rx_power_dbm=-20)
        OnuFactory(olt=port.olt, pon_port=port, rx_power_dbm=-30, status="offline")
        elsewhere = OnuFactory(pon_port=PonPortFactory(), rx_power_dbm=-26.5)

        page = browser.get(LOW_SIGNAL).context
        of_port = browser.get(LOW_SIGNAL, {"port": str(port.pk)}).context

        warning, critical, less, overload = weak
        assert [row["serial"] for row in page["rows"]] == [
            onu.serial for onu in (critical, less, overload, elsewhere, warning)
        ]
        worst = page["ports"][0]
        assert (worst["name"], worst["weak"], worst["weakest"]) == (
            "Hill · 0/1/4",
            "4 of 8 online",
            "−29.0 dBm",
        )
        assert (of_port["count"], of_port["chosen"], of_port["ports"]) == (4, "Hill 0/1/4", [])
