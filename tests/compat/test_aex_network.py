"""What AEx tells of a service's device and RADIUS account, request by request as its page has it."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from aaa.models import AuthAttempt, DailyUsage
from demo.olt import SimulatedOlt
from hardware import services as hardware
from hardware.models import OnuStatus
from ispcore.crypto import MASK
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import AuditEntry, Tenant, User
from ispcore.tenants.roles import Role
from subscribers.models import Subscription
from tests.aaa.online import make_account, make_nas, make_session
from tests.compat.aex import MILLISECONDS, refusal
from tests.compat.client import Foreign
from tests.factories import OltFactory, OnuFactory, PonPortFactory, SubscriptionFactory

DEVICE = [
    "network", "pop", "serial_number", "gpon_status", "cpe", "model", "last_updated", "service", "pop_name",
    "alerts", "alarms", "populated_ports", "olt_port", "distance", "rx_status", "rx_power", "sfp_status",
    "sfp_power", "sfp_rx_status", "sfp_rx_power", "tx_power", "tx_status", "switch", "sfp_sync_speed",
    "switch_port",
]  # fmt: skip
ACCOUNTING = [
    "session_id", "username", "ipaddress", "acct_start_time", "acct_stop_time", "session_time", "input_octets",
    "output_octets", "ipv6_input_octets", "ipv6_output_octets", "terminate_cause", "update_time",
]  # fmt: skip
DAY = [
    "date", "bytes_downloaded", "bytes_uploaded", "i_pv6_bytes_downloaded", "i_pv6_bytes_uploaded",
    "total_bytes_downloaded", "total_bytes_uploaded",
]  # fmt: skip


@pytest.fixture
def client(admin_user: User) -> Foreign:
    return Foreign("aex", admin_user)


@pytest.fixture
def client_as(make_user: Any, tenant: Tenant) -> Any:
    return lambda role: Foreign("aex", make_user(str(role), {tenant: role}))


@pytest.mark.django_db
class TestDevice:
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

    def test_status_that_is_cached(self, client: Foreign, line: Subscription) -> None:
        response = client.get(f"services/{line.pk}/device/status")

        shown = response.json()
        assert response.status_code == 200
        assert list(shown) == DEVICE
        assert MILLISECONDS.fullmatch(shown["last_updated"])
        assert (shown["serial_number"], shown["rx_power"], shown["distance"]) == ("HWTC12345678", -26.0, 1200)
        assert (shown["alerts"], shown["alarms"]) == (["Signal weak: -26.0 dBm"], [])
        assert client.get(f"services/{line.pk}/device/status/").json() == shown

    def test_status_of_a_service_without_a_device(self, client: Foreign, acting: Tenant) -> None:
        line = SubscriptionFactory()

        for path in ("device/status", "device/status/live"):
            assert refusal(client.get(f"services/{line.pk}/{path}")) == (404, "device_not_found")


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("worker")
class TestLiveDevice:
    @pytest.fixture
    def simulator(self) -> Iterator[SimulatedOlt]:
        with SimulatedOlt("huawei", onus=8, pon_ports=2) as simulated:
            yield simulated

    @pytest.fixture
    def line(self, tenant: Tenant, simulator: SimulatedOlt) -> Subscription:
        with tenant_context(tenant.pk):
            hardware.make_reading_partitions(on=timezone.now().date())
            line: Subscription = SubscriptionFactory()
            olt = OltFactory(ip=simulator.host, snmp_port=simulator.port, community=simulator.community)
            OnuFactory(
                olt=olt, serial=simulator.onus[0, 0].serial_text, index="0/1/0/0", subscription=line,
                rx_power_dbm=-10.0, status=OnuStatus.OFFLINE, observed_at=timezone.now() - timedelta(days=1),
            )  # fmt: skip
        return line

    def test_status_is_read_now_in_the_shape_of_the_cached_one(
        self, client: Foreign, line: Subscription, simulator: SimulatedOlt
    ) -> None:
        simulator.onus[0, 0].rx_dbm = -21.5
        simulator.set_onu_online(0, 0, online=True)

        response = client.get(f"services/{line.pk}/device/status/live", Prefer="wait=20")

        shown = response.json()
        assert response.status_code == 200, shown
        assert list(shown) == DEVICE
        assert (shown["gpon_status"], shown["rx_power"]) == ("online", -21.5)
        assert MILLISECONDS.fullmatch(shown["last_updated"])
        assert client.get(f"services/{line.pk}/device/status").json() == shown

    def test_status_of_a_silent_device_is_503(
        self, client: Foreign, line: Subscription, simulator: SimulatedOlt
    ) -> None:
        simulator.fault = "silent"

        response = client.get(f"services/{line.pk}/device/status/live", Prefer="wait=30")

        assert refusal(response) == (503, "device_unreachable")


@pytest.mark.django_db
class TestRadius:
    def test_status_is_that_of_the_example(self, client: Foreign, acting: Tenant) -> None:
        line = SubscriptionFactory()
        account = make_account("jane", subscription=line, password="pa55")
        make_session(make_nas(None), account, "s1", in4_bytes=7, out6_bytes=9)
        at = timezone.now()
        AuthAttempt.objects.create(
            at=at, last_at=at, username="jane", username_key="jane", accepted=True, reason=""
        )

        response = client.get(f"services/{line.pk}/radius/status")

        shown = response.json()
        [attempt], [session] = shown["authentication_attempts"], shown["accounting"]
        assert (response.status_code, response["Cache-Control"]) == (200, "no-store")
        assert list(shown) == ["username", "password", "authentication_attempts", "accounting"]
        assert (shown["username"], shown["password"]) == ("jane", "pa55")
        assert (list(attempt), attempt["reply"]) == (["date", "reply"], "Access-Accept")
        assert MILLISECONDS.fullmatch(attempt["date"])
        assert list(session) == ACCOUNTING
        assert (session["session_id"], session["ipaddress"]) == ("s1", "100.64.0.9")
        assert (session["input_octets"], session["ipv6_output_octets"]) == (7, 9)
        assert MILLISECONDS.fullmatch(session["acct_start_time"])
        assert (session["acct_stop_time"], session["terminate_cause"]) == (None, "")

    def test_status_shows_the_password_to_roles_that_may_see_it_and_records_that(
        self, client: Foreign, client_as: Any, acting: Tenant
    ) -> None:
        line = SubscriptionFactory()
        make_account("jane", subscription=line, password="pa55")

        seen = [
            each.get(f"services/{line.pk}/radius/status").json()["password"]
            for each in (client, client_as(Role.NETWORK_OPERATIONS), client_as(Role.SUPPORT))
        ]

        assert seen == ["pa55", "pa55", MASK]
        assert AuditEntry.objects.filter(action="revealed RADIUS password").count() == 2

    def test_usage_is_that_of_the_example(self, client: Foreign, acting: Tenant) -> None:
        line = SubscriptionFactory()
        account = make_account("jane", subscription=line)
        today = timezone.now().date()
        for back in (0, 1, 40):
            DailyUsage.objects.create(
                account_id=account.pk, day=today - timedelta(days=back), in4_bytes=1, out4_bytes=20, in6_bytes=300,
                out6_bytes=4000,
            )  # fmt: skip

        response = client.get(f"services/{line.pk}/radius/usage")

        days = response.json()
        assert response.status_code == 200
        assert [day["date"] for day in days] == [str(today - timedelta(days=1)), str(today)]
        assert list(days[0]) == DAY
        assert list(days[0].values())[1:] == [20, 1, 4000, 300, 4020, 301]

    def test_of_a_service_without_an_account_is_not_found(self, client: Foreign, acting: Tenant) -> None:
        line = SubscriptionFactory()

        for path in ("radius/status", "radius/usage"):
            assert refusal(client.get(f"services/{line.pk}/{path}")) == (404, "account_not_found")
