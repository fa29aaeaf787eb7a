"""ISPChamp's page, request by request: the seven operations on OLTs, at a simulated one, through a real worker."""

import pytest
from django.utils import timezone

from demo.olt import SimulatedOlt
from hardware import services
from hardware.models import Onu
from ispcore.tenants.context import tenant_context
from tests.compat.client import Foreign
from tests.factories import OltFactory, OnuFactory
from tests.hardware.provisioning.conftest import preset, register

HARDWARE = "api/v1/hardware"
WAIT = {"Prefer": "wait=60"}

__all__ = ["preset"]  # A fixture.


@pytest.fixture
def champ(admin_user, tenant):
    return Foreign("ispchamp", admin_user, X_Tenant_ID=tenant.slug)


def told(response, *names):
    """Return what stands beside `"status": "success"`."""
    assert response.status_code == 200, response.content
    body = response.json()
    assert body["status"] == "success"
    assert set(names) <= set(body)
    return body


@pytest.mark.django_db
class TestRefusals:
    def test_an_olt_that_is_not_registered(self, champ):
        response = champ.post(
            f"{HARDWARE}/olt/discover", {"ip": "10.0.0.1", "community": "public", "vendor": "huawei"}
        )

        assert (response.status_code, response.json()["status"]) == (404, "error")
        assert response.json()["code"] == "olt_not_registered"

    def test_an_onu_has_to_be_named(self, champ, acting):
        olt = OltFactory()

        response = champ.post(f"{HARDWARE}/olt/onu/status", {"olt_id": str(olt.pk)})

        assert (response.status_code, response.json()["code"]) == (400, "missing_field")


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("worker")
class TestReadings:
    @pytest.fixture
    def simulator(self):
        with SimulatedOlt("huawei", onus=16, pon_ports=2) as simulated:
            simulated.set_onu_online(0, 0, online=True)
            yield simulated

    @pytest.fixture
    def olt(self, tenant, simulator):
        with tenant_context(tenant.pk):
            services.make_reading_partitions(on=timezone.now().date())
            return OltFactory(ip=simulator.host, snmp_port=simulator.port, community=simulator.community)

    @pytest.fixture
    def onu(self, tenant, olt, simulator):
        with tenant_context(tenant.pk):
            return OnuFactory(olt=olt, serial=simulator.onus[0, 0].serial_text, index="0/1/0/0")

    @pytest.fixture
    def body(self, olt, simulator):
        """What the page's example sends."""
        return {"ip": olt.ip, "community": simulator.community, "vendor": "huawei"}

    def test_the_example_of_the_page(self, champ, body):
        found = told(champ.post(f"{HARDWARE}/olt/discover", body, **WAIT), "onus")

        assert len(found["onus"]) == 16
        assert {"index", "serial", "rx_power_dbm"} <= set(found["onus"][0])
        assert found["onus"][0]["index"] == "0/1/0/0"
        assert isinstance(found["onus"][0]["rx_power_dbm"], float)

    def test_sync_tells_the_system_and_the_onus(self, champ, body):
        found = told(champ.post(f"{HARDWARE}/olt/sync", body, **WAIT), "onus", "system", "ports")

        assert found["system"]["sys_descr"] == "Huawei Integrated Access Software"
        assert len(found["onus"]) == 16

    def test_one_onu_s_status_and_signal(self, champ, body, onu):
        named = body | {"serial": onu.serial}

        status = told(champ.post(f"{HARDWARE}/olt/onu/status", named, **WAIT), "onu")["onu"]
        signal = told(champ.post(f"{HARDWARE}/olt/onu/signal", named, **WAIT), "onu")["onu"]

        assert (status["status"], status["serial"]) == ("online", onu.serial)
        assert {"rx_power_dbm", "tx_power_dbm"} <= set(signal)

    def test_ports_tell_their_counters(self, champ, body):
        ports = told(champ.post(f"{HARDWARE}/olt/pon/stats", body, **WAIT), "ports")["ports"]

        assert len(ports) == 2
        assert {"up_bytes", "down_bytes"} <= set(ports[0])

    def test_who_does_not_wait_gets_the_task(self, champ, body):
        response = champ.post(f"{HARDWARE}/olt/discover", body, Prefer="respond-async")

        assert (response.status_code, response.json()["status"]) == (202, "accepted")
        assert response["Location"] == f"/compat/ispchamp/api/v1/tasks/{response.json()['task']['id']}"


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("worker")
def test_an_onu_is_authorised_and_removed(champ, tenant, preset):
    with SimulatedOlt("huawei", onus=8, pon_ports=4, cli="ssh") as simulator:
        with tenant_context(tenant.pk):
            olt = register(simulator)
        serial = simulator.plug_in(0)
        body = {"ip": olt.ip, "serial": serial, "pon_port": "0/1/0", "preset_id": str(preset.pk)}

        added = told(champ.post(f"{HARDWARE}/olt/onu/authorize", body, **WAIT), "onu")["onu"]
        removed = told(
            champ.post(f"{HARDWARE}/olt/onu/unauthorize", {"ip": olt.ip, "serial": serial}, **WAIT), "onu"
        )["onu"]

        assert (added["status"], added["serial"]) == ("authorised", serial)
        assert (removed["status"], removed["serial"]) == ("removed", serial)
        with tenant_context(tenant.pk):
            assert Onu.objects.get(serial=serial).status == "removed"
