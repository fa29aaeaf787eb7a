"""Columns every tenant's table shares: UUIDv7 keys, the tenant key, and foreign keys that cannot cross tenants."""

from typing import Any
from uuid import UUID

import uuid_utils.compat
from django.db import models

from ispcore.tenants.context import current_tenant_id


def new_id() -> UUID:
    """Return a UUIDv7 (RFC 9562 §5.7): random, and ordered by time, so index inserts stay local."""
    return uuid_utils.compat.uuid7()


class TenantKey(models.ForeignKey):  # type: ignore[type-arg]
    """The tenant a row belongs to; filled from the bound tenant when not given."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("to", "tenants.Tenant")
        kwargs.setdefault("on_delete", models.PROTECT)
        kwargs.setdefault("editable", False)
        kwargs.setdefault("db_index", False)  # Every index of a tenant's table begins with it.
        kwargs.setdefault("related_name", "+")
        super().__init__(**kwargs)

    def get_default(self) -> Any:
        return current_tenant_id()

    def deconstruct(self) -> Any:
        # Migrations see a plain foreign key: AddField would otherwise ask for a default with no tenant bound.
        name, _, args, kwargs = super().deconstruct()
        return name, "django.db.models.ForeignKey", args, kwargs


class TenantForeignKey(models.ForeignKey):  # type: ignore[type-arg]
    """A foreign key to another row of the same tenant.

    PostgreSQL checks foreign keys without row-level security, so a plain one could point at another
    tenant's row. `IsolateTenantTable` adds the composite key `(tenant_id, x_id)` instead of Django's own.
    """

    def __init__(self, to: Any, on_delete: Any = models.PROTECT, **kwargs: Any) -> None:
        kwargs["db_constraint"] = False
        kwargs.setdefault("db_index", False)
        super().__init__(to, on_delete, **kwargs)


class UncheckedTenantKey(TenantForeignKey):
    """A key to another row of the same tenant that the database does not check, and that outlives what it names.

    For tables that are written with every packet: each check would lock the row pointed at, and all packets of a
    router point at the same one.
    """

    def __init__(self, to: Any, on_delete: Any = models.DO_NOTHING, **kwargs: Any) -> None:
        super().__init__(to, on_delete, **kwargs)
