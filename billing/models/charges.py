"""What is charged besides the plan, what is taken off, and the taxes on it."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q

from billing.models.fields import CurrencyField, MoneyField, day_words
from ispcore import audit
from ispcore.tenants.base import TenantModel
from ispcore.tenants.fields import TenantForeignKey
from subscribers.models import Plan, Subscriber, Subscription, Zone


@audit.track()
class AddOn(TenantModel):
    """Something a line has besides its plan, charged with each of the plan's periods."""

    subscription = TenantForeignKey(
        Subscription, models.PROTECT, related_name="add_ons", verbose_name="service"
    )
    name = models.CharField(max_length=120)
    price = MoneyField(validators=[MinValueValidator(0)], help_text="Per period of the plan, before tax.")
    currency = CurrencyField()
    tax_class = models.CharField(max_length=40, blank=True)
    starts_on = models.DateField()
    ends_on = models.DateField(
        null=True, blank=True, help_text="The first day it is no longer charged; empty: until removed."
    )

    class Meta:
        verbose_name = "add-on"
        constraints = [
            models.CheckConstraint(condition=Q(price__gte=0), name="add_on_price_not_negative"),
            models.CheckConstraint(
                condition=Q(ends_on=None) | Q(ends_on__gt=F("starts_on")), name="add_on_lasts_a_time"
            ),
        ]
        indexes = [models.Index(fields=["tenant", "subscription"], name="add_on_by_service")]

    def __str__(self) -> str:
        return self.name


class ChargeKind(models.TextChoices):
    ONE_OFF = "one_off", "Charge"
    LATE_FEE = "late_fee", "Late fee"


@audit.track()
class OneOffCharge(TenantModel):
    """Something charged once, or equipment paid in instalments, one with each cycle."""

    subscriber = TenantForeignKey(Subscriber, models.PROTECT, related_name="one_off_charges")
    kind = models.CharField(max_length=8, choices=ChargeKind, default=ChargeKind.ONE_OFF, editable=False)
    subscription = TenantForeignKey(
        Subscription, models.PROTECT, null=True, blank=True, related_name="+", verbose_name="service"
    )
    name = models.CharField(max_length=120)
    amount = MoneyField(validators=[MinValueValidator(0)], help_text="In all, before tax.")
    currency = CurrencyField()
    tax_class = models.CharField(max_length=40, blank=True)
    due_on = models.DateField(help_text="Charged with the first run on or after this day.")
    instalments = models.PositiveSmallIntegerField(
        default=1,
        validators=[MinValueValidator(1), MaxValueValidator(60)],
        help_text="Over how many cycles; the first ones carry what does not divide.",
    )
    charged = models.PositiveSmallIntegerField(
        default=0, editable=False, help_text="Instalments that were billed."
    )
    cancelled_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        verbose_name = "charge"
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="one_off_charge_positive"),
            models.CheckConstraint(condition=Q(kind__in=ChargeKind.values), name="one_off_charge_kind_known"),
            models.CheckConstraint(
                condition=Q(instalments__range=(1, 60), charged__lte=F("instalments")),
                name="one_off_charge_instalments_in_range",
            ),
        ]
        indexes = [
            models.Index(fields=["tenant", "subscriber"], name="one_off_charge_by_subscriber"),
            models.Index(fields=["tenant", "subscription"], name="one_off_charge_by_service"),
            models.Index(
                fields=["tenant", "due_on"],
                condition=Q(cancelled_at=None, charged__lt=F("instalments")),
                name="one_off_charge_waiting",
            ),
        ]

    def __str__(self) -> str:
        return self.name


@audit.track()
class OveragePrice(TenantModel):
    """What data above a plan's cap costs. Charged after each calendar month, for each GB of 10⁹ bytes begun."""

    plan = TenantForeignKey(Plan, models.PROTECT, related_name="overage_prices")
    price = MoneyField(validators=[MinValueValidator(0)], help_text="Per GB begun above the cap, before tax.")
    currency = CurrencyField()
    starts_on = models.DateField(help_text="The first day of the first month that is charged.")
    ends_on = models.DateField(
        null=True, blank=True, help_text="The first day of the first month without it."
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "plan", "starts_on"], name="overage_price_one_at_a_time"
            ),
            models.CheckConstraint(condition=Q(price__gt=0), name="overage_price_positive"),
            models.CheckConstraint(
                condition=Q(starts_on__day=1)
                & (Q(ends_on=None) | Q(ends_on__day=1, ends_on__gt=F("starts_on"))),
                name="overage_price_of_whole_months",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.price.normalize():f} {self.currency} per GB"


