"""Authorising at a simulated Huawei over real SSH: what is sent, what is stored, what is refused."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from demo.olt import SimulatedOlt
from hardware.models import (
    Olt,
    Onu,
    OnuEvent,
    OnuEventKind,
    OnuPreset,
    OnuStatus,
    ProvisioningJob,
    ProvisioningStatus,
    StepState,
    Vendor,
    WaitingOnu,
)
from hardware.services import execution, planning, provisioning
from ispcore.events.models import Event
from ispcore.jobs import services as jobs
from ispcore.jobs.models import JobStatus
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant
from subscribers.models import ServiceStatus
from subscribers.services.lines import ServiceUnknown
from tests.factories import OltFactory, OnuFactory, SubscriptionFactory
from tests.hardware.provisioning.conftest import Ask, Run

pytestmark = pytest.mark.django_db

ADD = "ont add 0 2 sn-auth {serial} omci ont-lineprofile-id 10 ont-srvprofile-name bridge"
JOIN = "service-port vlan 100 gpon 0/1/0 ont 2 gemport 1 multi-service user-vlan 100 tag-transform translate"


def typed(simulator: SimulatedOlt, beginning: str) -> list[str]:
    return [command for command in simulator.cli.commands if command.startswith(beginning)]


def states(change: ProvisioningJob) -> list[str]:
    return [step["state"] for step in change.plan]


class TestWhatHappens:
    def test_the_device_serves_it_and_everything_is_stored(
        self, ask: Ask, run: Run, olt: Olt, preset: OnuPreset, simulator: SimulatedOlt, tenant: Tenant
    ) -> None:
        serial = simulator.plug_in(0)
        with tenant_context(tenant.pk):
            line = SubscriptionFactory()
            WaitingOnu.objects.create(
                olt=olt, pon_port="0/1/0", serial=serial,
                first_seen_at=timezone.now(), last_seen_at=timezone.now(),
            )  # fmt: skip

        change = ask(serial, subscription_id=line.pk, description="Elm St 3")
        job = run(change)

        assert job.status == JobStatus.SUCCEEDED, job.error_message
        with tenant_context(tenant.pk):
            onu = Onu.objects.get(serial=serial)
            assert job.result == {
                "status": "authorised", "already": False, "provisioning_job_id": str(change.pk), "olt_id": str(olt.pk),
                "onu_id": str(onu.pk), "service_id": str(line.pk), "serial": serial, "pon_port": "0/1/0",
                "onu_number": 2, "service_port": "0",
            }  # fmt: skip
            assert (onu.status, onu.index, onu.onu_id, onu.description) == (
                OnuStatus.AUTHORISED, "0/1/0/2", 2, "Elm St 3",
            )  # fmt: skip
            assert (onu.subscription, onu.line_profile, onu.service_profile) == (line, "10", "bridge")
            assert onu.pon_port is not None
            assert onu.pon_port.index == "0/1/0"
            assert onu.authorised_at is not None
            assert not WaitingOnu.objects.exists()
            assert OnuEvent.objects.get().kind == OnuEventKind.AUTHORISED
            event = Event.objects.get(name="hardware.onu_authorised")
            assert event.payload == {"onu_id": str(onu.pk), "olt_id": str(olt.pk)}
        there = simulator.onus[0, 2]
        assert (there.serial_text, there.line_profile, there.service_profile) == (
            serial,
            "FTTH_100M",
            "bridge",
        )
        (joined,) = simulator.service_ports
        assert (joined.vlan, joined.port, joined.onu_id, joined.gem_port) == (100, 0, 2, 1)
        assert (change.status, change.steps_done, change.service_port) == (
            ProvisioningStatus.SUCCEEDED,
            2,
            "0",
        )
        assert states(change) == [StepState.DONE, StepState.DONE]

    def test_the_plan_is_drawn_in_words_before_anything_is_sent(
        self, ask: Ask, preset: OnuPreset, tenant: Tenant, simulator: SimulatedOlt
    ) -> None:
        with tenant_context(tenant.pk):
            OnuPreset.objects.filter(pk=preset.pk).update(native_vlan_port=1)
            preset.refresh_from_db()

        change = ask("HWTC9A000FFF", onu_number=2)

        assert change.status == ProvisioningStatus.PLANNED
        assert change.plan == [
            {
                "name": "Add the ONU as number 2 of port 0/1/0",
                "commands": ["interface gpon 0/1", ADD.format(serial="485754439A000FFF"), "quit"],
                "undo": ["interface gpon 0/1", "ont delete 0 2", "quit"],
                "state": "planned",
            },
            {
                "name": "Give its Ethernet port 1 VLAN 100 untagged",
                "commands": [
                    "interface gpon 0/1",
                    "ont port native-vlan 0 2 eth 1 vlan 100 priority 0",
                    "quit",
                ],
                "undo": [],
                "state": "planned",
            },
            {
                "name": "Join it to VLAN 100 through GEM port 1",
                "commands": [JOIN],
                "undo": ["undo service-port port 0/1/0 ont 2"],
                "state": "planned",
            },
        ]
        assert simulator.cli.commands == []

    def test_the_transcript_holds_what_was_said_and_no_password(
        self, ask: Ask, run: Run, olt: Olt, simulator: SimulatedOlt
    ) -> None:
        serial = simulator.plug_in(0)

        change = ask(serial)
        run(change)

        assert f"Logged in to {olt.ip} as isp.\n" in change.transcript
        assert JOIN in change.transcript
        assert "PortID :0, ONTID :2" in change.transcript
        assert simulator.cli.password not in change.transcript.replace(olt.cli_username, "")

    def test_the_onu_s_state_is_the_next_discovery_s_matter(
        self, ask: Ask, run: Run, simulator: SimulatedOlt
    ) -> None:
        serial = simulator.plug_in(0)
        change = ask(serial)

        run(change)

        assert serial not in [unit.serial.hex() for unit in simulator._huawei().waiting.values()]
        assert (0, 2) in simulator.onus


class TestWhatIsSoAlready:
    def test_asking_twice_succeeds_and_sends_nothing(
        self, ask: Ask, run: Run, simulator: SimulatedOlt, tenant: Tenant
    ) -> None:
        serial = simulator.plug_in(0)
        run(ask(serial))

        again = ask(serial)
        job = run(again)

        assert job.result is not None
        assert (job.result["already"], job.result["onu_number"], job.result["service_port"]) == (True, 2, "0")
        assert states(again) == [StepState.FOUND, StepState.FOUND]
        assert (len(typed(simulator, "ont add")), len(typed(simulator, "service-port"))) == (1, 1)
        with tenant_context(tenant.pk):
            assert Event.objects.filter(name="hardware.onu_authorised").count() == 1
            assert OnuEvent.objects.count() == 1

    def test_one_added_by_hand_keeps_its_number_and_gets_what_it_lacks(
        self, ask: Ask, run: Run, simulator: SimulatedOlt
    ) -> None:
        there = simulator.add_onu(0)

        change = ask(there.serial_text, onu_number=9)
        job = run(change)

        assert job.result is not None
        assert (job.result["already"], job.result["onu_number"]) == (False, there.onu_id)
        assert states(change) == [StepState.FOUND, StepState.DONE]
        assert typed(simulator, "ont add") == []

    def test_a_number_that_only_the_device_knows_as_taken_is_passed_over(
        self, ask: Ask, run: Run, simulator: SimulatedOlt
    ) -> None:
        serial = simulator.plug_in(0)
        change = ask(serial)
        assert change.onu_number == 0

        run(change)

        assert change.onu_number == 2  # 0 and 1 are the simulator's.

    def test_a_late_second_message_does_nothing(self, ask: Ask, run: Run, simulator: SimulatedOlt) -> None:
        serial = simulator.plug_in(0)
        change = ask(serial)
        run(change)
        before = len(simulator.cli.commands)

        run(change)

        assert len(simulator.cli.commands) == before
        assert change.status == ProvisioningStatus.SUCCEEDED


class TestWhatIsRefused:
    def test_one_that_is_stored_on_another_port(
        self, ask: Ask, olt: Olt, tenant: Tenant, simulator: SimulatedOlt
    ) -> None:
        with tenant_context(tenant.pk):
            OnuFactory(
                olt=olt, serial="HWTC12345678", pon_port=olt.pon_ports.get(index="0/1/3"), index="0/1/3/1"
            )

        with pytest.raises(planning.OnuElsewhere, match=r"port 0/1/3 of OLT"):
            ask("hwtc12345678")

        with tenant_context(tenant.pk):
            assert not ProvisioningJob.objects.exists()

    def test_one_that_the_device_has_on_another_port(
        self, ask: Ask, run: Run, simulator: SimulatedOlt, tenant: Tenant
    ) -> None:
        there = simulator.add_onu(3)

        change = ask(there.serial_text)
        job = run(change)

        assert (job.error_code, job.error_status) == ("onu_elsewhere", 409)
        assert "port 0/1/3" in job.error_message
        assert (change.status, change.error_code) == (ProvisioningStatus.FAILED, "onu_elsewhere")
        assert simulator.cli.commands == []

    def test_a_number_of_somebody_else(self, ask: Ask, run: Run, simulator: SimulatedOlt) -> None:
        serial = simulator.plug_in(0)

        job = run(ask(serial, onu_number=1))

        assert job.error_code == "onu_number_taken"
        assert simulator.cli.commands == []

    def test_a_service_that_another_onu_feeds(self, ask: Ask, olt: Olt, tenant: Tenant) -> None:
        with tenant_context(tenant.pk):
            line = SubscriptionFactory()
            OnuFactory(olt=olt, subscription=line, serial="HWTC00000001")

        with pytest.raises(planning.ServiceHasOnu, match="HWTC00000001"):
            ask("HWTC12345678", subscription_id=line.pk)

    def test_a_service_for_which_another_onu_is_being_authorised(self, ask: Ask, tenant: Tenant) -> None:
        with tenant_context(tenant.pk):
            line = SubscriptionFactory()
        ask("HWTC00000001", subscription_id=line.pk)

        with pytest.raises(provisioning.ProvisioningInProgress):
            ask("HWTC12345678", subscription_id=line.pk)

    def test_a_service_that_has_ended(self, ask: Ask, tenant: Tenant) -> None:
        with tenant_context(tenant.pk):
            line = SubscriptionFactory(status=ServiceStatus.CANCELLED)

        with pytest.raises(planning.ServiceEnded):
            ask("HWTC12345678", subscription_id=line.pk)

    def test_another_tenants_service(self, ask: Ask, tenant: Tenant, other_tenant: Tenant) -> None:
        with tenant_context(other_tenant.pk):
            line = SubscriptionFactory()

        with pytest.raises(ServiceUnknown):
            ask("HWTC12345678", subscription_id=line.pk)

    def test_an_onu_that_feeds_another_service(self, ask: Ask, olt: Olt, tenant: Tenant) -> None:
        with tenant_context(tenant.pk):
            line, other = SubscriptionFactory(), SubscriptionFactory()
            OnuFactory(
                olt=olt, serial="HWTC12345678", subscription=other, pon_port=olt.pon_ports.get(index="0/1/0")
            )

        with pytest.raises(planning.OnuServesAnother, match=str(other.number)):
            ask("HWTC12345678", subscription_id=line.pk)

    def test_a_port_the_olt_has_not(self, ask: Ask) -> None:
        with pytest.raises(planning.PonPortUnknown):
            ask("HWTC12345678", pon_port="0/9/0")

    def test_a_preset_of_another_vendor(self, ask: Ask, preset: OnuPreset, tenant: Tenant) -> None:
        preset.vendor = Vendor.ZTE

        with pytest.raises(planning.PresetOfOtherVendor, match="Fibre 100 is for ZTE"):
            ask("HWTC12345678", preset=preset)

    def test_a_preset_without_what_the_driver_needs(self, ask: Ask, preset: OnuPreset) -> None:
        preset.vlan = None
        preset.service_profile = ""

        with pytest.raises(planning.PresetIncomplete, match=r"service_profile, vlan") as refusal:
            ask("HWTC12345678", preset=preset)

        assert refusal.value.status == 422

    def test_fields_go_before_the_preset_s(self, ask: Ask) -> None:
        change = ask("HWTC12345678", fields={"vlan": 200})

        assert change.profile["vlan"] == 200
        assert "vlan 200" in change.plan[1]["commands"][0]

    def test_what_cannot_be_typed(self, ask: Ask) -> None:
        with pytest.raises(planning.UnusablePlan, match="cannot be typed"):
            ask("HWTC12345678", description='x" service-port')
        with pytest.raises(planning.UnusablePlan, match="no ONU serial"):
            ask("HW; reboot")

    def test_a_vendor_without_a_way(self, ask: Ask, tenant: Tenant) -> None:
        with tenant_context(tenant.pk):
            olt = OltFactory(vendor="ufiber", name="Hillside")

        with pytest.raises(planning.NotProvisionable, match="Hillside is a Ubiquiti UFiber") as refusal:
            ask("UBNT12345678", olt=olt, preset=None)

        assert (refusal.value.code, refusal.value.status) == ("not_supported_by_device", 409)

    def test_an_olt_without_a_command_line(self, ask: Ask, tenant: Tenant) -> None:
        with tenant_context(tenant.pk):
            olt = OltFactory()

        with pytest.raises(planning.CliAccessMissing):
            ask("HWTC12345678", olt=olt)

    def test_a_serial_that_is_being_changed(self, ask: Ask, tenant: Tenant) -> None:
        ask("HWTC12345678")

        with pytest.raises(provisioning.ProvisioningInProgress) as refusal:
            ask("HWTC12345678", pon_port="0/1/1")

        assert (refusal.value.code, refusal.value.status) == ("provisioning_in_progress", 409)
        with tenant_context(tenant.pk):
            assert ProvisioningJob.objects.count() == 1


class TestOneChangePerOlt:
    def test_a_second_one_waits_and_is_done_later(
        self, ask: Ask, run: Run, simulator: SimulatedOlt, tenant: Tenant
    ) -> None:
        first, second = ask(simulator.plug_in(0)), ask(simulator.plug_in(0))
        with tenant_context(tenant.pk):
            ProvisioningJob.objects.filter(pk=first.pk).update(status=ProvisioningStatus.RUNNING)

        waiting = run(second)

        assert (waiting.status, waiting.attempts, waiting.run_token) == (JobStatus.QUEUED, 0, None)
        assert second.status == ProvisioningStatus.PLANNED
        assert simulator.cli.commands == []
        run(first)
        assert run(second).status == JobStatus.SUCCEEDED
        assert (first.onu_number, second.onu_number) == (2, 3)

    def test_one_whose_run_ended_in_silence_holds_nobody_up(
        self, ask: Ask, run: Run, simulator: SimulatedOlt, tenant: Tenant
    ) -> None:
        serial = simulator.plug_in(0)
        first = ask(serial)
        assert first.job_id
        with tenant_context(tenant.pk):
            ProvisioningJob.objects.filter(pk=first.pk).update(status=ProvisioningStatus.RUNNING)
            jobs.cancel(job_id=first.job_id)

        second = ask(serial)
        job = run(second)

        assert job.status == JobStatus.SUCCEEDED
        with tenant_context(tenant.pk):
            first.refresh_from_db()
        assert (first.status, first.error_code) == (ProvisioningStatus.FAILED, "cancelled")


def test_a_cancelled_change_stops_before_its_next_step_and_can_be_resumed(
    ask: Ask, run: Run, simulator: SimulatedOlt, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    change = ask(simulator.plug_in(0))
    draw = execution._Work.draw

    def cancel_then_draw(work: execution._Work) -> Any:
        steps = draw(work)
        assert change.job_id
        with tenant_context(tenant.pk):
            jobs.cancel(job_id=change.job_id)
        return steps

    with monkeypatch.context() as patched:
        patched.setattr(execution._Work, "draw", cancel_then_draw)
        run(change)

    assert (change.status, change.error_code) == (ProvisioningStatus.FAILED, "cancelled")
    assert typed(simulator, "ont add") == []
    with tenant_context(tenant.pk):
        provisioning.resume(provisioning_id=change.pk)
        change.refresh_from_db()
    assert run(change).status == JobStatus.SUCCEEDED


def test_numbers_of_onus_that_are_gone_are_free(ask: Ask, olt: Olt, tenant: Tenant) -> None:
    with tenant_context(tenant.pk):
        port = olt.pon_ports.get(index="0/1/0")
        gone = timezone.now() - timedelta(days=1)
        OnuFactory(olt=olt, pon_port=port, onu_id=0, status=OnuStatus.VANISHED, vanished_at=gone)
        OnuFactory(olt=olt, pon_port=port, onu_id=1, status=OnuStatus.REMOVED)
        OnuFactory(olt=olt, pon_port=port, onu_id=2)

    first, second, third = ask("ZZZZ0000000A"), ask("ZZZZ0000000B"), ask("ZZZZ0000000C")

    assert [each.onu_number for each in (first, second, third)] == [0, 1, 3]
