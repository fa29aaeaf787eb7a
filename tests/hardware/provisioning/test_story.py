"""One ONU from the cardboard box to its removal, on an OLT of 512, over HTTP and as staff see it."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from demo.olt import SimulatedOlt
from hardware import services
from hardware.models import Olt, OnuPreset, Outage
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant, User
from tests.client import Api
from tests.factories import SubscriberFactory, SubscriptionFactory
from tests.hardware.provisioning.conftest import register
from tests.hardware.provisioning.test_over_http import AUTHORIZE, UNAUTHORIZE, data
from tests.workers import wait_until

FIBRE_CUT = 1  # HUAWEI-XPON-MIB, hwGponDeviceOntControlLastDownCause: LOS.


@pytest.fixture
def simulator() -> Iterator[SimulatedOlt]:
    with SimulatedOlt("huawei", onus=512, pon_ports=16, cli="ssh") as simulated:
        for port, number in simulated.onus:
            simulated.set_onu_online(port, number, online=True)
        yield simulated


@pytest.fixture
def olt(tenant: Tenant, simulator: SimulatedOlt) -> Olt:
    with tenant_context(tenant.pk):
        services.make_reading_partitions(on=timezone.now().date())
        return register(simulator, name="Central")


@pytest.fixture
def staff(admin_user: User) -> Client:
    client = Client()
    client.force_login(admin_user)
    return client


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("worker")
def test_an_onu_comes_lives_through_an_outage_and_goes(
    api: Api, staff: Client, tenant: Tenant, olt: Olt, preset: OnuPreset, simulator: SimulatedOlt
) -> None:
    which = {"olt_id": str(olt.pk)}
    with tenant_context(tenant.pk):
        line = SubscriptionFactory(subscriber=SubscriberFactory(full_name="Maria North"))
    serial = simulator.plug_in(3)

    # Auto-find.
    assert data(api.post("hardware/olt/discover", which))["seen"] == 512
    (waiting,) = data(api.get("hardware/waiting-onus"))
    assert (waiting["serial"], waiting["pon_port"]) == (serial, "0/1/3")
    assert serial in _page(staff, "waitingonu")

    # Authorised for a subscription, and online.
    authorised = data(
        api.post(
            AUTHORIZE,
            {**which, "serial": serial, "pon_port": "0/1/3", "service_id": str(line.pk), "preset_id": str(preset.pk)},
        )
    )  # fmt: skip
    onu_path, number = f"hardware/onus/{authorised['onu_id']}", authorised["onu_number"]
    assert authorised["status"] == "authorised"
    wait_until(lambda: simulator.onus[3, number].online)
    one = {**which, "serial": serial}
    assert data(api.post("hardware/olt/onu/status", one))["status"] == "online"
    assert data(api.get(onu_path))["service_id"] == str(line.pk)

    # The signal drops.
    unit = simulator.onus[3, number]
    unit.rx_dbm = -28.4
    simulator.device.put_onu(unit)  # type: ignore[union-attr]
    assert data(api.post("hardware/olt/onu/signal", one))["rx_power_dbm"] == -28.4
    assert [row["serial"] for row in data(api.get("hardware/onus?signal=critical&search=" + serial))] == [
        serial
    ]
    status = data(api.get(f"services/{line.number}/device/status"))
    assert (status["serial_number"], status["rx_power"]) == (serial, -28.4)

    # The fibre of the port is cut: suspected, then confirmed.
    down = [key for key in simulator.onus if key[0] == 3]
    for key in down:
        simulator.set_onu_online(*key, online=False, down_cause=FIBRE_CUT)
    data(api.post("hardware/olt/sync", which))
    (outage,) = data(api.get("hardware/outages?status=suspected"))
    assert (outage["cause"], outage["onus_affected"], outage["customers_affected"]) == ("fibre", len(down), 1)
    data(api.post("hardware/olt/sync", which))
    assert data(api.get(f"hardware/outages/{outage['id']}"))["status"] == "confirmed"
    assert data(api.get(onu_path))["last_down_cause"] == "los"
    assert "Fibre or splitter" in _page(staff, "outage")
    with tenant_context(tenant.pk):
        shown = Outage.objects.get()
    assert serial in staff.get(reverse("admin:hardware_outage_change", args=[shown.pk])).content.decode()

    # Mended.
    for key in down:
        simulator.set_onu_online(*key, online=True)
    data(api.post("hardware/olt/sync", which))
    assert data(api.get(f"hardware/outages/{outage['id']}"))["status"] == "resolved"
    assert data(api.get(onu_path))["status"] == "online"
    page = staff.get(reverse("admin:hardware_onu_change", args=[authorised["onu_id"]])).content.decode()
    assert "Maria North" in page
    assert "Went offline" in page

    # Removed, and waiting again.
    removed = data(api.post(UNAUTHORIZE, one))
    assert (removed["status"], removed["serial"]) == ("removed", serial)
    assert (3, number) not in simulator.onus
    assert data(api.get(onu_path))["status"] == "removed"
    data(api.post(f"hardware/olts/{olt.pk}/refresh-waiting"))
    assert [row["serial"] for row in data(api.get("hardware/waiting-onus"))] == [serial]


def _page(staff: Client, model: str) -> Any:
    return staff.get(reverse(f"admin:hardware_{model}_changelist")).content.decode()
