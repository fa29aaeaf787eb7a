from datetime import timedelta

from celery import shared_task
from django.db.models.functions import Now

from ispcore.api.idempotency import KEPT_HOURS
from ispcore.api.models import IdempotentAnswer
from ispcore.jobs.bases import PlatformTask
from ispcore.tenants.context import tenant_context


@shared_task(base=PlatformTask, name="ispcore.api.tasks.purge_answers")
def purge_answers() -> None:
    """Forget idempotency keys older than 24 hours."""
    old = {"created_at__lt": Now() - timedelta(hours=KEPT_HOURS)}
    tenants = (
        IdempotentAnswer._base_manager.using("platform").filter(**old).values_list("tenant_id").distinct()
    )
    for (tenant_id,) in list(tenants):
        with tenant_context(tenant_id):
            IdempotentAnswer.objects.filter(**old).delete()
