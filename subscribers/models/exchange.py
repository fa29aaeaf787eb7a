"""Records that come from files, and what staff keep of their own: imports, custom fields, segments."""

from django.contrib.postgres.fields import ArrayField
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import F, Q

from ispcore import audit
from ispcore.files.models import StoredFile
from ispcore.jobs.models import DoneByJobs, Job
from ispcore.tenants.base import TenantModel
from ispcore.tenants.fields import TenantForeignKey
from ispcore.tenants.models import User

FIELD_KEY = RegexValidator(r"^[a-z][a-z0-9_]{0,39}\Z", "Lower-case letters, digits and _, a letter first.")


class ImportStatus(models.TextChoices):
    UPLOADED = "uploaded", "Uploaded"
    CHECKING = "checking", "Checking"
    CHECKED = "checked", "Checked"
    IMPORTING = "importing", "Importing"
    IMPORTED = "imported", "Imported"
    FAILED = "failed", "Failed"
    DISCARDED = "discarded", "Discarded"


class OnDuplicate(models.TextChoices):
    REFUSE = "refuse", "Report the row as an error"
    SKIP = "skip", "Leave the record as it is"
    UPDATE = "update", "Update the record from the row"


class Import(DoneByJobs, TenantModel):
    """A file of subscribers and their services: mapped, tried out, and taken in row by row.

    uploaded -> checking -> checked -> importing -> imported; a check or an import that failed can be started
    again and goes on after `rows_done`.
    """

    RUNNING = (ImportStatus.CHECKING, ImportStatus.IMPORTING)

    name = models.CharField(max_length=200, help_text="The file's name.")
    file = TenantForeignKey(
        StoredFile,
        models.PROTECT,
        null=True,
        related_name="+",
        help_text="Deleted when all is done: it may hold secrets.",
    )
    sha256 = models.CharField(max_length=64, blank=True, help_text="Hex digest of the file's content.")
    size_bytes = models.BigIntegerField(default=0)
    file_format = models.CharField(max_length=4, default="csv", help_text="csv or xlsx.")
    status = models.CharField(max_length=10, choices=ImportStatus, default=ImportStatus.UPLOADED)
    columns = models.JSONField(default=list, help_text="The file's header, in order.")
    samples = models.JSONField(default=list, help_text="The first rows' cells, secrets left out.")
    mapping = models.JSONField(default=dict, help_text="Column of the file -> field of the record.")
    on_duplicate = models.CharField(max_length=10, choices=OnDuplicate, default=OnDuplicate.REFUSE)
    encoding = models.CharField(max_length=20, blank=True)
    delimiter = models.CharField(max_length=1, blank=True)
    rows_total = models.PositiveIntegerField(default=0)
    rows_done = models.PositiveIntegerField(default=0, help_text="Rows looked at by the step that runs.")
    rows_created = models.PositiveIntegerField(default=0)
    rows_updated = models.PositiveIntegerField(default=0)
    rows_skipped = models.PositiveIntegerField(default=0)
    rows_bad = models.PositiveIntegerField(default=0)
    preview = models.JSONField(default=list, help_text="The first rows as they would be taken in.")
    message = models.CharField(max_length=500, blank=True)
    job = TenantForeignKey(Job, models.PROTECT, null=True, related_name="+")
    created_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+", db_index=False)
    began_at = models.DateTimeField(
        null=True, help_text="When rows began to be taken in; from then on it only goes on."
    )
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(status__in=ImportStatus.values), name="import_status_known"),
            models.CheckConstraint(
                condition=Q(
                    rows_done=F("rows_created") + F("rows_updated") + F("rows_skipped") + F("rows_bad")
                ),
                name="import_rows_add_up",
            ),
        ]
        indexes = [
            models.Index(fields=["tenant", "-created_at"], name="import_newest_first"),
            models.Index(fields=["tenant", "sha256"], name="import_by_digest"),
        ]

    def __str__(self) -> str:
        return self.name


class ImportRowError(TenantModel):
    """Why one row of a file was not taken in, with the row as it was given."""

    of_import = TenantForeignKey(Import, models.CASCADE, related_name="errors")
    row_number = models.PositiveIntegerField(help_text="As a spreadsheet counts: the header is row 1.")
    field = models.CharField(max_length=60, blank=True)
    message = models.CharField(max_length=300)
    values = models.JSONField(default=list, help_text="The row's cells, in the file's order.")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "of_import", "row_number"], name="import_row_error_once"
            )
        ]

    def __str__(self) -> str:
        return f"row {self.row_number}: {self.message}"


class CustomFieldKind(models.TextChoices):
    TEXT = "text", "Text"
    NUMBER = "number", "Number"
    DATE = "date", "Date"
    BOOLEAN = "boolean", "Yes or no"
    CHOICE = "choice", "One of a list"


@audit.track()
class CustomField(TenantModel):
    """A fact this provider keeps of every subscriber besides those that all providers keep."""

    key = models.CharField(
        max_length=40, validators=[FIELD_KEY], help_text="For integrators and files: referred_by. It stays."
    )
    label = models.CharField(max_length=80, help_text="What staff read.")
    kind = models.CharField(max_length=10, choices=CustomFieldKind, default=CustomFieldKind.TEXT)
    choices = ArrayField(
        models.CharField(max_length=80), default=list, blank=True, help_text="For a list: one per line."
    )
    is_required = models.BooleanField("required", default=False)
    help_text = models.CharField(max_length=200, blank=True)
    position = models.PositiveSmallIntegerField(default=0, help_text="Lower ones come first.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "key"], name="custom_field_key_unique_per_tenant"),
            models.CheckConstraint(
                condition=Q(kind__in=CustomFieldKind.values), name="custom_field_kind_known"
            ),
            models.CheckConstraint(
                condition=Q(kind=CustomFieldKind.CHOICE) & ~Q(choices=[])
                | ~Q(kind=CustomFieldKind.CHOICE) & Q(choices=[]),
                name="custom_field_choices_fit_kind",
            ),
        ]

    def __str__(self) -> str:
        return self.label


class SegmentOf(models.TextChoices):
    SUBSCRIBERS = "subscribers", "Subscribers"
    SERVICES = "services", "Services"


class Segment(TenantModel):
    """A list's filters under a name: kept by one person, or shared with all colleagues."""

    name = models.CharField(max_length=60)
    of = models.CharField(max_length=12, choices=SegmentOf)
    query = models.CharField(max_length=1000, help_text="The list's query string.")
    user = models.ForeignKey(User, models.CASCADE, related_name="+", db_index=False)
    is_shared = models.BooleanField("shared with colleagues", default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "of", "user", "name"], name="segment_name_unique_per_user"
            ),
            models.CheckConstraint(condition=Q(of__in=SegmentOf.values), name="segment_of_known"),
        ]

    def __str__(self) -> str:
        return self.name
