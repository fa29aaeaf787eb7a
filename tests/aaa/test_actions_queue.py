"""Actions as the queue meets them: committed rows, several workers, one that dies, two tenants."""

import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connections
from django.utils import timezone

from aaa.models import ActionCause, ActionKind, Nas, NasType, Policy, Session, SessionAction
from aaa.services import delivery, policies, settling
from aaa.services.actions import request_coa, request_disconnect, request_job
from aaa.tasks import find_due_actions
from ispcore import redis
from ispcore.jobs.models import Job, JobStatus
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant
from tests.aaa.nas_peer import NasPeer
from tests.aaa.online import make_account, make_nas, make_policy, make_session
from tests.workers import wait_until

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "platform"])


def online(tenant: Tenant, peer: NasPeer, prefix: str, count: int = 1, **nas: Any) -> list[Session]:
    with tenant_context(tenant.pk):
        bng, policy = make_nas(peer, **nas), make_policy()
        return [make_session(bng, make_account(f"{prefix}{n}", policy), f"{prefix}{n}") for n in range(count)]


def disconnect(tenant: Tenant, sessions: list[Session]) -> None:
    with tenant_context(tenant.pk):
        request_disconnect(session_ids=[session.pk for session in sessions], cause=ActionCause.HOLD)


def outcomes(tenant: Tenant) -> Counter[tuple[str, str]]:
    with tenant_context(tenant.pk):
        return Counter(SessionAction.objects.values_list("state", "outcome"))


def expire_leases(tenant: Tenant) -> None:
    with tenant_context(tenant.pk):
        SessionAction.objects.filter(finished_at=None).update(next_at=timezone.now() - timedelta(minutes=1))


def test_two_workers_send_each_action_once(peer: NasPeer, tenant):
    sessions = online(tenant, peer, "shared-", 60)
    disconnect(tenant, sessions)
    barrier = threading.Barrier(4)
    tried: list[int] = []

    def work() -> None:
        try:
            barrier.wait()
            tried.append(delivery.send_due(tenant_id=tenant.pk))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(tried) == 60
    assert outcomes(tenant) == {("done", "ack"): 60}
    seen = Counter(entry["session"] for entry in peer.journal() if entry["session"].startswith("shared-"))
    assert set(seen.values()) == {1}


def test_two_requests_at_once_make_one_action(peer: NasPeer, tenant):
    sessions = online(tenant, peer, "race-", 20)
    barrier = threading.Barrier(2)

    def ask(request: Any, given: list[Session]) -> None:
        try:
            barrier.wait()
            with tenant_context(tenant.pk):
                request(session_ids=[session.pk for session in given], cause=ActionCause.API)
        finally:
            connections.close_all()

    threads = [
        threading.Thread(target=ask, args=(request_coa, sessions)),
        threading.Thread(target=ask, args=(request_disconnect, sessions[::-1])),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    with tenant_context(tenant.pk):
        assert list(SessionAction.objects.values_list("kind", flat=True)) == ["disconnect"] * 20


KILLED_BEFORE_STORING = """
import os, signal, sys
import django
django.setup()
from uuid import UUID
from aaa.services import delivery, policies, settling

store = delivery.store

def die_once_answered(ended):
    if ended:
        os.kill(os.getpid(), signal.SIGKILL)
    store(ended)

delivery.store = die_once_answered
delivery.send_due(tenant_id=UUID(sys.argv[1]))
"""


def test_a_worker_killed_between_sent_and_stored_does_no_harm(peer: NasPeer, tenant):
    sessions = online(tenant, peer, "killed-", 3)
    disconnect(tenant, sessions)

    done = subprocess.run(
        [sys.executable, "-c", KILLED_BEFORE_STORING, str(tenant.pk)],
        cwd=ROOT,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "ispcore.settings"},
        check=False,
        capture_output=True,
    )

    assert done.returncode == -signal.SIGKILL, done.stderr
    assert [len(peer.of(f"killed-{n}")) for n in range(3)] == [1, 1, 1]
    assert outcomes(tenant) == {("sent", ""): 3}
    assert delivery.send_due(tenant_id=tenant.pk) == 0  # Its lease holds.

    expire_leases(tenant)
    assert delivery.send_due(tenant_id=tenant.pk) == 3
    assert outcomes(tenant) == {("done", "gone"): 3}
    with tenant_context(tenant.pk):
        assert set(Session.objects.values_list("ended_by", flat=True)) == {"disconnect"}


def test_a_worker_killed_before_sending_does_no_harm(peer: NasPeer, tenant):
    [session] = online(tenant, peer, "claimed-")
    disconnect(tenant, [session])
    with tenant_context(tenant.pk):
        delivery._claim(None)

    expire_leases(tenant)
    delivery.send_due(tenant_id=tenant.pk)

    assert outcomes(tenant) == {("done", "ack"): 1}
    assert len(peer.of("claimed-0")) == 1


