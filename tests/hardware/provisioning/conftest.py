"""A simulated Huawei with a command line, registered for the tenant, and how a test runs changes at it."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.utils import timezone

from demo.olt import SimulatedOlt
from hardware.models import Olt, OnuPreset, PonPort, ProvisioningJob
from hardware.services import conversation, execution, provisioning
from ispcore.jobs import services as jobs
from ispcore.jobs.models import Job
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant
from tests.factories import OltFactory

PASSWORD = "isp-olt"


@pytest.fixture
def simulator() -> Iterator[SimulatedOlt]:
    with SimulatedOlt("huawei", onus=8, pon_ports=4, cli="ssh") as simulated:
        yield simulated


@pytest.fixture
def olt(tenant: Tenant, simulator: SimulatedOlt) -> Olt:
    with tenant_context(tenant.pk):
        return register(simulator)


def register(simulator: SimulatedOlt, **fields: Any) -> Olt:
    """Register the simulated OLT for the bound tenant, with access to its command line."""
    known = {
        "ip": simulator.host,
        "snmp_port": simulator.port,
        "community": simulator.community,
        "cli_protocol": "ssh",
        "cli_port": simulator.cli.port,
        "cli_username": simulator.cli.username,
        "cli_password": simulator.cli.password,
    }
    olt: Olt = OltFactory(**known | fields)
    for number in range(4):
        PonPort.objects.create(olt=olt, index=f"0/1/{number}", last_seen_at=timezone.now())
    return olt


@pytest.fixture
def preset(tenant: Tenant) -> OnuPreset:
    with tenant_context(tenant.pk):
        made: OnuPreset = OnuPreset.objects.create(
            name="Fibre 100", vendor="huawei", line_profile="10", service_profile="bridge", vlan=100
        )
    return made


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversation, "COMMAND_SECONDS", 1.5)
    monkeypatch.setattr(execution, "WAIT_HERE_SECONDS", 0.0)


Run = Callable[[ProvisioningJob], Job]


@pytest.fixture
def run(tenant: Tenant, impatient: None) -> Run:
    """Do a change's job as the worker would and return the job."""

    def perform(change: ProvisioningJob) -> Job:
        with tenant_context(tenant.pk):
            job: Job = Job.objects.get(pk=change.job_id)
        at = timezone.now()
        work = execution.roll_back_onu if "roll_back" in job.kind else execution.provision_onu
        jobs.perform(tenant_id=str(tenant.pk), job_id=str(job.pk), work=lambda run: work(run, at=at))
        with tenant_context(tenant.pk):
            change.refresh_from_db()
            job.refresh_from_db()
        return job

    return perform


Ask = Callable[..., ProvisioningJob]


@pytest.fixture
def ask(olt: Olt, preset: OnuPreset, tenant: Tenant) -> Ask:
    """Ask for an authorisation on port 0/1/0 by the preset."""

    def request(serial: str, **told: Any) -> ProvisioningJob:
        wanted: dict[str, Any] = {"olt": olt, "pon_port": "0/1/0", "serial": serial, "preset": preset}
        with tenant_context(tenant.pk):
            return provisioning.request_authorize(**wanted | told)

    return request
