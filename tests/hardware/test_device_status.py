"""A service's device: cached and live, in the fields of the AEx provider API."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from demo.olt import SimulatedOlt
from hardware import services
from hardware.models import Olt, Onu, OnuStatus, Outage, OutageOnu, Reading
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant
from subscribers.models import Subscription
from tests.factories import OltFactory, OnuFactory, PonPortFactory, SubscriptionFactory

FIELDS = [
    "network", "pop", "serial_number", "gpon_status", "cpe", "model", "last_updated", "service", "pop_name",
    "alerts", "alarms", "populated_ports", "olt_port", "distance", "rx_status", "rx_power", "sfp_status",
    "sfp_power", "sfp_rx_status", "sfp_rx_power", "tx_power", "tx_status", "switch", "sfp_sync_speed",
    "switch_port",
]  # fmt: skip


def data_of(response: Any) -> dict[str, Any]:
    assert response.status_code == 200, response.content
    data: dict[str, Any] = response.json()["data"]
    return data


@pytest.mark.django_db
class TestCached:
    @pytest.fixture
    def line(self, acting: Tenant) -> Subscription:
        line: Subscription = SubscriptionFactory()
        olt = OltFactory(name="Central 1", site="Mill Street", sys_name="olt-1")
        port = PonPortFactory(olt=olt, index="0/1/0", is_up=True, tx_power_dbm=7.1)
        OnuFactory(
            olt=olt, pon_port=port, subscription=line, index="0/1/0/3", serial="HWTC12345678", rx_power_dbm=-26.0,
            tx_power_dbm=2.1, olt_rx_power_dbm=-29.0, distance_m=1200, observed_at=timezone.now(),
            measured_at=timezone.now(),
        )  # fmt: skip
        return line

    def test_has_exactly_the_fields_of_the_reference(self, api: Any, line: Subscription) -> None:
        data = data_of(api.get(f"services/{line.pk}/device/status"))

        assert list(data) == FIELDS
        assert data | {"last_updated": None} == {
            "network": "North", "pop": "olt-1", "serial_number": "HWTC12345678", "gpon_status": "online",
            "cpe": "HWTC", "model": None, "last_updated": None, "service": str(line.number),
            "pop_name": "Mill Street", "alerts": ["Signal weak: -26.0 dBm"], "alarms": [],
            "populated_ports": None, "olt_port": "0/1/0/3", "distance": 1200, "rx_status": "warning",
            "rx_power": -26.0, "sfp_status": "up", "sfp_power": 7.1, "sfp_rx_status": "warning",
            "sfp_rx_power": -29.0, "tx_power": 2.1, "tx_status": None, "switch": "Central 1",
            "sfp_sync_speed": None, "switch_port": "0/1/0",
        }  # fmt: skip

    def test_is_found_by_number_too(self, api: Any, line: Subscription) -> None:
        assert data_of(api.get(f"services/{line.number}/device/status"))["serial_number"] == "HWTC12345678"

    def test_tells_an_outage(self, api: Any, line: Subscription) -> None:
        onu = Onu.objects.get()
        outage = Outage.objects.create(olt=onu.olt, cause="fibre", started_at=timezone.now())
        OutageOnu.objects.create(outage=outage, onu=onu, down_at=timezone.now())
        Onu.objects.update(status=OnuStatus.OFFLINE, last_down_cause="los")

        data = data_of(api.get(f"services/{line.pk}/device/status"))

        assert data["alarms"][0] == "Loss of signal"
        assert data["alarms"][1].startswith("Outage: Fibre or splitter")
        assert data["alerts"] == []

    def test_tells_that_it_is_out_of_date(self, api: Any, line: Subscription) -> None:
        Onu.objects.update(observed_at=timezone.now() - timedelta(hours=1))

        assert "Out of date" in data_of(api.get(f"services/{line.pk}/device/status"))["alerts"]

    def test_of_a_service_without_a_device_is_404(self, api: Any, acting: Tenant) -> None:
        line = SubscriptionFactory()

        for path in ("device/status", "device/status/live"):
            response = api.get(f"services/{line.pk}/{path}")
            assert (response.status_code, response.json()["error"]["code"]) == (404, "device_not_found")

    @pytest.mark.parametrize("reference", ["x", "0", "99999999999", "01900000-0000-7000-8000-000000000000"])
    def test_of_no_service_is_404(self, reference: str, api: Any) -> None:
        response = api.get(f"services/{reference}/device/status")

        assert (response.status_code, response.json()["error"]["code"]) == (404, "not_found")


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("worker")
class TestLive:
    @pytest.fixture
    def simulator(self) -> Iterator[SimulatedOlt]:
        with SimulatedOlt("huawei", onus=8, pon_ports=2) as simulated:
            yield simulated

    @pytest.fixture
    def line(self, tenant: Tenant, simulator: SimulatedOlt) -> Subscription:
        with tenant_context(tenant.pk):
            services.make_reading_partitions(on=timezone.now().date())
            line: Subscription = SubscriptionFactory()
            olt: Olt = OltFactory(ip=simulator.host, snmp_port=simulator.port, community=simulator.community)
            there = simulator.onus[0, 0]
            simulator.set_onu_online(0, 0, online=True)
            OnuFactory(
                olt=olt, serial=there.serial_text, index="0/1/0/0", subscription=line, rx_power_dbm=-10.0,
                status=OnuStatus.OFFLINE, observed_at=timezone.now() - timedelta(days=1),
            )  # fmt: skip
        return line

    def test_reads_the_device_and_stores_what_it_says(
        self, api: Any, tenant: Tenant, line: Subscription, simulator: SimulatedOlt
    ) -> None:
        simulator.onus[0, 0].rx_dbm = -21.5
        simulator.set_onu_online(0, 0, online=True)

        data = data_of(api.get(f"services/{line.pk}/device/status/live", Prefer="wait=20"))

        assert list(data) == FIELDS
        assert (data["gpon_status"], data["rx_power"], data["rx_status"]) == ("online", -21.5, "good")
        with tenant_context(tenant.pk):
            onu = Onu.objects.get()
            assert (onu.status, onu.rx_power_dbm) == (OnuStatus.ONLINE, -21.5)
            assert Reading.objects.get().rx_power_dbm == -21.5
        cached = data_of(api.get(f"services/{line.pk}/device/status"))
        assert cached == data

    def test_of_a_silent_device_is_503(
        self, api: Any, line: Subscription, simulator: SimulatedOlt, query_count: Callable[..., int]
    ) -> None:
        simulator.fault = "silent"

        response = api.get(f"services/{line.pk}/device/status/live", Prefer="wait=30")

        assert (response.status_code, response.json()["error"]["code"]) == (503, "device_unreachable")
        assert data_of(api.get(f"services/{line.pk}/device/status"))["rx_power"] == -10.0
