"""What is done about what is overdue: reminders, late fees, cutting, and who is spared."""

from decimal import Decimal

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import F, Q

from billing.models.charges import OneOffCharge
from billing.models.fields import CurrencyField, MoneyField, day_words
from billing.models.invoices import Invoice
from ispcore import audit
from ispcore.jobs.models import Job
from ispcore.money import round_money
from ispcore.tenants.base import TenantModel
from ispcore.tenants.fields import TenantForeignKey
from ispcore.tenants.models import User
from subscribers.models import BillingProfile, Subscriber

MOST_STEPS = 12
EARLIEST_STEP, LATEST_STEP = -60, 365
CAP_PERCENT = 3  # "More than 3 % of the lines: stop and ask."


def usual_steps() -> list[int]:
    return [-3, 0, 3, 7]


@audit.track()
class DunningPolicy(TenantModel):
    """What happens to open invoices of a provider, or of the customers with one billing profile.

    Without a policy for a customer nobody is reminded and nobody is cut.
    """

    billing_profile = TenantForeignKey(
        BillingProfile,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="+",
        help_text="Empty: for all customers whose billing profile has no policy of its own.",
    )
    reminder_days = ArrayField(
        models.SmallIntegerField(
            validators=[MinValueValidator(EARLIEST_STEP), MaxValueValidator(LATEST_STEP)]
        ),
        default=usual_steps,
        blank=True,
        size=MOST_STEPS,
        help_text="Days after the due date on which a reminder goes out, such as -3, 0, 3, 7; below zero: before.",
    )
    suspends = models.BooleanField(
        "cuts lines",
        default=True,
        help_text="Hold all services of a customer once the grace days of the billing profile are over.",
    )
    minimum_balance = MoneyField(
        default=Decimal(0),
        validators=[MinValueValidator(0)],
        help_text="Nobody is cut who owes this much or less, in the currency of the invoices.",
    )
    business_days_only = models.BooleanField(
        default=True, help_text="Never cut on a weekend or a public holiday: the next working day instead."
    )
    country = models.CharField(
        max_length=2,
        blank=True,
        validators=[RegexValidator(r"^[A-Z]{2}\Z", "Two capital letters, for example PT.")],
        help_text="Whose public holidays and weekends count, ISO 3166, for example PT. Empty: Saturday and Sunday.",
    )
    subdivision = models.CharField(
        max_length=10, blank=True, help_text="Part of the country with holidays of its own, such as BY of DE."
    )
    late_fee_after_days = models.PositiveSmallIntegerField(
        default=0,
        validators=[MaxValueValidator(LATEST_STEP)],
        help_text="Days after the due date before the late fee is charged.",
    )
    late_fee_amount = MoneyField(
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
        help_text="Once for each invoice, in its currency.",
    )
    late_fee_percent = models.DecimalField(
        max_digits=5,
        decimal_places=2,
        null=True,
        blank=True,
        validators=[MinValueValidator(0), MaxValueValidator(100)],
        help_text="Instead of an amount: of what is open.",
    )
    cap_percent = models.PositiveSmallIntegerField(
        "nightly cap, percent",
        default=CAP_PERCENT,
        validators=[MinValueValidator(1), MaxValueValidator(100)],
        help_text="If a night would cut more of all running services, nobody is cut until a person approves. "
        "That of the policy for all customers counts.",
    )

    class Meta:
        verbose_name_plural = "dunning policies"
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "billing_profile"],
                nulls_distinct=False,
                name="dunning_policy_one_per_profile",
            ),
            models.CheckConstraint(
                condition=Q(minimum_balance__gte=0), name="dunning_policy_minimum_not_negative"
            ),
            models.CheckConstraint(
                condition=Q(late_fee_amount=None) | Q(late_fee_percent=None, late_fee_amount__gt=0),
                name="dunning_policy_one_late_fee",
            ),
            models.CheckConstraint(
                condition=Q(late_fee_percent=None) | Q(late_fee_percent__gt=0, late_fee_percent__lte=100),
                name="dunning_policy_late_fee_in_range",
            ),
            models.CheckConstraint(
                condition=Q(cap_percent__range=(1, 100)), name="dunning_policy_cap_in_range"
            ),
            models.CheckConstraint(
                condition=Q(reminder_days__len__lte=MOST_STEPS), name="dunning_policy_steps_bounded"
            ),
        ]

    def __str__(self) -> str:
        return (
            f"Policy for {self.billing_profile.name}" if self.billing_profile else "Policy for all customers"
        )


class ReminderStatus(models.TextChoices):
    WAITING = "waiting", "Waiting"
    SENDING = "sending", "Being sent"
    SENT = "sent", "Sent"
    UNCERTAIN = "uncertain", "Perhaps sent"
    FAILED = "failed", "Failed"
    SKIPPED = "skipped", "Not needed"


