from datetime import timedelta

from celery import shared_task
from django.contrib.sessions.backends.db import SessionStore
from django.utils import timezone

from ispcore.auth import log_outs, services
from ispcore.auth.oidc import SESSION_SECONDS
from ispcore.jobs.bases import PlatformTask


@shared_task(base=PlatformTask, name="ispcore.auth.tasks.purge_refresh_tokens")
def purge_refresh_tokens() -> int:
    return services.purge_refresh_tokens(timezone.now())


@shared_task(base=PlatformTask, name="ispcore.auth.tasks.purge_sessions")
def purge_sessions() -> int:
    """Delete the staff's sessions that are over, and the log-outs that could end none any more."""
    SessionStore.clear_expired()
    return log_outs.forget_old(timezone.now(), kept=timedelta(seconds=2 * SESSION_SECONDS))
