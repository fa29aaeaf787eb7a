"""Readings on demand over HTTP: from simulated OLTs, through a real worker."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from demo.olt import SimulatedOlt
from hardware import services
from hardware.drivers import Capability
from hardware.drivers.ufiber import UfiberDriver
from hardware.models import Olt, OltPolling, Onu, OnuStatus, PonPort, Reading
from hardware.services import claims, live
from ispcore.jobs.models import Job
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant
from tests.factories import OltFactory, OnuFactory, PonPortFactory

WAIT = {"Prefer": "wait=30"}


def data_of(response: Any) -> dict[str, Any]:
    assert response.status_code == 200, response.content
    data: dict[str, Any] = response.json()["data"]
    return data


def refusal(response: Any) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["code"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("worker")
class TestLive:
    @pytest.fixture
    def simulator(self) -> Iterator[SimulatedOlt]:
        with SimulatedOlt("huawei", onus=16, pon_ports=2) as simulated:
            simulated.set_onu_online(0, 0, online=True)
            yield simulated

    @pytest.fixture
    def olt(self, tenant: Tenant, simulator: SimulatedOlt) -> Olt:
        with tenant_context(tenant.pk):
            services.make_reading_partitions(on=timezone.now().date())
            olt: Olt = OltFactory(ip=simulator.host, snmp_port=simulator.port, community=simulator.community)
        return olt

    @pytest.fixture
    def onu(self, tenant: Tenant, olt: Olt, simulator: SimulatedOlt) -> Onu:
        with tenant_context(tenant.pk):
            onu: Onu = OnuFactory(
                olt=olt, serial=simulator.onus[0, 0].serial_text, index="0/1/0/0", rx_power_dbm=-10.0,
                status=OnuStatus.OFFLINE, observed_at=timezone.now() - timedelta(minutes=10),
                measured_at=timezone.now() - timedelta(minutes=10),
            )  # fmt: skip
        return onu

    def test_sync_reads_all_but_the_optics(
        self, api: Any, tenant: Tenant, olt: Olt, simulator: SimulatedOlt
    ) -> None:
        data = data_of(api.post("hardware/olt/sync", {"olt_id": str(olt.pk)}, **WAIT))

        assert (data["status"], data["seen"], len(data["onus"]), len(data["ports"])) == ("success", 16, 16, 2)
        assert data["system"]["sys_descr"] == "Huawei Integrated Access Software"
        assert [onu["index"] for onu in data["onus"][:2]] == ["0/1/0/0", "0/1/0/1"]
        assert "rx_power_dbm" not in data["onus"][0]
        with tenant_context(tenant.pk):
            assert not Onu.objects.exclude(rx_power_dbm=None).exists()
            assert OltPolling.objects.get().status_read_at is not None

    def test_status_of_one_onu(self, api: Any, tenant: Tenant, onu: Onu) -> None:
        body = {"olt_id": str(onu.olt_id), "serial": onu.serial.lower()}

        data = data_of(api.post("hardware/olt/onu/status", body, **WAIT))

        assert (data["source"], data["status"], data["index"]) == ("live", "online", "0/1/0/0")
        assert data["age_seconds"] <= 30
        with tenant_context(tenant.pk):
            stored = Onu.objects.get()
            assert (stored.status, stored.rx_power_dbm) == (OnuStatus.ONLINE, -10.0)

    def test_signal_of_one_onu_by_index_and_ip(
        self, api: Any, tenant: Tenant, onu: Onu, olt: Olt, simulator: SimulatedOlt
    ) -> None:
        body = {"ip": olt.ip, "community": simulator.community, "vendor": "huawei", "index": "0/1/0/0"}

        data = data_of(api.post("hardware/olt/onu/signal", body, **WAIT))

        assert data["source"] == "live"
        assert data["rx_power_dbm"] == pytest.approx(simulator.onus[0, 0].rx_dbm, abs=0.006)
        with tenant_context(tenant.pk):
            assert Onu.objects.get().rx_power_dbm == data["rx_power_dbm"]
            assert Reading.objects.get().rx_power_dbm == data["rx_power_dbm"]
            assert OltPolling.objects.get().claim_token is None

    def test_a_silent_device_is_503_unless_stored_values_do(
        self, api: Any, onu: Onu, simulator: SimulatedOlt
    ) -> None:
        simulator.fault = "silent"
        body = {"olt_id": str(onu.olt_id), "serial": onu.serial}

        assert refusal(api.post("hardware/olt/onu/signal", body, **WAIT)) == (503, "device_unreachable")
        too_old = api.post("hardware/olt/onu/signal", body | {"max_age": 60}, **WAIT)
        young = api.post("hardware/olt/onu/signal", body | {"max_age": 3600}, **WAIT)
        any_age = api.post("hardware/olt/onu/signal", body | {"cached": True}, **WAIT)

        assert refusal(too_old) == (503, "device_unreachable")
        for response in (young, any_age):
            data = data_of(response)
            assert (data["source"], data["rx_power_dbm"]) == ("cached", -10.0)
            assert 600 <= data["age_seconds"] <= 720
            assert data["observed_at"] is not None

    def test_an_onu_that_is_gone_is_409(
        self, api: Any, tenant: Tenant, onu: Onu, simulator: SimulatedOlt
    ) -> None:
        simulator.remove_onu(0, 0)
        body = {"olt_id": str(onu.olt_id), "serial": onu.serial}

        assert refusal(api.post("hardware/olt/onu/status", body, **WAIT)) == (409, "onu_not_listed")

        with tenant_context(tenant.pk):
            assert Onu.objects.get().status == OnuStatus.OFFLINE

    def test_an_olt_that_is_being_read_is_busy(
        self, api: Any, tenant: Tenant, onu: Onu, simulator: SimulatedOlt
    ) -> None:
        at = timezone.now()
        with tenant_context(tenant.pk):
            claims.ensure_polling(olt_id=onu.olt_id, at=at, optics_due_at=at)
            claims.take(olt_id=onu.olt_id, tenant=lambda: tenant_context(tenant.pk))
        body = {"olt_id": str(onu.olt_id), "serial": onu.serial}

        assert refusal(api.post("hardware/olt/onu/status", body, **WAIT)) == (503, "device_busy")

        assert simulator.requests == 0

    def test_ports_have_rates_from_the_second_time_on(
        self, api: Any, tenant: Tenant, olt: Olt, simulator: SimulatedOlt
    ) -> None:
        first = data_of(api.post("hardware/olt/pon/stats", {"olt_id": str(olt.pk)}, **WAIT))
        with tenant_context(tenant.pk):
            PonPort.objects.update(counted_at=timezone.now() - timedelta(seconds=100))
        onu = simulator.onus[0, 0]
        onu.up_bytes += 12_500_000
        simulator.set_onu_online(0, 0, online=True)

        second = data_of(api.post("hardware/olt/pon/stats", {"olt_id": str(olt.pk)}, **WAIT))

        assert [port["index"] for port in second["ports"]] == ["0/1/0", "0/1/1"]
        assert first["ports"][0]["up_bps"] is None
        assert second["ports"][0]["up_bps"] == pytest.approx(1_000_000, rel=0.25)
        assert second["ports"][1]["up_bps"] == 0
        assert second["source"] == "live"
        with tenant_context(tenant.pk):
            assert not Onu.objects.exists()

    def test_one_onu_of_a_ufiber(self, api: Any, tenant: Tenant) -> None:
        with SimulatedOlt("ufiber", onus=4, pon_ports=2) as simulated:
            simulated.set_onu_online(0, 0, online=True)
            serial = simulated.onus[0, 0].serial_text
            with tenant_context(tenant.pk):
                services.make_reading_partitions(on=timezone.now().date())
                olt = OltFactory(
                    vendor="ufiber", ip=simulated.host, snmp_port=simulated.port, community="public"
                )
                OnuFactory(olt=olt, serial=serial, index=serial)

            data = data_of(
                api.post("hardware/olt/onu/signal", {"olt_id": str(olt.pk), "serial": serial}, **WAIT)
            )

        assert data["rx_power_dbm"] == pytest.approx(simulated.onus[0, 0].rx_dbm, abs=0.006)


@pytest.mark.django_db
class TestRefusals:
    """Nothing is started."""

    @pytest.fixture(autouse=True)
    def _no_job(self, acting: Tenant) -> Iterator[None]:
        yield
        assert not Job.objects.exists()

    def test_an_unknown_onu_is_404(self, api: Any) -> None:
        olt = OltFactory()

        for named in ({"serial": "HWTC00000000"}, {"index": "0/1/0/0"}):
            response = api.post("hardware/olt/onu/status", {"olt_id": str(olt.pk), **named})
            assert refusal(response) == (404, "onu_not_found")

    def test_an_onu_of_another_olt_is_404(self, api: Any) -> None:
        onu = OnuFactory()

        response = api.post("hardware/olt/onu/signal", {"olt_id": str(OltFactory().pk), "serial": onu.serial})

        assert refusal(response) == (404, "onu_not_found")

    @pytest.mark.parametrize("path", ["onu/status", "onu/signal"])
    def test_no_onu_named_is_400(self, path: str, api: Any) -> None:
        response = api.post(f"hardware/olt/{path}", {"olt_id": str(OltFactory().pk)})

        assert refusal(response) == (400, "missing_field")

    @pytest.mark.parametrize("path", ["sync", "pon/stats"])
    def test_an_address_nobody_registered_is_404(self, path: str, api: Any) -> None:
        response = api.post(f"hardware/olt/{path}", {"ip": "198.51.100.7"})

        assert refusal(response) == (404, "olt_not_registered")

    @pytest.mark.parametrize("max_age", [0, -1, "60", 1.5, 10**9])
    def test_a_wrong_age_is_422(self, max_age: Any, api: Any) -> None:
        body = {"olt_id": str(OltFactory().pk), "max_age": max_age}

        assert api.post("hardware/olt/pon/stats", body).status_code == 422

    def test_what_the_device_cannot_is_409(self, api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(UfiberDriver, "capabilities", frozenset({Capability.CARDS}))
        onu = OnuFactory(olt=OltFactory(vendor="ufiber"))
        body = {"olt_id": str(onu.olt_id)}

        signal = api.post("hardware/olt/onu/signal", body | {"serial": onu.serial})
        stats = api.post("hardware/olt/pon/stats", body)

        assert refusal(signal) == refusal(stats) == (409, "not_supported_by_device")


@pytest.mark.django_db
class TestLists:
    def test_telemetry_is_shown_and_filtered(self, api: Any, acting: Tenant) -> None:
        now = timezone.now()
        OnuFactory(serial="HWTC00000001", observed_at=now, measured_at=now)
        OnuFactory(serial="HWTC00000002", observed_at=now - timedelta(hours=1), measured_at=now)
        OnuFactory(serial="HWTC00000003", observed_at=now)

        for state, serial in (("fresh", "1"), ("stale", "2"), ("none", "3")):
            rows = api.get(f"hardware/onus?telemetry={state}").json()["data"]
            assert [(row["serial"][-1], row["telemetry"]) for row in rows] == [(serial, state)]
        old = api.get("hardware/onus?telemetry=stale").json()["data"][0]
        assert 3600 <= old["age_seconds"] <= 3660

    def test_an_olts_telemetry(self, api: Any, acting: Tenant) -> None:
        olt = OltFactory()
        path = f"hardware/olts/{olt.pk}"
        assert api.get(path).json()["data"]["telemetry"] == "none"
        for minutes, state in ((1, "fresh"), (16, "stale")):
            Olt.objects.update(last_answer_at=timezone.now() - timedelta(minutes=minutes))
            assert api.get(path).json()["data"]["telemetry"] == state

    def test_an_age_is_no_change_of_a_record(self, api: Any, acting: Tenant) -> None:
        olt = OltFactory(last_answer_at=timezone.now())
        tag = api.get(f"hardware/olts/{olt.pk}")["ETag"]
        Olt.objects.update(last_answer_at=olt.last_answer_at)

        later = api.get(f"hardware/olts/{olt.pk}")

        assert later["ETag"] == tag


@pytest.mark.django_db
def test_stored_ports_answer_with_their_age(acting: Tenant, query_count: Callable[..., int]) -> None:
    port = PonPortFactory(counted_at=timezone.now() - timedelta(seconds=90))

    assert live._will_do(port.counted_at, 120, at=timezone.now())
    assert live._will_do(port.counted_at, 0, at=timezone.now())
    assert not live._will_do(port.counted_at, 60, at=timezone.now())
    assert not live._will_do(port.counted_at, None, at=timezone.now())
    assert not live._will_do(None, 0, at=timezone.now())
