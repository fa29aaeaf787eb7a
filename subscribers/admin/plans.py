from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import formats, timezone

from ispcore.admin import links, navigation
from ispcore.admin.base import TenantForm, TenantModelAdmin
from ispcore.admin.formats import DASH, bitrate, choice_column, money, pill
from ispcore.admin.site import register
from subscribers import selectors
from subscribers.admin.saving import answers, saved
from subscribers.models import Plan, Zone
from subscribers.services import catalogue

SPEED_HELP = "In kbit/s: 100000 is 100 Mbit/s."


class PlanForm(TenantForm):
    sold_in = forms.ModelMultipleChoiceField(
        Zone.objects.order_by("name"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        label="Sold in",
        help_text="The zones it is sold in, and all that lie in them. None chosen: sold everywhere.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.instance._state.adding:
            self.initial["sold_in"] = list(self.instance.sold_in.values_list("zone_id", flat=True))

    def clean_currency(self) -> str:
        return str(self.cleaned_data["currency"]).upper()

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean() or self.cleaned_data
        begins, ends = cleaned.get("sold_from"), cleaned.get("sold_until")
        if begins and ends and ends <= begins:
            self.add_error("sold_until", "This is not after the day it is first sold.")
        return cleaned


@register(Plan)
class PlanAdmin(TenantModelAdmin):
    """What is sold."""

    form = PlanForm
    list_display = (
        "name",
        "code",
        "down",
        "up",
        "cap",
        "price_with_currency",
        choice_column("period", "Per", {}),
        "sold",
        "services",
    )
    list_filter = ("period", "currency")
    search_fields = ("name", "code")
    ordering = ("price", "name")
    sortable_by = ("name", "code", "down", "up", "price_with_currency")
    fieldsets = (
        (None, {"fields": ("name", "code")}),
        (
            "Speed and data",
            {
                "fields": (
                    "down_kbps",
                    "up_kbps",
                    "burst_down_kbps",
                    "burst_up_kbps",
                    "cap_bytes",
                    "pool_hint",
                )
            },
        ),
        ("Price", {"fields": ("price", "currency", "period", "tax_class")}),
        ("When and where it is sold", {"fields": ("sold_from", "sold_until", "sold_in")}),
    )
    empty_title = "No plan yet"
    empty_help = (
        "A plan is what a customer buys: a speed, perhaps a data cap, and a price per period. A new price for "
        "everybody is a new plan, so that nobody's contract changes behind their back."
    )
    docs_path = "/docs"

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return selectors.with_service_counts(super().get_queryset(request), "plan")

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        kwargs["help_texts"] = {"down_kbps": SPEED_HELP, "up_kbps": SPEED_HELP}
        return super().get_form(request, obj, change=change, **kwargs)

    def save_model(self, request: HttpRequest, obj: Plan, form: Any, change: bool) -> None:
        if not change:
            zones = [zone.pk for zone in form.cleaned_data["sold_in"]]
            saved(obj, catalogue.create_plan(zone_ids=zones, **answers(form, without=("sold_in",))))
            return
        fields = answers(form, changed=True, without=("sold_in",))
        if "sold_in" in form.changed_data:
            fields["zone_ids"] = [zone.pk for zone in form.cleaned_data["sold_in"]]
        saved(obj, catalogue.change_plan(plan_id=obj.pk, **fields))

    def delete_model(self, request: HttpRequest, obj: Plan) -> None:
        catalogue.remove_plan(plan_id=obj.pk)

    @admin.display(description="Download", ordering="down_kbps")
    def down(self, obj: Plan) -> str:
        return bitrate(obj.down_kbps)

    @admin.display(description="Upload", ordering="up_kbps")
    def up(self, obj: Plan) -> str:
        return bitrate(obj.up_kbps)

    @admin.display(description="Data cap")
    def cap(self, obj: Plan) -> str:
        if obj.cap_bytes is None:
            return "Unlimited"
        gigabytes = obj.cap_bytes / 1e9
        return f"{gigabytes / 1000:.2f} TB" if gigabytes >= 1000 else f"{gigabytes:.0f} GB"

    @admin.display(description="Price", ordering="price")
    def price_with_currency(self, obj: Plan) -> str:
        return money(obj.price, obj.currency)

    @admin.display(description="Sold")
    def sold(self, obj: Plan) -> str:
        today = timezone.localdate()
        if obj.sold_from and today < obj.sold_from:
            return pill(f"From {formats.date_format(obj.sold_from, 'j M Y')}", "info")
        if obj.sold_until and today >= obj.sold_until:
            return pill("No longer", "plain")
        return pill("Yes", "good")

    @admin.display(description="Services")
    def services(self, obj: Any) -> Any:
        if not obj.service_count:
            return DASH
        url = f"{reverse('admin:subscribers_subscription_changelist')}?plan__id__exact={obj.pk}"
        return links.link(url, str(obj.service_count))


links.add("plan", "admin:subscribers_plan_change")
navigation.add_list("Customers", 50, "Plans", Plan, icon="speed")
