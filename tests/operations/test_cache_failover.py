"""The cache's primary is killed: limits and the queue go on with the replica that the sentinels promote."""

import os
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.db.models.functions import Now
from redis.exceptions import RedisError

from ispcore import redis
from ispcore.celery import app
from ispcore.jobs import services as jobs
from ispcore.jobs.models import Job
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant
from tests.operations import caches
from tests.workers import celery_worker, wait_until


def test_a_url_of_sentinels_says_all() -> None:
    url = "sentinel://:p%40ss@cache1,[fd00::2]:26380/3?master=isp&sentinel_password=other"

    assert redis.read_sentinels(url) == redis.Sentinels(
        addresses=(("cache1", 26379), ("fd00::2", 26380)), master="isp", password="p@ss",
        sentinel_password="other", database=3,
    )  # fmt: skip
    assert redis.read_sentinels("redis://cache1:6379/0") is None


def test_a_url_of_sentinels_needs_a_master() -> None:
    with pytest.raises(ValueError, match="names sentinels but no master"):
        redis.read_sentinels("sentinel://cache1:26379/0")


@pytest.mark.django_db(databases=["default", "platform"], transaction=True)
def test_client_and_worker_follow_the_primary(
    tenant: Tenant, tmp_path: Path, settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with caches.running(tmp_path) as five:
        settings.REDIS_URL = five.url
        monkeypatch.setitem(os.environ, "REDIS_URL", five.url)
        primary, replica = five.nodes
        redis.client().set("kept", "1")
        # Asked for a second at a time: the client waits no longer for an answer than its socket may take.
        wait_until(lambda: redis.client().wait(1, 1_000) == 1)

        with celery_worker(tmp_path / "worker.log", queues="default") as worker:
            assert swept(tenant, five.url)
            # kombu ends a worker that loses its broker in the middle of a task; a service manager starts it again.
            wait_until(lambda: redis.client().hlen("celery:unacked") == 0)

            five.kill(primary)
            wait_until(lambda: five.role(replica) == "master")

            wait_until(lambda: answers("kept") == "1")
            assert swept(tenant, five.url)
            assert worker.poll() is None


def answers(key: str) -> str | None:
    try:
        found: Any = redis.client().get(key)
    except RedisError:
        return None
    return str(found)


def swept(tenant: Tenant, url: str) -> bool:
    """Let the worker sweep a job whose message was lost, and wait until it has sent it again."""
    with tenant_context(tenant.pk):
        lost = Job.objects.create(
            kind="tests.nothing", queue="nobody", dispatched_at=Now() - 2 * jobs.DISPATCH_GRACE
        )
        before = Job.objects.get(pk=lost.pk).dispatched_at
    address, options = redis.broker(url)
    with app.connection_for_write(
        address, transport_options=options | {"global_keyprefix": "celery:"}
    ) as broker:
        app.send_task("ispcore.jobs.tasks.sweep", queue="default", connection=broker)

    def sent_again() -> bool:
        with tenant_context(tenant.pk):
            return bool(Job.objects.get(pk=lost.pk).dispatched_at != before)

    wait_until(sent_again)
    return True
