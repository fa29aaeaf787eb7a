"""Customers who log in: to the portal, and to `me/` of the API."""

from uuid import uuid4

from django.db import models

from ispcore import audit
from ispcore.tenants.base import TenantModel
from ispcore.tenants.fields import TenantForeignKey
from ispcore.tenants.models import User
from subscribers.models import Subscriber


@audit.track(ignore=("last_login_at", "session_stamp"))
class PortalAccount(TenantModel):
    """The person who sees one customer's own records. Opened by the first link that is followed."""

    subscriber = TenantForeignKey(Subscriber, models.CASCADE, related_name="+")
    user = models.ForeignKey(User, models.PROTECT, related_name="+", db_index=False)
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
        ]

    def __str__(self) -> str:
        return str(self.user)


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
