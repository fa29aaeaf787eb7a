from django.db import models

from ispcore.tenants.base import TenantModel


class IdempotentAnswer(TenantModel):
    """The stored answer of a POST that carried an idempotency key; purged after 24 hours."""

    principal = models.CharField(max_length=80)
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64, help_text="SHA-256 of method, path and body.")
    status = models.PositiveSmallIntegerField()
    headers = models.JSONField(default=dict)
    # Text, not jsonb: the replay must be the same bytes, in the same order.
    body = models.TextField()
    job_id = models.UUIDField(
        null=True, help_text="The job the answer stands for, waited for again on replay."
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "principal", "key"], name="idempotent_answer_one_per_key"
            ),
        ]
        indexes = [models.Index(fields=["tenant", "created_at"], name="idempotent_answer_age")]

    def __str__(self) -> str:
        return self.key
