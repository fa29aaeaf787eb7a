from django.db import models
from django.db.models import Q

from ispcore.tenants.base import TenantModel
from ispcore.tenants.fields import TenantForeignKey
from ispcore.tenants.models import User


class StoredFile(TenantModel):
    """A file of a tenant, kept in the database: isolated, backed up and reachable from every machine alike.

    Complete only with `completed_at`: a writer that died leaves a row without it, which is purged.
    """

    name = models.CharField(max_length=200, help_text="As the person who fetches it sees it.")
    media_type = models.CharField(max_length=100)
    app_label = models.CharField(
        max_length=40, help_text="Whose content it is: who may view that app may fetch it."
    )
    size_bytes = models.BigIntegerField(default=0)
    sha256 = models.CharField(max_length=64, blank=True, help_text="Hex digest of the content.")
    completed_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True, help_text="Deleted after this; empty: kept.")
    created_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+", db_index=False)

    class Meta:
        verbose_name = "file"
        constraints = [
            models.CheckConstraint(
                condition=Q(completed_at=None) | ~Q(sha256=""), name="file_complete_with_digest"
            ),
        ]
        indexes = [
            models.Index(fields=["tenant", "sha256"], name="file_by_digest"),
            models.Index(
                fields=["tenant", "expires_at"], condition=Q(expires_at__isnull=False), name="file_expires"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class FileChunk(TenantModel):
    """A piece of a file's content, in order of `index`."""

    file = TenantForeignKey(StoredFile, models.CASCADE, related_name="chunks")
    index = models.PositiveIntegerField()
    content = models.BinaryField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "file", "index"], name="file_chunk_once"),
        ]

    def __str__(self) -> str:
        return f"{self.file_id} {self.index}"
