"""What customers ask for, and the conversation about it."""

from django.db import models
from django.db.models import F, Q

from hardware.models import Outage
from ispcore import audit
from ispcore.files.models import StoredFile
from ispcore.tenants.base import TenantModel
from ispcore.tenants.fields import TenantForeignKey
from ispcore.tenants.models import User
from subscribers.models import Subscriber, Subscription, Zone
from support.models.desk import Priority, Subject, Team


class TicketStatus(models.TextChoices):
    OPEN = "open", "Open"
    IN_PROGRESS = "in_progress", "In progress"
    WAITING = "waiting", "Waiting for the customer"
    RESOLVED = "resolved", "Resolved"
    CLOSED = "closed", "Closed"


class Source(models.TextChoices):
    STAFF = "staff", "Staff"
    CUSTOMER = "customer", "Customer"
    API = "api", "Integration"
    SYSTEM = "system", "System"


# Lists and not the enumeration: an index is used where a query names the same values.
RUNNING = ["open", "in_progress"]
UNRESOLVED = [*RUNNING, "waiting"]
OVER = ["resolved", "closed"]
MAX_LEVEL = 3


@audit.track()
class Ticket(TenantModel):
    """One matter of one customer, or of nobody known. Its status moves by `services.tickets` only.

    The clock runs in the helpdesk's opening hours and stands while the ticket waits: when it goes on, `due_at` and
    `escalates_at` move by the working time that was waited.
    """

    number = models.CharField(max_length=20, editable=False, help_text="For people, such as TKT-000184.")
    subject = TenantForeignKey(Subject, models.PROTECT, related_name="tickets")
    title = models.CharField(max_length=200)
    priority = models.CharField(
        max_length=6, choices=Priority, help_text="The subject's, unless set by hand."
    )
    is_priority_by_hand = models.BooleanField(default=False)
    status = models.CharField(max_length=11, choices=TicketStatus, default=TicketStatus.OPEN)
    subscriber = TenantForeignKey(Subscriber, models.PROTECT, null=True, related_name="tickets")
    subscription = TenantForeignKey(
        Subscription, models.PROTECT, null=True, related_name="tickets", verbose_name="service"
    )
    zone = TenantForeignKey(Zone, models.PROTECT, null=True, related_name="tickets")
    outage = TenantForeignKey(Outage, models.SET_NULL, null=True, related_name="tickets")
    assignee = models.ForeignKey(User, models.PROTECT, null=True, related_name="+", db_index=False)
    team = TenantForeignKey(Team, models.PROTECT, null=True, related_name="tickets")
    source = models.CharField(max_length=8, choices=Source, default=Source.STAFF)
    opened_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+", db_index=False)
    due_at = models.DateTimeField()
    first_response_due_at = models.DateTimeField()
    first_responded_at = models.DateTimeField(null=True)
    waiting_since = models.DateTimeField(null=True)
    waited_seconds = models.PositiveIntegerField(default=0, help_text="Working time the clock stood.")
    escalates_at = models.DateTimeField(null=True)
    escalated_at = models.DateTimeField(null=True)
    escalation_level = models.PositiveSmallIntegerField(default=0)
    resolved_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)
    merged_into = TenantForeignKey("self", models.PROTECT, null=True, related_name="merged")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "number"], name="ticket_number_unique_per_tenant"),
            models.CheckConstraint(condition=Q(status__in=TicketStatus.values), name="ticket_status_known"),
            models.CheckConstraint(condition=Q(priority__in=Priority.values), name="ticket_priority_known"),
            models.CheckConstraint(condition=Q(source__in=Source.values), name="ticket_source_known"),
            models.CheckConstraint(
                condition=Q(subscription=None) | Q(subscriber__isnull=False),
                name="ticket_service_of_a_subscriber",
            ),
            models.CheckConstraint(
                condition=Q(status="waiting", waiting_since__isnull=False)
                | ~Q(status="waiting") & Q(waiting_since=None),
                name="ticket_waits_since",
            ),
            models.CheckConstraint(
                condition=Q(status__in=OVER, resolved_at__isnull=False)
                | ~Q(status__in=OVER) & Q(resolved_at=None),
                name="ticket_resolved_when_over",
            ),
            models.CheckConstraint(
                condition=Q(status="closed", closed_at__isnull=False)
                | ~Q(status="closed") & Q(closed_at=None),
                name="ticket_closed_when_closed",
            ),
            models.CheckConstraint(
                condition=Q(merged_into=None) | Q(status="closed") & ~Q(merged_into=F("id")),
                name="ticket_merged_is_closed",
            ),
            models.CheckConstraint(
                condition=Q(escalation_level__range=(0, MAX_LEVEL)), name="ticket_level_in_range"
            ),
        ]
        indexes = [
            models.Index(fields=["tenant", "-id"], name="ticket_newest"),
            models.Index(fields=["tenant", "status", "-id"], name="ticket_by_status"),
            # With the status, that most lists are narrowed by as well: counting them reads no ticket.
            models.Index(fields=["tenant", "priority", "-id"], include=["status"], name="ticket_by_priority"),
            models.Index(fields=["tenant", "subject", "-id"], include=["status"], name="ticket_by_subject"),
            models.Index(fields=["tenant", "subscriber", "-id"], name="ticket_by_subscriber"),
            models.Index(fields=["tenant", "subscription", "-id"], name="ticket_by_subscription"),
            models.Index(fields=["tenant", "assignee", "-id"], include=["status"], name="ticket_by_assignee"),
            models.Index(fields=["tenant", "team", "-id"], include=["status"], name="ticket_by_team"),
            models.Index(fields=["tenant", "zone", "-id"], include=["status"], name="ticket_by_zone"),
            models.Index(fields=["tenant", "outage", "-id"], name="ticket_by_outage"),
            models.Index(
                fields=["tenant", "created_at", "-id"], include=["status"], name="ticket_by_creation"
            ),
            models.Index(fields=["tenant", "updated_at", "-id"], include=["status"], name="ticket_by_update"),
            models.Index(fields=["tenant", "due_at", "-id"], include=["status"], name="ticket_by_due"),
            models.Index(
                fields=["tenant", "merged_into"],
                condition=Q(merged_into__isnull=False),
                name="ticket_by_merger",
            ),
            # The queues: a few hundred rows of as many hundred thousand.
            models.Index(
                fields=["tenant", "due_at", "id"],
                condition=Q(status__in=UNRESOLVED),
                name="ticket_unresolved_by_due",
            ),
            models.Index(
                fields=["tenant", "assignee", "due_at", "id"],
                condition=Q(status__in=UNRESOLVED),
                name="ticket_queue",
            ),
            models.Index(
                fields=["tenant", "zone"], condition=Q(status__in=UNRESOLVED), name="ticket_open_by_zone"
            ),
            models.Index(
                fields=["tenant", "escalates_at"],
                condition=Q(status__in=RUNNING, escalates_at__isnull=False),
                name="ticket_to_escalate",
            ),
            models.Index(
                fields=["tenant", "resolved_at"], condition=Q(status="resolved"), name="ticket_to_close"
            ),
            models.Index(
                fields=["tenant", "resolved_at"],
                condition=Q(resolved_at__isnull=False),
                name="ticket_by_resolution",
            ),
        ]

    def __str__(self) -> str:
        return self.number


