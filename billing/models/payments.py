"""Money that came in, what it paid, and what went back."""

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q

from billing.models.fields import CurrencyField, MoneyField
from billing.models.invoices import Invoice
from ispcore.money import round_money
from ispcore.tenants.base import TenantModel
from ispcore.tenants.fields import TenantForeignKey
from ispcore.tenants.models import User
from subscribers.models import Subscriber


class PaymentMethod(models.TextChoices):
    CASH = "cash", "Cash"
    BANK = "bank", "Bank transfer"
    CARD = "card", "Card"
    VOUCHER = "voucher", "Voucher"


# What brings new money in.
MONEY_METHODS = [choice for choice in PaymentMethod.choices if choice[0] != PaymentMethod.VOUCHER]


class PaymentStatus(models.TextChoices):
    RECEIVED = "received", "Received"
    REFUNDED = "refunded", "Refunded"
    BOUNCED = "bounced", "Bounced"


class Payment(TenantModel):
    """Money received from a subscriber. What is not allocated to an invoice is the subscriber's credit."""

    subscriber = TenantForeignKey(Subscriber, models.PROTECT, related_name="payments")
    amount = MoneyField(validators=[MinValueValidator(0)])
    currency = CurrencyField()
    method = models.CharField(max_length=7, choices=PaymentMethod)
    reference = models.CharField(
        max_length=120,
        blank=True,
        help_text="The payer's or the gateway's; a second payment with it is refused.",
    )
    status = models.CharField(max_length=8, choices=PaymentStatus, default=PaymentStatus.RECEIVED)
    received_at = models.DateTimeField()
    allocated = MoneyField(default=0, help_text="Of it, what paid invoices.")
    refunded = MoneyField(default=0, help_text="Of it, what went back; all of it, when it bounced.")
    bounced_at = models.DateTimeField(null=True)
    bounce_reason = models.CharField(max_length=200, blank=True)
    note = models.CharField(max_length=200, blank=True)
    created_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+", db_index=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "reference"],
                condition=~Q(reference=""),
                name="payment_reference_unique_per_tenant",
            ),
            models.CheckConstraint(condition=Q(amount__gt=0), name="payment_amount_positive"),
            models.CheckConstraint(condition=Q(method__in=PaymentMethod.values), name="payment_method_known"),
            models.CheckConstraint(condition=Q(status__in=PaymentStatus.values), name="payment_status_known"),
            models.CheckConstraint(
                condition=Q(allocated__gte=0, refunded__gte=0)
                & Q(amount__gte=F("allocated") + F("refunded")),
                name="payment_spent_once",
            ),
            models.CheckConstraint(
                condition=Q(status=PaymentStatus.RECEIVED, refunded__lt=F("amount"), bounced_at=None)
                | Q(status=PaymentStatus.REFUNDED, refunded=F("amount"), bounced_at=None)
                | Q(status=PaymentStatus.BOUNCED, refunded=F("amount"), bounced_at__isnull=False),
                name="payment_status_fits_refunded",
            ),
        ]
        indexes = [
            models.Index(fields=["tenant", "subscriber", "-id"], name="payment_by_subscriber"),
            models.Index(fields=["tenant", "received_at", "-id"], name="payment_by_time"),
            models.Index(
                fields=["tenant", "reference"], condition=~Q(reference=""), name="payment_by_reference"
            ),
            models.Index(
                fields=["tenant", "subscriber", "id"],
                condition=Q(amount__gt=F("allocated") + F("refunded")),
                name="payment_with_credit",
            ),
        ]

    def __str__(self) -> str:
        return f"{round_money(self.amount, self.currency)} {self.currency}"


class Allocation(TenantModel):
    """What part of a payment, or of a credit note, paid an invoice. Taken back by `released_at`, never deleted."""

    payment = TenantForeignKey(Payment, models.PROTECT, null=True, related_name="allocations")
    credit_note = TenantForeignKey(Invoice, models.PROTECT, null=True, related_name="used_for")
    invoice = TenantForeignKey(Invoice, models.PROTECT, related_name="allocations")
    amount = MoneyField()
    created_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+", db_index=False)
    released_at = models.DateTimeField(null=True)
    released_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+", db_index=False)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="allocation_amount_positive"),
            models.CheckConstraint(
                condition=Q(payment__isnull=False) ^ Q(credit_note__isnull=False),
                name="allocation_of_payment_or_credit_note",
            ),
        ]
        indexes = [
            models.Index(fields=["tenant", "invoice"], name="allocation_by_invoice"),
            models.Index(fields=["tenant", "payment"], name="allocation_by_payment"),
            models.Index(fields=["tenant", "credit_note"], name="allocation_by_credit_note"),
        ]

    def __str__(self) -> str:
        return str(self.amount)


class Refund(TenantModel):
    """Money that went back to the payer."""

    payment = TenantForeignKey(Payment, models.PROTECT, related_name="refunds")
    amount = MoneyField()
    reason = models.CharField(max_length=200)
    reference = models.CharField(max_length=120, blank=True)
    refunded_at = models.DateTimeField()
    created_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+", db_index=False)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="refund_amount_positive"),
            models.UniqueConstraint(
                fields=["tenant", "payment", "reference"],
                condition=~Q(reference=""),
                name="refund_reference_unique_per_payment",
            ),
        ]
        indexes = [models.Index(fields=["tenant", "payment"], name="refund_by_payment")]

    def __str__(self) -> str:
        return str(self.amount)
