from celery import shared_task
from django.utils import timezone

from ispcore.auth import services
from ispcore.jobs.bases import PlatformTask


@shared_task(base=PlatformTask, name="ispcore.auth.tasks.purge_refresh_tokens")
def purge_refresh_tokens() -> int:
    return services.purge_refresh_tokens(timezone.now())
