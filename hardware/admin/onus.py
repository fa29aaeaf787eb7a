from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from hardware import selectors
from hardware.admin.filters import OltFilter
from hardware.admin.signals import STATUS_TONES, ZONES, dbm, signal
from hardware.models import Onu, Signal
from hardware.selectors import SIGNAL_HINTS
from ispcore.admin import charts, links, navigation
from ispcore.admin.base import ReadOnlyAdmin
from ispcore.admin.formats import DASH, choice_column, time_column
from ispcore.admin.site import register

WINDOWS = {1: "Day", 7: "Week"}


class SignalFilter(admin.SimpleListFilter):
    title = "signal"
    parameter_name = "signal"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(kind.value, f"{kind.label} ({SIGNAL_HINTS[kind]})") for kind in Signal]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Onu]) -> QuerySet[Onu]:
        chosen = self.value()
        return queryset.filter(signal=chosen) if chosen in Signal.values else queryset


@register(Onu)
class OnuAdmin(ReadOnlyAdmin):
    """What the OLTs report; nothing is set here."""

    list_display = (
        "serial",
        "place",
        choice_column("status", "State", STATUS_TONES),
        "rx",
        "distance",
        "description",
        time_column("last_seen_at", "Last seen"),
    )
    list_filter = ("status", SignalFilter, ("olt", OltFilter))
    list_select_related = ("olt",)
    search_fields = ("^serial", "description")
    search_help_text = "The serial number's beginning, or part of the description"
    ordering = ("olt__name", "serial")
    sortable_by = ("serial", "status_label", "rx", "distance", "last_seen_at_with_age")
    change_form_outer_before_template = "admin/hardware/onu/signal.html"
    fieldsets = (
        (
            "Where",
            {"fields": ("serial", "olt_page", "index", "pon_port_index", "distance", "description", "model")},
        ),
        (
            "State",
            {
                "fields": (
                    choice_column("status", "State", STATUS_TONES),
                    "went_down",
                    time_column("first_seen_at", "First seen"),
                    time_column("last_seen_at", "Last seen"),
                    time_column("vanished_at", "Not listed since", empty="it is listed"),
                )
            },
        ),
        (
            "Optics",
            {
                "fields": (
                    "rx",
                    "tx",
                    "olt_rx",
                    "temperature",
                    "voltage",
                    "bias",
                    time_column("measured_at", "Measured", empty="never"),
                )
            },
        ),
        ("Traffic", {"fields": ("down", "up")}),
    )
    empty_title = "No ONU is known yet"
    empty_help = "ONUs are found by discoveries: register an OLT and discover it, and each unit behind it appears here."

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest) -> bool:
        return lookup == "pon_port__id__exact" or super().lookup_allowed(lookup, value, request)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Onu]:
        return super().get_queryset(request).select_related("olt", "pon_port")

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        if onu := kwargs.get("obj"):
            days = 1 if request.GET.get("days") == "1" else 7
            now = timezone.now()
            context |= {
                "signal": signal(onu.rx_power_dbm, onu.signal),
                "windows": [(window, name, window == days) for window, name in WINDOWS.items()],
                "chart": charts.line(
                    selectors.readings_of(onu, until=now, days=days),
                    start=now - timedelta(days=days),
                    end=now,
                    unit="dBm",
                    zones=ZONES,
                ),
            }
        return super().render_change_form(request, context, *args, **kwargs)

    @admin.display(description="OLT and index", ordering="olt__name")
    def place(self, obj: Onu) -> str:
        return f"{obj.olt.name} · {obj.index}"

    @admin.display(description="OLT")
    def olt_page(self, obj: Onu) -> str:
        return links.link(reverse("admin:hardware_olt_change", args=[obj.olt_id]), obj.olt.name)

    @admin.display(description="PON port")
    def pon_port_index(self, obj: Onu) -> str:
        return obj.pon_port.index if obj.pon_port else DASH

    @admin.display(description="Received (Rx)", ordering="rx_power_dbm")
    def rx(self, obj: Onu) -> str:
        return signal(obj.rx_power_dbm, obj.signal)

    @admin.display(description="Sent (Tx)")
    def tx(self, obj: Onu) -> str:
        return dbm(obj.tx_power_dbm)

    @admin.display(description="Received by the OLT")
    def olt_rx(self, obj: Onu) -> str:
        return dbm(obj.olt_rx_power_dbm)

    @admin.display(description="Distance", ordering="distance_m")
    def distance(self, obj: Onu) -> str:
        if obj.distance_m is None:
            return DASH
        return f"{obj.distance_m} m" if obj.distance_m < 1000 else f"{obj.distance_m / 1000:.2f} km"

    @admin.display(description="Last went down because of")
    def went_down(self, obj: Onu) -> str:
        return obj.get_last_down_cause_display() or DASH

    @admin.display(description="Temperature")
    def temperature(self, obj: Onu) -> str:
        return _unit(obj.temperature_c, "°C", 0)

    @admin.display(description="Voltage")
    def voltage(self, obj: Onu) -> str:
        return _unit(obj.voltage_v, "V", 2)

    @admin.display(description="Laser bias")
    def bias(self, obj: Onu) -> str:
        return _unit(obj.bias_ma, "mA", 1)

    @admin.display(description="To the subscriber")
    def down(self, obj: Onu) -> str:
        return _bytes(obj.down_bytes)

    @admin.display(description="From the subscriber")
    def up(self, obj: Onu) -> str:
        return _bytes(obj.up_bytes)


def _unit(value: float | None, unit: str, places: int) -> str:
    return DASH if value is None else f"{value:.{places}f} {unit}".replace("-", "−")


def _bytes(value: Any) -> str:
    """Write a counter in GB or TB (powers of ten)."""
    if value is None:
        return DASH
    gigabytes = float(value) / 1e9
    return f"{gigabytes / 1000:.2f} TB" if gigabytes >= 1000 else f"{gigabytes:.2f} GB"


links.add("onu", "admin:hardware_onu_change")
navigation.add(
    "Network",
    20,
    "ONUs",
    url_name="admin:hardware_onu_changelist",
    icon="router",
    allowed="hardware.view_onu",
)
