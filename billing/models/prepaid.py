"""Credit bought before it is used: vouchers, and how far a prepaid line is paid."""

from datetime import timedelta

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q

from billing.models.fields import CurrencyField, MoneyField, day_words
from billing.models.payments import Payment
from ispcore import audit
from ispcore.files.models import StoredFile
from ispcore.tenants.base import TenantModel
from ispcore.tenants.fields import TenantForeignKey
from ispcore.tenants.models import User
from ispcore.vouchers.codes import MOST_VOUCHERS
from subscribers.models import Subscriber, Subscription


class CreditVoucherState(models.TextChoices):
    UNUSED = "unused", "Unused"
    USED = "used", "Used"
    REVOKED = "revoked", "Revoked"


@audit.track(ignore=("sheet",))
class CreditVoucherBatch(TenantModel):
    """Vouchers of one worth that were made together. Their codes are on the print sheet and nowhere else."""

    name = models.CharField(max_length=80)
    quantity = models.PositiveIntegerField(
        validators=[MinValueValidator(1), MaxValueValidator(MOST_VOUCHERS)]
    )
    prefix = models.CharField("codes begin with", max_length=8, blank=True)
    amount = MoneyField(help_text="What each voucher is worth.")
    currency = CurrencyField()
    use_before = models.DateTimeField(
        null=True, blank=True, help_text="From then on they are worth nothing; empty: whenever."
    )
    sold_at = models.DateTimeField(null=True, editable=False, help_text="When its worth was booked as sold.")
    sold_quantity = models.PositiveIntegerField(
        null=True, editable=False, help_text="How many were worth something when they were sold."
    )
    sheet = TenantForeignKey(StoredFile, models.SET_NULL, null=True, editable=False, related_name="+")
    created_by = models.ForeignKey(
        User, models.PROTECT, null=True, editable=False, related_name="+", db_index=False
    )

    class Meta:
        verbose_name_plural = "credit voucher batches"
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "name"], name="credit_voucher_batch_name_unique_per_tenant"
            ),
            models.CheckConstraint(condition=Q(amount__gt=0), name="credit_voucher_batch_amount_positive"),
            models.CheckConstraint(
                condition=Q(quantity__range=(1, MOST_VOUCHERS)),
                name="credit_voucher_batch_quantity_in_range",
            ),
            models.CheckConstraint(
                condition=Q(sold_at=None, sold_quantity=None)
                | Q(sold_at__isnull=False, sold_quantity__gt=0, sold_quantity__lte=F("quantity")),
                name="credit_voucher_batch_sold_is_counted",
            ),
        ]
        indexes = [
            models.Index(fields=["tenant", "-id"], name="credit_voucher_batch_newest"),
            models.Index(fields=["tenant", "sheet"], name="credit_voucher_batch_by_sheet"),
        ]

    def __str__(self) -> str:
        return self.name


class CreditVoucher(TenantModel):
    """A code that becomes a payment once."""

    batch = TenantForeignKey(CreditVoucherBatch, models.CASCADE, related_name="vouchers")
    code_hash = models.BinaryField(max_length=32)
    shown = models.CharField(max_length=12, help_text="How its code begins; the rest is kept as a hash.")
    state = models.CharField(max_length=7, choices=CreditVoucherState, default=CreditVoucherState.UNUSED)
    used_at = models.DateTimeField(null=True)
    subscriber = TenantForeignKey(Subscriber, models.PROTECT, null=True, related_name="+")
    payment = TenantForeignKey(Payment, models.PROTECT, null=True, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "code_hash"], name="credit_voucher_code_unique_per_tenant"
            ),
            models.CheckConstraint(
                condition=Q(state__in=CreditVoucherState.values), name="credit_voucher_state_known"
            ),
            models.CheckConstraint(
                condition=Q(state="used", used_at__isnull=False, payment__isnull=False)
                | ~Q(state="used") & Q(used_at=None, payment=None),
                name="credit_voucher_used_is_a_payment",
            ),
        ]
        indexes = [
            models.Index(fields=["tenant", "batch", "state"], name="credit_voucher_by_batch"),
            models.Index(fields=["tenant", "subscriber"], name="credit_voucher_by_subscriber"),
            models.Index(fields=["tenant", "payment"], name="credit_voucher_by_payment"),
        ]

    def __str__(self) -> str:
        return f"{self.shown}…"


class PrepaidLine(TenantModel):
    """How far a prepaid line is paid, and whether it waits for credit."""

    subscription = TenantForeignKey(
        Subscription, models.PROTECT, related_name="prepaid", verbose_name="service"
    )
    anchor_on = models.DateField(
        help_text="Where the unbroken row of periods began; its day of the month counts for all of them."
    )
    paid_until = models.DateField(help_text="The first day that is not paid.")
    waits_since = models.DateTimeField(null=True, help_text="Since when it is held for want of credit.")
    missing = MoneyField(null=True, help_text="What the next period costs beyond the credit, when it waits.")
    currency = CurrencyField(blank=True)

    class Meta:
        verbose_name = "prepaid service"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "subscription"], name="prepaid_line_one_per_service"),
        ]
        indexes = [
            models.Index(fields=["tenant", "paid_until"], name="prepaid_line_by_end"),
        ]

    def __str__(self) -> str:
        return f"paid until {day_words(self.paid_until - timedelta(days=1))}"
