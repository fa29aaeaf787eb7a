"""A worker killed at the worst moments: nothing is lost, and what comes twice has one id."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ispcore import redis
from ispcore.events import services
from ispcore.events.models import DeliveryStatus, Event, WebhookDelivery, WebhookEndpoint
from ispcore.events.services import deliveries
from ispcore.events.services.sending import LEASE
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant
from tests.events.hooked import OLT, happen, hook, later, numbers, relay, send
from tests.events.receiver import Receiver, receiver
from tests.workers import celery_worker, wait_for, wait_until

pytestmark = pytest.mark.django_db(databases=["default", "platform"], transaction=True)


@pytest.fixture
def there(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    settings.WEBHOOK_NETWORKS = ["127.0.0.0/8"]
    monkeypatch.setenv("WEBHOOK_NETWORKS", "127.0.0.0/8")
    with receiver() as state:
        yield state


def counted(tenant: Tenant, status: str) -> int:
    with tenant_context(tenant.pk):
        return int(WebhookDelivery.objects.filter(status=status).count())


def forget_claim(tenant: Tenant) -> None:
    """Let two minutes pass."""
    with tenant_context(tenant.pk):
        WebhookEndpoint.objects.update(claimed_until=later(-LEASE))


DIES_AT_ITS_COMMIT = """
import os, signal, sys
import django
django.setup()
from uuid import UUID
from django.db import transaction
from ispcore.events import services
from ispcore.tenants.context import tenant_context

with tenant_context(UUID(sys.argv[1])):
    transaction.on_commit(lambda: os.kill(os.getpid(), signal.SIGKILL))
    if sys.argv[2] == "publish":
        for number in range(3):
            services.publish("hardware.discovery_finished", olt_id=str(number), run_id="r")
    else:
        services.relay_tenant()
"""


def die_after_commit(tenant: Tenant, deed: str) -> None:
    """Do it in a process of its own, which is killed between its commit and what would follow."""
    command = [sys.executable, "-c", DIES_AT_ITS_COMMIT, str(tenant.pk), deed]
    ended = subprocess.run(
        command, env=os.environ | {"DJANGO_SETTINGS_MODULE": "ispcore.settings"}, check=False
    )
    assert ended.returncode == -signal.SIGKILL


def test_killed_between_the_commit_and_the_message(tenant, there):
    """Who published dies before it called a relay, and the relay before it called a worker."""
    webhook = hook(tenant, there)

    die_after_commit(tenant, "publish")
    with tenant_context(tenant.pk):
        assert Event.objects.filter(delivered_at=None).count() == 3
    die_after_commit(tenant, "relay")
    assert counted(tenant, DeliveryStatus.WAITING) == 3
    assert redis.client().llen("celery:webhooks") == 0

    assert deliveries.find_due() == [(tenant.pk, webhook.pk)]  # By the clock, every five seconds.
    send(tenant, webhook)

    assert numbers(there) == [0, 1, 2]


def test_killed_while_it_sends(tenant, there, tmp_path: Path):
    webhook, there.seconds = hook(tenant, there), 0.05
    happen(tenant, *range(40))

    log = tmp_path / "worker.log"
    with celery_worker(log, queues="webhooks") as first:
        deliveries.wake(tenant.pk, webhook.pk)
        wait_for(first, lambda: len(there.taken) >= 7, log)
        first.kill()
        first.wait()
    told = counted(tenant, DeliveryStatus.DELIVERED)
    assert told < 40
    assert deliveries.find_due() == []  # It might still be at it.
    forget_claim(tenant)

    there.seconds = 0.0
    with celery_worker(log, queues="webhooks"):
        ((tenant_id, endpoint_id),) = deliveries.find_due()
        deliveries.wake(tenant_id, endpoint_id)
        wait_until(lambda: counted(tenant, DeliveryStatus.DELIVERED) == 40)

    assert sorted(set(numbers(there))) == list(range(40))
    seen = list(dict.fromkeys(each["id"] for each in there.taken))
    with tenant_context(tenant.pk):
        assert seen == [str(pk) for pk in Event.objects.order_by("id").values_list("pk", flat=True)]
    assert len(there.taken) < 40 + 60  # At the most what two seconds sent comes twice.


def test_a_relay_that_ends_before_its_commit_tells_nobody_twice(tenant, there):
    webhook = hook(tenant, there)
    with tenant_context(tenant.pk):
        services.publish(OLT, olt_id="1", run_id="r")
    with pytest.raises(ZeroDivisionError), tenant_context(tenant.pk):
        services.relay_tenant().events // 0
    assert counted(tenant, DeliveryStatus.WAITING) == 0

    relay(tenant)
    relay(tenant)
    send(tenant, webhook)

    assert numbers(there) == [1]


def test_a_worker_takes_what_happens_meanwhile(tenant, there, tmp_path: Path):
    hook(tenant, there)
    log = tmp_path / "worker.log"
    with celery_worker(log, queues="default,webhooks"):
        for number in range(20):
            with tenant_context(tenant.pk):
                services.publish(OLT, olt_id=str(number), run_id="r")
        wait_until(lambda: len(there.taken) == 20)

    assert numbers(there) == list(range(20))
