"""How one provider bills: one record with a form."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest

from billing.admin.terms import AmountForm, today
from billing.models import BillingSettings
from billing.services.charges import settings
from ispcore.admin import navigation
from ispcore.admin.base import TenantModelAdmin
from ispcore.admin.fields import CheckBoxes
from ispcore.admin.formats import day
from ispcore.admin.site import register
from subscribers.admin.saving import answers, saved
from subscribers.models import HoldReason


class SettingsForm(AmountForm):
    unbilled_holds = forms.MultipleChoiceField(
        choices=HoldReason.choices,
        required=False,
        widget=CheckBoxes,
        label="Holds that are not billed",
        help_text="Days on hold for these reasons cost nothing; those billed already are given back.",
    )

    class Meta:
        model = BillingSettings
        fields: tuple[str, ...] = ()
        help_texts = {
            "bills_from": "The first day billed here; it stays once invoices were issued.",
            "runs_nightly": "Else somebody begins each run.",
            "approves_within_bounds": "Else somebody looks at each nightly run and approves it.",
            "invoice_prefix": "INV makes INV-2026-000001. Capital letters and digits.",
            "credit_note_prefix": "CRN makes CRN-2026-000001. Capital letters and digits.",
        }


@register(BillingSettings)
class BillingSettingsAdmin(TenantModelAdmin):
    """One record: made with the defaults, and changed."""

    form = SettingsForm
    list_display = ("title", "begins", "runs_nightly", "approves_within_bounds", "bound")
    list_display_links = ("title",)
    sortable_by = ()
    fieldsets = (
        ("What is billed", {"fields": ("bills_from", "unbilled_holds")}),
        ("Runs", {"fields": ("runs_nightly", "approves_within_bounds", "bound_percent")}),
        ("Numbers", {"fields": ("invoice_prefix", "credit_note_prefix")}),
    )
    empty_title = "Nothing is set yet"
    empty_help = (
        "Say from which day on services are billed here, whether runs begin by themselves, and how invoices are "
        "numbered. Until then the defaults hold."
    )
    docs_path = "/docs"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return super().has_add_permission(request) and not BillingSettings.objects.exists()

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: BillingSettings, form: Any, change: bool) -> None:
        saved(obj, settings.change_settings(on=today(), **answers(form, changed=change)))

    @admin.display(description="Settings")
    def title(self, obj: BillingSettings) -> str:
        return f"{obj.invoice_prefix} and {obj.credit_note_prefix}"

    @admin.display(description="Billed from")
    def begins(self, obj: BillingSettings) -> str:
        return day(obj.bills_from)

    @admin.display(description="Out of bounds above")
    def bound(self, obj: BillingSettings) -> str:
        return f"{obj.bound_percent} %"


navigation.add_list("Billing", 92, "Billing settings", BillingSettings, icon="settings")
