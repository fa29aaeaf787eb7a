"""Background polling: every OLT in time, and never by two at once."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connections
from django.utils import timezone

from demo.olt import SimulatedOlt
from hardware import services, tasks
from hardware.drivers.columns import Pass
from hardware.models import Olt, OltPolling, Onu, OnuEvent, OnuStatus, PonPort, Reading
from hardware.selectors import Telemetry, telemetry_of_onus, with_telemetry
from hardware.services import claims, devices, polling
from ispcore.celery import app
from ispcore.jobs import services as jobs
from ispcore.jobs.models import JobStatus
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant
from tests.factories import OltFactory, OnuFactory

Poll = Callable[..., bool]


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "TIMEOUT_SECONDS", 0.3)


@pytest.fixture
def simulator() -> Iterator[SimulatedOlt]:
    with SimulatedOlt("huawei", onus=32, pon_ports=4) as simulated:
        yield simulated


def register(simulated: SimulatedOlt, **fields: Any) -> Olt:
    olt: Olt = OltFactory(
        ip=simulated.host, snmp_port=simulated.port, community=simulated.community, **fields
    )
    return olt


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


@pytest.mark.django_db(transaction=True)
class TestTwoAtOnce:
    @pytest.fixture
    def olt_id(self, tenant: Tenant, simulator: SimulatedOlt) -> UUID:
        with tenant_context(tenant.pk):
            services.make_reading_partitions(on=timezone.now().date())
            return register(simulator).pk

    def poll_together(self, tenant: Tenant, olts: list[UUID]) -> list[bool]:
        at = timezone.now()
        done: list[bool] = []
        start = threading.Barrier(len(olts))

        def run(olt_id: UUID) -> None:
            try:
                start.wait()
                done.append(polling.poll_olt(tenant_id=tenant.pk, olt_id=olt_id, at=at))
            finally:
                connections.close_all()

        threads = [threading.Thread(target=run, args=(olt_id,)) for olt_id in olts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return done

    def test_beats_poll_once(self, tenant: Tenant, olt_id: UUID, simulator: SimulatedOlt) -> None:
        done = self.poll_together(tenant, [olt_id] * 4)

        assert sorted(done) == [False, False, False, True]
        with tenant_context(tenant.pk):
            assert Reading.objects.values("at").distinct().count() == 1

    def test_a_message_that_comes_late_finds_nothing_due(
        self, tenant: Tenant, olt_id: UUID, simulator: SimulatedOlt
    ) -> None:
        at = timezone.now()
        assert polling.poll_olt(tenant_id=tenant.pk, olt_id=olt_id, at=at)
        with tenant_context(tenant.pk):
            OltPolling.objects.update(
                status_due_at=at + timedelta(minutes=5), inventory_due_at=at + timedelta(days=1)
            )

        assert not polling.poll_olt(tenant_id=tenant.pk, olt_id=olt_id, at=at)

    def test_a_killed_workers_claim_ends(self, tenant: Tenant, olt_id: UUID, simulator: SimulatedOlt) -> None:
        at = timezone.now()
        with tenant_context(tenant.pk):
            claims.ensure_polling(olt_id=olt_id, at=at, optics_due_at=at)
            left = claims.take(olt_id=olt_id, tenant=lambda: tenant_context(tenant.pk))
        assert left is not None
        assert not polling.poll_olt(tenant_id=tenant.pk, olt_id=olt_id, at=at)
        with tenant_context(tenant.pk):
            OltPolling.objects.update(claimed_until=at - timedelta(seconds=1))

        assert polling.poll_olt(tenant_id=tenant.pk, olt_id=olt_id, at=at)

        with tenant_context(tenant.pk):
            assert Onu.objects.count() == 32
            with pytest.raises(claims.ClaimLost):
                left.hold()

    def test_a_poller_that_lost_its_claim_stores_nothing(
        self, tenant: Tenant, olt_id: UUID, simulator: SimulatedOlt, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        read = polling._read

        def read_slowly(*args: Any, **kwargs: Any) -> Any:
            poll = read(*args, **kwargs)
            with tenant_context(tenant.pk):
                OltPolling.objects.update(claim_token=olt_id)
            return poll

        monkeypatch.setattr(polling, "_read", read_slowly)
        polling.poll_olt(tenant_id=tenant.pk, olt_id=olt_id, at=timezone.now())

        with tenant_context(tenant.pk):
            assert not Onu.objects.exists()

    def test_a_discovery_waits_for_a_poll(
        self, tenant: Tenant, olt_id: UUID, simulator: SimulatedOlt, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        at = timezone.now()
        with tenant_context(tenant.pk):
            claims.ensure_polling(olt_id=olt_id, at=at, optics_due_at=at)
            claim = claims.take(olt_id=olt_id, tenant=lambda: tenant_context(tenant.pk))
            job = services.request_discovery(olt_id=olt_id, user_id=None)
        assert claim is not None

        def give_back() -> None:
            claim.give_back()
            connections.close_all()

        timer = threading.Timer(0.6, give_back)
        timer.start()

        jobs.perform(
            tenant_id=str(tenant.pk), job_id=str(job.pk), work=lambda run: services.discover_olt(run, at=at)
        )

        timer.join()
        with tenant_context(tenant.pk):
            job.refresh_from_db()
            assert job.status == JobStatus.SUCCEEDED
            assert OltPolling.objects.get().claim_token is None

    def test_a_discovery_that_waits_in_vain_says_so(
        self, tenant: Tenant, olt_id: UUID, simulator: SimulatedOlt, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from hardware.services import discovery

        monkeypatch.setattr(discovery, "CLAIM_WAIT_SECONDS", 0.3)
        at = timezone.now()
        with tenant_context(tenant.pk):
            claims.ensure_polling(olt_id=olt_id, at=at, optics_due_at=at)
            claims.take(olt_id=olt_id, tenant=lambda: tenant_context(tenant.pk))
            job = services.request_discovery(olt_id=olt_id, user_id=None)

        jobs.perform(
            tenant_id=str(tenant.pk), job_id=str(job.pk), work=lambda run: services.discover_olt(run, at=at)
        )

        with tenant_context(tenant.pk):
            job.refresh_from_db()
            assert (job.status, job.error_code, job.error_status) == (JobStatus.FAILED, "device_busy", 503)
        assert simulator.requests == 0


@pytest.mark.django_db(databases=["default", "platform"], transaction=True)
class TestBeat:
    @pytest.fixture
    def sent(self, monkeypatch: pytest.MonkeyPatch) -> list[tuple[UUID, UUID]]:
        """Return the messages the beat sends, in place of the broker."""
        messages: list[tuple[UUID, UUID]] = []

        def send(name: str, *, kwargs: dict[str, str], **options: Any) -> None:
            assert (name, options["queue"]) == ("hardware.tasks.poll_olt", "devices")
            messages.append((UUID(kwargs["tenant_id"]), UUID(kwargs["olt_id"])))

        monkeypatch.setattr(app, "send_task", send)
        return messages

    def test_finds_what_is_due_in_all_tenants(
        self, tenant: Tenant, other_tenant: Tenant, sent: list[tuple[UUID, UUID]]
    ) -> None:
        now = timezone.now()
        with tenant_context(tenant.pk):
            never, due, later, held, silent = (OltFactory() for _ in range(5))
            for olt, minutes in ((due, -1), (later, 5), (held, -1), (silent, -1)):
                at = now + timedelta(minutes=minutes)
                claims.ensure_polling(olt_id=olt.pk, at=at, optics_due_at=at)
            claims.take(olt_id=held.pk, tenant=lambda: tenant_context(tenant.pk))
            Olt.objects.filter(pk=silent.pk).update(is_polled=False)
        with tenant_context(other_tenant.pk):
            theirs = OltFactory()

        tasks.poll_due()

        assert set(sent) == {(tenant.pk, never.pk), (tenant.pk, due.pk), (other_tenant.pk, theirs.pk)}
        assert sent[-1] == (tenant.pk, due.pk)

    def test_takes_no_more_than_its_fill(
        self, tenant: Tenant, sent: list[tuple[UUID, UUID]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(polling, "MOST_PER_BEAT", 3)
        with tenant_context(tenant.pk):
            for _ in range(5):
                OltFactory()

        tasks.poll_due()

        assert len(sent) == 3

    def test_passes_over_tenants_that_are_switched_off(
        self, tenant: Tenant, sent: list[tuple[UUID, UUID]]
    ) -> None:
        with tenant_context(tenant.pk):
            OltFactory()
        Tenant.objects.update(is_active=False)

        tasks.poll_due()

        assert sent == []

    def test_sixty_four_due_at_once_are_all_polled(
        self, tenant: Tenant, sent: list[tuple[UUID, UUID]]
    ) -> None:
        with ExitStack() as stack, tenant_context(tenant.pk):
            services.make_reading_partitions(on=timezone.now().date())
            for number in range(64):
                simulated = stack.enter_context(SimulatedOlt("ufiber", onus=2, pon_ports=1, seed=number))
                register(simulated, vendor="ufiber")
            stack = stack.pop_all()
        with stack:
            for _ in range(2):  # Two beats, before any message was read.
                tasks.poll_due()
            assert len(sent) == 128
            with ThreadPoolExecutor(16, initializer=connections.close_all) as pool:
                done = list(pool.map(_poll_in_thread, sent))

        assert sum(done) == 64
        with tenant_context(tenant.pk):
            assert Onu.objects.count() == 128
            assert Olt.objects.filter(last_error="").exclude(last_answer_at=None).count() == 64
            assert OltPolling.objects.filter(claim_token=None, failures=0).count() == 64
        assert polling.find_due(at=timezone.now()) == []


def _poll_in_thread(message: tuple[UUID, UUID]) -> bool:
    tenant_id, olt_id = message
    try:
        return polling.poll_olt(tenant_id=tenant_id, olt_id=olt_id, at=timezone.now())
    finally:
        connections.close_all()


def test_every_pass_has_its_columns() -> None:
    assert frozenset(Pass) == polling._INVENTORY | {Pass.STATUS, Pass.OPTICS}
