"""How far readers of change feeds have come."""

from uuid import UUID

from django.db import models

from ispcore.tenants.base import TenantModel


class SnapshotCursor(TenantModel):
    """Up to which transaction, and which line of it, one credential was given the services' changes."""

    principal = models.CharField(max_length=80, editable=False)
    horizon = models.BigIntegerField(default=0, editable=False)
    # Within the transaction `horizon`, all lines up to this one; zero: none of it.
    line = models.UUIDField(default=UUID(int=0), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "principal"], name="snapshot_cursor_one_per_principal")
        ]

    def __str__(self) -> str:
        return f"{self.principal} up to {self.horizon}"
