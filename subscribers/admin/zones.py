from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.forms import ValidationError
from django.http import HttpRequest
from django.urls import reverse

from ispcore.admin import links, navigation
from ispcore.admin.base import TenantForm, TenantModelAdmin
from ispcore.admin.formats import DASH
from ispcore.admin.site import register
from subscribers import selectors
from subscribers.admin.saving import answers, saved
from subscribers.models import Zone
from subscribers.services import catalogue


class ZoneForm(TenantForm):
    def clean_parent(self) -> Any:
        """Refuse a zone that would contain itself."""
        parent = self.cleaned_data["parent"]
        around = parent
        while around is not None:
            if around.pk == self.instance.pk:
                raise ValidationError("That zone lies in this one.")
            around = around.parent
        return parent


@register(Zone)
class ZoneAdmin(TenantModelAdmin):
    """Parts of the area served."""

    form = ZoneForm
    list_display = ("name", "within", "premises")
    search_fields = ("name",)
    ordering = ("name",)
    list_select_related = ("parent",)
    fieldsets = ((None, {"fields": ("name", "parent")}),)
    empty_title = "No zone yet"
    empty_help = (
        "A zone is a part of the area you serve: a town, a district, a street. Premises lie in zones, and a "
        "plan can be sold in some of them only."
    )
    docs_path = "/docs"

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return selectors.with_premise_counts(super().get_queryset(request))

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        kwargs["labels"] = {"parent": "Lies in"}
        kwargs["help_texts"] = {"parent": "The larger zone around this one, if there is one."}
        return super().get_form(request, obj, change=change, **kwargs)

    def save_model(self, request: HttpRequest, obj: Zone, form: Any, change: bool) -> None:
        if change:
            fields = answers(form, changed=True)
            saved(obj, catalogue.change_zone(zone_id=obj.pk, **fields))
        else:
            saved(obj, catalogue.create_zone(**answers(form)))

    def delete_model(self, request: HttpRequest, obj: Zone) -> None:
        catalogue.remove_zone(zone_id=obj.pk)

    @admin.display(description="Lies in", ordering="parent__name")
    def within(self, obj: Zone) -> str:
        return obj.parent.name if obj.parent else DASH

    @admin.display(description="Premises", ordering="premise_count")
    def premises(self, obj: Any) -> Any:
        if not obj.premise_count:
            return 0
        url = f"{reverse('admin:subscribers_premise_changelist')}?zone__id__exact={obj.pk}"
        return links.link(url, str(obj.premise_count))


links.add("zone", "admin:subscribers_zone_change")
navigation.add_list("Customers", 40, "Zones", Zone, icon="map")
