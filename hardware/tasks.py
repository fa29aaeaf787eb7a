from uuid import UUID

from celery import shared_task
from django.utils import timezone

from hardware import services
from hardware.services import discovery, execution, live, management, ping, polling, waiting
from ispcore.celery import app
from ispcore.jobs import services as jobs
from ispcore.jobs.bases import PlatformTask, TenantTask


@shared_task(name="hardware.tasks.discover_olt", queue="network")
def discover_olt(*, tenant_id: str, job_id: str) -> None:
    at = timezone.now()
    jobs.perform(tenant_id=tenant_id, job_id=job_id, work=lambda run: services.discover_olt(run, at=at))


@shared_task(name="hardware.tasks.sync_olt", queue="network")
def sync_olt(*, tenant_id: str, job_id: str) -> None:
    at = timezone.now()
    jobs.perform(
        tenant_id=tenant_id,
        job_id=job_id,
        work=lambda run: services.discover_olt(run, at=at, passes=discovery.SYNC_PASSES),
    )


@shared_task(name="hardware.tasks.read_onu", queue="network")
def read_onu(*, tenant_id: str, job_id: str) -> None:
    at = timezone.now()
    jobs.perform(tenant_id=tenant_id, job_id=job_id, work=lambda run: live.read_onu(run, at=at))


@shared_task(name="hardware.tasks.read_ports", queue="network")
def read_ports(*, tenant_id: str, job_id: str) -> None:
    at = timezone.now()
    jobs.perform(tenant_id=tenant_id, job_id=job_id, work=lambda run: live.read_ports(run, at=at))


@shared_task(name="hardware.tasks.ping_service", queue="network")
def ping_service(*, tenant_id: str, job_id: str) -> None:
    jobs.perform(tenant_id=tenant_id, job_id=job_id, work=ping.ping_service)


@shared_task(base=PlatformTask, name="hardware.tasks.poll_due")
def poll_due() -> None:
    """Send word of every OLT that is due; unread after three beats it is thrown away, as others have followed."""
    for tenant_id, olt_id in polling.find_due(at=timezone.now()):
        app.send_task(
            "hardware.tasks.poll_olt",
            kwargs={"tenant_id": str(tenant_id), "olt_id": str(olt_id)},
            queue="network",
            expires=polling.MESSAGE_SECONDS,
        )


@shared_task(base=PlatformTask, name="hardware.tasks.poll_olt", queue="network")
def poll_olt(*, tenant_id: str, olt_id: str) -> None:
    polling.poll_olt(tenant_id=UUID(tenant_id), olt_id=UUID(olt_id), at=timezone.now())


@shared_task(name="hardware.tasks.provision_onu", queue="network")
def provision_onu(*, tenant_id: str, job_id: str) -> None:
    at = timezone.now()
    jobs.perform(tenant_id=tenant_id, job_id=job_id, work=lambda run: execution.provision_onu(run, at=at))


@shared_task(name="hardware.tasks.roll_back_onu", queue="network")
def roll_back_onu(*, tenant_id: str, job_id: str) -> None:
    at = timezone.now()
    jobs.perform(tenant_id=tenant_id, job_id=job_id, work=lambda run: execution.roll_back_onu(run, at=at))


@shared_task(name="hardware.tasks.refresh_waiting", queue="network")
def refresh_waiting(*, tenant_id: str, job_id: str) -> None:
    at = timezone.now()
    jobs.perform(tenant_id=tenant_id, job_id=job_id, work=lambda run: waiting.refresh_waiting(run, at=at))


@shared_task(base=PlatformTask, name="hardware.tasks.make_reading_partitions")
def make_reading_partitions() -> None:
    services.make_reading_partitions(on=timezone.now().date())


@shared_task(base=TenantTask, name="hardware.tasks.forget_management_address")
def forget_management_address(*, tenant_id: str, address_id: str, subscription_id: str) -> None:
    """Let an ONU go of an address that was released past it."""
    if not subscription_id:  # A line's address manages no ONU.
        management.forget_management_address(address_id=UUID(address_id))
