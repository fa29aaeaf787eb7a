from celery import shared_task
from django.utils import timezone

from aaa.services import sweeping
from ispcore.jobs.bases import PlatformTask


@shared_task(base=PlatformTask, name="aaa.tasks.make_partitions")
def make_partitions() -> None:
    at = timezone.now()
    sweeping.make_partitions(on=at.date())
    sweeping.drop_hourly_usage(at=at)


@shared_task(base=PlatformTask, name="aaa.tasks.sweep_sessions")
def sweep_sessions() -> None:
    sweeping.close_stale_sessions()
    sweeping.move_closed_sessions()
