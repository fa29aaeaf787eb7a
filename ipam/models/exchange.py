"""Address books that come from files."""

from django.db import models
from django.db.models import Q

from ipam.models.space import Vrf
from ispcore.files.models import StoredFile
from ispcore.jobs.models import DoneByJobs, Job
from ispcore.tenants.base import TenantModel
from ispcore.tenants.fields import TenantForeignKey
from ispcore.tenants.models import User


class BookFormat(models.TextChoices):
    CSV = "csv", "CSV of addresses"
    NETBOX = "netbox", "JSON export of NetBox"


class BookStatus(models.TextChoices):
    UPLOADED = "uploaded", "Uploaded"
    CHECKING = "checking", "Checking"
    CHECKED = "checked", "Checked"
    IMPORTING = "importing", "Importing"
    IMPORTED = "imported", "Imported"
    FAILED = "failed", "Failed"


class BookImport(DoneByJobs, TenantModel):
    """A file of existing assignments: judged row by row in a dry run, then taken in."""

    RUNNING = (BookStatus.CHECKING, BookStatus.IMPORTING)

    name = models.CharField(max_length=200, help_text="The file's name.")
    file = TenantForeignKey(StoredFile, models.SET_NULL, null=True, related_name="+")
    file_format = models.CharField(max_length=6, choices=BookFormat)
    vrf = TenantForeignKey(
        Vrf,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name="VRF",
        help_text="Of rows that name none.",
    )
    status = models.CharField(max_length=9, choices=BookStatus, default=BookStatus.UPLOADED)
    rows_total = models.PositiveIntegerField(default=0)
    rows_created = models.PositiveIntegerField(default=0)
    rows_updated = models.PositiveIntegerField(default=0)
    rows_skipped = models.PositiveIntegerField(default=0)
    rows_bad = models.PositiveIntegerField(default=0)
    message = models.CharField(max_length=500, blank=True)
    job = TenantForeignKey(Job, models.PROTECT, null=True, related_name="+")
    created_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+", db_index=False)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = "address import"
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=BookStatus.values), name="book_import_status_known"
            ),
        ]
        indexes = [models.Index(fields=["tenant", "-created_at"], name="book_import_newest")]

    def __str__(self) -> str:
        return self.name


class BookImportRow(TenantModel):
    """A row of the file that was not taken in, and why."""

    of_import = TenantForeignKey(BookImport, models.CASCADE, related_name="bad_rows")
    row_number = models.PositiveIntegerField(
        help_text="As a spreadsheet counts; in JSON the object's number."
    )
    field = models.CharField(max_length=60, blank=True)
    message = models.CharField(max_length=300)
    values = models.JSONField(default=dict, help_text="The row as it was given.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "of_import", "row_number"], name="book_import_row_once")
        ]

    def __str__(self) -> str:
        return f"row {self.row_number}: {self.message}"
