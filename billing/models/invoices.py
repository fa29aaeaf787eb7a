"""Invoices and credit notes: drafts until issued, and then as they are."""

from typing import Any
from uuid import UUID

from django.db import models
from django.db.models import F, Q

from billing.models.charges import TaxRate
from billing.models.fields import CurrencyField, MoneyField
from billing.models.runs import BillingRun
from ispcore.tenants.base import TenantManager, TenantModel
from ispcore.tenants.fields import TenantForeignKey, TenantKey, new_id
from ispcore.tenants.models import User
from subscribers.models import Subscriber, Subscription

NO_SOURCE = UUID(int=0)  # A unique key compares it, which it would not do with NULL.


class InvoiceKind(models.TextChoices):
    INVOICE = "invoice", "Invoice"
    CREDIT_NOTE = "credit_note", "Credit note"


class InvoiceStatus(models.TextChoices):
    DRAFT = "draft", "Draft"
    ISSUED = "issued", "Issued"
    PARTLY_PAID = "partly_paid", "Partly paid"
    PAID = "paid", "Paid"
    VOID = "void", "Void"


class LineKind(models.TextChoices):
    PLAN = "plan", "Plan"
    PLAN_CHANGE = "plan_change", "Change of plan"
    HOLD_CREDIT = "hold_credit", "Days on hold"
    END_CREDIT = "end_credit", "Days after the end"
    ADD_ON = "add_on", "Add-on"
    ONE_OFF = "one_off", "Charge"
    DISCOUNT = "discount", "Discount"
    OVERAGE = "overage", "Data above the cap"
    LATE_FEE = "late_fee", "Late fee"
    MANUAL = "manual", "Written by hand"


class Invoice(TenantModel):
    """What a subscriber is asked for, or given back. Amounts are positive on both kinds.

    Once issued, triggers refuse every change but of what follows payments and sending. Overdue is told by the due
    date and what is open, and not stored.
    """

    kind = models.CharField(max_length=11, choices=InvoiceKind, default=InvoiceKind.INVOICE)
    number = models.CharField(max_length=24, blank=True, help_text="Without gaps; drawn when it is issued.")
    status = models.CharField(max_length=11, choices=InvoiceStatus, default=InvoiceStatus.DRAFT)
    subscriber = TenantForeignKey(Subscriber, models.PROTECT, related_name="invoices")
    currency = CurrencyField()
    run = TenantForeignKey(BillingRun, models.PROTECT, null=True, related_name="invoices")
    corrects = TenantForeignKey("self", models.PROTECT, null=True, related_name="credit_notes")
    period_start = models.DateField(null=True, help_text="First day billed, where a period is.")
    period_end = models.DateField(null=True, help_text="First day not billed.")
    net = MoneyField(default=0)
    tax = MoneyField(default=0)
    total = MoneyField(default=0)
    open_amount = MoneyField(
        default=0, help_text="Not yet paid, of an invoice; not yet used, of a credit note."
    )
    issued_on = models.DateField(null=True, help_text="The day at the provider's.")
    due_on = models.DateField(null=True)
    issued_at = models.DateTimeField(null=True)
    paid_at = models.DateTimeField(null=True)
    sent_at = models.DateTimeField(null=True)
    voided_at = models.DateTimeField(null=True)
    reason = models.CharField(max_length=200, blank=True, help_text="Why it was credited or made void.")
    created_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+", db_index=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "number"], condition=~Q(number=""), name="invoice_number_unique_per_tenant"
            ),
            models.UniqueConstraint(
                fields=["tenant", "run", "subscriber", "currency"],
                condition=Q(run__isnull=False),
                name="invoice_one_per_run_and_subscriber",
            ),
            models.CheckConstraint(condition=Q(kind__in=InvoiceKind.values), name="invoice_kind_known"),
            models.CheckConstraint(condition=Q(status__in=InvoiceStatus.values), name="invoice_status_known"),
            models.CheckConstraint(
                condition=Q(status=InvoiceStatus.DRAFT, number="", issued_on=None, issued_at=None)
                | ~Q(status=InvoiceStatus.DRAFT)
                & ~Q(number="")
                & Q(issued_on__isnull=False, issued_at__isnull=False),
                name="invoice_numbered_when_issued",
            ),
            models.CheckConstraint(
                condition=Q(total=F("net") + F("tax"), total__gte=0), name="invoice_total_adds_up"
            ),
            models.CheckConstraint(
                condition=Q(open_amount__gte=0, open_amount__lte=F("total")), name="invoice_open_within_total"
            ),
            models.CheckConstraint(
                condition=Q(status=InvoiceStatus.DRAFT)
                | Q(status=InvoiceStatus.VOID, open_amount=0, voided_at__isnull=False)
                | Q(status=InvoiceStatus.PAID, open_amount=0)
                | Q(status=InvoiceStatus.ISSUED, open_amount=F("total"), open_amount__gt=0)
                | Q(status=InvoiceStatus.PARTLY_PAID, open_amount__gt=0, open_amount__lt=F("total")),
                name="invoice_status_fits_open_amount",
            ),
            models.CheckConstraint(
                condition=Q(kind=InvoiceKind.INVOICE, corrects=None)
                | Q(kind=InvoiceKind.CREDIT_NOTE, corrects__isnull=False),
                name="invoice_credit_note_corrects_one",
            ),
        ]
        indexes = [
            models.Index(fields=["tenant", "subscriber", "-id"], name="invoice_by_subscriber"),
            models.Index(fields=["tenant", "status", "-id"], name="invoice_by_status"),
            models.Index(fields=["tenant", "issued_on", "-id"], name="invoice_by_issue"),
            models.Index(
                fields=["tenant", "due_on"], condition=Q(open_amount__gt=0), name="invoice_open_by_due"
            ),
            models.Index(
                fields=["tenant", "run", "id"], condition=Q(run__isnull=False), name="invoice_by_run"
            ),
            # Whose period ended since the last run, whatever history there is.
            models.Index(
                fields=["tenant", "period_end"], condition=Q(run__isnull=False), name="invoice_by_period_end"
            ),
            models.Index(
                fields=["tenant", "corrects"],
                condition=Q(corrects__isnull=False),
                name="invoice_by_corrected",
            ),
        ]

    def __str__(self) -> str:
        return self.number or "Draft"


