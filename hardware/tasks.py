from celery import shared_task
from django.utils import timezone

from hardware import services
from ispcore.jobs import services as jobs
from ispcore.jobs.bases import PlatformTask


@shared_task(name="hardware.tasks.discover_olt", queue="devices")
def discover_olt(*, tenant_id: str, job_id: str) -> None:
    at = timezone.now()
    jobs.perform(tenant_id=tenant_id, job_id=job_id, work=lambda run: services.discover_olt(run, at=at))


@shared_task(base=PlatformTask, name="hardware.tasks.make_reading_partitions")
def make_reading_partitions() -> None:
    services.make_reading_partitions(on=timezone.now().date())