def test_one_tenants_actions_are_no_business_of_anothers(peer: NasPeer, tenant, other_tenant):
    ours = online(tenant, peer, "ours-", address="198.51.100.201")
    theirs = online(other_tenant, peer, "theirs-", address="198.51.100.202")
    disconnect(tenant, ours)
    disconnect(other_tenant, theirs)

    delivery.send_due(tenant_id=tenant.pk)

    assert outcomes(tenant) == {("done", "ack"): 1}
    assert outcomes(other_tenant) == {("queued", ""): 1}
    assert peer.of("theirs-0") == []


def test_tenants_with_due_actions_are_found(peer: NasPeer, tenant, other_tenant):
    disconnect(tenant, online(tenant, peer, "due-", address="198.51.100.203"))
    disconnect(other_tenant, online(other_tenant, peer, "later-", address="198.51.100.204"))
    with tenant_context(other_tenant.pk):
        SessionAction.objects.update(next_at=timezone.now() + timedelta(minutes=5))

    assert delivery.find_due() == [tenant.pk]


def test_the_beat_wakes_the_queue(peer: NasPeer, tenant):
    disconnect(tenant, online(tenant, peer, "beat-"))
    redis.client().flushdb()

    find_due_actions()

    assert redis.client().llen("celery:radius") == 1


def test_a_guest_is_steered_through_the_owners_router(peer: NasPeer, tenant, make_tenant):
    owner = make_tenant("owner")
    with tenant_context(owner.pk):
        router = make_nas(peer, address="203.0.113.7")
    with tenant_context(tenant.pk):
        mirror = Nas.objects.create(
            name="Their BNG", mirror_of=router.pk, secret="", nas_type=NasType.MIKROTIK
        )
        session = make_session(mirror, make_account("amal"), "guest-1")
    disconnect(tenant, [session])

    delivery.send_due(tenant_id=tenant.pk)

    assert outcomes(tenant) == {("done", "ack"): 1}
    assert len(peer.of("guest-1")) == 1


def test_a_mirror_whose_router_is_gone_fails(tenant, peer: NasPeer):
    with tenant_context(tenant.pk):
        nobody = make_policy("unused").pk
        mirror = Nas.objects.create(name="Their BNG", mirror_of=nobody, secret="", nas_type=NasType.MIKROTIK)
        session = make_session(mirror, make_account("amal"), "orphan-1")
    disconnect(tenant, [session])

    delivery.send_due(tenant_id=tenant.pk)

    assert outcomes(tenant) == {("failed", "unsendable"): 1}


@pytest.mark.usefixtures("worker")
class TestThroughARealWorker:
    def test_a_wish_reaches_the_nas_by_itself(self, peer: NasPeer, tenant):
        sessions = online(tenant, peer, "live-", 5)

        disconnect(tenant, sessions)

        wait_until(lambda: outcomes(tenant) == {("done", "ack"): 5})
        assert (
            len({entry["session"] for entry in peer.journal() if entry["session"].startswith("live-")}) == 5
        )

    def test_a_job_tells_how_each_session_fared(self, peer: NasPeer, tenant):
        online(tenant, peer, "job-", 2)
        with tenant_context(tenant.pk):
            bng = Nas.objects.get()
            make_session(bng, make_account("busy"), "nak-506-job")
            sessions = Session.objects.all()

            job = request_job(
                kind=ActionKind.DISCONNECT, sessions=sessions, cause=ActionCause.API, user_id=None
            )

        def ended() -> bool:
            with tenant_context(tenant.pk):
                return Job.objects.get(pk=job.pk).status not in (JobStatus.QUEUED, JobStatus.RUNNING)

        wait_until(ended)
        with tenant_context(tenant.pk):
            job = Job.objects.get(pk=job.pk)
        assert job.status == JobStatus.SUCCEEDED
        assert job.result is not None
        assert (job.result["done"], job.result["failed"], job.result["pending"]) == (2, 0, 1)
        assert sorted((row["state"], row["outcome"]) for row in job.result["actions"]) == [
            ("done", "ack"),
            ("done", "ack"),
            ("queued", "nak"),
        ]


def test_a_changed_speed_reaches_the_live_session_and_leaves_nothing_to_do(peer: NasPeer, tenant):
    at = timezone.now()
    [session] = online(tenant, peer, "faster-")
    with tenant_context(tenant.pk):
        account, policy = session.account, Policy.objects.get()
        settling.settle([account.pk], at=at)
        account.refresh_from_db()
        Session.objects.update(applied=account.wanted)
        SessionAction.objects.all().delete()
        Policy.objects.update(down_kbps=200_000, up_kbps=100_000)
        policy.refresh_from_db()
        policies.render_policies([policy])

        queued = settling.settle([account.pk], at=at)

    delivery.send_due(tenant_id=tenant.pk)
    assert queued == 1
    assert [entry["rate"] for entry in peer.of("faster-0")] == ["100M/200M"]
    with tenant_context(tenant.pk):
        account.refresh_from_db()
        session.refresh_from_db()
        assert session.applied == account.wanted
        assert settling.settle([account.pk], at=at) == 0
