"""Ping: only to addresses the system knows, with a verdict."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from hardware.services import ping
from ispcore.jobs import services as jobs
from ispcore.jobs.models import Job, JobStatus
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant
from subscribers.models import Subscription
from tests.factories import SubscriptionFactory

pytestmark = pytest.mark.django_db


def may_ping() -> bool:
    low, high = map(int, Path("/proc/sys/net/ipv4/ping_group_range").read_text().split())
    return low <= os.getgid() <= high or os.geteuid() == 0


needs_icmp = pytest.mark.skipif(not may_ping(), reason="this user may send no ICMP")


@pytest.fixture
def addresses() -> Iterator[dict[UUID, str]]:
    """A source of addresses, as ipam will be one."""
    known: dict[UUID, str] = {}
    ping.register_address_source("test", known.get)
    yield known
    ping.remove_address_source("test")


@pytest.fixture
def line(acting: Tenant) -> Subscription:
    line: Subscription = SubscriptionFactory()
    return line


@pytest.fixture
def perform(acting: Tenant) -> Callable[[Job], Job]:
    def run(job: Job) -> Job:
        jobs.perform(tenant_id=str(acting.pk), job_id=str(job.pk), work=ping.ping_service)
        job.refresh_from_db()
        return job

    return run


@pytest.mark.parametrize(
    ("sent", "received", "verdict"),
    [
        (10, 0, "no_internet"),
        (10, 1, "intermittent"),
        (10, 7, "intermittent"),
        (10, 8, "stable"),
        (10, 10, "stable"),
        (5, 4, "stable"),
    ],
)
def test_verdict(sent: int, received: int, verdict: str) -> None:
    assert ping.verdict(sent=sent, received=received) == verdict


@needs_icmp
def test_as_many_packets_are_sent_as_were_asked_for(
    line: Subscription, addresses: dict[UUID, str], perform: Callable[[Job], Job]
) -> None:
    addresses[line.pk] = "127.0.0.1"

    job = perform(ping.request_ping(subscription_id=line.pk, user_id=None, packets=3))

    assert job.result is not None
    assert (job.result["sent"], job.result["received"], job.progress_total) == (3, 3, 3)


@needs_icmp
def test_a_host_that_answers_is_stable(
    line: Subscription, addresses: dict[UUID, str], perform: Callable[[Job], Job]
) -> None:
    addresses[line.pk] = "127.0.0.1"

    job = perform(ping.request_ping(subscription_id=line.pk, user_id=None))

    assert job.status == JobStatus.SUCCEEDED
    assert job.result is not None
    assert job.result["rtt_min_ms"] <= job.result["rtt_avg_ms"] <= job.result["rtt_max_ms"]
    shown = {name: job.result[name] for name in ("verdict", "address", "sent", "received", "loss_percent")}
    assert shown == {
        "verdict": "stable", "address": "127.0.0.1", "sent": 10, "received": 10, "loss_percent": 0.0,
    }  # fmt: skip


def test_without_a_source_nothing_is_sent(line: Subscription, api: Any) -> None:
    response = api.post(f"services/{line.pk}/ping")

    assert (response.status_code, response.json()["error"]["code"]) == (409, "no_known_address")
    assert not Job.objects.exists()


def test_an_address_is_not_taken_from_the_caller(
    line: Subscription, api: Any, addresses: dict[UUID, str]
) -> None:
    response = api.post(f"services/{line.pk}/ping", {"address": "192.0.2.1"})

    assert response.status_code == 409
    assert not Job.objects.exists()


def test_an_address_that_was_taken_back_is_not_pinged(
    line: Subscription, addresses: dict[UUID, str], perform: Callable[[Job], Job]
) -> None:
    addresses[line.pk] = "127.0.0.1"
    job = ping.request_ping(subscription_id=line.pk, user_id=None)
    del addresses[line.pk]

    perform(job)

    assert (job.status, job.error_code) == (JobStatus.FAILED, "no_known_address")


@pytest.mark.parametrize("address", ["localhost", "192.0.2.1/24", "", "127.0.0.1; id"])
def test_what_is_no_address_is_not_pinged(
    address: str, line: Subscription, addresses: dict[UUID, str], api: Any
) -> None:
    addresses[line.pk] = address

    assert api.post(f"services/{line.pk}/ping").status_code == 409
    assert not Job.objects.exists()


@needs_icmp
def test_over_http(
    line: Subscription, addresses: dict[UUID, str], api: Any, perform: Callable[[Job], Job]
) -> None:
    addresses[line.pk] = "127.0.0.1"

    asked = api.post(f"services/{line.number}/ping")

    assert asked.status_code == 202
    task = asked.json()["data"]["id"]
    waiting = api.get(f"ping/{task}").json()["data"]
    assert (waiting["task_id"], waiting["status"], waiting["verdict"]) == (task, "queued", None)
    perform(Job.objects.get(pk=task))
    ended = api.get(f"ping/{task}").json()["data"]
    assert (ended["status"], ended["verdict"], ended["received"]) == ("succeeded", "stable", 10)


def test_another_kind_of_task_is_no_ping(api: Any, acting: Tenant) -> None:
    job = Job.objects.create(kind="hardware.discover_olt")

    assert api.get(f"ping/{job.pk}").status_code == 404


def test_tenants_do_not_see_each_others(
    api: Any, addresses: dict[UUID, str], other_tenant: Tenant, tenant: Tenant
) -> None:
    with tenant_context(other_tenant.pk):
        line = SubscriptionFactory()
        addresses[line.pk] = "127.0.0.1"
        job = ping.request_ping(subscription_id=line.pk, user_id=None)

    assert api.get(f"ping/{job.pk}").status_code == 404
    assert api.post(f"services/{line.pk}/ping").status_code == 404