class InvoiceLine(TenantModel):
    """One item. What was billed for a line, kind, source and period is billed once: the database refuses a second.

    A prorated item keeps its days, the days of the whole period, the formula in words and what rounding left over.
    """

    invoice = TenantForeignKey(Invoice, models.CASCADE, related_name="lines")
    position = models.PositiveSmallIntegerField()
    kind = models.CharField(max_length=11, choices=LineKind)
    subscription = TenantForeignKey(
        Subscription, models.PROTECT, null=True, related_name="invoice_lines", verbose_name="service"
    )
    source = models.UUIDField(
        default=NO_SOURCE, help_text="The add-on, charge, discount, hold or plan change it comes from."
    )
    description = models.CharField(max_length=240)
    period_start = models.DateField(null=True)
    period_end = models.DateField(null=True, help_text="First day not covered.")
    quantity = models.DecimalField(max_digits=14, decimal_places=4, default=1)
    unit_price = MoneyField()
    net = MoneyField(help_text="Below zero: taken off.")
    tax = MoneyField(default=0)
    tax_class = models.CharField(max_length=40, blank=True)
    days = models.PositiveSmallIntegerField(null=True)
    period_days = models.PositiveSmallIntegerField(null=True)
    formula = models.CharField(max_length=120, blank=True)
    remainder = models.DecimalField(max_digits=18, decimal_places=10, default=0)
    is_void = models.BooleanField(
        default=False, help_text="Its invoice was made void: it may be billed again."
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "invoice", "position"], name="invoice_line_position_once"
            ),
            models.UniqueConstraint(
                fields=["tenant", "subscription", "kind", "source", "period_start"],
                condition=Q(is_void=False, period_start__isnull=False),
                nulls_distinct=False,
                name="invoice_line_billed_once",
            ),
            models.CheckConstraint(condition=Q(kind__in=LineKind.values), name="invoice_line_kind_known"),
            models.CheckConstraint(
                condition=Q(period_start=None, period_end=None) | Q(period_end__gt=F("period_start")),
                name="invoice_line_period_not_empty",
            ),
        ]

    def __str__(self) -> str:
        return self.description


class LineTax(models.Model):
    """One tax on one item."""

    pk = models.CompositePrimaryKey("tenant_id", "id")
    tenant = TenantKey()
    id = models.UUIDField(default=new_id, editable=False)
    line = TenantForeignKey(InvoiceLine, models.CASCADE, related_name="taxes")
    rate = TenantForeignKey(TaxRate, models.PROTECT, related_name="+")
    name = models.CharField(max_length=60)
    percent = models.DecimalField(max_digits=7, decimal_places=4)
    base = MoneyField()
    amount = MoneyField()

    objects: TenantManager[Any] = TenantManager()

    class Meta:
        indexes = [models.Index(fields=["tenant", "line"], name="line_tax_by_line")]

    def __str__(self) -> str:
        return f"{self.name}: {self.amount}"