@audit.track()
class Discount(TenantModel):
    """Taken off the plan's price of one line or of all a customer has, in percent or as an amount a period."""

    subscriber = TenantForeignKey(Subscriber, models.PROTECT, related_name="discounts")
    subscription = TenantForeignKey(
        Subscription,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="discounts",
        verbose_name="service",
        help_text="Empty: of all services of the customer.",
    )
    name = models.CharField(max_length=120, help_text="As the invoice says it.")
    percent = models.DecimalField(
        max_digits=5,
        decimal_places=2,
        null=True,
        blank=True,
        validators=[MinValueValidator(0), MaxValueValidator(100)],
    )
    amount = MoneyField(null=True, blank=True, validators=[MinValueValidator(0)])
    starts_on = models.DateField()
    ends_on = models.DateField(null=True, blank=True, help_text="The first day without it.")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(percent__isnull=False, amount=None, percent__gt=0, percent__lte=100)
                | Q(percent=None, amount__isnull=False, amount__gt=0),
                name="discount_percent_or_amount",
            ),
            # An amount off all services would be taken once for each.
            models.CheckConstraint(
                condition=Q(amount=None) | Q(subscription__isnull=False),
                name="discount_amount_of_one_service",
            ),
            models.CheckConstraint(
                condition=Q(ends_on=None) | Q(ends_on__gt=F("starts_on")), name="discount_lasts_a_time"
            ),
        ]
        indexes = [
            models.Index(fields=["tenant", "subscriber"], name="discount_by_subscriber"),
            models.Index(fields=["tenant", "subscription"], name="discount_by_service"),
        ]

    def __str__(self) -> str:
        return self.name


@audit.track()
class TaxRate(TenantModel):
    """A tax on items of a tax class, everywhere or in one zone. An item may bear several."""

    name = models.CharField(max_length=60, help_text="As the invoice says it, such as VAT 23 %.")
    percent = models.DecimalField(
        max_digits=7, decimal_places=4, validators=[MinValueValidator(0), MaxValueValidator(100)]
    )
    tax_class = models.CharField(max_length=40, blank=True, help_text="Empty: of every class.")
    zone = TenantForeignKey(
        Zone, models.PROTECT, null=True, blank=True, related_name="+", help_text="Empty: everywhere."
    )
    is_inclusive = models.BooleanField(
        "contained in prices", default=False, help_text="Prices are given with this tax in them."
    )
    starts_on = models.DateField()
    ends_on = models.DateField(null=True, blank=True, help_text="The first day without it.")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "name", "starts_on"], name="tax_rate_name_once_at_a_time"
            ),
            models.CheckConstraint(
                condition=Q(percent__gte=0, percent__lte=100), name="tax_rate_percent_in_range"
            ),
            models.CheckConstraint(
                condition=Q(ends_on=None) | Q(ends_on__gt=F("starts_on")), name="tax_rate_lasts_a_time"
            ),
        ]
        indexes = [models.Index(fields=["tenant", "zone"], name="tax_rate_by_zone")]

    def __str__(self) -> str:
        return self.name


@audit.track()
class TaxExemption(TenantModel):
    """A customer who does not pay a tax, or any."""

    subscriber = TenantForeignKey(Subscriber, models.PROTECT, related_name="tax_exemptions")
    rate = TenantForeignKey(
        TaxRate, models.CASCADE, null=True, blank=True, related_name="+", help_text="Empty: every tax."
    )
    reason = models.CharField(max_length=200, help_text="As the invoice must say it.")
    starts_on = models.DateField()
    ends_on = models.DateField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(ends_on=None) | Q(ends_on__gt=F("starts_on")), name="tax_exemption_lasts_a_time"
            ),
        ]
        indexes = [
            models.Index(fields=["tenant", "subscriber"], name="tax_exemption_by_subscriber"),
            models.Index(fields=["tenant", "rate"], name="tax_exemption_by_rate"),
        ]

    def __str__(self) -> str:
        return self.reason


class BillingPosition(TenantModel):
    """How far a line is billed: the first day that no invoice covers."""

    subscription = TenantForeignKey(Subscription, models.PROTECT, related_name="billing_position")
    billed_until = models.DateField(help_text="The first day not billed yet.")
    settled_at = models.DateTimeField(
        help_text="Changes of plan that were applied and holds that ended until then are on an invoice."
    )

    is_closed = models.BooleanField(default=False, help_text="The line ended and its end is on an invoice.")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "subscription"], name="billing_position_one_per_service"
            )
        ]
        indexes = [
            models.Index(
                fields=["tenant", "billed_until"], condition=Q(is_closed=False), name="billing_position_due"
            )
        ]

    def __str__(self) -> str:
        return f"until {day_words(self.billed_until)}"
