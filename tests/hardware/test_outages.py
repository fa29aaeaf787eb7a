"""Outages: suspected by one poll, confirmed by the next, resolved when enough are back."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from demo.olt import SimulatedOlt
from hardware.models import (
    Olt,
    OltPolling,
    Onu,
    Outage,
    OutageCause,
    OutageOnu,
    OutageStatus,
)
from hardware.services import devices, outages, polling
from ispcore.events.models import Event
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant
from tests.factories import OltFactory, OnuFactory, PonPortFactory, SubscriptionFactory

pytestmark = pytest.mark.django_db

LOS, DYING_GASP, DEACTIVATED = 1, 13, 8
Poll = Callable[[], None]


@pytest.fixture
def simulator() -> Iterator[SimulatedOlt]:
    with SimulatedOlt("huawei", onus=32, pon_ports=4) as simulated:
        for port, number in simulated.onus:
            simulated.set_onu_online(port, number, online=True)
        yield simulated


@pytest.fixture
def olt(acting: Tenant, simulator: SimulatedOlt) -> Olt:
    olt: Olt = OltFactory(ip=simulator.host, snmp_port=simulator.port, community=simulator.community)
    return olt


@pytest.fixture
def poll(acting: Tenant, olt: Olt, monkeypatch: pytest.MonkeyPatch) -> Poll:
    """Poll the OLT, each time five minutes after the last."""
    monkeypatch.setattr(devices, "TIMEOUT_SECONDS", 0.1)
    at = timezone.now()

    def run() -> None:
        nonlocal at
        at += timedelta(minutes=5)
        OltPolling.objects.update(status_due_at=at)
        assert polling.poll_olt(tenant_id=acting.pk, olt_id=olt.pk, at=at)

    return run


def take_down(simulator: SimulatedOlt, count: int, *, port: int = 0, cause: int = LOS) -> None:
    for number in range(count):
        simulator.set_onu_online(port, number, online=False, down_cause=cause)


def bring_back(simulator: SimulatedOlt, count: int, *, port: int = 0) -> None:
    for number in range(count):
        simulator.set_onu_online(port, number, online=True)


def events() -> list[str]:
    return list(
        Event.objects.filter(name__startswith="hardware.outage").order_by("id").values_list("name", flat=True)
    )


class TestLifeOfAnOutage:
    def test_suspected_confirmed_resolved(self, poll: Poll, simulator: SimulatedOlt) -> None:
        poll()
        take_down(simulator, 6)

        poll()

        outage = Outage.objects.get()
        assert (outage.status, outage.cause) == (OutageStatus.SUSPECTED, OutageCause.FIBRE)
        assert (outage.onus_affected, outage.members.count()) == (6, 6)
        assert outage.pon_port is not None
        assert outage.pon_port.index == "0/1/0"
        assert events() == []
        poll()
        outage.refresh_from_db()
        assert outage.status == OutageStatus.CONFIRMED
        assert outage.confirmed_at is not None
        assert events() == ["hardware.outage_confirmed"]
        poll()
        assert events() == ["hardware.outage_confirmed"]
        bring_back(simulator, 4)
        poll()
        outage.refresh_from_db()
        assert outage.status == OutageStatus.CONFIRMED  # 4 of 6 are less than four of five.
        bring_back(simulator, 5)
        poll()
        outage.refresh_from_db()
        assert outage.status == OutageStatus.RESOLVED
        assert outage.resolved_at is not None
        assert outage.onus_affected == 6
        assert outage.members.filter(up_at=None).count() == 1
        assert events() == ["hardware.outage_confirmed", "hardware.outage_resolved"]

    def test_power_is_told_from_fibre(self, poll: Poll, simulator: SimulatedOlt) -> None:
        poll()
        take_down(simulator, 5, cause=DYING_GASP)
        simulator.set_onu_online(0, 5, online=False, down_cause=LOS)

        poll()

        assert Outage.objects.get().cause == OutageCause.POWER

    def test_half_and_half_is_unknown(self, poll: Poll, simulator: SimulatedOlt) -> None:
        poll()
        take_down(simulator, 4, cause=DYING_GASP)
        take_down(simulator, 2, cause=LOS)

        poll()

        assert Outage.objects.get().cause == OutageCause.UNKNOWN

    def test_a_suspicion_that_passes_is_told_to_nobody(self, poll: Poll, simulator: SimulatedOlt) -> None:
        poll()
        take_down(simulator, 6)
        poll()
        bring_back(simulator, 6)

        poll()

        assert Outage.objects.get().status == OutageStatus.RESOLVED
        assert events() == []

    def test_what_follows_joins_it(self, poll: Poll, simulator: SimulatedOlt) -> None:
        poll()
        take_down(simulator, 5)
        poll()
        take_down(simulator, 8)

        poll()

        assert (Outage.objects.get().onus_affected, OutageOnu.objects.count()) == (8, 8)

    def test_flapping_makes_no_second_one(self, poll: Poll, simulator: SimulatedOlt) -> None:
        poll()
        take_down(simulator, 8)
        poll()
        poll()
        for _ in range(3):
            bring_back(simulator, 4)
            poll()
            take_down(simulator, 4)
            poll()

        assert Outage.objects.get().status == OutageStatus.CONFIRMED
        assert OutageOnu.objects.filter(up_at=None).count() == 8

    def test_customers_are_counted_by_service(self, poll: Poll, simulator: SimulatedOlt) -> None:
        poll()
        for onu in Onu.objects.filter(index__in=["0/1/0/0", "0/1/0/1"]):
            onu.subscription = SubscriptionFactory()
            onu.save()
        take_down(simulator, 6)

        poll()

        assert Outage.objects.get().customers_affected == 2


class TestWhatIsNone:
    @pytest.mark.parametrize("count", [1, 2, 3])
    def test_few(self, count: int, poll: Poll, simulator: SimulatedOlt) -> None:
        poll()
        take_down(simulator, count)  # Of eight: three are less than half.

        poll()

        assert not Outage.objects.exists()

    def test_what_staff_switched_off(self, poll: Poll, simulator: SimulatedOlt) -> None:
        poll()
        take_down(simulator, 8, cause=DEACTIVATED)

        poll()

        assert not Outage.objects.exists()

    def test_what_was_down_at_first_sight(self, poll: Poll, simulator: SimulatedOlt) -> None:
        take_down(simulator, 8)

        poll()
        poll()

        assert not Outage.objects.exists()

    def test_one_after_the_other(self, poll: Poll, simulator: SimulatedOlt) -> None:
        poll()
        for number in range(8):
            simulator.set_onu_online(0, number, online=False, down_cause=LOS)
            for _ in range(3):
                poll()

        # One each quarter of an hour: the window holds one at a time.
        assert not Outage.objects.exists()


def test_a_power_cut_over_several_ports_is_one_per_port(poll: Poll, simulator: SimulatedOlt) -> None:
    poll()
    for port in range(3):
        take_down(simulator, 6, port=port, cause=DYING_GASP)

    poll()

    found = Outage.objects.order_by("pon_port__index").values_list("pon_port__index", "cause")
    assert list(found) == [("0/1/0", "power"), ("0/1/1", "power"), ("0/1/2", "power")]


class TestASilentOlt:
    def test_is_an_outage_after_three_polls(self, poll: Poll, simulator: SimulatedOlt, olt: Olt) -> None:
        poll()
        simulator.fault = "silent"
        poll()
        poll()
        assert not Outage.objects.exists()

        poll()

        outage = Outage.objects.get()
        assert (outage.status, outage.cause, outage.pon_port) == ("suspected", "olt", None)
        assert outage.onus_affected == 32
        poll()
        assert events() == ["hardware.outage_confirmed"]
        simulator.fault = ""
        poll()
        outage.refresh_from_db()
        assert outage.status == OutageStatus.RESOLVED
        assert events() == ["hardware.outage_confirmed", "hardware.outage_resolved"]


class TestStaff:
    @pytest.fixture
    def outage(self, acting: Tenant) -> Outage:
        port = PonPortFactory()
        outage: Outage = Outage.objects.create(olt=port.olt, pon_port=port, started_at=timezone.now())
        onu = OnuFactory(olt=port.olt, pon_port=port)
        OutageOnu.objects.create(outage=outage, onu=onu, down_at=timezone.now())
        return outage

    def test_confirm_note_and_close(self, api: Any, outage: Outage) -> None:
        path = f"hardware/outages/{outage.pk}"

        confirmed = api.post(f"{path}/confirm").json()["data"]
        again = api.post(f"{path}/confirm").json()["data"]
        noted = api.patch(path, {"note": "Digger in Mill Street"}).json()["data"]
        closed = api.post(f"{path}/close").json()["data"]

        assert (confirmed["status"], again["confirmed_at"]) == ("confirmed", confirmed["confirmed_at"])
        assert noted["note"] == "Digger in Mill Street"
        assert (closed["status"], closed["note"]) == ("closed", "Digger in Mill Street")
        assert closed["closed_by_id"] is not None
        assert events() == ["hardware.outage_confirmed", "hardware.outage_resolved"]
        assert api.post(f"{path}/close").json()["data"]["closed_at"] == closed["closed_at"]

    def test_a_closed_one_is_not_confirmed(self, api: Any, outage: Outage) -> None:
        api.post(f"hardware/outages/{outage.pk}/close")

        response = api.post(f"hardware/outages/{outage.pk}/confirm")

        assert (response.status_code, response.json()["error"]["code"]) == (409, "outage_not_open")
        assert events() == []

    def test_members_cost_the_same_for_one_or_six(
        self, api: Any, outage: Outage, query_count: Callable[..., int]
    ) -> None:
        path = f"hardware/outages/{outage.pk}/members"
        api.get(path)
        one = query_count(api.get, path)
        for _ in range(5):
            onu = OnuFactory(olt=outage.olt)
            OutageOnu.objects.create(outage=outage, onu=onu, down_at=timezone.now())

        assert query_count(api.get, path) == one
        assert len(api.get(path).json()["data"]) == 6

    def test_closing_does_not_bring_up_another(self, poll: Poll, simulator: SimulatedOlt) -> None:
        poll()
        take_down(simulator, 6)
        poll()
        outages.close_outage(
            outage_id=Outage.objects.get().pk, at=timezone.now() + timedelta(hours=1), user_id=None
        )

        poll()

        assert Outage.objects.get().status == OutageStatus.CLOSED


def offline(olt: Olt, port: Any, at: datetime, count: int) -> None:
    for _ in range(count):
        OnuFactory(olt=olt, pon_port=port, status="offline", status_changed_at=at, last_down_cause="los")


def test_looking_costs_the_same_whatever_the_number_of_onus(
    acting: Tenant, query_count: Callable[..., int]
) -> None:
    counts = []
    for onus in (3, 40):
        port = PonPortFactory()
        at = timezone.now()
        offline(port.olt, port, at, onus)
        counts.append(query_count(outages.watch, olt_id=port.olt.pk, at=at))
        counts.append(query_count(outages.watch, olt_id=port.olt.pk, at=at + timedelta(minutes=5)))

    assert counts[:2] == counts[2:]
    assert Outage.objects.filter(status=OutageStatus.CONFIRMED).count() == 2


def test_tenants_outages_are_apart(tenant: Tenant, other_tenant: Tenant) -> None:
    with tenant_context(other_tenant.pk):
        port = PonPortFactory()
        offline(port.olt, port, timezone.now(), 5)
    with tenant_context(tenant.pk):
        outages.watch(olt_id=port.olt.pk, at=timezone.now())
        assert not Outage.objects.exists()

    with tenant_context(other_tenant.pk):
        assert not Outage.objects.exists()
        outages.watch(olt_id=port.olt.pk, at=timezone.now())
        assert Outage.objects.count() == 1
    with tenant_context(tenant.pk):
        assert not Outage.objects.exists()
