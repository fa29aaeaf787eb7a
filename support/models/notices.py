"""What customers are told: texts, the ways they go, who wants them, and a row per message that was or was not sent."""

from datetime import time

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from billing.models import Language
from ispcore import audit
from ispcore.crypto import SecretField
from ispcore.tenants.base import TenantModel
from ispcore.tenants.fields import TenantForeignKey
from ispcore.tenants.models import User
from subscribers.models import Plan, Subscriber, SubscriberStatus, Zone

MOST_RECIPIENTS = 100_000
USUAL_CAP = 1000


class NoticeKind(models.TextChoices):
    WELCOME = "welcome", "Welcome"
    INVOICE = "invoice", "Invoice issued"
    REMINDER = "reminder", "Invoice reminder"
    SUSPENSION = "suspension", "Cut for non-payment"
    REACTIVATION = "reactivation", "Running again"
    OUTAGE = "outage", "Outage"
    OUTAGE_OVER = "outage_over", "Outage over"
    TICKET_OPENED = "ticket_opened", "Ticket opened"
    TICKET_ANSWERED = "ticket_answered", "Ticket answered"
    TICKET_RESOLVED = "ticket_resolved", "Ticket resolved"
    MASS = "mass", "Mass message"


class Channel(models.TextChoices):
    EMAIL = "email", "E-mail"
    SMS = "sms", "SMS"
    WHATSAPP = "whatsapp", "WhatsApp"


class Purpose(models.TextChoices):
    SERVICE = "service", "About the service"
    MARKETING = "marketing", "Marketing"


class NoticeStatus(models.TextChoices):
    WAITING = "waiting", "Waiting"
    SENDING = "sending", "Being sent"
    SENT = "sent", "Sent"
    UNCERTAIN = "uncertain", "Perhaps sent"
    FAILED = "failed", "Failed"
    SKIPPED = "skipped", "Not sent"


class MassState(models.TextChoices):
    DRAFT = "draft", "Draft"
    COUNTED = "counted", "Counted"
    APPROVED = "approved", "Approved"
    SENDING = "sending", "Being sent"
    SENT = "sent", "Sent"
    CANCELLED = "cancelled", "Called off"


@audit.track()
class NoticeSettings(TenantModel):
    """One provider's quiet hours; a provider that has none set works by the defaults."""

    quiet_from = models.TimeField(
        null=True,
        blank=True,
        default=time(21),
        help_text="At the provider's clock. What is to go out later waits until the quiet hours end.",
    )
    quiet_until = models.TimeField(
        null=True, blank=True, default=time(8), help_text="Both empty: there are no quiet hours."
    )

    class Meta:
        verbose_name_plural = "notice settings"
        constraints = [
            models.UniqueConstraint(fields=["tenant"], name="notice_settings_one_per_tenant"),
            models.CheckConstraint(
                condition=Q(quiet_from=None, quiet_until=None)
                | Q(quiet_from__isnull=False, quiet_until__isnull=False),
                name="notice_settings_quiet_hours_whole",
            ),
        ]

    def __str__(self) -> str:
        return "Notice settings"


