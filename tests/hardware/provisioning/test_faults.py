"""A device that falls silent, hangs up, restarts or refuses in the middle: failed, resumed, rolled back."""

import pytest

from demo.olt import SimulatedOlt
from demo.olt.huawei_cli import CliFault
from hardware.models import (
    Olt,
    Onu,
    OnuEvent,
    OnuEventKind,
    OnuPreset,
    OnuStatus,
    ProvisioningStatus,
    StepState,
)
from hardware.services import planning, provisioning
from ispcore.crypto import MASK
from ispcore.events.models import Event
from ispcore.jobs.models import JobStatus
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant
from tests.factories import OnuFactory, SubscriptionFactory
from tests.hardware.provisioning.conftest import Ask, Run
from tests.hardware.provisioning.test_authorize import states, typed

pytestmark = pytest.mark.django_db


class TestInTheMiddle:
    @pytest.mark.parametrize(
        ("fault", "code", "after"),
        [
            ("silent=service-port", "device_timeout", [StepState.DONE, StepState.STARTED]),
            ("cut-before=service-port", "device_connection_lost", [StepState.DONE, StepState.STARTED]),
            ("cut-after=service-port", "device_connection_lost", [StepState.DONE, StepState.STARTED]),
            ("cut-before=ont add", "device_connection_lost", [StepState.STARTED, StepState.PLANNED]),
            ("cut-after=ont add", "device_connection_lost", [StepState.STARTED, StepState.PLANNED]),
            ("silent=ont add", "device_timeout", [StepState.STARTED, StepState.PLANNED]),
        ],
    )
    def test_it_fails_with_words_and_is_resumed_without_doing_anything_twice(
        self,
        ask: Ask,
        run: Run,
        simulator: SimulatedOlt,
        tenant: Tenant,
        fault: str,
        code: str,
        after: list[str],
    ) -> None:
        serial = simulator.plug_in(0)
        simulator.cli.fault = CliFault.parse(fault)

        change = ask(serial)
        failed = run(change)

        assert (failed.status, failed.error_code, failed.error_status) == (JobStatus.FAILED, code, 503)
        assert (change.status, change.error_code) == (ProvisioningStatus.FAILED, code)
        assert states(change) == after
        with tenant_context(tenant.pk):
            assert not Onu.objects.exists()
            provisioning.resume(provisioning_id=change.pk)
            change.refresh_from_db()

        resumed = run(change)

        assert resumed.status == JobStatus.SUCCEEDED, resumed.error_message
        assert states(change) == [StepState.DONE, StepState.DONE]
        assert resumed.result is not None
        assert resumed.result["already"] is False
        assert (len(typed(simulator, "ont add")), len(typed(simulator, "service-port"))) == (1, 1)
        assert [each.onu_id for each in simulator.service_ports] == [2]

    def test_a_device_that_restarts_is_found_again(
        self, ask: Ask, run: Run, simulator: SimulatedOlt, tenant: Tenant
    ) -> None:
        serial = simulator.plug_in(0)
        simulator.cli.fault = CliFault.parse("reboot=service-port")
        change = ask(serial)
        assert run(change).error_code == "device_connection_lost"
        with tenant_context(tenant.pk):
            provisioning.resume(provisioning_id=change.pk)
            change.refresh_from_db()

        while_it_starts = run(change)

        assert while_it_starts.error_code in ("device_timeout", "device_connection_lost")
        simulator.cli.rebooting = False
        with tenant_context(tenant.pk):
            provisioning.resume(provisioning_id=change.pk)
            change.refresh_from_db()
        assert run(change).status == JobStatus.SUCCEEDED
        assert len(typed(simulator, "ont add")) == 1

    def test_a_refused_command_ends_it_in_the_device_s_words(
        self, ask: Ask, run: Run, simulator: SimulatedOlt, tenant: Tenant
    ) -> None:
        serial = simulator.plug_in(0)

        change = ask(serial, fields={"line_profile": "FTTH_900M"})
        job = run(change)

        assert (job.error_code, job.error_status) == ("device_refused", 409)
        assert job.error_message == (
            "The device refused at 'Add the ONU as number 2 of port 0/1/0': Failure: The line profile does not exist"
        )
        assert "Failure: The line profile does not exist" in change.transcript
        assert (0, 2) not in simulator.onus
        with tenant_context(tenant.pk):
            assert not Onu.objects.exists()

    def test_a_refused_log_in_says_so_and_shows_no_password(
        self, ask: Ask, run: Run, olt: Olt, simulator: SimulatedOlt, tenant: Tenant
    ) -> None:
        with tenant_context(tenant.pk):
            Olt.objects.filter(pk=olt.pk).update(cli_username="isp2")
            olt.cli_password = "wr0ng-w0rd"
            olt.save(update_fields=["cli_password"])

        change = ask(simulator.plug_in(0))
        job = run(change)

        assert (job.error_code, job.error_status) == ("device_login_refused", 409)
        assert "isp2" in job.error_message
        kept = f"{job.error_message} {job.params} {change.transcript} {change.plan} {change.message}"
        assert "wr0ng-w0rd" not in kept

    def test_a_dead_device_is_no_answer(
        self, ask: Ask, run: Run, simulator: SimulatedOlt, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("hardware.services.devices.TIMEOUT_SECONDS", 0.1)
        simulator.fault = "silent"

        change = ask("HWTC12345678")
        job = run(change)

        assert (job.error_code, job.error_status) == ("device_unreachable", 503)
        assert change.status == ProvisioningStatus.FAILED
        assert simulator.cli.commands == []

    @pytest.mark.parametrize("fault", ["ask-parameters", "page"])
    def test_questions_and_pages_are_answered(
        self, ask: Ask, run: Run, simulator: SimulatedOlt, fault: str
    ) -> None:
        simulator.cli.fault = CliFault.parse(fault)

        job = run(ask(simulator.plug_in(0)))

        assert job.status == JobStatus.SUCCEEDED, job.error_message

    def test_what_echoes_the_password_is_masked(
        self, ask: Ask, run: Run, olt: Olt, simulator: SimulatedOlt, tenant: Tenant
    ) -> None:
        change = ask(simulator.plug_in(0), description=f"Flat {simulator.cli.password} 3")

        run(change)

        assert simulator.cli.password not in change.transcript
        assert MASK in change.transcript or "********" in change.transcript


class TestHostKeys:
    def test_the_first_key_is_kept(
        self, ask: Ask, run: Run, olt: Olt, simulator: SimulatedOlt, tenant: Tenant
    ) -> None:
        run(ask(simulator.plug_in(0)))

        with tenant_context(tenant.pk):
            olt.refresh_from_db()
        assert olt.cli_host_key.startswith("ssh-ed25519 SHA256:")

    def test_another_key_is_refused_before_the_password_is_sent(
        self, ask: Ask, run: Run, olt: Olt, simulator: SimulatedOlt, tenant: Tenant
    ) -> None:
        with tenant_context(tenant.pk):
            Olt.objects.filter(pk=olt.pk).update(cli_host_key="ssh-ed25519 SHA256:" + "A" * 43)
            olt.refresh_from_db()

        change = ask(simulator.plug_in(0))
        job = run(change)

        assert (job.error_code, job.error_status) == ("device_host_key_changed", 409)
        assert "clear the stored key of the OLT" in job.error_message
        assert simulator.cli.logins == 0


class TestRollingBack:
    def test_what_was_done_is_undone_last_first(
        self, ask: Ask, run: Run, simulator: SimulatedOlt, tenant: Tenant
    ) -> None:
        serial = simulator.plug_in(0)
        simulator.cli.fault = CliFault.parse("cut-after=service-port")
        change = ask(serial)
        run(change)
        with tenant_context(tenant.pk):
            provisioning.roll_back(provisioning_id=change.pk)
            change.refresh_from_db()

        job = run(change)

        assert job.status == JobStatus.SUCCEEDED, job.error_message
        assert (change.status, states(change)) == (
            ProvisioningStatus.ROLLED_BACK, [StepState.UNDONE, StepState.UNDONE],
        )  # fmt: skip
        assert (0, 2) not in simulator.onus
        assert simulator.service_ports == []
        last = [each for each in simulator.cli.commands if each.startswith(("undo service", "ont delete"))]
        assert last == ["undo service-port port 0/1/0 ont 2", "ont delete 0 2"]

    def test_what_was_so_before_stays(
        self, ask: Ask, run: Run, simulator: SimulatedOlt, tenant: Tenant
    ) -> None:
        there = simulator.add_onu(0)
        simulator.cli.fault = CliFault.parse("cut-after=service-port")
        change = ask(there.serial_text)
        run(change)
        with tenant_context(tenant.pk):
            provisioning.roll_back(provisioning_id=change.pk)
            change.refresh_from_db()

        run(change)

        assert states(change) == [StepState.FOUND, StepState.UNDONE]
        assert (0, there.onu_id) in simulator.onus
        assert simulator.service_ports == []

    def test_only_a_failed_authorisation(
        self, ask: Ask, run: Run, simulator: SimulatedOlt, tenant: Tenant
    ) -> None:
        change = ask(simulator.plug_in(0))
        with tenant_context(tenant.pk), pytest.raises(provisioning.NotReversible, match="planned"):
            provisioning.roll_back(provisioning_id=change.pk)
        with tenant_context(tenant.pk), pytest.raises(provisioning.NotResumable, match="planned"):
            provisioning.resume(provisioning_id=change.pk)
        run(change)

        with tenant_context(tenant.pk), pytest.raises(provisioning.NotReversible, match="succeeded"):
            provisioning.roll_back(provisioning_id=change.pk)

        assert (0, 2) in simulator.onus


class TestRemoving:
    def test_service_ports_go_first_and_the_onu_waits_again(
        self, ask: Ask, run: Run, olt: Olt, simulator: SimulatedOlt, tenant: Tenant
    ) -> None:
        serial = simulator.plug_in(0)
        with tenant_context(tenant.pk):
            line = SubscriptionFactory()
        run(ask(serial, subscription_id=line.pk))

        with tenant_context(tenant.pk):
            change = provisioning.request_unauthorize(onu=Onu.objects.get(serial=serial))
        job = run(change)

        assert job.status == JobStatus.SUCCEEDED, job.error_message
        assert job.result is not None
        assert (job.result["status"], job.result["already"]) == ("removed", False)
        assert (0, 2) not in simulator.onus
        assert simulator.service_ports == []
        with tenant_context(tenant.pk):
            onu = Onu.objects.get(serial=serial)
            assert (onu.status, onu.subscription, onu.authorised_at) == (OnuStatus.REMOVED, None, None)
            assert OnuEvent.objects.latest("created_at").kind == OnuEventKind.REMOVED
            assert Event.objects.get(name="hardware.onu_removed").payload["onu_id"] == str(onu.pk)

    def test_what_is_gone_already_succeeds(
        self, run: Run, olt: Olt, simulator: SimulatedOlt, tenant: Tenant
    ) -> None:
        with tenant_context(tenant.pk):
            onu = OnuFactory(olt=olt, pon_port=olt.pon_ports.get(index="0/1/0"), onu_id=7)
            change = provisioning.request_unauthorize(onu=onu)

        job = run(change)

        assert job.result is not None
        assert job.result["already"] is True
        assert simulator.cli.commands == []
        with tenant_context(tenant.pk):
            onu.refresh_from_db()
        assert onu.status == OnuStatus.REMOVED

    def test_it_follows_the_serial_and_never_deletes_a_neighbour(
        self, run: Run, olt: Olt, simulator: SimulatedOlt, tenant: Tenant
    ) -> None:
        moved, neighbour = simulator.onus[1, 0], simulator.onus[0, 1]
        with tenant_context(tenant.pk):
            onu = OnuFactory(
                olt=olt, serial=moved.serial_text, pon_port=olt.pon_ports.get(index="0/1/0"), onu_id=1
            )
            change = provisioning.request_unauthorize(onu=onu)

        run(change)

        assert (change.status, change.pon_port, change.onu_number) == ("succeeded", "0/1/1", 0)
        assert simulator.onus[0, 1] is neighbour
        assert (1, 0) not in simulator.onus

    @pytest.mark.parametrize("fault", ["cut-after=undo service-port", "cut-after=ont delete"])
    def test_a_cut_is_resumed(
        self, ask: Ask, run: Run, simulator: SimulatedOlt, tenant: Tenant, fault: str
    ) -> None:
        serial = simulator.plug_in(0)
        run(ask(serial))
        simulator.cli.fault = CliFault.parse(fault)
        with tenant_context(tenant.pk):
            change = provisioning.request_unauthorize(onu=Onu.objects.get(serial=serial))
        assert run(change).error_code == "device_connection_lost"
        with tenant_context(tenant.pk):
            provisioning.resume(provisioning_id=change.pk)
            change.refresh_from_db()

        job = run(change)

        assert job.status == JobStatus.SUCCEEDED, job.error_message
        assert (len(typed(simulator, "undo service-port")), len(typed(simulator, "ont delete"))) == (1, 1)


class TestRestarting:
    def test_the_onu_restarts_and_it_is_an_event(
        self, run: Run, olt: Olt, simulator: SimulatedOlt, tenant: Tenant
    ) -> None:
        there = simulator.onus[0, 1]
        with tenant_context(tenant.pk):
            onu = OnuFactory(
                olt=olt, serial=there.serial_text, pon_port=olt.pon_ports.get(index="0/1/0"), onu_id=1
            )
            change = provisioning.request_reboot(onu=onu)

        job = run(change)

        assert job.status == JobStatus.SUCCEEDED, job.error_message
        assert there.down_cause == 9
        with tenant_context(tenant.pk):
            assert OnuEvent.objects.get().kind == OnuEventKind.RESTARTED

    def test_one_whose_answer_was_lost_is_not_sent_again_unasked(
        self, run: Run, olt: Olt, simulator: SimulatedOlt, tenant: Tenant
    ) -> None:
        there = simulator.onus[0, 1]
        simulator.cli.fault = CliFault.parse("cut-after=ont reset")
        with tenant_context(tenant.pk):
            onu = OnuFactory(
                olt=olt, serial=there.serial_text, pon_port=olt.pon_ports.get(index="0/1/0"), onu_id=1
            )
            change = provisioning.request_reboot(onu=onu)
        run(change)
        with tenant_context(tenant.pk):  # As after the death of a worker: the same change, begun anew.
            change = provisioning._queue(change)

        again = run(change)

        assert again.error_code == "outcome_unknown"
        assert len(typed(simulator, "ont reset")) == 1
        with tenant_context(tenant.pk):
            provisioning.resume(provisioning_id=change.pk)
            change.refresh_from_db()
        assert run(change).status == JobStatus.SUCCEEDED
        assert len(typed(simulator, "ont reset")) == 2

    def test_one_the_device_does_not_list(self, run: Run, olt: Olt, tenant: Tenant) -> None:
        with tenant_context(tenant.pk):
            onu = OnuFactory(olt=olt, pon_port=olt.pon_ports.get(index="0/1/0"), onu_id=7)
            change = provisioning.request_reboot(onu=onu)

        assert run(change).error_code == "onu_not_listed"


class TestBySnmp:
    @pytest.fixture
    def silent_line(self, olt: Olt, tenant: Tenant) -> Olt:
        """The OLT without a command line, with a write community."""
        with tenant_context(tenant.pk):
            olt.cli_protocol = "none"
            olt.write_community = "public"
            olt.save()
        return olt

    def test_a_life_in_three_sets(
        self, ask: Ask, run: Run, silent_line: Olt, simulator: SimulatedOlt, tenant: Tenant, preset: OnuPreset
    ) -> None:
        serial = simulator.plug_in(0)
        profile = {"line_profile": "FTTH_100M", "vlan": None}

        change = ask(serial, fields=profile)
        job = run(change)

        assert job.status == JobStatus.SUCCEEDED, job.error_message
        assert (simulator.onus[0, 2].serial_text, simulator.onus[0, 2].line_profile) == (serial, "FTTH_100M")
        assert "noError" in change.transcript
        with tenant_context(tenant.pk):
            again = provisioning.request_authorize(
                olt=silent_line, pon_port="0/1/0", serial=serial, preset=preset, fields=profile
            )
        assert run(again).result["already"] is True  # type: ignore[index]
        with tenant_context(tenant.pk):
            restart = provisioning.request_reboot(onu=Onu.objects.get(serial=serial))
        run(restart)
        assert simulator.onus[0, 2].down_cause == 9
        with tenant_context(tenant.pk):
            removal = provisioning.request_unauthorize(onu=Onu.objects.get(serial=serial))
        assert run(removal).status == JobStatus.SUCCEEDED
        assert (0, 2) not in simulator.onus

    def test_a_vlan_needs_the_command_line(self, ask: Ask, silent_line: Olt) -> None:
        with pytest.raises(planning.UnusablePlan, match="no VLAN can be set"):
            ask("HWTC12345678")
