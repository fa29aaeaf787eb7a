"""Who changed what: history rows written by database triggers, and entries for deeds that change no row."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, ClassVar, TypeVar
from uuid import UUID

import pghistory
from django.db import models
from pghistory.models import Event

from ispcore.crypto import MASK, SecretField
from ispcore.tenants.base import TenantManager

M = TypeVar("M", bound=type[models.Model])


class TenantEventModel(Event):
    """The base of every history table: scoped to the tenant like the table it follows."""

    pgh_id = models.BigAutoField(primary_key=True)
    objects: ClassVar[TenantManager[Any]] = TenantManager()  # type: ignore[assignment]

    class Meta:
        abstract = True


class SealedField(models.TextField):  # type: ignore[type-arg]
    """A secret's ciphertext in a history table: it shows that the secret changed, and can never be opened."""

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> str:
        return MASK if value else ""


def track(*, ignore: tuple[str, ...] = ()) -> Callable[[M], M]:
    """Keep every version of a model's rows.

    `ignore` names columns whose change alone is not worth a row (what a poll writes every minute).
    """

    def decorate(model: M) -> M:
        names = {field.name for field in model._meta.local_fields}
        unimportant = [*ignore, *names.intersection({"updated_at"})]
        tracked: M = pghistory.track(
            pghistory.InsertEvent("created"),
            pghistory.UpdateEvent("changed", condition=pghistory.AnyChange(exclude=unimportant)),
            pghistory.DeleteEvent("deleted"),
            model_name=f"{model.__name__}History",
            meta={"indexes": [models.Index(fields=["tenant", "pgh_obj", "-pgh_id"])]},
            attrs={f.name: SealedField() for f in model._meta.local_fields if isinstance(f, SecretField)},
        )(model)
        return tracked

    return decorate


def acting(
    *, user_id: UUID | None, ip: str | None, request_id: str, by: str = ""
) -> AbstractContextManager[object]:
    """Stamp the history rows written inside with who, from where and in which request."""
    context: AbstractContextManager[object] = pghistory.context(
        user=str(user_id) if user_id else None, ip=ip, request_id=request_id, by=by
    )
    return context


def record(*, action: str, detail: str = "", user_id: UUID | None, ip: str | None, request_id: str) -> None:
    """Write an audit entry for the bound tenant."""
    from ispcore.tenants.models import AuditEntry  # Models load after this module.

    AuditEntry.objects.create(action=action, detail=detail, user_id=user_id, ip=ip, request_id=request_id)
