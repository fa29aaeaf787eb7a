"""The ledger: the only source of every balance."""

from typing import Any

from django.db import models
from django.db.models import F, Q

from billing.models.fields import CurrencyField, MoneyField
from ispcore.tenants.base import TenantManager, TenantModel
from ispcore.tenants.fields import TenantForeignKey, TenantKey, new_id
from ispcore.tenants.models import User
from subscribers.models import Subscriber


class LedgerAccount(models.TextChoices):
    RECEIVABLE = "receivable", "Receivable"
    REVENUE = "revenue", "Revenue"
    LATE_FEES = "late_fees", "Late fees"
    TAX_PAYABLE = "tax_payable", "Tax payable"
    CASH = "cash", "Cash"
    BANK = "bank", "Bank"
    CARD_CLEARING = "card_clearing", "Cards, clearing"
    VOUCHERS = "vouchers", "Vouchers sold"
    WRITTEN_OFF = "written_off", "Written off"
    OPENING = "opening", "Opening balances"


class TransferKind(models.TextChoices):
    INVOICE = "invoice", "Invoice"
    CREDIT_NOTE = "credit_note", "Credit note"
    VOID = "void", "Void invoice"
    PAYMENT = "payment", "Payment"
    REFUND = "refund", "Refund"
    BOUNCE = "bounce", "Bounced payment"
    WRITE_OFF = "write_off", "Write-off"
    SALE = "sale", "Vouchers sold"
    OPENING = "opening", "Opening balance"


class Transfer(models.Model):
    """An amount moved from one account to another: debit one, credit the other.

    Double entry by shape: a row names both sides, so no row and no entry can fail to balance. An entry of several
    legs is several rows with the same `entry`. Never changed and never deleted (triggers); a mistake is moved back.
    """

    pk = models.CompositePrimaryKey("tenant_id", "id")
    tenant = TenantKey()
    id = models.UUIDField(default=new_id, editable=False)
    entry = models.UUIDField(help_text="What belongs together: one invoice, one payment.")
    kind = models.CharField(max_length=11, choices=TransferKind)
    debit = models.CharField(max_length=13, choices=LedgerAccount)
    credit = models.CharField(max_length=13, choices=LedgerAccount)
    amount = MoneyField()
    currency = CurrencyField()
    subscriber = TenantForeignKey(Subscriber, models.PROTECT, null=True, related_name="+")
    invoice = TenantForeignKey("Invoice", models.PROTECT, null=True, related_name="+")
    payment = TenantForeignKey("Payment", models.PROTECT, null=True, related_name="+")
    booked_on = models.DateField(help_text="The day at the provider's.")
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+", db_index=False)
    memo = models.CharField(max_length=200, blank=True)

    objects: TenantManager[Any] = TenantManager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="transfer_amount_positive"),
            models.CheckConstraint(condition=~Q(debit=F("credit")), name="transfer_between_two_accounts"),
            models.CheckConstraint(
                condition=Q(debit__in=LedgerAccount.values, credit__in=LedgerAccount.values),
                name="transfer_accounts_known",
            ),
            models.CheckConstraint(condition=Q(kind__in=TransferKind.values), name="transfer_kind_known"),
            # What somebody owes is somebody's.
            models.CheckConstraint(
                condition=Q(subscriber__isnull=False)
                | ~Q(debit=LedgerAccount.RECEIVABLE) & ~Q(credit=LedgerAccount.RECEIVABLE),
                name="transfer_receivable_of_a_subscriber",
            ),
        ]
        indexes = [
            models.Index(fields=["tenant", "subscriber", "booked_on", "id"], name="transfer_by_subscriber"),
            models.Index(fields=["tenant", "booked_on", "id"], name="transfer_by_day"),
            models.Index(
                fields=["tenant", "invoice"], condition=Q(invoice__isnull=False), name="transfer_by_invoice"
            ),
            models.Index(
                fields=["tenant", "payment"], condition=Q(payment__isnull=False), name="transfer_by_payment"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.debit} from {self.credit}: {self.amount} {self.currency}"


class SubscriberBalance(TenantModel):
    """What a subscriber owes: the sum of the transfers, kept by a trigger on them. Below zero: credit."""

    subscriber = TenantForeignKey(Subscriber, models.PROTECT, related_name="balances")
    currency = CurrencyField()
    balance = MoneyField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "subscriber", "currency"], name="subscriber_balance_one_per_currency"
            )
        ]
        indexes = [
            models.Index(
                fields=["tenant", "balance"], condition=Q(balance__gt=0), name="subscriber_balance_owed"
            )
        ]

    def __str__(self) -> str:
        return f"{self.balance} {self.currency}"
