"""Billing runs: planned, compared with the last cycle, approved by their hash, issued in chunks."""

from django.db import models
from django.db.models import Q

from billing.models.fields import CurrencyField, MoneyField, day_words
from ispcore import audit
from ispcore.jobs.models import Job
from ispcore.tenants.base import TenantModel
from ispcore.tenants.fields import TenantForeignKey
from ispcore.tenants.models import User
from subscribers.models import Subscriber


class RunStatus(models.TextChoices):
    PLANNING = "planning", "Being planned"
    PLANNED = "planned", "Waits for approval"
    APPROVED = "approved", "Approved"
    ISSUING = "issuing", "Being issued"
    ISSUED = "issued", "Issued"
    DISCARDED = "discarded", "Discarded"


OPEN_RUN = [RunStatus.PLANNING, RunStatus.PLANNED, RunStatus.APPROVED, RunStatus.ISSUING]


class DifferenceKind(models.TextChoices):
    NEW = "new", "Billed for the first time"
    GONE = "gone", "Billed last time, not now"
    CHANGED = "changed", "Another amount than last time"
    OUT_OF_BOUNDS = "out_of_bounds", "Out of bounds"


class ParkReason(models.TextChoices):
    CURRENCY = "currency", "Plan and billing profile differ in currency"
    NEGATIVE = "negative", "More is taken off than charged"
    PRICE = "price", "A price is finer than its currency"
    BILLED = "billed", "An item was billed before"


@audit.track(ignore=("invoices_issued",))
class BillingRun(TenantModel):
    """One run over all lines that are due on a day. One is open at a time."""

    on = models.DateField(help_text="Lines billed until this day or earlier are due.")
    status = models.CharField(max_length=9, choices=RunStatus, default=RunStatus.PLANNING)
    plan_hash = models.CharField(
        max_length=64, blank=True, help_text="SHA-256 of all planned items; approval names it."
    )
    invoices_planned = models.PositiveIntegerField(default=0)
    invoices_issued = models.PositiveIntegerField(default=0)
    parked = models.PositiveIntegerField(default=0)
    job = TenantForeignKey(Job, models.PROTECT, null=True, related_name="+")
    as_of = models.DateTimeField(
        help_text="What was known then is billed; what changes later is for the next run."
    )
    planned_at = models.DateTimeField(null=True)
    approved_at = models.DateTimeField(null=True)
    approved_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+", db_index=False)
    issued_at = models.DateTimeField(null=True)
    discarded_at = models.DateTimeField(null=True, help_text="When it was given up; its drafts go then.")
    created_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+", db_index=False)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(status__in=RunStatus.values), name="billing_run_status_known"),
            models.UniqueConstraint(
                fields=["tenant"], condition=Q(status__in=OPEN_RUN), name="billing_run_one_open"
            ),
        ]
        indexes = [models.Index(fields=["tenant", "-on", "-id"], name="billing_run_newest")]

    def __str__(self) -> str:
        return f"Run of {day_words(self.on)}"


class RunTotal(TenantModel):
    """What a run asks for in one currency, beside what the cycle before asked for."""

    run = TenantForeignKey(BillingRun, models.CASCADE, related_name="totals")
    currency = CurrencyField()
    invoices = models.PositiveIntegerField()
    net = MoneyField()
    tax = MoneyField()
    total = MoneyField()
    previous_total = MoneyField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "run", "currency"], name="run_total_one_per_currency")
        ]

    def __str__(self) -> str:
        return f"{self.total} {self.currency}"


class RunDifference(TenantModel):
    """A subscriber whose amount is not that of the cycle before."""

    run = TenantForeignKey(BillingRun, models.CASCADE, related_name="differences")
    subscriber = TenantForeignKey(Subscriber, models.CASCADE, related_name="+")
    kind = models.CharField(max_length=13, choices=DifferenceKind)
    currency = CurrencyField()
    previous = MoneyField(default=0)
    now = MoneyField(default=0)
    reason = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "run", "subscriber", "currency"], name="run_difference_once"
            ),
            models.CheckConstraint(
                condition=Q(kind__in=DifferenceKind.values), name="run_difference_kind_known"
            ),
        ]
        indexes = [models.Index(fields=["tenant", "run", "kind", "id"], name="run_difference_by_kind")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.previous} → {self.now}"


class ParkedAccount(TenantModel):
    """A subscriber a run left out because a check failed; the run went on."""

    run = TenantForeignKey(BillingRun, models.CASCADE, related_name="parked_accounts")
    subscriber = TenantForeignKey(Subscriber, models.CASCADE, related_name="+")
    reason = models.CharField(max_length=10, choices=ParkReason)
    detail = models.CharField(max_length=200, blank=True)
    resolved_at = models.DateTimeField(null=True)
    resolved_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+", db_index=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "run", "subscriber"], name="parked_account_once_per_run"
            ),
            models.CheckConstraint(
                condition=Q(reason__in=ParkReason.values), name="parked_account_reason_known"
            ),
        ]
        indexes = [
            models.Index(fields=["tenant", "-id"], condition=Q(resolved_at=None), name="parked_account_open")
        ]

    def __str__(self) -> str:
        return str(self.get_reason_display())
