from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse

from hardware import drivers
from hardware.drivers import Capability, Driver
from hardware.drivers.provisioning import cli_word
from hardware.models import OnuPreset, Vendor
from ispcore.admin import links, navigation
from ispcore.admin.base import TenantForm, TenantModelAdmin
from ispcore.admin.formats import DASH
from ispcore.admin.site import register

LABELS = {
    "line_profile": "line profile",
    "service_profile": "service profile",
    "onu_type": "ONU type",
    "tcont_profile": "T-CONT profile",
    "vlan": "VLAN",
    "user_vlan": "VLAN at the ONU",
    "gem_port": "GEM port",
    "native_vlan_port": "Ethernet port with the VLAN untagged",
}
WORDS = ("line_profile", "service_profile", "onu_type", "tcont_profile")
# What a vendor's plan takes besides what it needs; FiberHome, BDCOM and C-Data refuse all else.
OPTIONAL = {
    Vendor.HUAWEI: ("gem_port", "user_vlan", "native_vlan_port"),
    Vendor.ZTE: ("line_profile", "service_profile", "gem_port", "user_vlan", "native_vlan_port"),
}


def plans_authorising() -> dict[str, Driver]:
    """Return the vendors whose OLTs are told how to serve an ONU, with their drivers; BDCOM's take the serial alone."""
    return {
        vendor: driver
        for vendor, driver in drivers.DRIVERS.items()
        if any(Capability.AUTHORIZE in way.capabilities and way.preset_fields for way in _ways(driver))
    }


def needed_by(vendor: str) -> frozenset[str]:
    """Return the fields without which a vendor's OLT cannot be told to serve an ONU, whichever way it is told."""
    driver = drivers.DRIVERS.get(vendor)
    return frozenset().union(*(each.preset_fields for each in _ways(driver))) if driver else frozenset()


def fields_of(vendor: str) -> list[str]:
    """Return the fields of a preset that mean something to a vendor."""
    used = needed_by(vendor) | set(OPTIONAL.get(Vendor(vendor), ()))
    return [name for name in LABELS if name in used]


def _ways(driver: Driver) -> list[Driver]:
    return [way for each in driver.variants() for way in (each, each.without_cli())]


class OnuPresetForm(TenantForm):
    class Meta:
        model = OnuPreset
        fields: tuple[str, ...] = ()
        help_texts = {
            "name": "What staff choose by, for example 'Fibre 300, routed'.",
            "line_profile": "Its name or number on the OLT. It must be there already.",
            "service_profile": "Its name or number on the OLT. It must be there already.",
            "gem_port": "As the line profile numbers it.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        vendor = self.instance.vendor or self.initial.get("vendor") or self.data.get("vendor", "")
        for name in needed_by(vendor):
            if name in self.fields:
                self.fields[name].required = True
        if "vendor" in self.fields:
            self.fields["vendor"].widget = forms.HiddenInput()

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        for name in WORDS:
            if cleaned.get(name):
                try:
                    cli_word(cleaned[name])
                except ValueError as error:
                    self.add_error(name, f"{error}.")
        return cleaned


@register(OnuPreset)
class OnuPresetAdmin(TenantModelAdmin):
    """How a vendor's OLTs are told to serve an ONU."""

    form = OnuPresetForm
    list_display = ("name", "vendor", "profiles", "vlan_shown")
    list_filter = ("vendor",)
    search_fields = ("name",)
    ordering = ("name",)
    sortable_by = ("name", "vendor")
    empty_title = "No preset yet"
    empty_help = (
        "A preset keeps the profiles and the VLAN that an OLT is told when an ONU is authorised, under a name of "
        "yours: installers then choose the name instead of typing numbers. One preset is for one vendor's OLTs."
    )
    docs_path = "/docs"

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        vendor = obj.vendor if obj else self._chosen(request) or Vendor.HUAWEI
        described = (
            f"For {Vendor(vendor).label}. ONUs that were authorised by it stay as they are when it changes."
        )
        names = ("name",) if obj else ("name", "vendor")
        return (
            (None, {"fields": names, "description": described}),
            ("What the OLT is told", {"fields": tuple(fields_of(vendor))}),
        )

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """Ask for the vendor first: it decides which fields there are."""
        if self.has_add_permission(request) and self._chosen(request) is None:
            return self._ask_vendor(request)
        return super().add_view(request, form_url, extra_context)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {"vendor": self._chosen(request)}

    def _chosen(self, request: HttpRequest) -> str | None:
        vendor = request.POST.get("vendor") or request.GET.get("vendor")
        return vendor if vendor in plans_authorising() else None

    def _ask_vendor(self, request: HttpRequest) -> HttpResponse:
        add = reverse("admin:hardware_onupreset_add")
        context = {
            **self.admin_site.each_context(request),
            "title": "Add ONU preset",
            "opts": self.opts,
            "vendors": [
                {
                    "name": Vendor(vendor).label,
                    "url": f"{add}?vendor={vendor}",
                    "needs": ", ".join(LABELS[name] for name in LABELS if name in needed_by(vendor)),
                }
                for vendor in plans_authorising()
            ],
        }
        return TemplateResponse(request, "admin/hardware/onupreset/vendor.html", context)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Nothing goes with a preset: jobs keep what they were told."""
        return [str(preset) for preset in objs], {"presets": len(objs)}, set(), []

    @admin.display(description="Profiles")
    def profiles(self, obj: OnuPreset) -> str:
        told = [f"{LABELS[name]} {getattr(obj, name)}" for name in WORDS if getattr(obj, name)]
        return ", ".join(told) or DASH

    @admin.display(description="VLAN", ordering="vlan")
    def vlan_shown(self, obj: OnuPreset) -> str:
        if obj.vlan is None:
            return DASH
        return f"{obj.vlan}, at the ONU {obj.user_vlan}" if obj.user_vlan else str(obj.vlan)


links.add("preset", "admin:hardware_onupreset_change")
navigation.add_list("Network", 70, "Presets", OnuPreset, icon="tune")
