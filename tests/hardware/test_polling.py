"""Background polling: every OLT in time, and never by two at once."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from demo.olt import SimulatedOlt
from hardware.drivers.columns import Pass
from hardware.models import Olt, OltPolling, Onu, OnuEvent, OnuStatus, PonPort, Reading
from hardware.selectors import Telemetry, telemetry_of_onus, with_telemetry
from hardware.services import polling
from ispcore.tenants.models import Tenant
from tests.factories import OnuFactory
from tests.hardware.conftest import register

Poll = Callable[..., bool]


pytestmark = pytest.mark.usefixtures("impatient")


@pytest.mark.django_db
class TestOnePoll:
    @pytest.fixture
    def olt(self, acting: Tenant, simulator: SimulatedOlt) -> Olt:
        return register(simulator)

    @pytest.fixture
    def poll(self, acting: Tenant, olt: Olt) -> Poll:
        start = timezone.now()

        def run(minutes: float = 0, *, due: bool = True) -> bool:
            at = start + timedelta(minutes=minutes)
            if due:
                OltPolling.objects.update(status_due_at=at)
            return polling.poll_olt(tenant_id=acting.pk, olt_id=olt.pk, at=at)

        return run

    def test_the_first_reads_states_and_inventory(self, poll: Poll, olt: Olt) -> None:
        assert poll()

        olt.refresh_from_db()
        row = OltPolling.objects.get()
        assert (Onu.objects.count(), PonPort.objects.count()) == (32, 4)
        assert (olt.last_error, olt.last_answer_at is not None) == ("", True)
        assert Onu.objects.exclude(description="").count() == 32
        assert (row.claim_token, row.claimed_until, row.failures) == (None, None, 0)
        assert row.status_due_at > row.status_read_at

    def test_nothing_is_read_before_it_is_due(self, poll: Poll, simulator: SimulatedOlt) -> None:
        poll()
        asked = simulator.requests

        assert not poll(0.5, due=False)

        assert simulator.requests == asked

    def test_a_status_pass_reads_neither_names_nor_optics(self, poll: Poll, simulator: SimulatedOlt) -> None:
        for minutes in (0, 5, 10, 15, 20, 25, 30):
            poll(minutes)
        Onu.objects.update(description="ours", measured_at=timezone.now() + timedelta(days=1))
        before = dict(Onu.objects.values_list("serial", "rx_power_dbm"))

        poll(35)

        assert set(Onu.objects.values_list("description", flat=True)) == {"ours"}
        assert dict(Onu.objects.values_list("serial", "rx_power_dbm")) == before

    def test_an_unknown_onu_makes_the_inventory_due(self, poll: Poll, simulator: SimulatedOlt) -> None:
        poll()
        added = simulator.add_onu(1)

        poll(20)
        row = OltPolling.objects.get()
        assert Onu.objects.get(serial=added.serial_text).description == ""
        assert row.inventory_due_at <= timezone.now() + timedelta(minutes=20)
        poll(21)

        assert Onu.objects.get(serial=added.serial_text).description == added.description
        assert OltPolling.objects.get().inventory_due_at > timezone.now() + timedelta(hours=12)

    def test_what_came_and_went_is_told_once(self, poll: Poll, simulator: SimulatedOlt) -> None:
        onu = next(each for each in simulator.onus.values() if each.online)
        poll()
        assert not OnuEvent.objects.exists()
        simulator.set_onu_online(onu.port, onu.onu_id, online=False, down_cause=13)
        poll(5)
        poll(10)
        simulator.set_onu_online(onu.port, onu.onu_id, online=True)
        poll(15)

        told = OnuEvent.objects.filter(onu__serial=onu.serial_text).order_by("at")
        assert list(told.values_list("kind", "detail")) == [("offline", "dying_gasp"), ("online", "")]
        stored = Onu.objects.get(serial=onu.serial_text)
        assert stored.status_changed_at == told[1].at == stored.observed_at

    def test_a_change_of_signal_is_told(self, poll: Poll, simulator: SimulatedOlt, olt: Olt) -> None:
        onu = next(each for each in simulator.onus.values() if each.online and -20 < each.rx_dbm < -14)
        for minutes in range(0, 35, 5):
            poll(minutes)
        onu.rx_dbm = -29.0
        simulator.device.put_onu(onu)  # type: ignore[union-attr]
        for minutes in range(35, 70, 5):
            poll(minutes)

        told = OnuEvent.objects.filter(onu__serial=onu.serial_text, kind="signal")
        assert [event.detail for event in told] == ["critical"]
        assert Onu.objects.get(serial=onu.serial_text).signal == "critical"

    def test_optics_of_huawei_are_read_a_few_at_a_time(self, poll: Poll, simulator: SimulatedOlt) -> None:
        online = sum(onu.online for onu in simulator.onus.values())
        measured = []
        for minutes in range(0, 35, 5):
            poll(minutes)
            measured.append(Onu.objects.exclude(measured_at=None).count())

        share = -(-online // 6)
        assert measured[:3] == [share, 2 * share, 3 * share]
        assert measured[-1] == online
        for onu in Onu.objects.filter(status=OnuStatus.ONLINE):
            there = next(each for each in simulator.onus.values() if each.serial_text == onu.serial)
            assert onu.rx_power_dbm == pytest.approx(there.rx_dbm, abs=0.006)
        assert Reading.objects.exclude(rx_power_dbm=None).exclude(up_bytes=None).count() >= online

    def test_readings_are_kept_of_what_is_known(self, poll: Poll, simulator: SimulatedOlt) -> None:
        poll()
        first = Reading.objects.count()

        poll(5)

        # Nobody came or went: only the optics of the next few are filed.
        online = sum(onu.online for onu in simulator.onus.values())
        assert Reading.objects.count() == first + -(-online // 6)

    def test_rates_come_from_two_polls(self, poll: Poll, simulator: SimulatedOlt) -> None:
        poll()
        assert set(PonPort.objects.values_list("up_bps", flat=True)) == {None}
        onu = simulator.onus[0, 0]
        onu.up_bytes += 37_500_000
        simulator.set_onu_online(0, 0, online=onu.online, down_cause=onu.down_cause)

        poll(5)

        port = PonPort.objects.get(index="0/1/0")
        assert (port.up_bps, port.down_bps) == (1_000_000, 9_000_000)


@pytest.mark.django_db
class TestFailures:
    @pytest.fixture
    def olt(self, acting: Tenant, simulator: SimulatedOlt) -> Olt:
        return register(simulator)

    def fail(self, olt: Olt, tenant: Tenant, at: datetime) -> timedelta:
        OltPolling.objects.update(status_due_at=at)
        polling.poll_olt(tenant_id=tenant.pk, olt_id=olt.pk, at=at)
        due: datetime = OltPolling.objects.get().status_due_at
        return due - at

    def test_double_the_pause_up_to_half_an_hour(
        self, olt: Olt, acting: Tenant, simulator: SimulatedOlt
    ) -> None:
        simulator.fault = "silent"
        at = timezone.now()

        pauses = [self.fail(olt, acting, at + timedelta(hours=hour)) for hour in range(5)]

        for pause, minutes in zip(pauses, (5, 10, 20, 30, 30), strict=True):
            assert timedelta(minutes=minutes * 0.9) <= pause <= timedelta(minutes=minutes * 1.1)
        olt.refresh_from_db()
        assert "did not answer" in olt.last_error
        row = OltPolling.objects.get()
        assert (row.failures, row.max_repetitions) == (5, 25)  # Silence is no question of size.
        simulator.fault = ""
        self.fail(olt, acting, at + timedelta(hours=6))
        olt.refresh_from_db()
        assert (OltPolling.objects.get().failures, olt.last_error) == (0, "")

    def test_lost_answers_slow_it_down_and_a_good_day_speeds_it_up(
        self, olt: Olt, acting: Tenant, simulator: SimulatedOlt
    ) -> None:
        at = timezone.now()
        sizes = []
        self.fail(olt, acting, at)
        for hours, fault in (
            (1, "half-then-stop"),
            (2, ""),
            (3, "half-then-stop"),
            (20, ""),
            (28, ""),
            (53, ""),
        ):
            simulator.fault = fault
            self.fail(olt, acting, at + timedelta(hours=hours))
            sizes.append(OltPolling.objects.get().max_repetitions)

        assert sizes == [10, 10, 1, 1, 10, 25]

    def test_nothing_stored_is_blanked(self, olt: Olt, acting: Tenant, simulator: SimulatedOlt) -> None:
        at = timezone.now()
        self.fail(olt, acting, at)
        fields = ("serial", "status", "rx_power_dbm", "description", "distance_m", "vanished_at")
        before = list(Onu.objects.order_by("serial").values_list(*fields))

        simulator.fault = "half-then-stop"
        self.fail(olt, acting, at + timedelta(minutes=5))

        assert list(Onu.objects.order_by("serial").values_list(*fields)) == before


@pytest.mark.django_db
def test_an_olt_that_is_not_to_be_polled_is_not(acting: Tenant, simulator: SimulatedOlt) -> None:
    olt = register(simulator, is_polled=False)

    assert not polling.poll_olt(tenant_id=acting.pk, olt_id=olt.pk, at=timezone.now())

    assert simulator.requests == 0


@pytest.mark.django_db
class TestStates:
    """What becomes of ONUs that staff authorised or removed."""

    @pytest.mark.parametrize(
        ("before", "listed", "after"),
        [
            (OnuStatus.AUTHORISED, True, OnuStatus.ONLINE),
            (OnuStatus.REMOVED, True, OnuStatus.ONLINE),
            (OnuStatus.REMOVED, False, OnuStatus.REMOVED),
            (OnuStatus.AUTHORISED, False, OnuStatus.VANISHED),
            (OnuStatus.ONLINE, False, OnuStatus.VANISHED),
        ],
    )
    def test_follow_the_list(
        self, before: str, listed: bool, after: str, acting: Tenant, simulator: SimulatedOlt
    ) -> None:
        olt = register(simulator)
        there = next(each for each in simulator.onus.values() if each.online)
        serial = there.serial_text if listed else "HWTC00000000"
        past = timezone.now() - timedelta(hours=1)
        OnuFactory(olt=olt, serial=serial, status=before, last_seen_at=past, authorised_at=past)

        polling.poll_olt(tenant_id=acting.pk, olt_id=olt.pk, at=timezone.now())

        assert Onu.objects.get(serial=serial).status == after

    def test_one_authorised_after_the_reading_began_is_not_missed(
        self, acting: Tenant, simulator: SimulatedOlt
    ) -> None:
        olt = register(simulator)
        now = timezone.now()
        OnuFactory(
            olt=olt,
            serial="HWTC00000000",
            status=OnuStatus.AUTHORISED,
            last_seen_at=now - timedelta(hours=1),
            authorised_at=now + timedelta(seconds=5),
        )

        polling.poll_olt(tenant_id=acting.pk, olt_id=olt.pk, at=now)

        assert Onu.objects.get(serial="HWTC00000000").status == OnuStatus.AUTHORISED


@pytest.mark.django_db
def test_telemetry_is_fresh_stale_or_none(acting: Tenant) -> None:
    now = timezone.now()
    OnuFactory(serial="A" * 12, observed_at=now, measured_at=now)
    OnuFactory(serial="B" * 12, observed_at=now - timedelta(minutes=16), measured_at=now)
    OnuFactory(serial="C" * 12, observed_at=now, measured_at=now - timedelta(minutes=91))
    OnuFactory(serial="D" * 12, observed_at=now)
    OnuFactory(
        serial="E" * 12, status=OnuStatus.OFFLINE, observed_at=now, measured_at=now - timedelta(days=9)
    )

    rows = with_telemetry(Onu.objects.order_by("serial"), telemetry_of_onus(now))

    assert list(rows.values_list("telemetry", flat=True)) == [
        Telemetry.FRESH, Telemetry.STALE, Telemetry.STALE, Telemetry.NONE, Telemetry.FRESH,
    ]  # fmt: skip


@pytest.mark.django_db
def test_storing_costs_the_same_whatever_the_number_of_onus(
    acting: Tenant, query_count: Callable[..., int]
) -> None:
    counts = []
    for onus in (8, 64):
        with SimulatedOlt("ufiber", onus=onus, pon_ports=4) as simulated:
            olt = register(simulated, vendor="ufiber")
            for minutes in (0, 40):
                at = timezone.now() + timedelta(minutes=minutes)
                OltPolling.objects.filter(olt=olt).update(status_due_at=at, optics_due_at=at)
                counts.append(query_count(polling.poll_olt, tenant_id=acting.pk, olt_id=olt.pk, at=at))

    assert counts[:2] == counts[2:]


def test_every_pass_has_its_columns() -> None:
    assert frozenset(Pass) == polling._INVENTORY | {Pass.STATUS, Pass.OPTICS}
