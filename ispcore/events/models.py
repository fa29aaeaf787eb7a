from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Func, Q

from ispcore import audit
from ispcore.crypto import SecretField
from ispcore.outbound import LONGEST_URL
from ispcore.tenants.base import TenantModel
from ispcore.tenants.fields import TenantForeignKey

LONGEST_TYPE = 80
LONGEST_ANSWER = 500


class TransactionNumber(Func):
    """The number of the transaction that writes a row, as `pg_snapshot_xmin` counts them."""

    template = "pg_current_xact_id()::text::bigint"
    output_field = models.BigIntegerField()


class Event(TenantModel):
    """Something that happened, written in the transaction that made it happen."""

    name = models.CharField(max_length=LONGEST_TYPE)
    payload = models.JSONField(default=dict, help_text="Ids only: whoever is told reads the state itself.")
    delivered_at = models.DateTimeField(null=True, help_text="When the relay handed it to its handlers.")
    # The feed's position: a transaction may commit after one that began later, and no time or key shows that.
    xid = models.BigIntegerField(db_default=TransactionNumber(), editable=False)

    class Meta:
        indexes = [
            models.Index(fields=["tenant", "id"], name="event_feed"),
            models.Index(fields=["tenant", "id"], condition=Q(delivered_at=None), name="event_undelivered"),
            models.Index(fields=["tenant", "xid", "id"], name="event_by_transaction"),
        ]

    def __str__(self) -> str:
        return self.name


class DisabledReason(models.TextChoices):
    BY_HAND = "by_hand", "Switched off by hand"
    FAILING = "failing", "Failed for five days"
    GONE = "gone", "The receiver answered 410 Gone"


@audit.track(ignore=("failing_since", "last_delivered_at", "claim_token", "claimed_until", "resting_until"))
class WebhookEndpoint(TenantModel):
    """An address that is told of events.

    One worker at a time sends to it: the one that wrote `claim_token`, until `claimed_until`.
    """

    url = models.CharField(
        "address", max_length=LONGEST_URL, help_text="Where messages are posted: https://…"
    )
    description = models.CharField(max_length=120, blank=True, help_text="For people: 'Accounting'.")
    event_types = ArrayField(
        models.CharField(max_length=LONGEST_TYPE),
        default=list,
        blank=True,
        help_text="Which events it is told of; `billing.*` means all of billing. Empty: all.",
    )
    secret = SecretField(editable=False)
    previous_secret = SecretField(editable=False, blank=True, default="")
    previous_secret_until = models.DateTimeField(
        null=True,
        editable=False,
        help_text="Until then messages are signed with the previous secret as well.",
    )
    is_enabled = models.BooleanField(default=True)
    disabled_at = models.DateTimeField(null=True, editable=False)
    disabled_reason = models.CharField(max_length=10, choices=DisabledReason, blank=True, editable=False)
    failing_since = models.DateTimeField(null=True, editable=False, help_text="Nothing arrived since then.")
    last_delivered_at = models.DateTimeField(null=True, editable=False)
    claim_token = models.UUIDField(null=True, editable=False)
    claimed_until = models.DateTimeField(null=True, editable=False)
    resting_until = models.DateTimeField(null=True, editable=False)

    class Meta:
        verbose_name = "webhook"
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(is_enabled=True, disabled_at=None, disabled_reason="")
                | Q(is_enabled=False, disabled_at__isnull=False) & ~Q(disabled_reason=""),
                name="webhook_says_why_it_is_off",
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["tenant", "-id"], name="webhook_newest_first")]

    def __str__(self) -> str:
        return self.description or self.url


class DeliveryStatus(models.TextChoices):
    WAITING = "waiting", "Waiting"
    DELIVERED = "delivered", "Delivered"
    FAILED = "failed", "Failed"


class WebhookDelivery(TenantModel):
    """One event on its way to one address, or sent there once more; what came of each attempt is its log."""

    endpoint = TenantForeignKey(WebhookEndpoint, related_name="deliveries", verbose_name="webhook")
    event = TenantForeignKey(Event, related_name="deliveries")
    is_replay = models.BooleanField(default=False)
    status = models.CharField(max_length=10, choices=DeliveryStatus, default=DeliveryStatus.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField(null=True)
    delivered_at = models.DateTimeField(null=True)
    response_status = models.PositiveSmallIntegerField(null=True, help_text="HTTP; none: it did not answer.")
    duration_ms = models.PositiveIntegerField(null=True, help_text="Of the last attempt.")
    answer = models.CharField(
        max_length=LONGEST_ANSWER, blank=True, help_text="How the last answer began, or why there was none."
    )
    log = models.JSONField(
        default=list, help_text="For each attempt: at, response_status, duration_ms, answer."
    )

    class Meta:
        verbose_name_plural = "webhook deliveries"
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["tenant", "endpoint", "event"],
                condition=Q(is_replay=False),
                name="webhook_delivery_one_per_event",
            ),
            models.CheckConstraint(
                condition=Q(status=DeliveryStatus.WAITING, next_attempt_at__isnull=False)
                | Q(status__in=(DeliveryStatus.DELIVERED, DeliveryStatus.FAILED), next_attempt_at=None),
                name="webhook_delivery_waits_for_a_time",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["tenant", "endpoint", "-id"], name="webhook_delivery_newest_first"),
            models.Index(fields=["tenant", "event"], name="webhook_delivery_of_event"),
            models.Index(
                fields=["tenant", "endpoint", "event"],
                include=["next_attempt_at"],
                condition=Q(status=DeliveryStatus.WAITING),
                name="webhook_delivery_waiting",
            ),
        ]

    def __str__(self) -> str:
        return str(self.event).replace(".", ": ").replace("_", " ")
