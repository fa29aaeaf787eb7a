"""Add-ons, charges, discounts and what data above a cap costs."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from billing.admin.terms import AmountForm, amount_said, ends, percent, starts, state, today
from billing.admin.words import amount_column, customer, customer_link, line_link
from billing.models import AddOn, ChargeKind, Discount, OneOffCharge, OveragePrice
from billing.services.charges import add_ons, discounts, one_off, overage
from ispcore.admin import navigation
from ispcore.admin.actions import action, run_on_each
from ispcore.admin.base import TenantModelAdmin
from ispcore.admin.formats import choice_column, day, money, pill
from ispcore.admin.site import register
from subscribers.admin.saving import answers, saved


class AddOnForm(AmountForm):
    amounts = ("price",)

    class Meta:
        model = AddOn
        fields: tuple[str, ...] = ()
        help_texts = {
            "subscription": "The service it is charged with.",
            "name": "As the invoice says it.",
            "price": "For each period of the service's plan, before tax. A new price counts from the next period on.",
            "currency": "That of the customer's billing profile, for example EUR.",
            "tax_class": "Empty: that of the customer's billing profile.",
            "starts_on": "The first day charged. Days of a period that is billed already come with the next invoice.",
            "ends_on": "The first day it is no longer charged. What was billed after it is given back.",
        }


@register(AddOn)
class AddOnAdmin(TenantModelAdmin):
    """What services have besides their plans; rented equipment is one of them."""

    form = AddOnForm
    list_display = ("name", "service", "customer", amount_column("price", "Price"), starts, ends, state)
    list_select_related = ("subscription__subscriber",)
    search_fields = ("name",)
    search_help_text = "Part of the add-on's name"
    autocomplete_fields = ("subscription",)
    sortable_by = ("name",)
    fieldsets = (
        (None, {"fields": ("subscription", "name", "price", "currency", "tax_class")}),
        ("When", {"fields": ("starts_on", "ends_on")}),
    )
    empty_title = "No add-on yet"
    empty_help = (
        "An add-on is what a service has besides its plan: a static address, television, a rented router. It is "
        "charged with each of the plan's periods, from its first day to its last."
    )
    docs_path = "/docs"

    def get_queryset(self, request: HttpRequest) -> QuerySet[AddOn]:
        return super().get_queryset(request).select_related("subscription__subscriber")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("subscription", "currency") if obj else ()

    def save_model(self, request: HttpRequest, obj: AddOn, form: Any, change: bool) -> None:
        fields = answers(form, changed=change)
        made = (
            add_ons.change_add_on(add_on_id=obj.pk, on=today(), **fields)
            if change
            else add_ons.add_add_on(on=today(), **fields)
        )
        saved(obj, made)

    def delete_model(self, request: HttpRequest, obj: AddOn) -> None:
        add_ons.remove_add_on(add_on_id=obj.pk)

    @admin.display(description="Service")
    def service(self, obj: AddOn) -> str:
        return line_link(obj.subscription)

    @admin.display(description="Customer")
    def customer(self, obj: AddOn) -> str:
        return customer_link(obj.subscription.subscriber)


class ChargeForm(AmountForm):
    amounts = ("amount",)

    class Meta:
        model = OneOffCharge
        fields: tuple[str, ...] = ()
        help_texts = {
            "subscriber": "Who is charged: type a name, number or phone.",
            "subscription": "What it is for, if it is for one service. Tax follows that service's place.",
            "name": "As the invoice says it: an installation, a router that is sold.",
            "amount": "In all, before tax.",
            "currency": "That of the customer's billing profile, for example EUR.",
            "tax_class": "Empty: that of the customer's billing profile.",
            "due_on": "Charged with the first run on or after this day; further instalments a month apart.",
            "instalments": "1: at once. 2 to 60: over so many months; together they are the amount to the cent.",
        }


@register(OneOffCharge)
class ChargeAdmin(TenantModelAdmin):
    """What customers are charged once, or in instalments; sold equipment is one of them."""

    form = ChargeForm
    list_display = (
        "name",
        choice_column("kind", "Kind", {ChargeKind.LATE_FEE: "warning"}),
        customer,
        "service",
        amount_column("amount", "Amount"),
        "due",
        "progress",
    )
    list_filter = ("kind",)
    list_select_related = ("subscriber", "subscription")
    search_fields = ("name",)
    search_help_text = "Part of the charge's name"
    autocomplete_fields = ("subscriber", "subscription")
    sortable_by = ("name", "due")
    fieldsets = (
        (None, {"fields": ("subscriber", "subscription", "name", "amount", "currency", "tax_class")}),
        ("When", {"fields": ("due_on", "instalments")}),
    )
    actions = ("cancel",)
    object_actions = ("cancel",)
    empty_title = "No charge yet"
    empty_help = (
        "A charge is asked for once, or in monthly instalments: an installation, a visit, a router that is sold. Late "
        "fees come here by themselves."
    )
    docs_path = "/docs"

    def get_queryset(self, request: HttpRequest) -> QuerySet[OneOffCharge]:
        return super().get_queryset(request).select_related("subscriber", "subscription")

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None or self.has_change_permission(request, obj):
            return self.fieldsets
        amount = amount_said("amount", "Amount, before tax")
        what = ("subscriber", "subscription", "name", amount, "tax_class", "progress")
        return ((None, {"fields": what}), self.fieldsets[1])

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("subscriber", "subscription", "currency") if obj else ()

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        is_open = obj is None or (obj.charged == 0 and obj.cancelled_at is None)
        return is_open and super().has_change_permission(request, obj)

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("billing.change_oneoffcharge")

    def save_model(self, request: HttpRequest, obj: OneOffCharge, form: Any, change: bool) -> None:
        fields = answers(form, changed=change)
        made = (
            one_off.change_charge(charge_id=obj.pk, on=today(), **fields)
            if change
            else one_off.add_charge(on=today(), **fields)
        )
        saved(obj, made)

    @action(
        description="Cancel what is left",
        permissions=["cancel"],
        confirm="Instalments that were billed stay; the rest is asked for no more.",
        icon="cancel",
        danger=True,
        available=lambda charge: charge.cancelled_at is None and charge.charged < charge.instalments,
    )
    def cancel(self, request: HttpRequest, queryset: QuerySet[OneOffCharge]) -> None:
        at = timezone.now()
        run_on_each(
            self,
            request,
            queryset,
            lambda charge: one_off.cancel_charge(charge_id=charge.pk, at=at),
            done="{count} cancelled.",
        )

    @admin.display(description="Service")
    def service(self, obj: OneOffCharge) -> str:
        return line_link(obj.subscription)

    @admin.display(description="Due", ordering="due_on")
    def due(self, obj: OneOffCharge) -> str:
        return day(obj.due_on)

    @admin.display(description="Billed")
    def progress(self, obj: OneOffCharge) -> str:
        return charge_state(obj)


def charge_state(charge: OneOffCharge) -> str:
    """Say how much of a charge is billed."""
    if charge.charged >= charge.instalments:
        return pill("Billed", "good")
    if charge.cancelled_at:
        return pill(
            f"Cancelled after {charge.charged} of {charge.instalments}" if charge.charged else "Cancelled"
        )
    return pill(f"{charge.charged} of {charge.instalments}" if charge.instalments > 1 else "Waits", "info")


class DiscountForm(AmountForm):
    amounts = ("amount",)

    class Meta:
        model = Discount
        fields: tuple[str, ...] = ()
        help_texts = {
            "subscriber": "Who gets it: type a name, number or phone.",
            "subscription": "Empty: of all services of the customer. An amount is of one.",
            "percent": "Off the plan's price. Give this or an amount.",
            "amount": "Off each whole period, in the currency of the service's plan. Of a part of a period, its part.",
            "starts_on": "Only days from here on are discounted.",
            "ends_on": "The first day without it; empty: no end.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("percent", "amount"):
            kept = getattr(self.instance, name, None)
            if kept is not None:
                self.initial[name] = f"{kept.normalize():f}"

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        if {"percent", "amount"} & set(self.errors):
            return cleaned
        rate, amount = cleaned.get("percent"), cleaned.get("amount")
        if (rate is None) == (amount is None) or (rate is not None and rate <= 0):
            self.add_error("percent", discounts.PercentOrAmount.message)
        elif amount is not None and not (cleaned.get("subscription") or self.instance.subscription_id):
            self.add_error("subscription", discounts.AmountOfOneService.message)
        return cleaned


@register(Discount)
class DiscountAdmin(TenantModelAdmin):
    """What is taken off the price of plans."""

    form = DiscountForm
    list_display = ("name", customer, "service", "taken_off", starts, ends, state)
    list_select_related = ("subscriber", "subscription__plan")
    search_fields = ("name",)
    search_help_text = "Part of the discount's name"
    autocomplete_fields = ("subscriber", "subscription")
    sortable_by = ("name",)
    fieldsets = (
        (None, {"fields": ("subscriber", "subscription", "name", "percent", "amount")}),
        ("When", {"fields": ("starts_on", "ends_on")}),
    )
    empty_title = "No discount yet"
    empty_help = (
        "A discount is taken off the price of the plan for the days it is valid: a percentage of one service or of all "
        "a customer has, or an amount off one service."
    )
    docs_path = "/docs"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Discount]:
        return super().get_queryset(request).select_related("subscriber", "subscription__plan")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("subscriber", "subscription") if obj else ()

    def save_model(self, request: HttpRequest, obj: Discount, form: Any, change: bool) -> None:
        fields = answers(form, changed=change)
        made = (
            discounts.change_discount(discount_id=obj.pk, on=today(), **fields)
            if change
            else discounts.add_discount(on=today(), **fields)
        )
        saved(obj, made)

    def delete_model(self, request: HttpRequest, obj: Discount) -> None:
        discounts.remove_discount(discount_id=obj.pk)

    @admin.display(description="Service")
    def service(self, obj: Discount) -> str:
        return line_link(obj.subscription) if obj.subscription else "all"

    @admin.display(description="Takes off")
    def taken_off(self, obj: Discount) -> str:
        return taken_off(obj)


def taken_off(discount: Discount) -> str:
    if discount.percent is not None:
        return percent(discount.percent)
    return money(discount.amount, discount.subscription.plan.currency)


class OverageForm(AmountForm):
    amounts = ("price",)
    refused_fields = {"plan_id": "plan"}

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        for name in ("starts_on", "ends_on"):
            if (first := cleaned.get(name)) and first.day != 1 and name not in self.errors:
                self.add_error(name, overage.NotAMonthsFirst.message)
        return cleaned

    class Meta:
        model = OveragePrice
        fields: tuple[str, ...] = ()
        help_texts = {
            "plan": "One with a data cap.",
            "currency": "That of the plan.",
            "starts_on": "The first day of a month. A price in force until then ends there.",
            "ends_on": "The first day of the first month without it.",
        }


@register(OveragePrice)
class OveragePriceAdmin(TenantModelAdmin):
    """What data above a plan's cap costs."""

    form = OverageForm
    list_display = ("plan_name", amount_column("price", "Per GB"), starts, ends, state)
    list_select_related = ("plan",)
    autocomplete_fields = ("plan",)
    sortable_by = ()
    fieldsets = ((None, {"fields": ("plan", "price", "currency", "starts_on", "ends_on")}),)
    empty_title = "Data above caps costs nothing yet"
    empty_help = (
        "A plan with a data cap may go on above it at a price: for each GB begun, charged after each calendar month. "
        "Without a price here, what is above the cap is not charged."
    )
    docs_path = "/docs"

    def get_queryset(self, request: HttpRequest) -> QuerySet[OveragePrice]:
        return super().get_queryset(request).select_related("plan")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("plan", "price", "currency", "starts_on") if obj else ()

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        names = ("plan", "price", "currency", "starts_on")
        return ((None, {"fields": (*names, "ends_on") if obj else names}),)

    def save_model(self, request: HttpRequest, obj: OveragePrice, form: Any, change: bool) -> None:
        fields = answers(form, changed=change)
        if change and fields:
            saved(obj, overage.end_price(price_id=obj.pk, **fields))
        elif not change:
            saved(obj, overage.set_price(on=today(), **fields))

    def delete_model(self, request: HttpRequest, obj: OveragePrice) -> None:
        overage.remove_price(price_id=obj.pk, on=today())

    @admin.display(description="Plan")
    def plan_name(self, obj: OveragePrice) -> str:
        return str(obj.plan)


CHARGES = "admin:billing_oneoffcharge_changelist"
navigation.add_list("Billing", 70, "Charges", OneOffCharge, icon="receipt")
navigation.add_list("Billing", 71, "Add-ons", AddOn, icon="add_shopping_cart", under=CHARGES)
navigation.add_list("Billing", 72, "Discounts", Discount, icon="sell", under=CHARGES)
navigation.add_list("Billing", 73, "Data above caps", OveragePrice, icon="data_usage", under=CHARGES)
