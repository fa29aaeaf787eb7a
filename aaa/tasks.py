from uuid import UUID

from celery import shared_task
from django.utils import timezone

from aaa.services import actions, delivery, sweeping
from ispcore.jobs import services as jobs
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


@shared_task(name="aaa.tasks.steer_sessions", queue=actions.QUEUE)
def steer_sessions(*, tenant_id: str, job_id: str) -> None:
    jobs.perform(tenant_id=tenant_id, job_id=job_id, work=delivery.steer)


@shared_task(base=PlatformTask, name="aaa.tasks.send_actions", queue=actions.QUEUE)
def send_actions(*, tenant_id: str) -> None:
    delivery.send_due(tenant_id=UUID(tenant_id))


@shared_task(base=PlatformTask, name="aaa.tasks.find_due_actions")
def find_due_actions() -> None:
    """Send word of every tenant that has actions due: whose message was lost, or that are to be tried again."""
    for tenant_id in delivery.find_due():
        actions.send_wake(tenant_id)
