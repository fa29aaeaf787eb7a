"""Bank statements: what a bank says came in, line by line, and which payment each line became."""

from django.db import models
from django.db.models import Q

from billing.models.fields import CurrencyField, MoneyField, day_words
from billing.models.invoices import Invoice
from billing.models.payments import Payment
from ispcore import audit
from ispcore.files.models import StoredFile
from ispcore.jobs.models import Job
from ispcore.money import round_money
from ispcore.tenants.base import TenantModel
from ispcore.tenants.fields import TenantForeignKey
from ispcore.tenants.models import User
from subscribers.models import Subscriber


class StatementFormat(models.TextChoices):
    CSV = "csv", "CSV"
    CAMT053 = "camt053", "camt.053"


class StatementStatus(models.TextChoices):
    READING = "reading", "Being read"
    MATCHING = "matching", "Being matched"
    DONE = "done", "Done"
    FAILED = "failed", "Refused"


class LineState(models.TextChoices):
    UNMATCHED = "unmatched", "Nobody found"
    SUGGESTED = "suggested", "To be confirmed"
    MATCHED = "matched", "Booked"
    IGNORED = "ignored", "Left out"


class MatchRule(models.TextChoices):
    INVOICE_NUMBER = "invoice_number", "Invoice number"
    PAYMENT_REFERENCE = "payment_reference", "Reference of a payment"
    SUBSCRIBER_NUMBER = "subscriber_number", "Customer number"
    NAME = "name", "Name of the payer"
    BY_HAND = "by_hand", "By hand"


@audit.track()
class BankStatement(TenantModel):
    """One file of a bank. Taken in whole or refused whole; the same content is taken in once."""

    name = models.CharField(max_length=200, help_text="The file's name.")
    file = TenantForeignKey(StoredFile, models.SET_NULL, null=True, related_name="+")
    sha256 = models.CharField(max_length=64, help_text="Hex digest of the content.")
    file_format = models.CharField(max_length=7, choices=StatementFormat, blank=True)
    status = models.CharField(max_length=8, choices=StatementStatus, default=StatementStatus.READING)
    message = models.CharField(max_length=500, blank=True, help_text="Why it was refused.")
    account = models.CharField(max_length=40, blank=True, help_text="IBAN or number of our account.")
    currency = CurrencyField(blank=True)
    from_on = models.DateField(null=True)
    to_on = models.DateField(null=True, help_text="The last day it tells of.")
    opening_balance = MoneyField(null=True)
    closing_balance = MoneyField(null=True)
    lines_known = models.PositiveIntegerField(
        default=0, help_text="Lines that an earlier statement of the account had already."
    )
    job = TenantForeignKey(Job, models.PROTECT, null=True, related_name="+")
    created_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+", db_index=False)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "sha256"],
                condition=~Q(status=StatementStatus.FAILED),
                name="bank_statement_content_once",
            ),
            models.CheckConstraint(
                condition=Q(status__in=StatementStatus.values), name="bank_statement_status_known"
            ),
            models.CheckConstraint(
                condition=Q(file_format="") | Q(file_format__in=StatementFormat.values),
                name="bank_statement_format_known",
            ),
        ]
        indexes = [models.Index(fields=["tenant", "-created_at"], name="bank_statement_newest")]

    def __str__(self) -> str:
        return self.name


