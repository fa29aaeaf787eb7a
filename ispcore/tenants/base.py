"""The base of every model that belongs to a tenant."""

from typing import Any, Self, TypeVar

from django.db import models

from ispcore.tenants.context import current_tenant_id
from ispcore.tenants.fields import TenantKey, new_id

M = TypeVar("M", bound=models.Model, covariant=True)


class TenantQuerySet(models.QuerySet[M]):
    """A query over the bound tenant's rows."""

    def for_update(self) -> Self:
        """Lock the rows in key order, so that two transactions can never wait for each other."""
        return self.order_by("pk").select_for_update(of=("self",))


class TenantManager(models.Manager[M]):
    """Shows the bound tenant's rows; raises TenantNotSet when none is bound."""

    def get_queryset(self) -> TenantQuerySet[M]:
        return TenantQuerySet(self.model, using=self._db).filter(tenant_id=current_tenant_id())


class TenantModel(models.Model):
    """A row of one tenant, refused to all others by the manager and by row-level security."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = TenantKey()
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects: TenantManager[Any] = TenantManager()

    class Meta:
        abstract = True