class Reminder(TenantModel):
    """One step of one invoice. The row comes before the e-mail, so that no step is sent twice."""

    invoice = TenantForeignKey(Invoice, models.PROTECT, related_name="reminders")
    step = models.SmallIntegerField(help_text="Days after the due date; below zero: before.")
    due_on = models.DateField(help_text="The day at the provider's on which it was to go out.")
    email = models.CharField(max_length=254, blank=True)
    status = models.CharField(max_length=9, choices=ReminderStatus, default=ReminderStatus.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    sent_at = models.DateTimeField(null=True)
    detail = models.CharField(max_length=200, blank=True, help_text="Why it was not sent.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "invoice", "step"], name="reminder_one_per_step"),
            models.CheckConstraint(
                condition=Q(status__in=ReminderStatus.values), name="reminder_status_known"
            ),
        ]
        indexes = [
            models.Index(fields=["tenant", "-id"], name="reminder_newest"),
            models.Index(fields=["tenant", "due_on", "-id"], name="reminder_by_day"),
            models.Index(
                fields=["tenant", "id"],
                condition=Q(status__in=["waiting", "sending"]),
                name="reminder_to_send",
            ),
        ]

    def __str__(self) -> str:
        return f"Reminder of {self.invoice}"


class LateFee(TenantModel):
    """The late fee of one invoice: charged once, with the next invoice."""

    invoice = TenantForeignKey(Invoice, models.PROTECT, related_name="late_fees")
    charge = TenantForeignKey(OneOffCharge, models.PROTECT, related_name="+")
    charged_on = models.DateField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "invoice"], name="late_fee_one_per_invoice")]
        indexes = [models.Index(fields=["tenant", "charge"], name="late_fee_by_charge")]

    def __str__(self) -> str:
        return f"Late fee of {self.invoice}"


class PromiseStatus(models.TextChoices):
    OPEN = "open", "Open"
    KEPT = "kept", "Kept"
    BROKEN = "broken", "Broken"
    WITHDRAWN = "withdrawn", "Withdrawn"


@audit.track()
class Promise(TenantModel):
    """A customer said they would pay an amount until a day; until then nobody cuts them."""

    subscriber = TenantForeignKey(Subscriber, models.PROTECT, related_name="promises")
    amount = MoneyField(validators=[MinValueValidator(0)])
    currency = CurrencyField()
    until = models.DateField(help_text="The last day to pay.")
    note = models.CharField(max_length=200, blank=True)
    status = models.CharField(max_length=9, choices=PromiseStatus, default=PromiseStatus.OPEN)
    made_at = models.DateTimeField(help_text="What is paid from then on keeps it.")
    settled_at = models.DateTimeField(null=True)
    created_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+", db_index=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "subscriber"], condition=Q(status="open"), name="promise_one_open"
            ),
            models.CheckConstraint(condition=Q(amount__gt=0), name="promise_amount_positive"),
            models.CheckConstraint(condition=Q(status__in=PromiseStatus.values), name="promise_status_known"),
            models.CheckConstraint(
                condition=Q(status="open", settled_at=None) | ~Q(status="open") & Q(settled_at__isnull=False),
                name="promise_settled_when_over",
            ),
        ]
        indexes = [
            models.Index(fields=["tenant", "subscriber", "-id"], name="promise_by_subscriber"),
            models.Index(fields=["tenant", "until"], condition=Q(status="open"), name="promise_open_by_day"),
        ]

    def __str__(self) -> str:
        return f"{round_money(self.amount, self.currency):f} {self.currency} until {day_words(self.until)}"


@audit.track()
class Exemption(TenantModel):
    """A customer who is neither reminded nor cut: a hospital, a dispute, a decision of staff."""

    subscriber = TenantForeignKey(Subscriber, models.PROTECT, related_name="dunning_exemptions")
    reason = models.CharField(max_length=200)
    until = models.DateField(null=True, blank=True, help_text="The last day; empty: until it is ended.")
    ended_at = models.DateTimeField(null=True, editable=False)
    created_by = models.ForeignKey(
        User, models.PROTECT, null=True, editable=False, related_name="+", db_index=False
    )

    class Meta:
        verbose_name = "dunning exemption"
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "subscriber"], condition=Q(ended_at=None), name="exemption_one_running"
            ),
            models.CheckConstraint(condition=~Q(reason=""), name="exemption_reason_given"),
        ]
        indexes = [models.Index(fields=["tenant", "subscriber", "-id"], name="exemption_by_subscriber")]

    def __str__(self) -> str:
        return self.reason


class NightStatus(models.TextChoices):
    RUNNING = "running", "Running"
    WAITING = "waiting", "Waits for approval"
    DONE = "done", "Done"
    REFUSED = "refused", "Called off"


@audit.track(ignore=("suspended_subscribers", "suspended_lines"))
class DunningNight(TenantModel):
    """One night's cutting: how many lines, and who approved when they were more than the cap."""

    on = models.DateField()
    status = models.CharField(max_length=7, choices=NightStatus, default=NightStatus.RUNNING)
    active_lines = models.PositiveIntegerField(help_text="Running services when the night began.")
    cap_lines = models.PositiveIntegerField(help_text="As many are cut without asking.")
    found_subscribers = models.PositiveIntegerField(default=0)
    found_lines = models.PositiveIntegerField(default=0)
    suspended_subscribers = models.PositiveIntegerField(default=0)
    suspended_lines = models.PositiveIntegerField(default=0)
    approved_lines = models.PositiveIntegerField(
        default=0, help_text="As many a person saw and approved; more stop the night again."
    )
    approved_at = models.DateTimeField(null=True)
    approved_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+", db_index=False)
    job = TenantForeignKey(Job, models.PROTECT, null=True, related_name="+")
    finished_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = "dunning night"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "on"], name="dunning_night_once_a_day"),
            models.CheckConstraint(
                condition=Q(status__in=NightStatus.values), name="dunning_night_status_known"
            ),
            models.CheckConstraint(
                condition=Q(suspended_lines__lte=F("cap_lines")) | Q(approved_by__isnull=False),
                name="dunning_night_within_cap_or_approved",
            ),
        ]
        indexes = [models.Index(fields=["tenant", "-on"], name="dunning_night_newest")]

    def __str__(self) -> str:
        return f"Night of {day_words(self.on)}"