@audit.track()
class BankLine(TenantModel):
    """One movement on our account; below zero: money that went out.

    A line that two statements of one account both tell is one line: its content and, of equal ones on a statement,
    its place among them are its key.
    """

    statement = TenantForeignKey(BankStatement, models.PROTECT, related_name="lines")
    account = models.CharField(max_length=40, blank=True)
    line_number = models.PositiveIntegerField()
    booked_on = models.DateField()
    amount = MoneyField()
    currency = CurrencyField()
    payer_name = models.CharField(max_length=200, blank=True)
    payer_account = models.CharField(max_length=40, blank=True)
    text = models.CharField(max_length=500, blank=True, help_text="What the payer wrote.")
    end_to_end_id = models.CharField(max_length=80, blank=True)
    servicer_reference = models.CharField(max_length=80, blank=True, help_text="The bank's own.")
    is_reversal = models.BooleanField(default=False, help_text="Takes back an earlier movement.")
    content_key = models.CharField(max_length=32)
    ordinal = models.PositiveSmallIntegerField(default=0, help_text="Its place among equal lines.")
    state = models.CharField(max_length=9, choices=LineState, default=LineState.UNMATCHED)
    examined_at = models.DateTimeField(null=True, help_text="When payers were looked for.")
    note = models.CharField(max_length=200, blank=True, help_text="Why it waits, or was left out.")
    rule = models.CharField(max_length=17, choices=MatchRule, blank=True, help_text="How it was matched.")
    payment = TenantForeignKey(Payment, models.PROTECT, null=True, related_name="bank_lines")
    pairings = models.PositiveSmallIntegerField(default=0, help_text="How often it was paired and booked.")
    settled_at = models.DateTimeField(null=True)
    settled_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+", db_index=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "account", "content_key", "ordinal"], name="bank_line_once"
            ),
            models.UniqueConstraint(
                fields=["tenant", "payment"],
                condition=Q(payment__isnull=False),
                name="bank_line_one_per_payment",
            ),
            models.CheckConstraint(condition=~Q(amount=0), name="bank_line_moves_money"),
            models.CheckConstraint(condition=Q(state__in=LineState.values), name="bank_line_state_known"),
            models.CheckConstraint(
                condition=Q(rule="") | Q(rule__in=MatchRule.values), name="bank_line_rule_known"
            ),
            models.CheckConstraint(
                condition=Q(state=LineState.MATCHED, payment__isnull=False, amount__gt=0)
                | ~Q(state=LineState.MATCHED) & Q(payment=None),
                name="bank_line_matched_with_payment",
            ),
        ]
        indexes = [
            models.Index(fields=["tenant", "statement", "line_number"], name="bank_line_by_statement"),
            models.Index(fields=["tenant", "statement", "state"], name="bank_line_by_state"),
            models.Index(
                fields=["tenant", "-id"],
                condition=Q(state__in=[LineState.UNMATCHED, LineState.SUGGESTED]),
                name="bank_line_waiting",
            ),
        ]

    def __str__(self) -> str:
        return f"{round_money(self.amount, self.currency)} {self.currency} of {day_words(self.booked_on)}"


class BankSuggestion(TenantModel):
    """Who may have paid a line, and why one thinks so."""

    line = TenantForeignKey(BankLine, models.CASCADE, related_name="suggestions")
    subscriber = TenantForeignKey(Subscriber, models.CASCADE, related_name="+")
    invoice = TenantForeignKey(Invoice, models.CASCADE, null=True, related_name="+")
    payment = TenantForeignKey(
        Payment,
        models.CASCADE,
        null=True,
        related_name="+",
        help_text="One booked before the statement came.",
    )
    rule = models.CharField(max_length=17, choices=MatchRule)
    reason = models.CharField(max_length=200, help_text="In words.")
    is_certain = models.BooleanField(default=False, help_text="Booked without asking.")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "line", "subscriber"], name="bank_suggestion_subscriber_once"
            ),
            models.CheckConstraint(condition=Q(rule__in=MatchRule.values), name="bank_suggestion_rule_known"),
        ]
        indexes = [
            models.Index(fields=["tenant", "subscriber"], name="bank_suggestion_by_subscriber"),
            models.Index(fields=["tenant", "invoice"], name="bank_suggestion_by_invoice"),
            models.Index(fields=["tenant", "payment"], name="bank_suggestion_by_payment"),
        ]

    def __str__(self) -> str:
        return self.reason