class Comment(TenantModel):
    """Something said in a ticket, or done to it. Never changed: the database refuses it."""

    ticket = TenantForeignKey(Ticket, models.PROTECT, related_name="comments")
    author = models.ForeignKey(User, models.PROTECT, null=True, related_name="+", db_index=False)
    author_name = models.CharField(max_length=200, blank=True)
    source = models.CharField(max_length=8, choices=Source, default=Source.STAFF)
    body = models.TextField(max_length=10_000)
    is_internal = models.BooleanField(default=False, help_text="The customer never sees it.")
    said_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(source__in=Source.values), name="comment_source_known"),
            models.CheckConstraint(
                condition=Q(is_internal=False) | ~Q(source="customer"), name="comment_of_customer_public"
            ),
        ]
        indexes = [models.Index(fields=["tenant", "ticket", "id"], name="comment_by_ticket")]

    def __str__(self) -> str:
        return self.body[:60]


class Attachment(TenantModel):
    """A file that came with a comment, kept where all files are: never under a web root."""

    comment = TenantForeignKey(Comment, models.PROTECT, related_name="attachments")
    file = TenantForeignKey(StoredFile, models.PROTECT, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "comment", "file"], name="attachment_once")]
        indexes = [models.Index(fields=["tenant", "file"], name="attachment_by_file")]

    def __str__(self) -> str:
        return str(self.file)
