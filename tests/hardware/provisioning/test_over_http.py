"""Authorise, restart and remove an ONU over HTTP, with a real worker and a simulated OLT over SSH."""

import pytest

from demo.olt import SimulatedOlt
from hardware.models import Olt, Onu, OnuPreset, OnuStatus
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant
from tests.factories import SubscriptionFactory

pytestmark = pytest.mark.django_db(transaction=True)


def test_an_onu_s_life_over_http(
    worker: None, api, tenant: Tenant, olt: Olt, preset: OnuPreset, simulator: SimulatedOlt
) -> None:
    serial = simulator.plug_in(0)
    with tenant_context(tenant.pk):
        line = SubscriptionFactory()

    assert api.post(f"hardware/olts/{olt.pk}/refresh-waiting").json()["data"]["waiting"] == 1
    (waiting,) = api.get(f"hardware/waiting-onus?olt_id={olt.pk}").json()["data"]
    assert (waiting["serial"], waiting["pon_port"]) == (serial, "0/1/0")

    body = {
        "ip": olt.ip, "serial": serial, "pon_port": "0/1/0", "service_id": str(line.pk), "preset_id": str(preset.pk),
        "description": "Elm St 3",
    }  # fmt: skip
    response = api.post("hardware/olt/onu/authorize", body)

    assert response.status_code == 200, response.json()
    data = response.json()["data"]
    assert data["status"] == "authorised"
