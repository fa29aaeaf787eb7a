from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse

from ispcore.admin import links, navigation
from ispcore.admin.base import TenantForm, TenantModelAdmin
from ispcore.admin.formats import DASH
from ispcore.admin.site import register
from subscribers import selectors
from subscribers.admin.saving import answers, saved
from subscribers.models import Premise
from subscribers.services import catalogue


class PremiseForm(TenantForm):
    class Meta:
        model = Premise
        fields: tuple[str, ...] = ()
        labels = {"address_line1": "Street and number", "address_line2": "Floor, flat or building"}
        help_texts = {"latitude": "Degrees, north is positive.", "longitude": "Degrees, east is positive."}

    def clean_country(self) -> str:
        return str(self.cleaned_data["country"]).upper()

    def clean(self) -> dict[str, Any] | None:
        """Refuse half a position, and one that is not on Earth, at its field."""
        cleaned = super().clean() or self.cleaned_data
        latitude, longitude = cleaned.get("latitude"), cleaned.get("longitude")
        if (latitude is None) != (longitude is None) and not self.errors:
            missing = "latitude" if latitude is None else "longitude"
            self.add_error(missing, "Give both latitude and longitude, or neither.")
        for name, value, limit in (("latitude", latitude, 90), ("longitude", longitude, 180)):
            if value is not None and abs(value) > limit:
                self.add_error(name, f"Between −{limit} and {limit} degrees.")
        return cleaned


@register(Premise)
class PremiseAdmin(TenantModelAdmin):
    """Places that are or can be served."""

    form = PremiseForm
    list_display = ("address", "city_or_dash", "postal", "zone_name", "services")
    list_filter = ("zone", "city")
    list_select_related = ("zone",)
    search_fields = ("address_line1", "city", "postal_code")
    search_help_text = "The beginnings of words: street, city, postal code"
    fieldsets = (
        (
            "Address",
            {"fields": ("address_line1", "address_line2", "city", "state", "postal_code", "country")},
        ),
        ("Where it lies", {"fields": ("zone", "latitude", "longitude")}),
    )
    empty_title = "No premise yet"
    empty_help = (
        "A premise is a place that is or can be served: a house, a flat, a shop. A service connects one "
        "customer at one premise, so a premise outlives the people who live there."
    )
    docs_path = "/docs"

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return selectors.with_service_counts(super().get_queryset(request), "premise")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet, search_term: str
    ) -> tuple[QuerySet, bool]:
        return (catalogue.search_premises(queryset, search_term) if search_term.strip() else queryset), False

    def save_model(self, request: HttpRequest, obj: Premise, form: Any, change: bool) -> None:
        if change:
            fields = answers(form, changed=True)
            saved(obj, catalogue.change_premise(premise_id=obj.pk, **fields))
        else:
            saved(obj, catalogue.create_premise(**answers(form)))

    def delete_model(self, request: HttpRequest, obj: Premise) -> None:
        catalogue.remove_premise(premise_id=obj.pk)

    @admin.display(description="Address", ordering="address_line1")
    def address(self, obj: Premise) -> str:
        return ", ".join(part for part in (obj.address_line1, obj.address_line2) if part)

    @admin.display(description="City", ordering="city")
    def city_or_dash(self, obj: Premise) -> str:
        return obj.city or DASH

    @admin.display(description="Postal code", ordering="postal_code")
    def postal(self, obj: Premise) -> str:
        return obj.postal_code or DASH

    @admin.display(description="Zone", ordering="zone__name")
    def zone_name(self, obj: Premise) -> str:
        return obj.zone.name if obj.zone else DASH

    @admin.display(description="Services")
    def services(self, obj: Any) -> Any:
        if not obj.service_count:
            return 0
        url = f"{reverse('admin:subscribers_subscription_changelist')}?premise__id__exact={obj.pk}"
        return links.link(url, str(obj.service_count))


links.add("premise", "admin:subscribers_premise_change")
navigation.add_list("Customers", 30, "Premises", Premise, icon="home_pin")
