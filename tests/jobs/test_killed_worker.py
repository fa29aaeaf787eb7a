"""A worker killed in mid-discovery: real processes, SIGKILL, and the run is done by the next one."""

from pathlib import Path

import pytest
from django.db.models.functions import Now

from demo.olt import SimulatedOlt
from hardware import services
from hardware.models import DiscoveryRun, OltPolling, Onu, RunOutcome
from ispcore.jobs import services as jobs
from ispcore.jobs.models import Job, JobStatus
from ispcore.jobs.tasks import sweep
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant
from tests.factories import OltFactory
from tests.workers import celery_worker, wait_until


@pytest.mark.django_db(databases=["default", "platform"], transaction=True)
def test_a_discovery_survives_the_death_of_its_worker(tenant: Tenant, tmp_path: Path) -> None:
    with SimulatedOlt("huawei", onus=64, latency_ms=150) as simulator:
        with tenant_context(tenant.pk):
            olt = OltFactory(ip=simulator.host, snmp_port=simulator.port, community="public")
            job = services.request_discovery(olt_id=olt.pk, user_id=None)

        def current() -> Job:
            with tenant_context(tenant.pk):
                found: Job = Job.objects.get(pk=job.pk)
                return found

        with celery_worker(tmp_path / "first.log") as worker:
            wait_until(lambda: current().progress_total > 0)
            worker.kill()
        assert current().status == JobStatus.RUNNING
        with tenant_context(tenant.pk):
            assert not Onu.objects.exists()
            # Instead of waiting for the leases of the job and of the device to run out.
            Job.objects.filter(pk=job.pk).update(heartbeat_at=Now() - jobs.LEASE * 2)
            OltPolling.objects.update(claimed_until=Now() - jobs.LEASE)

        assert sweep() == 1
        with celery_worker(tmp_path / "second.log"):
            wait_until(lambda: not current().is_active)

    ended = current()
    assert (ended.status, ended.attempts) == (JobStatus.SUCCEEDED, 2)
    with tenant_context(tenant.pk):
        assert Onu.objects.count() == 64
        outcomes = DiscoveryRun.objects.order_by("started_at").values_list("outcome", flat=True)
        assert list(outcomes) == [RunOutcome.FAILED, RunOutcome.COMPLETE]
