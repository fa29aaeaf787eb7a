from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from ispcore.admin import links, navigation
from ispcore.admin.base import TenantForm, TenantModelAdmin
from ispcore.admin.formats import choice_column
from ispcore.admin.site import register
from subscribers import selectors
from subscribers.admin.saving import answers, saved
from subscribers.models import BillingProfile, Cycle
from subscribers.services import catalogue


class BillingProfileForm(TenantForm):
    def clean_currency(self) -> str:
        return str(self.cleaned_data["currency"]).upper()

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean() or self.cleaned_data
        day, cycle = cleaned.get("cycle_day"), cleaned.get("cycle")
        if cycle == Cycle.DAY_OF_MONTH and day is None and "cycle_day" not in self.errors:
            self.add_error("cycle_day", "Say on which day of the month.")
        if cycle == Cycle.ANNIVERSARY and day is not None:
            self.add_error("cycle_day", "Leave this empty: the day the service began counts.")
        return cleaned


@register(BillingProfile)
class BillingProfileAdmin(TenantModelAdmin):
    """When and how customers are billed."""

    form = BillingProfileForm
    list_display = (
        "name",
        choice_column("payment_kind", "Paid", {}),
        "billed_on",
        "due",
        "grace",
        "currency",
        "subscribers",
    )
    list_filter = ("payment_kind", "cycle")
    search_fields = ("name",)
    ordering = ("name",)
    fieldsets = (
        (None, {"fields": ("name", "payment_kind", "currency", "tax_class")}),
        ("When", {"fields": ("cycle", "cycle_day", "due_days", "grace_days")}),
    )
    empty_title = "No billing profile yet"
    empty_help = (
        "A billing profile says when customers are billed, how long they have to pay, and how long after that "
        "their line still runs. Many customers share one."
    )
    docs_path = "/docs"

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return selectors.with_subscriber_counts(super().get_queryset(request))

    def save_model(self, request: HttpRequest, obj: BillingProfile, form: Any, change: bool) -> None:
        if change:
            fields = answers(form, changed=True)
            saved(obj, catalogue.change_billing_profile(billing_profile_id=obj.pk, **fields))
        else:
            saved(obj, catalogue.create_billing_profile(**answers(form)))

    def delete_model(self, request: HttpRequest, obj: BillingProfile) -> None:
        catalogue.remove_billing_profile(billing_profile_id=obj.pk)

    @admin.display(description="Billed on", ordering="cycle_day")
    def billed_on(self, obj: BillingProfile) -> str:
        return obj.get_cycle_display() if obj.cycle_day is None else f"Day {obj.cycle_day} of the month"

    @admin.display(description="Due after", ordering="due_days")
    def due(self, obj: BillingProfile) -> str:
        return _days(obj.due_days)

    @admin.display(description="Grace", ordering="grace_days")
    def grace(self, obj: BillingProfile) -> str:
        return _days(obj.grace_days)

    @admin.display(description="Subscribers")
    def subscribers(self, obj: Any) -> int:
        count: int = obj.subscriber_count
        return count


def _days(count: int) -> str:
    return "none" if not count else "1 day" if count == 1 else f"{count} days"


links.add("billing_profile", "admin:subscribers_billingprofile_change")
navigation.add_list("Customers", 60, "Billing profiles", BillingProfile, icon="receipt_long")
