"""Two polls of one OLT, two beats, and what a lost claim may still do."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connections
from django.utils import timezone

from demo.olt import SimulatedOlt
from hardware import services, tasks
from hardware.models import Olt, OltPolling, Onu, Reading
from hardware.services import claims, polling
from ispcore.celery import app
from ispcore.jobs import services as jobs
from ispcore.jobs.models import JobStatus
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant
from tests.factories import OltFactory
from tests.hardware.conftest import register

Poll = Callable[..., bool]


pytestmark = pytest.mark.usefixtures("impatient")


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
            assert (name, options["queue"]) == ("hardware.tasks.poll_olt", "network")
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

    def test_one_provider_with_many_is_in_turn_with_the_others(
        self, tenant: Tenant, other_tenant: Tenant
    ) -> None:
        for each, number in ((tenant, 3), (other_tenant, 2)):
            with tenant_context(each.pk):
                OltFactory.create_batch(number)

        found = [pk for pk, _ in polling.find_due(at=timezone.now())]

        assert [len(set(pair)) for pair in (found[:2], found[2:4])] == [2, 2]
        assert found[4:] == [tenant.pk]

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