@audit.track()
class NoticeTemplate(TenantModel):
    """A provider's own text of a notice, instead of the one that comes with the product; switched off: none is sent."""

    kind = models.CharField("event", max_length=15, choices=NoticeKind)
    language = models.CharField(max_length=2, choices=Language, default=Language.EN)
    channel = models.CharField(max_length=8, choices=Channel, default=Channel.EMAIL)
    subject = models.CharField(max_length=200, blank=True, help_text="Of an e-mail; others have none.")
    body = models.TextField(max_length=4000, help_text="May name placeholders such as {customer}.")
    is_active = models.BooleanField(
        default=True, help_text="Switched off, nobody is told of this event in this way."
    )

    class Meta:
        verbose_name = "notice text"
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "kind", "language", "channel"], name="notice_template_one_per_event"
            ),
            models.CheckConstraint(
                condition=Q(kind__in=NoticeKind.values), name="notice_template_kind_known"
            ),
            models.CheckConstraint(
                condition=Q(channel__in=Channel.values), name="notice_template_channel_known"
            ),
            models.CheckConstraint(
                condition=Q(language__in=Language.values), name="notice_template_language_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}, {self.get_channel_display()}, {self.get_language_display()}"


@audit.track()
class NoticeChannel(TenantModel):
    """An HTTP gateway that takes SMS or WhatsApp messages. E-mail needs none: it goes to the mail server."""

    channel = models.CharField(max_length=8, choices=[each for each in Channel.choices if each[0] != "email"])
    url = models.CharField("address", max_length=300, help_text="Where messages are sent, by HTTPS.")
    secret = SecretField(
        help_text="Signs each message, so that the gateway knows it is yours. Stored encrypted."
    )
    sender = models.CharField(max_length=40, blank=True, help_text="As the receiver sees it.")
    is_enabled = models.BooleanField("enabled", default=True, help_text="Off: nothing goes this way.")

    class Meta:
        verbose_name = "message gateway"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "channel"], name="notice_channel_one_per_channel"),
            models.CheckConstraint(condition=Q(channel__in=["sms", "whatsapp"]), name="notice_channel_known"),
        ]

    def __str__(self) -> str:
        return f"{self.get_channel_display()} gateway"


@audit.track()
class Consent(TenantModel):
    """What a customer said of being written to in one way. Without a row: service yes, marketing as the record says."""

    subscriber = TenantForeignKey(Subscriber, models.CASCADE, related_name="consents")
    channel = models.CharField(max_length=8, choices=Channel)
    purpose = models.CharField(max_length=9, choices=Purpose)
    is_given = models.BooleanField("may be written to")
    said_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "subscriber", "channel", "purpose"], name="consent_one_per_purpose"
            ),
            models.CheckConstraint(condition=Q(channel__in=Channel.values), name="consent_channel_known"),
            models.CheckConstraint(condition=Q(purpose__in=Purpose.values), name="consent_purpose_known"),
        ]
        indexes = [models.Index(fields=["tenant", "-id"], name="consent_newest")]

    def __str__(self) -> str:
        return f"{self.get_purpose_display()} by {self.get_channel_display()}"


@audit.track(ignore=("written",))
class MassMessage(TenantModel):
    """One text to many customers: counted, approved by that count, and sent to no more than its cap.

    draft -> counted -> approved -> sending -> sent; cancelled from any of the first three.
    """

    name = models.CharField(max_length=80, help_text="For staff.")
    channel = models.CharField(max_length=8, choices=Channel, default=Channel.EMAIL)
    purpose = models.CharField(
        max_length=9,
        choices=Purpose,
        default=Purpose.SERVICE,
        help_text="Marketing goes only to those who agreed to it, with a link that stops it.",
    )
    subject = models.CharField(max_length=200, blank=True, help_text="Of an e-mail; others have none.")
    body = models.TextField(max_length=4000, help_text="May name {customer} and {provider}.")
    status = models.CharField(
        "customers who are", max_length=10, choices=SubscriberStatus, blank=True, help_text="Empty: all."
    )
    zone = TenantForeignKey(
        Zone, models.PROTECT, null=True, blank=True, related_name="+", help_text="Only with a service there."
    )
    plan = TenantForeignKey(
        Plan, models.PROTECT, null=True, blank=True, related_name="+", help_text="Only with a service of it."
    )
    cap = models.PositiveIntegerField(
        default=USUAL_CAP,
        validators=[MinValueValidator(1), MaxValueValidator(MOST_RECIPIENTS)],
        help_text="It is not sent to more customers than this.",
    )
    state = models.CharField(max_length=9, choices=MassState, default=MassState.DRAFT)
    counted = models.PositiveIntegerField(null=True)
    counted_at = models.DateTimeField(null=True)
    approved_at = models.DateTimeField(null=True)
    approved_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+", db_index=False)
    written = models.PositiveIntegerField(default=0)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(state__in=MassState.values), name="mass_message_state_known"),
            models.CheckConstraint(
                condition=Q(cap__range=(1, MOST_RECIPIENTS)), name="mass_message_cap_in_range"
            ),
            models.CheckConstraint(
                condition=Q(state__in=["draft", "cancelled"]) | Q(counted__isnull=False),
                name="mass_message_counted_first",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["approved", "sending", "sent"]) | Q(approved_at__isnull=False),
                name="mass_message_approved_first",
            ),
        ]
        indexes = [models.Index(fields=["tenant", "state", "-id"], name="mass_message_by_state")]

    def __str__(self) -> str:
        return self.name


