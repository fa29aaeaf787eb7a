"""A mailbox, and a scene of real parts for tests that ask why a customer is offline."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.utils import timezone

from demo.olt import SimulatedOlt
from hardware.models import Onu
from hardware.services import devices, make_reading_partitions
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant, User
from tests.aaa.nas_peer import ADDRESS as NAS_ADDRESS
from tests.aaa.nas_peer import NasPeer
from tests.aaa.radius.client import NasClient
from tests.aaa.radius.server import Server
from tests.billing import owing
from tests.factories import OltFactory, SubscriberFactory
from tests.support.homes import make_line
from tests.support.mailbox import Mailbox, mailbox_on_a_port
from tests.support.scenes import PLACE, Desk, Scene
from tests.workers import wait_until


@pytest.fixture
def mailbox(settings: Any) -> Iterator[Mailbox]:
    """Where all that is sent by e-mail arrives."""
    with mailbox_on_a_port() as (kept, port):
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", port, 5
        yield kept


@pytest.fixture
def simulator() -> Iterator[SimulatedOlt]:
    with SimulatedOlt("huawei", onus=4, pon_ports=1) as simulated:
        for unit in simulated.onus.values():
            unit.rx_dbm, unit.olt_rx_dbm = -19.5, -21.0
            simulated.set_onu_online(unit.port, unit.onu_id, online=True)
        yield simulated


@pytest.fixture
def scene(
    worker: None, freeradius: Server, peer: NasPeer, simulator: SimulatedOlt, tenant: Tenant, admin_user: User,
    live_server: Any, monkeypatch: pytest.MonkeyPatch,
) -> Scene:  # fmt: skip
    """A line that was never used yet, with everything behind it in order: the OLT was discovered, the NAS may ask."""
    monkeypatch.setattr(devices, "TIMEOUT_SECONDS", 0.2)
    desk = Desk.of(admin_user, live_server.url)
    with tenant_context(tenant.pk):
        at = timezone.now()
        make_reading_partitions(on=at.date())
        subscriber = SubscriberFactory(status="active", billing_profile=owing.make_profile())
        line, _, account = make_line(at=at, subscriber=subscriber)
        olt = OltFactory(ip=simulator.host, snmp_port=simulator.port, community=simulator.community)
    client = NasClient(peer.secret, freeradius.auth_port, freeradius.acct_port)
    nas = desk.post(
        "aaa/nas", name="BNG North", address=client.address, secret=client.secret, nas_type="mikrotik",
        coa_address=NAS_ADDRESS, coa_port=peer.strict_port, nas_ip_reported=NAS_ADDRESS,
    )  # fmt: skip
    client.account("Accounting-On", NAS_IP_Address=NAS_ADDRESS)  # It reports sessions, if there were any.
    desk.post("hardware/olt/discover", olt_id=str(olt.pk))
    with tenant_context(tenant.pk):
        onu = Onu.objects.get(serial=simulator.onus[PLACE].serial_text)
        Onu.objects.filter(pk=onu.pk).update(subscription=line)
    made = Scene(tenant, desk, client, nas["id"], simulator, olt, onu, line, account)
    wait_until(made.is_settled)
    return made
