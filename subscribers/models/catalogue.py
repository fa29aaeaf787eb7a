"""What is sold, where, and on which terms."""

from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import F, Q

from ispcore import audit
from ispcore.tenants.base import TenantModel
from ispcore.tenants.fields import TenantForeignKey

MAX_KBPS = 1_000_000_000  # 1 Tbit/s: above any access line, below the column's end.
CURRENCY = RegexValidator(r"^[A-Z]{3}\Z", "Three capital letters of ISO 4217, for example EUR.")


class Period(models.TextChoices):
    MONTH = "month", "Month"
    QUARTER = "quarter", "Quarter"
    YEAR = "year", "Year"


class Cycle(models.TextChoices):
    DAY_OF_MONTH = "day_of_month", "A day of the month"
    ANNIVERSARY = "anniversary", "The day the service began"


class PaymentKind(models.TextChoices):
    PREPAID = "prepaid", "Prepaid"
    POSTPAID = "postpaid", "Postpaid"


@audit.track()
class Zone(TenantModel):
    """A part of the area served, perhaps within another."""

    name = models.CharField(max_length=80)
    parent = TenantForeignKey("self", models.PROTECT, null=True, blank=True, related_name="children")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "name"], name="zone_name_unique_per_tenant"),
            models.CheckConstraint(condition=~Q(parent=F("id")), name="zone_not_its_own_parent"),
        ]
        indexes = [models.Index(fields=["tenant", "parent"], name="zone_by_parent")]

    def __str__(self) -> str:
        return self.name


@audit.track()
class Plan(TenantModel):
    """An internet plan: speeds, data cap and price."""

    code = models.CharField(max_length=40, help_text="Short and stable, for integrators: FIBRE-100.")
    name = models.CharField(max_length=120)
    down_kbps = models.PositiveIntegerField(
        "download, kbit/s", validators=[MinValueValidator(1), MaxValueValidator(MAX_KBPS)]
    )
    up_kbps = models.PositiveIntegerField(
        "upload, kbit/s", validators=[MinValueValidator(1), MaxValueValidator(MAX_KBPS)]
    )
    burst_down_kbps = models.PositiveIntegerField(
        "download burst, kbit/s", null=True, blank=True, validators=[MaxValueValidator(MAX_KBPS)]
    )
    burst_up_kbps = models.PositiveIntegerField(
        "upload burst, kbit/s", null=True, blank=True, validators=[MaxValueValidator(MAX_KBPS)]
    )
    cap_bytes = models.BigIntegerField(
        "data cap, bytes",
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="Empty: unlimited.",
    )
    price = models.DecimalField(
        max_digits=12,
        decimal_places=2,
        validators=[MinValueValidator(0)],
        help_text="Per period, before tax.",
    )
    currency = models.CharField(max_length=3, validators=[CURRENCY], help_text="ISO 4217, for example EUR.")
    period = models.CharField(max_length=10, choices=Period, default=Period.MONTH)
    tax_class = models.CharField(max_length=40, blank=True)
    pool_hint = models.CharField(max_length=80, blank=True, help_text="Address pool its lines prefer.")
    sold_from = models.DateField(null=True, blank=True)
    sold_until = models.DateField(null=True, blank=True, help_text="The first day it is no longer sold.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "code"], name="plan_code_unique_per_tenant"),
            models.CheckConstraint(
                condition=Q(down_kbps__gt=0, up_kbps__gt=0), name="plan_speeds_are_positive"
            ),
            models.CheckConstraint(condition=Q(price__gte=0), name="plan_price_not_negative"),
            models.CheckConstraint(condition=Q(period__in=Period.values), name="plan_period_known"),
            models.CheckConstraint(
                condition=Q(sold_from=None) | Q(sold_until=None) | Q(sold_until__gt=F("sold_from")),
                name="plan_sold_for_a_time",
            ),
        ]

    def __str__(self) -> str:
        return self.name


@audit.track()
class PlanZone(TenantModel):
    """A zone in which a plan is sold; a plan without any is sold everywhere."""

    plan = TenantForeignKey(Plan, models.CASCADE, related_name="sold_in")
    zone = TenantForeignKey(Zone, models.PROTECT, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "plan", "zone"], name="plan_zone_once")]
        indexes = [models.Index(fields=["tenant", "zone"], name="plan_zone_by_zone")]

    def __str__(self) -> str:
        return f"{self.plan} in {self.zone}"


@audit.track()
class BillingProfile(TenantModel):
    """When and how a customer is billed."""

    name = models.CharField(max_length=80)
    payment_kind = models.CharField(max_length=10, choices=PaymentKind, default=PaymentKind.POSTPAID)
    cycle = models.CharField(max_length=12, choices=Cycle, default=Cycle.DAY_OF_MONTH)
    cycle_day = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(31)],
        help_text="Day of the month, 1 to 31; a shorter month uses its last day.",
    )
    due_days = models.PositiveSmallIntegerField(
        default=14, validators=[MaxValueValidator(365)], help_text="Days from the invoice to its due date."
    )
    grace_days = models.PositiveSmallIntegerField(
        default=0,
        validators=[MaxValueValidator(365)],
        help_text="Days after the due date before a line is barred.",
    )
    currency = models.CharField(max_length=3, validators=[CURRENCY], help_text="ISO 4217, for example EUR.")
    tax_class = models.CharField(max_length=40, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "name"], name="billing_profile_name_unique_per_tenant"),
            models.CheckConstraint(
                condition=Q(cycle=Cycle.ANNIVERSARY, cycle_day=None)
                | Q(cycle=Cycle.DAY_OF_MONTH, cycle_day__isnull=False, cycle_day__range=(1, 31)),
                name="billing_profile_day_fits_cycle",
            ),
        ]

    def __str__(self) -> str:
        return self.name