class Notice(TenantModel):
    """One message to one customer. The row comes before the message, so that no event is told twice in one way."""

    subscriber = TenantForeignKey(Subscriber, models.CASCADE, related_name="notices")
    kind = models.CharField("event", max_length=15, choices=NoticeKind)
    source = models.CharField(max_length=80, help_text="What it is about: the record's id.")
    channel = models.CharField(max_length=8, choices=Channel)
    purpose = models.CharField(max_length=9, choices=Purpose, default=Purpose.SERVICE)
    address = models.CharField(max_length=254, blank=True)
    subject = models.CharField(max_length=400, blank=True)
    body = models.TextField(blank=True)
    mass_message = TenantForeignKey(MassMessage, models.CASCADE, null=True, related_name="notices")
    status = models.CharField(max_length=9, choices=NoticeStatus, default=NoticeStatus.WAITING)
    written_at = models.DateTimeField()
    send_after = models.DateTimeField(help_text="Not before: quiet hours, or the next try.")
    attempts = models.PositiveSmallIntegerField(default=0)
    sent_at = models.DateTimeField(null=True)
    detail = models.CharField(max_length=300, blank=True, help_text="Why it was not sent.")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "kind", "source", "channel", "subscriber"], name="notice_once_per_event"
            ),
            models.CheckConstraint(condition=Q(status__in=NoticeStatus.values), name="notice_status_known"),
            models.CheckConstraint(condition=Q(kind__in=NoticeKind.values), name="notice_kind_known"),
            models.CheckConstraint(condition=Q(channel__in=Channel.values), name="notice_channel_is_one"),
            models.CheckConstraint(condition=Q(purpose__in=Purpose.values), name="notice_purpose_known"),
            models.CheckConstraint(
                condition=Q(status="sent", sent_at__isnull=False) | ~Q(status="sent") & Q(sent_at=None),
                name="notice_sent_at_when_sent",
            ),
        ]
        indexes = [
            models.Index(fields=["tenant", "-id"], name="notice_newest"),
            models.Index(fields=["tenant", "subscriber", "-id"], name="notice_by_subscriber"),
            models.Index(fields=["tenant", "status", "-id"], name="notice_by_status"),
            models.Index(fields=["tenant", "kind", "-id"], name="notice_by_kind"),
            models.Index(fields=["tenant", "channel", "-id"], name="notice_by_channel"),
            models.Index(fields=["tenant", "created_at", "-id"], name="notice_by_creation"),
            models.Index(fields=["tenant", "mass_message", "status"], name="notice_by_mass_message"),
            models.Index(
                fields=["tenant", "send_after", "id"], condition=Q(status="waiting"), name="notice_to_send"
            ),
            models.Index(
                fields=["tenant", "send_after", "id"],
                condition=Q(status="waiting", mass_message=None),
                name="notice_to_send_first",
            ),
            models.Index(fields=["tenant", "id"], condition=Q(status="sending"), name="notice_being_sent"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} by {self.get_channel_display()}"
