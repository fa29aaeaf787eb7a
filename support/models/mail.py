"""Mail that came for the helpdesk."""

from django.db import models
from django.db.models import Q

from ispcore.tenants.base import TenantModel
from ispcore.tenants.fields import TenantForeignKey
from support.models.tickets import Ticket


class MailOutcome(models.TextChoices):
    COMMENTED = "commented", "Added to a ticket"
    OPENED = "opened", "Opened a ticket"
    IGNORED = "ignored", "Left alone"
    REFUSED = "refused", "Refused"


class IncomingMail(TenantModel):
    """One message and what became of it. The row comes before the deed, so that none is taken in twice."""

    message_key = models.CharField(
        "message id", max_length=300, help_text="Its Message-ID, or a digest of it where it has none."
    )
    sender = models.CharField("from", max_length=254, blank=True)
    title = models.CharField("subject", max_length=200, blank=True)
    outcome = models.CharField(max_length=9, choices=MailOutcome)
    detail = models.CharField(max_length=300, blank=True, help_text="Why it is in no ticket.")
    ticket = TenantForeignKey(Ticket, models.PROTECT, null=True, related_name="mails")
    taken_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "incoming mail"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "message_key"], name="incoming_mail_once"),
            models.CheckConstraint(
                condition=Q(outcome__in=MailOutcome.values), name="incoming_mail_outcome_known"
            ),
            models.CheckConstraint(
                condition=Q(outcome__in=["commented", "opened"], ticket__isnull=False)
                | Q(outcome__in=["ignored", "refused"], ticket=None),
                name="incoming_mail_is_in_a_ticket_or_not",
            ),
        ]
        indexes = [
            models.Index(fields=["tenant", "-id"], name="incoming_mail_newest"),
            models.Index(fields=["tenant", "outcome", "-id"], name="incoming_mail_by_outcome"),
            models.Index(fields=["tenant", "ticket"], name="incoming_mail_by_ticket"),
            models.Index(fields=["tenant", "sender", "taken_at"], name="incoming_mail_by_sender"),
        ]

    def __str__(self) -> str:
        return self.title or self.message_key
