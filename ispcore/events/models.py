from django.db import models
from django.db.models import Q

from ispcore.tenants.base import TenantModel


class Event(TenantModel):
    """Something that happened, written in the transaction that made it happen."""

    name = models.CharField(max_length=80)
    payload = models.JSONField(default=dict, help_text="Ids only: whoever is told reads the state itself.")
    delivered_at = models.DateTimeField(null=True, help_text="When the relay handed it to its handlers.")

    class Meta:
        indexes = [
            models.Index(fields=["tenant", "id"], name="event_feed"),
            models.Index(fields=["tenant", "id"], condition=Q(delivered_at=None), name="event_undelivered"),
        ]

    def __str__(self) -> str:
        return self.name
