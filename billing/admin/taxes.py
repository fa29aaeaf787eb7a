"""Taxes and who is exempt."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from billing.admin.terms import AmountForm, ends, percent, starts, state, today
from billing.admin.words import customer
from billing.models import TaxExemption, TaxRate
from billing.services.charges import taxes
from ispcore.admin import navigation
from ispcore.admin.actions import ActionForm, action
from ispcore.admin.base import TenantModelAdmin
from ispcore.admin.fields import DateInput, NumberInput
from ispcore.admin.formats import day
from ispcore.admin.site import register
from subscribers.admin.saving import answers, saved


class ReplaceForm(ActionForm):
    percent = forms.DecimalField(
        min_value=0,
        max_value=100,
        max_digits=7,
        decimal_places=4,
        label="New percentage",
        widget=NumberInput,
    )
    starts_on = forms.DateField(
        label="From", widget=DateInput, help_text="The first day of the new rate; tomorrow or later."
    )


class TaxRateForm(AmountForm):
    refused_fields = {"zone_id": "zone"}

    class Meta:
        model = TaxRate
        fields: tuple[str, ...] = ()
        help_texts = {
            "tax_class": "The class of a plan, an add-on or a charge, or of the customer's billing profile.",
            "zone": "There and in the zones within. Empty: everywhere.",
            "is_inclusive": "Ticked: prices contain this tax, and it is taken out of them. Else it is added to them.",
            "starts_on": "Invoices of runs from this day on bear it.",
            "ends_on": "The first day without it; empty: no end.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.instance._state.adding:
            self.initial["percent"] = f"{self.instance.percent.normalize():f}"


@register(TaxRate)
class TaxRateAdmin(TenantModelAdmin):
    """Taxes on items of a class, everywhere or in a zone."""

    form = TaxRateForm
    list_display = ("name", "percent_shown", "class_shown", "zone_shown", "is_inclusive", starts, ends, state)
    list_select_related = ("zone",)
    search_fields = ("name",)
    search_help_text = "Part of the tax's name"
    autocomplete_fields = ("zone",)
    ordering = ("name", "starts_on")
    sortable_by = ("name",)
    fieldsets = (
        (None, {"fields": ("name", "percent", "is_inclusive")}),
        ("On what", {"fields": ("tax_class", "zone")}),
        ("When", {"fields": ("starts_on", "ends_on")}),
    )
    actions = ("replace",)
    object_actions = ("replace",)
    empty_title = "No tax yet"
    empty_help = (
        "A tax is put on each item of an invoice, or taken out of its price. Say of which tax class and where; an item "
        "may bear several. A rate that was in force stays on its invoices: give another percentage from a day on."
    )
    docs_path = "/docs"

    def get_queryset(self, request: HttpRequest) -> QuerySet[TaxRate]:
        return super().get_queryset(request).select_related("zone")

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None or (obj.starts_on > today() and self.has_change_permission(request, obj)):
            return self.fieldsets
        return (
            (None, {"fields": ("name", "percent_shown", "is_inclusive")}),
            ("On what", {"fields": ("class_shown", "zone_shown")}),
            self.fieldsets[2],
        )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        if obj is None or obj.starts_on > today():
            return ()
        return ("name", "percent_shown", "is_inclusive", "class_shown", "zone_shown", "starts_on")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return (obj is None or obj.starts_on > today()) and super().has_delete_permission(request, obj)

    def has_replace_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("billing.change_taxrate")

    def save_model(self, request: HttpRequest, obj: TaxRate, form: Any, change: bool) -> None:
        fields = answers(form, changed=change)
        made = taxes.change_rate(rate_id=obj.pk, on=today(), **fields) if change else taxes.add_rate(**fields)
        saved(obj, made)

    def delete_model(self, request: HttpRequest, obj: TaxRate) -> None:
        taxes.remove_rate(rate_id=obj.pk, on=today())

    @action(
        description="Another percentage…",
        permissions=["replace"],
        confirm="The rate ends on that day and another of its name begins. Invoices until then stay as they are.",
        button="Another percentage",
        icon="percent",
        form=ReplaceForm,
        available=lambda rate: rate.ends_on is None or rate.ends_on > today(),
    )
    def replace(self, request: HttpRequest, queryset: QuerySet[TaxRate], given: dict[str, Any]) -> None:
        for rate in queryset:
            new = taxes.replace_rate(rate_id=rate.pk, on=today(), **given)
            messages.success(request, f"{new.name} is {percent(new.percent)} from {day(new.starts_on)} on.")

    @admin.display(description="Rate", ordering="percent")
    def percent_shown(self, obj: TaxRate) -> str:
        return percent(obj.percent)

    @admin.display(description="Tax class")
    def class_shown(self, obj: TaxRate) -> str:
        return obj.tax_class or "every class"

    @admin.display(description="Where")
    def zone_shown(self, obj: TaxRate) -> str:
        return str(obj.zone) if obj.zone else "everywhere"


class ExemptionForm(AmountForm):
    refused_fields = {"subscriber_id": "subscriber"}

    class Meta:
        model = TaxExemption
        fields: tuple[str, ...] = ()
        help_texts = {
            "rate": "Empty: every tax. A tax that prices contain is taken out of them.",
            "reason": "As the invoice must say it, such as a VAT number and the article of the law.",
            "ends_on": "The first day taxed again; empty: no end.",
        }


@register(TaxExemption)
class TaxExemptionAdmin(TenantModelAdmin):
    """Customers who do not pay a tax, or any."""

    form = ExemptionForm
    list_display = ("reason", customer, "rate_shown", starts, ends, state)
    list_select_related = ("subscriber", "rate")
    search_fields = ("reason",)
    search_help_text = "Part of the reason"
    autocomplete_fields = ("subscriber", "rate")
    sortable_by = ("reason",)
    fieldsets = (
        (None, {"fields": ("subscriber", "rate", "reason")}),
        ("When", {"fields": ("starts_on", "ends_on")}),
    )
    empty_title = "Nobody is exempt"
    empty_help = (
        "An embassy, a company in another country, a charity: customers that are freed from a tax, or from all, with "
        "the reason their invoices must say."
    )
    docs_path = "/docs"

    def get_queryset(self, request: HttpRequest) -> QuerySet[TaxExemption]:
        return super().get_queryset(request).select_related("subscriber", "rate")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("subscriber", "rate") if obj else ()

    def save_model(self, request: HttpRequest, obj: TaxExemption, form: Any, change: bool) -> None:
        fields = answers(form, changed=change)
        made = (
            taxes.change_exemption(exemption_id=obj.pk, **fields) if change else taxes.add_exemption(**fields)
        )
        saved(obj, made)

    def delete_model(self, request: HttpRequest, obj: TaxExemption) -> None:
        taxes.remove_exemption(exemption_id=obj.pk)

    @admin.display(description="Exempt from")
    def rate_shown(self, obj: TaxExemption) -> str:
        return str(obj.rate) if obj.rate else "every tax"


SETTINGS = "admin:billing_billingsettings_changelist"
navigation.add_list("Billing", 94, "Taxes", TaxRate, icon="account_balance", under=SETTINGS)
navigation.add_list("Billing", 95, "Tax exemptions", TaxExemption, icon="verified", under=SETTINGS)
