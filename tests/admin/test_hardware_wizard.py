"""The way from a waiting ONU to its service, to the device and back."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from demo.olt import SimulatedOlt
from hardware.models import Olt, Onu, OnuPreset, ProvisioningJob, WaitingOnu
from ispcore.admin.actions import CONFIRMED
from ispcore.jobs.models import Job
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant
from ispcore.tenants.roles import Role
from subscribers.models import ServiceStatus, Subscription
from tests.admin.test_actions import action_url
from tests.admin.test_hardware_pages import page_of, text_of
from tests.factories import OltFactory, OnuFactory, SubscriberFactory, SubscriptionFactory
from tests.hardware.provisioning.conftest import impatient, olt, preset, run, simulator

__all__ = ["impatient", "olt", "preset", "run", "simulator"]


def wait_at(olt: Olt, serial: str = "HWTC11223344", **more: Any) -> WaitingOnu:
    now = timezone.now()
    waiting: WaitingOnu = WaitingOnu.objects.create(
        olt=olt, pon_port="0/1/0", serial=serial, first_seen_at=now, last_seen_at=now, **more
    )
    return waiting


def way_of(waiting: WaitingOnu) -> str:
    return reverse("admin:hardware_waitingonu_authorise", args=[waiting.pk])


@pytest.fixture
def able(acting: Tenant) -> Olt:
    made: Olt = OltFactory(cli_protocol="ssh", cli_username="isp", cli_password="kept-quiet")
    return made


@pytest.fixture
def fibre(acting: Tenant) -> OnuPreset:
    made: OnuPreset = OnuPreset.objects.create(
        name="Fibre 100", vendor="huawei", line_profile="10", service_profile="bridge", vlan=100
    )
    return made


@pytest.mark.django_db
class TestService:
    def test_is_offered_when_it_can_take_an_onu(self, browser: Client, able: Olt) -> None:
        waiting = wait_at(able)
        to_install = SubscriptionFactory(status=ServiceStatus.PENDING_INSTALLATION)
        fed = SubscriptionFactory(status=ServiceStatus.PENDING_INSTALLATION)
        OnuFactory(subscription=fed)
        SubscriptionFactory(status=ServiceStatus.TERMINATED)

        offered = browser.get(way_of(waiting)).context["services"]

        assert [service["number"] for service in offered] == [to_install.number]

    def test_is_found_by_number(self, browser: Client, able: Olt) -> None:
        waiting = wait_at(able)
        active = SubscriptionFactory(status=ServiceStatus.ACTIVE)
        SubscriptionFactory(status=ServiceStatus.ACTIVE)

        by_number = browser.get(way_of(waiting), {"q": f"#{active.number}"}).context["services"]
        nobody = browser.get(way_of(waiting), {"q": "nobody of this name"})

        assert [service["number"] for service in by_number] == [active.number]
        assert "None matches." in text_of(nobody.content)

    @pytest.mark.parametrize("named", ["nonsense", "01a200fd-fed1-70be-8a48-aa3bc979aba5"])
    def test_that_takes_none_is_refused(self, named: str, browser: Client, able: Olt) -> None:
        answer = browser.get(way_of(wait_at(able)), {"service": named}, follow=True)

        assert "This service takes no ONU any more." in text_of(answer.content)


@pytest.mark.django_db
class TestPlan:
    def test_is_shown_as_it_will_be_sent_and_stores_nothing(
        self, browser: Client, able: Olt, fibre: OnuPreset
    ) -> None:
        line = SubscriptionFactory(subscriber=SubscriberFactory(full_name="Célia Caldeira"))
        waiting = wait_at(able)
        asked = browser.get(way_of(waiting), {"service": str(line.pk)})

        page = browser.get(
            way_of(waiting), {"service": str(line.pk), "plan": "show", "preset": str(fibre.pk),
                              "description": asked.context["form"]["description"].value()},
        )  # fmt: skip

        text = text_of(page.content)
        assert asked.context["form"]["description"].value() == f"{line.number} Celia Caldeira"
        assert "HWTC11223344" in text
        assert "ont add 0" in text
        assert "kept-quiet" not in page.content.decode()
        assert not ProvisioningJob.objects.exists()
        assert not Job.objects.exists()

    def test_is_carried_out_when_the_one_shown_is_confirmed(
        self, browser: Client, able: Olt, fibre: OnuPreset, admin_user: Any
    ) -> None:
        waiting = wait_at(able)
        given = {"service": "none", "plan": "show", "preset": str(fibre.pk), "description": ""}
        seen = browser.get(way_of(waiting), given).context["seen"]

        answer = browser.post(way_of(waiting), given | {"seen": seen})

        change = ProvisioningJob.objects.get()
        assert answer["Location"] == page_of(change)
        assert (change.serial, change.preset, change.requested_by) == (waiting.serial, fibre, admin_user)

    def test_that_changed_since_is_shown_again_and_not_sent(
        self, browser: Client, able: Olt, fibre: OnuPreset
    ) -> None:
        waiting = wait_at(able)
        given = {"service": "none", "plan": "show", "preset": str(fibre.pk), "description": ""}
        seen = browser.get(way_of(waiting), given).context["seen"]
        OnuPreset.objects.update(vlan=200)

        answer = browser.post(way_of(waiting), given | {"seen": seen})

        assert "The plan has changed since it was shown." in text_of(answer.content)
        assert not ProvisioningJob.objects.exists()

    def test_says_in_words_what_is_missing(self, browser: Client, able: Olt) -> None:
        waiting = wait_at(able)

        page = browser.get(way_of(waiting), {"service": "none", "plan": "show", "vlan": "100"})

        assert (
            "these must be told by the preset or in the fields below: line profile, service profile."
            in text_of(page.content)
        )

    def test_refuses_what_a_command_line_would_not_take(
        self, browser: Client, able: Olt, fibre: OnuPreset
    ) -> None:
        given = {"service": "none", "plan": "show", "preset": str(fibre.pk), "description": "a; reboot"}

        page = browser.get(way_of(wait_at(able)), given)

        assert "cannot be typed at a command line" in text_of(page.content)

    def test_is_not_drawn_where_nothing_can_be_changed(self, browser: Client, acting: Tenant) -> None:
        bare = browser.get(way_of(wait_at(OltFactory(vendor="ufiber"))))
        nameless = browser.get(
            way_of(wait_at(OltFactory())),
            {"service": "none", "plan": "show", "line_profile": "1", "service_profile": "1", "vlan": "5"},
        )

        assert "ONUs cannot be authorised there from here" in text_of(bare.content)
        assert "none is registered. Add its protocol, user and password." in text_of(nameless.content)


@pytest.mark.django_db
def test_the_way_is_open_to_whom_may_operate(
    browser_as: Callable[[Role], Client], able: Olt, fibre: OnuPreset
) -> None:
    waiting = wait_at(able)
    listing = reverse("admin:hardware_waitingonu_changelist")
    noc, support = browser_as(Role.NETWORK_OPERATIONS), browser_as(Role.SUPPORT)

    assert way_of(waiting).encode() in noc.get(listing).content
    assert way_of(waiting).encode() not in support.get(listing).content
    assert support.get(way_of(waiting)).status_code == 403
    assert support.post(way_of(waiting), {"service": "none", "plan": "show"}).status_code == 403


@pytest.mark.django_db
class TestToTheDevice:
    def test_an_onu_is_authorised_for_its_service(
        self, browser: Client, tenant: Tenant, simulator: SimulatedOlt, olt: Olt, preset: OnuPreset, run: Any
    ) -> None:
        serial = simulator.plug_in(0)
        with tenant_context(tenant.pk):
            waiting = wait_at(olt, serial)
            line: Subscription = SubscriptionFactory()
        given = {"service": str(line.pk), "plan": "show", "preset": str(preset.pk), "description": "Line one"}
        seen = browser.get(way_of(waiting), given).context["seen"]

        browser.post(way_of(waiting), given | {"seen": seen})
        with tenant_context(tenant.pk):
            change = ProvisioningJob.objects.select_related("job").get()
        before = browser.get(page_of(change))
        run(change)

        after = text_of(browser.get(page_of(change)).content)
        assert b"hx-trigger" in before.content
        assert "The ONU is authorised." in after
        assert "ont add" in after
        assert simulator.cli.password not in after
        with tenant_context(tenant.pk):
            assert Onu.objects.get(serial=serial).subscription_id == line.pk
            change.refresh_from_db()
            assert change.started_at is not None

    def test_a_failed_one_is_resumed_from_its_page(
        self, browser: Client, tenant: Tenant, simulator: SimulatedOlt, olt: Olt, preset: OnuPreset, run: Any
    ) -> None:
        serial = simulator.plug_in(0)
        with tenant_context(tenant.pk):
            Olt.objects.filter(pk=olt.pk).update(cli_port=1)
            waiting = wait_at(olt, serial)
        given = {"service": "none", "plan": "show", "preset": str(preset.pk), "description": ""}
        seen = browser.get(way_of(waiting), given).context["seen"]
        browser.post(way_of(waiting), given | {"seen": seen})
        with tenant_context(tenant.pk):
            change = ProvisioningJob.objects.select_related("job").get()
        run(change)
        failed = text_of(browser.get(page_of(change)).content)
        with tenant_context(tenant.pk):
            Olt.objects.filter(pk=olt.pk).update(cli_port=simulator.cli.port)

        answer = browser.post(action_url(change, "resume"), {CONFIRMED: "yes"})
        with tenant_context(tenant.pk):
            change = ProvisioningJob.objects.select_related("job").get()
        run(change)

        assert "Failed" in failed
        assert answer["Location"] == page_of(change)
        assert "The ONU is authorised." in text_of(browser.get(page_of(change)).content)
