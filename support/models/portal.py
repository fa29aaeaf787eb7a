"""Customers who log in: to the portal, and to `me/` of the API."""

from uuid import uuid4

from django.db import models
from django.db.models import Q

from billing.models import Language
from ispcore import audit
from ispcore.tenants.base import TenantModel
from ispcore.tenants.fields import TenantForeignKey
from ispcore.tenants.models import User
from subscribers.models import Subscriber


@audit.track(ignore=("last_login_at", "session_stamp"))
class PortalAccount(TenantModel):
    """The person who sees one customer's own records: nobody before the first link is followed, nor once closed."""

    subscriber = TenantForeignKey(Subscriber, models.CASCADE, related_name="+")
    user = models.ForeignKey(User, models.PROTECT, null=True, related_name="+", db_index=False)
    language = models.CharField(
        max_length=2,
        choices=Language,
        blank=True,
        help_text="Of the portal, and of notices. Empty: the provider's own.",
    )
    closed_at = models.DateTimeField(
        null=True, editable=False, help_text="Since then no link is sent and none lets in."
    )
    session_stamp = models.UUIDField(
        default=uuid4, editable=False, help_text="Another one ends every log-in to the portal."
    )
    last_login_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "subscriber"], name="portal_account_one_per_subscriber"
            ),
            models.UniqueConstraint(fields=["tenant", "user"], name="portal_account_one_per_user"),
            models.CheckConstraint(
                condition=Q(closed_at=None) | Q(user=None), name="portal_account_closed_to_all"
            ),
            models.CheckConstraint(
                condition=Q(language__in=["", *Language.values]), name="portal_account_language_known"
            ),
        ]

    def __str__(self) -> str:
        return f"Portal of {self.subscriber}"


class PortalLink(TenantModel):
    """A link that logs a customer in once. Only its hash is kept."""

    subscriber = TenantForeignKey(Subscriber, models.CASCADE, related_name="+")
    email = models.EmailField(help_text="Where it was sent, in lower case.")
    secret_hash = models.BinaryField(max_length=32)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "secret_hash"], name="portal_link_secret_unique")
        ]
        indexes = [models.Index(fields=["tenant", "subscriber"], name="portal_link_by_subscriber")]

    def __str__(self) -> str:
        return self.email
