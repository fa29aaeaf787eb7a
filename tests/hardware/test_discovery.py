"""Discovery into the database: from simulated OLTs over real UDP, as the worker runs it."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from demo.olt import SimulatedOlt
from hardware import services
from hardware.models import DiscoveryRun, DownCause, Olt, Onu, OnuStatus, PonPort, Reading, RunOutcome
from hardware.services import devices, discovery
from ispcore.events.models import Event
from ispcore.jobs import services as jobs
from ispcore.jobs.models import Job, JobStatus
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant
from tests.factories import OltFactory

pytestmark = pytest.mark.django_db

Discover = Callable[[Olt], Job]


@pytest.fixture
def simulator() -> Iterator[SimulatedOlt]:
    with SimulatedOlt("huawei", onus=32, pon_ports=4) as simulated:
        yield simulated


@pytest.fixture
def olt(acting: Tenant, simulator: SimulatedOlt) -> Olt:
    return OltFactory(ip=simulator.host, snmp_port=simulator.port, community=simulator.community)


@pytest.fixture
def discover(acting: Tenant, monkeypatch: pytest.MonkeyPatch) -> Discover:
    """Run one discovery as a worker would and return its job."""
    monkeypatch.setattr(devices, "TIMEOUT_SECONDS", 0.2)

    def run(olt: Olt) -> Job:
        job = services.request_discovery(olt_id=olt.pk, user_id=None)
        at = timezone.now()
        jobs.perform(
            tenant_id=str(acting.pk), job_id=str(job.pk), work=lambda run: services.discover_olt(run, at=at)
        )
        job.refresh_from_db()
        return job

    return run


def result(job: Job) -> dict[str, Any]:
    assert job.status == JobStatus.SUCCEEDED, job.error_message
    assert job.result
    return dict(job.result)


class TestWhatIsStored:
    def test_ports_onus_readings_and_what_the_device_says_of_itself(
        self, olt: Olt, simulator: SimulatedOlt, discover: Discover
    ) -> None:
        job = discover(olt)

        assert result(job) | {"run_id": ""} == {
            "status": "success", "olt_id": str(olt.pk), "run_id": "", "seen": 32, "new": 32, "vanished": 0,
            "warnings": [],
        }  # fmt: skip
        olt.refresh_from_db()
        assert "Huawei" in olt.sys_descr
        assert olt.last_answer_at is not None
        assert olt.last_error == ""
        assert PonPort.objects.count() == 4
        assert sum(PonPort.objects.values_list("onu_count", flat=True)) == 32
        assert Reading.objects.count() == 32

    def test_every_onu_as_the_device_has_it(
        self, olt: Olt, simulator: SimulatedOlt, discover: Discover
    ) -> None:
        discover(olt)

        for (port, onu_id), there in simulator.onus.items():
            here = Onu.objects.get(serial=there.serial_text)
            assert here.index == f"0/1/{port}/{onu_id}"
            assert here.pon_port is not None
            assert here.pon_port.index == f"0/1/{port}"
            assert here.description == there.description
            if there.online:
                assert here.status == OnuStatus.ONLINE
                assert here.rx_power_dbm == pytest.approx(there.rx_dbm, abs=0.006)
                assert here.olt_rx_power_dbm == pytest.approx(there.olt_rx_dbm, abs=0.006)
                assert here.distance_m == there.distance_m

    def test_sentinels_of_an_offline_onu_become_null(
        self, olt: Olt, simulator: SimulatedOlt, discover: Discover
    ) -> None:
        simulator.set_onu_online(0, 0, online=False, down_cause=13)
        serial = simulator.onus[0, 0].serial_text

        discover(olt)

        onu = Onu.objects.get(serial=serial)
        assert onu.status == OnuStatus.OFFLINE
        assert onu.last_down_cause == DownCause.DYING_GASP
        assert (onu.rx_power_dbm, onu.tx_power_dbm, onu.olt_rx_power_dbm) == (None, None, None)
        assert (onu.temperature_c, onu.voltage_v, onu.bias_ma) == (None, None, None)

    def test_a_finished_discovery_is_an_event(self, olt: Olt, discover: Discover) -> None:
        job = discover(olt)

        event = Event.objects.get(name="hardware.discovery_finished")
        assert event.payload == {"olt_id": str(olt.pk), "run_id": result(job)["run_id"]}

    def test_ufiber(self, acting: Tenant, discover: Discover) -> None:
        with SimulatedOlt("ufiber", onus=12, pon_ports=4) as simulated:
            olt = OltFactory(vendor="ufiber", ip=simulated.host, snmp_port=simulated.port, community="public")

            job = discover(olt)

        assert result(job)["seen"] == 12
        offline = sum(not onu.online for onu in simulated.onus.values())
        assert Onu.objects.filter(status=OnuStatus.OFFLINE, rx_power_dbm=None).count() == offline


class TestASecondDiscovery:
    def test_updates_and_never_duplicates(self, olt: Olt, discover: Discover) -> None:
        discover(olt)
        before = dict(Onu.objects.values_list("serial", "pk"))

        job = discover(olt)

        assert result(job)["new"] == 0
        assert dict(Onu.objects.values_list("serial", "pk")) == before
        assert PonPort.objects.count() == 4
        assert Reading.objects.count() == 64

    def test_marks_what_is_gone_and_keeps_it(
        self, olt: Olt, simulator: SimulatedOlt, discover: Discover
    ) -> None:
        discover(olt)
        serial = simulator.onus[1, 2].serial_text
        power = Onu.objects.get(serial=serial).rx_power_dbm
        simulator.remove_onu(1, 2)

        job = discover(olt)

        assert result(job)["vanished"] == 1
        gone = Onu.objects.get(serial=serial)
        assert gone.status == OnuStatus.VANISHED
        assert gone.vanished_at is not None
        assert gone.rx_power_dbm == power
        assert PonPort.objects.get(index="0/1/1").onu_count == 7

    def test_welcomes_back_what_returns_on_another_port(
        self, olt: Olt, simulator: SimulatedOlt, discover: Discover
    ) -> None:
        discover(olt)
        moved = simulator.onus[1, 2].serial
        text = simulator.onus[1, 2].serial_text
        simulator.remove_onu(1, 2)
        discover(olt)
        simulator.add_onu(3, moved)

        job = discover(olt)

        assert (result(job)["new"], result(job)["vanished"]) == (0, 0)
        onu = Onu.objects.get(serial=text)
        assert (onu.status, onu.vanished_at) == (OnuStatus.ONLINE, None)
        assert onu.pon_port is not None
        assert onu.pon_port.index == "0/1/3"

    def test_a_reused_id_does_not_inherit_its_predecessor(
        self, olt: Olt, simulator: SimulatedOlt, discover: Discover
    ) -> None:
        discover(olt)
        first = simulator.onus[0, 3].serial_text
        simulator.remove_onu(0, 3)
        second = simulator.add_onu(0)
        assert (second.port, second.onu_id) == (0, 3)

        discover(olt)

        assert Onu.objects.get(serial=first).status == OnuStatus.VANISHED
        assert Onu.objects.get(serial=second.serial_text).index == "0/1/0/3"

    def test_of_a_device_that_lists_nothing_concludes_nothing(
        self, olt: Olt, simulator: SimulatedOlt, discover: Discover
    ) -> None:
        discover(olt)
        for port, onu_id in list(simulator.onus):
            simulator.remove_onu(port, onu_id)

        job = discover(olt)

        assert result(job)["status"] == "partial"
        assert "listed no ONU at all" in result(job)["warnings"][0]
        assert not Onu.objects.filter(status=OnuStatus.VANISHED).exists()


def stored() -> list[tuple[Any, ...]]:
    return list(
        Onu.objects.order_by("serial").values_list(
            "serial", "status", "rx_power_dbm", "olt_rx_power_dbm", "description", "distance_m", "vanished_at"
        )
    )


class TestFaults:
    """Whatever the device does, the run ends with a message and nothing stored is lost or blanked."""

    @pytest.fixture
    def known(self, olt: Olt, discover: Discover) -> list[tuple[Any, ...]]:
        discover(olt)
        return stored()

    def test_a_silent_device(
        self, olt: Olt, simulator: SimulatedOlt, discover: Discover, known: list[tuple[Any, ...]]
    ) -> None:
        simulator.fault = "silent"

        job = discover(olt)

        assert (job.status, job.error_code, job.error_status) == (JobStatus.FAILED, "device_unreachable", 503)
        assert "did not answer within 3 tries" in job.error_message
        assert "wrong community" in job.error_message
        olt.refresh_from_db()
        assert olt.last_error == job.error_message
        run = DiscoveryRun.objects.latest("started_at")
        assert (run.outcome, run.message) == (RunOutcome.FAILED, job.error_message)
        assert stored() == known

    def test_a_wrong_community_is_a_silent_device(
        self, olt: Olt, discover: Discover, known: list[tuple[Any, ...]]
    ) -> None:
        olt.community = "not-it"
        olt.save()

        job = discover(olt)

        assert (job.status, job.error_code) == (JobStatus.FAILED, "device_unreachable")
        assert "wrong community" in job.error_message
        assert "not-it" not in job.error_message
        assert stored() == known

    @pytest.mark.parametrize(
        "fault",
        ["wrong-request-id", "non-increasing", "garbage", "wrong-types", "tooBig", "drop=0.05"],
    )
    def test_a_misbehaving_device(
        self,
        fault: str,
        olt: Olt,
        simulator: SimulatedOlt,
        discover: Discover,
        known: list[tuple[Any, ...]],
    ) -> None:
        simulator.fault = fault

        job = discover(olt)

        run = DiscoveryRun.objects.latest("started_at")
        assert run.finished_at is not None
        if job.status == JobStatus.SUCCEEDED and result(job)["status"] == "success":
            assert fault in ("tooBig", "drop=0.05")
        else:
            assert run.outcome in (RunOutcome.PARTIAL, RunOutcome.FAILED)
            assert run.message
        assert stored() == known

    def test_another_vendors_device(self, olt: Olt, discover: Discover, known: list[tuple[Any, ...]]) -> None:
        with SimulatedOlt("ufiber", onus=4) as other:
            Olt.objects.filter(pk=olt.pk).update(ip=other.host, snmp_port=other.port)

            job = discover(olt)

        assert (job.status, job.error_code, job.error_status) == (JobStatus.FAILED, "unexpected_device", 409)
        assert "is not a huawei OLT" in job.error_message
        assert stored() == known

    def test_what_a_device_did_not_answer_before_it_stopped_stays(
        self,
        olt: Olt,
        simulator: SimulatedOlt,
        discover: Discover,
        known: list[tuple[Any, ...]],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(devices, "TIMEOUT_SECONDS", 0.1)
        simulator.fault = "half-then-stop"

        job = discover(olt)

        run = DiscoveryRun.objects.latest("started_at")
        assert (run.outcome, run.message) == (RunOutcome.PARTIAL, " ".join(result(job)["warnings"])[:1000])
        assert result(job)["status"] == "partial"
        assert result(job)["vanished"] == 0
        assert any("was not read to its end" in warning for warning in result(job)["warnings"])
        assert stored() == known


class TestOneAtATime:
    def test_a_second_request_joins_the_first(self, olt: Olt) -> None:
        first = services.request_discovery(olt_id=olt.pk, user_id=None)
        second = services.request_discovery(olt_id=olt.pk, user_id=None)

        assert first.pk == second.pk

    def test_a_run_left_open_by_a_dead_worker_is_closed_by_the_next(
        self, olt: Olt, discover: Discover
    ) -> None:
        job = services.request_discovery(olt_id=olt.pk, user_id=None)
        left = DiscoveryRun.objects.create(olt=olt, job=job, started_at=timezone.now() - timedelta(hours=1))

        discover(olt)

        left.refresh_from_db()
        assert left.outcome == RunOutcome.FAILED
        assert "worker died" in left.message
        assert DiscoveryRun.objects.filter(outcome=RunOutcome.COMPLETE).count() == 1

    def test_a_worker_that_lost_its_job_writes_nothing(
        self, olt: Olt, acting: Tenant, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        job = services.request_discovery(olt_id=olt.pk, user_id=None)

        def lose_it_while_reading(*args: Any) -> Any:
            Job.objects.filter(pk=job.pk).update(run_token=olt.pk)
            return found

        with SimulatedOlt("huawei", onus=4) as simulated:
            from hardware.drivers import DRIVERS
            from hardware.snmp import Target, open_transport

            with open_transport(Target(simulated.host, simulated.port)) as transport:
                found = DRIVERS["huawei"].discover(transport)
        monkeypatch.setattr(discovery, "_read", lose_it_while_reading)
        jobs.perform(
            tenant_id=str(acting.pk),
            job_id=str(job.pk),
            work=lambda run: services.discover_olt(run, at=timezone.now()),
        )

        assert not Onu.objects.exists()
        job.refresh_from_db()
        assert job.status == JobStatus.RUNNING


def test_tenants_discover_the_same_device_apart(
    simulator: SimulatedOlt, tenant: Tenant, other_tenant: Tenant
) -> None:
    for each in (tenant, other_tenant):
        with tenant_context(each.pk):
            olt = OltFactory(ip=simulator.host, snmp_port=simulator.port, community="public")
            job = services.request_discovery(olt_id=olt.pk, user_id=None)
        jobs.perform(
            tenant_id=str(each.pk),
            job_id=str(job.pk),
            work=lambda run: services.discover_olt(run, at=timezone.now()),
        )

    for each in (tenant, other_tenant):
        with tenant_context(each.pk):
            assert Onu.objects.count() == Onu._base_manager.count() == 32
