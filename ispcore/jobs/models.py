from typing import Any, ClassVar

from django.db import models
from django.db.models import Q

from ispcore.tenants.base import TenantModel
from ispcore.tenants.models import User


class JobStatus(models.TextChoices):
    QUEUED = "queued", "Queued"
    RUNNING = "running", "Running"
    SUCCEEDED = "succeeded", "Succeeded"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"


ACTIVE = (JobStatus.QUEUED, JobStatus.RUNNING)


class Job(TenantModel):
    """One background run: what, for whom, how far, and how it ended."""

    kind = models.CharField(
        max_length=80, help_text="The task's name without `.tasks.`: hardware.discover_olt."
    )
    subject = models.CharField(
        max_length=80, blank=True, help_text="What it works on; one active job per kind and subject."
    )
    label = models.CharField(max_length=200, blank=True, help_text="For people: 'Discovery of OLT Central'.")
    params = models.JSONField(default=dict)
    queue = models.CharField(max_length=20, db_default="default", help_text="Whose workers do it.")
    status = models.CharField(max_length=10, choices=JobStatus, default=JobStatus.QUEUED)
    progress_done = models.PositiveIntegerField(default=0)
    progress_total = models.PositiveIntegerField(default=0)
    progress_message = models.CharField(max_length=200, blank=True)
    result = models.JSONField(null=True)
    error_code = models.CharField(max_length=60, blank=True)
    error_message = models.CharField(max_length=1000, blank=True)
    error_status = models.PositiveSmallIntegerField(
        default=0, help_text="The HTTP status the error stands for."
    )
    attempts = models.PositiveSmallIntegerField(default=0)
    run_token = models.UUIDField(
        null=True, help_text="Names the one worker that may still write to this row."
    )
    heartbeat_at = models.DateTimeField(null=True)
    dispatched_at = models.DateTimeField(null=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    requested_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+", db_index=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "kind", "subject"],
                condition=Q(status__in=ACTIVE) & ~Q(subject=""),
                name="job_one_active_per_subject",
            ),
            models.CheckConstraint(condition=Q(status__in=JobStatus.values), name="job_status_known"),
            models.CheckConstraint(
                condition=Q(finished_at=None, status__in=ACTIVE)
                | Q(finished_at__isnull=False) & ~Q(status__in=ACTIVE),
                name="job_finished_when_ended",
            ),
        ]
        indexes = [
            models.Index(fields=["tenant", "-created_at"], name="job_newest_first"),
            models.Index(fields=["tenant", "status"], condition=Q(status__in=ACTIVE), name="job_active"),
            # Those that wait for a place in their queue, see ispcore.jobs.slots.
            models.Index(
                fields=["tenant", "queue", "created_at", "id"],
                condition=Q(status=JobStatus.QUEUED, dispatched_at=None),
                name="job_waiting",
            ),
        ]

    def __str__(self) -> str:
        return self.label or self.kind

    @property
    def task_name(self) -> str:
        app_label, _, verb = self.kind.rpartition(".")
        return f"{app_label}.tasks.{verb}"

    @property
    def is_active(self) -> bool:
        return self.status in ACTIVE

    @property
    def percent(self) -> int:
        """Progress for a bar, 0 to 100; a finished job is full."""
        if self.status == JobStatus.SUCCEEDED:
            return 100
        return min(100, 100 * self.progress_done // self.progress_total) if self.progress_total else 0


class ScheduledRun(models.Model):
    """When an entry of ispcore.schedule was sent last: what all beats of the installation share. It has no tenant."""

    name = models.CharField(primary_key=True, max_length=80)
    last_run_at = models.DateTimeField()
    runs = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return self.name


class DoneByJobs(models.Model):
    """A record that jobs work at, one at a time: it keeps its `job` and, in `status`, what is being done.

    The status stays as it is when the job is lost or cancelled: then the record is stopped, not running.
    """

    RUNNING: ClassVar[tuple[str, ...]]  # The statuses that a job gives it for as long as it runs.
    status: Any
    job: Any

    class Meta:
        abstract = True

    @property
    def is_running(self) -> bool:
        return self.status in self.RUNNING and self.job is not None and self.job.is_active

    @property
    def is_stopped(self) -> bool:
        """Whether its worker or somebody ended it before its end."""
        return self.status in self.RUNNING and not self.is_running
