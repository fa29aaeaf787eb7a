"""Dunning policies, and the reminders sent by them."""

from decimal import Decimal
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from billing.admin.terms import percent
from billing.admin.words import customer_link, step_words
from billing.models import DunningNight, DunningPolicy, Exemption, Promise, Reminder, ReminderStatus
from billing.services.dunning import policies
from ispcore.admin import navigation
from ispcore.admin.base import ReadOnlyAdmin, TenantForm, TenantModelAdmin
from ispcore.admin.fields import TextInput
from ispcore.admin.formats import DASH, choice_column, day, facts, pill, time_column
from ispcore.admin.site import register
from subscribers.admin.saving import answers

REMINDER_TONES = {
    ReminderStatus.WAITING: "info",
    ReminderStatus.SENDING: "info",
    ReminderStatus.SENT: "good",
    ReminderStatus.UNCERTAIN: "warning",
    ReminderStatus.FAILED: "danger",
    ReminderStatus.SKIPPED: "plain",
}


class PolicyForm(TenantForm):
    refused_fields: ClassVar = {"billing_profile_id": "billing_profile"}

    class Meta:
        model = DunningPolicy
        fields: tuple[str, ...] = ()
        widgets: ClassVar = {"reminder_days": TextInput}
        labels: ClassVar = {
            "billing_profile": "For customers with",
            "reminder_days": "Reminders, days after the due date",
            "minimum_balance": "Never cut who owes at most",
            "late_fee_after_days": "Charged after, days overdue",
            "late_fee_amount": "Late fee, amount",
            "late_fee_percent": "Late fee, percent",
            "suspends": "Hold services that are overdue",
            "business_days_only": "On working days only",
        }
        help_texts: ClassVar = {
            "reminder_days": "With commas between, such as -3, 0, 3, 7. Below zero: before the due date. Each step of "
            "an invoice is sent once, at nine in the morning of its day.",
            "suspends": "At two in the morning, once the grace days of the billing profile are over.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("minimum_balance", "late_fee_amount"):
            # No currency of their own: cents, and more digits only where there are some.
            if (kept := getattr(self.instance, name, None)) is not None:
                self.initial[name] = f"{kept:.4f}".removesuffix("00")


@register(DunningPolicy)
class DunningPolicyAdmin(TenantModelAdmin):
    """What happens to open invoices."""

    form = PolicyForm
    list_display = ("whom", "reminders", "cuts", "fee", "calendar_shown")
    list_select_related = ("billing_profile",)
    autocomplete_fields = ("billing_profile",)
    sortable_by = ()
    fieldsets = (
        ("Whom", {"fields": ("billing_profile",)}),
        ("Reminders by e-mail", {"fields": ("reminder_days",)}),
        (
            "Cutting",
            {
                "fields": (
                    "suspends",
                    "minimum_balance",
                    "business_days_only",
                    "country",
                    "subdivision",
                    "cap_percent",
                )
            },
        ),
        (
            "Late fee",
            {
                "fields": ("late_fee_amount", "late_fee_percent", "late_fee_after_days"),
                "description": "An amount or a percentage, or neither. It is charged with the next invoice.",
            },
        ),
    )
    empty_title = "Nobody is reminded or cut yet"
    empty_help = (
        "A policy says on which days customers are reminded of open invoices, when their services are cut, and whom "
        "to spare. Make one for all customers, and others for billing profiles that are treated differently."
    )
    docs_path = "/docs"

    def get_queryset(self, request: HttpRequest) -> QuerySet[DunningPolicy]:
        return super().get_queryset(request).select_related("billing_profile")

    def save_model(self, request: HttpRequest, obj: DunningPolicy, form: Any, change: bool) -> None:
        policies.save_policy(policy=obj, **answers(form))

    def delete_model(self, request: HttpRequest, obj: DunningPolicy) -> None:
        policies.remove_policy(policy_id=obj.pk)

    @admin.display(description="For")
    def whom(self, obj: DunningPolicy) -> str:
        return obj.billing_profile.name if obj.billing_profile else "All customers"

    @admin.display(description="Reminders")
    def reminders(self, obj: DunningPolicy) -> str:
        return ", ".join(step_words(step) for step in obj.reminder_days) or "none"

    @admin.display(description="Cuts")
    def cuts(self, obj: DunningPolicy) -> str:
        if not obj.suspends:
            return "never"
        return f"who owes more than {_plain(obj.minimum_balance)}" if obj.minimum_balance else "whoever owes"

    @admin.display(description="Late fee")
    def fee(self, obj: DunningPolicy) -> str:
        if obj.late_fee_amount:
            return _plain(obj.late_fee_amount)
        return percent(obj.late_fee_percent) if obj.late_fee_percent else DASH

    @admin.display(description="Calendar")
    def calendar_shown(self, obj: DunningPolicy) -> str:
        if not obj.business_days_only:
            return "any day"
        return " ".join(part for part in (obj.country, obj.subdivision) if part) or "Monday to Friday"


@register(Reminder)
class ReminderAdmin(ReadOnlyAdmin):
    """What was written about which invoice."""

    list_display = (
        "invoice_number",
        "customer_of",
        "step_shown",
        choice_column("status", "State", REMINDER_TONES),
        "sent_to",
        time_column("sent_at", "Sent", empty="not sent"),
        "why",
    )
    list_filter = ("status", "due_on")
    list_select_related = ("invoice__subscriber",)
    ordering = ("-id",)
    sortable_by = ()
    fieldsets = ((None, {"fields": ("facts_shown",)}),)
    readonly_fields = ("facts_shown",)
    empty_title = "No reminder was sent yet"
    empty_help = (
        "Reminders go out by e-mail at nine in the morning, on the days the dunning policy says. Each stands here with "
        "what became of it; none is sent twice."
    )
    docs_path = "/docs"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Reminder]:
        return super().get_queryset(request).select_related("invoice__subscriber")

    @admin.display(description="Invoice")
    def invoice_number(self, obj: Reminder) -> str:
        return str(obj.invoice.number)

    @admin.display(description="Customer")
    def customer_of(self, obj: Reminder) -> str:
        return customer_link(obj.invoice.subscriber)

    @admin.display(description="To")
    def sent_to(self, obj: Reminder) -> str:
        return obj.email or DASH

    @admin.display(description="Why")
    def why(self, obj: Reminder) -> str:
        return obj.detail or DASH

    @admin.display(description="Step")
    def step_shown(self, obj: Reminder) -> str:
        return step_words(obj.step)

    @admin.display(description="Reminder")
    def facts_shown(self, obj: Reminder) -> str:
        return facts(
            [
                ("Invoice", obj.invoice.number),
                ("Customer", customer_link(obj.invoice.subscriber)),
                ("Step", step_words(obj.step)),
                ("Day", day(obj.due_on)),
                ("State", pill(obj.get_status_display(), REMINDER_TONES[ReminderStatus(obj.status)])),
                ("To", obj.email),
                ("Tries", obj.attempts),
                ("Why", obj.detail),
            ]
        )


def _plain(amount: Decimal) -> str:
    """Write an amount that holds in whatever currency somebody owes."""
    return f"{amount.normalize():f}"


TONIGHT = "admin:billing_dunning_tonight"
navigation.add_list("Billing", 41, "Dunning policies", DunningPolicy, icon="gavel", under=TONIGHT)
navigation.add_list("Billing", 42, "Nights", DunningNight, icon="bedtime", under=TONIGHT)
navigation.add_list("Billing", 43, "Promises", Promise, icon="handshake", under=TONIGHT)
navigation.add_list("Billing", 44, "Exemptions", Exemption, icon="shield_person", under=TONIGHT)
navigation.add_list("Billing", 45, "Reminders", Reminder, icon="mail", under=TONIGHT)
