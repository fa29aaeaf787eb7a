"""The two kinds of Celery task: for one tenant, or for the platform."""

from typing import Any
from uuid import UUID

import structlog
from celery.contrib.django.task import DjangoTask

from ispcore import audit
from ispcore.tenants.context import JOB, tenant_context


class PlatformTask(DjangoTask):  # type: ignore[misc]
    """Runs with no tenant bound: reads across tenants through the platform role, binds one to write."""

    abstract = True


class TenantTask(DjangoTask):  # type: ignore[misc]
    """Runs inside the context of its `tenant_id` keyword: one transaction, rolled back when it raises.

    For short work on rows. What talks to a device is a job, which opens its transactions itself.
    """

    abstract = True

    def __call__(self, *args: Any, tenant_id: str, **kwargs: Any) -> Any:
        with (
            structlog.contextvars.bound_contextvars(tenant_id=tenant_id, task=self.name),
            tenant_context(UUID(tenant_id), limits=JOB),
            audit.acting(user_id=None, ip=None, request_id=self.request.id or "", by=self.name),
        ):
            return self.run(*args, tenant_id=tenant_id, **kwargs)
