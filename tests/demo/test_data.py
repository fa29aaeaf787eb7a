"""The demo's OLT with a command line: what is stored is what its simulator serves."""

import pytest
from django.utils import timezone

from demo import data
from demo.olt import build_device
from demo.olt.huawei import HuaweiOlt
from hardware.models import Olt, OnuPreset, WaitingOnu
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant


@pytest.mark.django_db
def test_onus_wait_at_the_olt_with_a_command_line_and_presets_fit_it(tenant: Tenant) -> None:
    device = build_device("huawei", onus=512)
    assert isinstance(device, HuaweiOlt)
    serials = {device.plug_in(port).serial for port in range(data.WAITING)}

    data._make_olt(
        tenant, name="Central", vendor="huawei", ip="127.0.0.2", site="", onus=512, at=timezone.now()
    )

    with tenant_context(tenant.pk):
        olt = Olt.objects.get()
        assert (olt.cli_protocol, olt.cli_port, olt.cli_username) == ("ssh", 16122, "isp")
        assert olt.cli_password.matches("isp-olt")
        waiting = set(WaitingOnu.objects.values_list("serial", flat=True))
        assert waiting == {serial[:4].decode() + serial[4:].hex().upper() for serial in serials}
        profiles = set(OnuPreset.objects.values_list("line_profile", "service_profile"))
    assert {line for line, _ in profiles} <= set(device.line_profiles.values())
    assert {service for _, service in profiles} <= set(device.service_profiles.values())
    assert len(profiles) == 2
