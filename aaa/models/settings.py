"""What one provider wants of its access."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from aaa.models.profiles import Policy, ServiceProfile, printable
from aaa.models.words import Barred
from ispcore import audit
from ispcore.tenants.base import TenantModel
from ispcore.tenants.fields import TenantForeignKey


@audit.track()
class RadiusSettings(TenantModel):
    """One row per tenant, made when first needed; without it every bar is a refusal."""

    unpaid = models.CharField(
        max_length=6, choices=Barred, default=Barred.REJECT, help_text="Lines held for non-payment."
    )
    suspended = models.CharField(
        max_length=6, choices=Barred, default=Barred.REJECT, help_text="Lines held for any other reason."
    )
    expired = models.CharField(
        max_length=6, choices=Barred, default=Barred.REJECT, help_text="Accounts past their date."
    )
    garden_policy = TenantForeignKey(
        Policy,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text="Rate, address list and filter of the walled garden.",
    )
    garden_pool = models.CharField(
        max_length=80,
        blank=True,
        help_text="Name of the walled garden's IPv4 pool on the NASes; empty: the account's own address.",
    )
    username_template = models.CharField(
        max_length=120,
        default="{number}",
        help_text="User name of a new service's account: {number} of the service, {subscriber} number.",
    )
    creates_accounts = models.BooleanField(
        "make an account with each service", default=False, help_text="With a random password."
    )
    service_profile = TenantForeignKey(
        ServiceProfile, models.PROTECT, null=True, blank=True, related_name="+", help_text="Of such accounts."
    )
    messages = models.JSONField(
        default=dict,
        blank=True,
        help_text="Reason of a refusal -> what the subscriber is told, in your words.",
    )
    attempt_days = models.PositiveSmallIntegerField(
        "keep log-in attempts, days", default=60, validators=[MinValueValidator(7), MaxValueValidator(730)]
    )
    session_days = models.PositiveSmallIntegerField(
        "keep past sessions, days", default=730, validators=[MinValueValidator(31), MaxValueValidator(3660)]
    )

    class Meta:
        verbose_name = "RADIUS settings"
        verbose_name_plural = "RADIUS settings"
        constraints = [
            models.UniqueConstraint(fields=["tenant"], name="radius_settings_one_per_tenant"),
            models.CheckConstraint(
                condition=~Q(unpaid=Barred.GARDEN) & ~Q(suspended=Barred.GARDEN) & ~Q(expired=Barred.GARDEN)
                | Q(garden_policy__isnull=False),
                name="radius_settings_garden_has_a_policy",
            ),
            printable("radius_settings_printable", "garden_pool"),
        ]

    def __str__(self) -> str:
        return "RADIUS settings"
