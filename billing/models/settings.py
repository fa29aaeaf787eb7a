"""How one provider bills."""

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from ispcore import audit
from ispcore.tenants.base import TenantModel
from subscribers.models import HoldReason


def unbilled_holds() -> list[str]:
    return [HoldReason.VACATION.value]


@audit.track()
class BillingSettings(TenantModel):
    """One provider's rules; a provider that has none yet is billed by the defaults."""

    bills_from = models.DateField(
        help_text="The first day billed here. What customers paid elsewhere for days before is not asked for again."
    )
    runs_nightly = models.BooleanField(default=False, help_text="Plan a run each night by itself.")
    approves_within_bounds = models.BooleanField(
        default=False, help_text="Issue a nightly run by itself when nothing in it is out of bounds."
    )
    bound_percent = models.PositiveSmallIntegerField(
        "out of bounds above, percent",
        default=50,
        validators=[MinValueValidator(1), MaxValueValidator(1000)],
        help_text="A subscriber's amount that changes by more since the last cycle is shown before approval.",
    )
    unbilled_holds = ArrayField(
        models.CharField(max_length=12, choices=HoldReason),
        default=unbilled_holds,
        blank=True,
        help_text="Days on hold for these reasons are given back.",
    )
    invoice_prefix = models.CharField(max_length=8, default="INV")
    credit_note_prefix = models.CharField(max_length=8, default="CRN")

    class Meta:
        verbose_name_plural = "billing settings"
        constraints = [
            models.UniqueConstraint(fields=["tenant"], name="billing_settings_one_per_tenant"),
            models.CheckConstraint(
                condition=Q(bound_percent__gte=1, bound_percent__lte=1000),
                name="billing_settings_bound_in_range",
            ),
            models.CheckConstraint(
                condition=~Q(invoice_prefix="") & ~Q(credit_note_prefix=""),
                name="billing_settings_prefixes_named",
            ),
        ]

    def __str__(self) -> str:
        return "Billing settings"
