"""How far readers of change feeds have come."""

from django.db import models

from ispcore.tenants.base import TenantModel


class SnapshotCursor(TenantModel):
    """Up to which transaction one credential has read the services' changes."""

    principal = models.CharField(max_length=80, editable=False)
    horizon = models.BigIntegerField(default=0, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "principal"], name="snapshot_cursor_one_per_principal")
        ]

    def __str__(self) -> str:
        return f"{self.principal} up to {self.horizon}"
