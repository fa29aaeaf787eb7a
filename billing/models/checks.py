"""What recounts of the ledger found."""

from django.db import models
from django.db.models import Q

from ispcore.tenants.base import TenantModel
from ispcore.tenants.fields import TenantForeignKey


class LedgerInvariant(models.TextChoices):
    BALANCE = "balance", "A balance is the sum of its transfers"
    OPEN_AMOUNT = "open_amount", "What is open of an invoice is its total less what is allocated to it"
    ALLOCATED = "allocated", "What a payment has allocated is the sum of its allocations"
    RECEIVABLE = "receivable", "An invoice is booked with its total, and one made void with nothing"
    TOTALS = "totals", "An invoice's sums are those of its items and their taxes"
    NUMBERS = "numbers", "Invoice numbers have no gaps"
    BILLED_ONCE = "billed_once", "A day of a service is billed once"
    POSITION = "position", "A service is billed as far as its invoices go"
    VOUCHERS = "vouchers", "Vouchers are booked with their worth, when sold and when used"
    SHAPE = "shape", "A transfer moves a positive amount between two accounts"


class LedgerCheck(TenantModel):
    """One recount of everything that must add up."""

    checked_at = models.DateTimeField()
    findings_count = models.PositiveIntegerField(default=0)

    class Meta:
        verbose_name = "ledger check"
        indexes = [models.Index(fields=["tenant", "-checked_at", "-id"], name="ledger_check_newest")]

    def __str__(self) -> str:
        return "All adds up" if not self.findings_count else f"{self.findings_count} findings"


class LedgerFinding(TenantModel):
    """A record that does not add up, and by how much."""

    check_run = TenantForeignKey(LedgerCheck, models.CASCADE, related_name="findings")
    invariant = models.CharField(max_length=11, choices=LedgerInvariant)
    record = models.CharField(max_length=120, help_text="Which record.")
    detail = models.CharField(max_length=200, help_text="What differs.")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(invariant__in=LedgerInvariant.values), name="ledger_finding_invariant_known"
            )
        ]
        indexes = [models.Index(fields=["tenant", "check_run"], name="ledger_finding_by_check")]

    def __str__(self) -> str:
        return f"{self.record}: {self.detail}"
