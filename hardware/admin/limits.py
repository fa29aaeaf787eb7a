from typing import Any

from django.contrib import admin
from django.db.models import Count, IntegerField, OuterRef, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest

from hardware.admin.signals import level
from hardware.models import Olt, PonClass, SignalLimits
from hardware.services import signal
from ispcore.admin import links, navigation
from ispcore.admin.base import TenantForm, TenantModelAdmin
from ispcore.admin.site import register

VALUES = (
    "overload_above_dbm", "warning_below_dbm", "critical_below_dbm", "olt_warning_below_dbm",
    "olt_critical_below_dbm",
)  # fmt: skip


class SignalLimitsForm(TenantForm):
    class Meta:
        model = SignalLimits
        fields: tuple[str, ...] = ()
        help_texts = {
            "pon_class": "The optics class that is set at the OLT.",
            "overload_above_dbm": "More light than this may blind the receiver: an attenuator is missing.",
            "warning_below_dbm": "From here on the line still works, and a dirty connector can end it.",
            "critical_below_dbm": "From here on the line is near the end of what its receiver takes.",
        }

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        for above, below in (
            ("overload_above_dbm", "warning_below_dbm"),
            ("warning_below_dbm", "critical_below_dbm"),
            ("olt_warning_below_dbm", "olt_critical_below_dbm"),
        ):
            high, low = cleaned.get(above), cleaned.get(below)
            if high is not None and low is not None and low >= high:
                self.add_error(below, f"It must lie below {level(high)} dBm, the limit before it.")
        return cleaned


@register(SignalLimits)
class SignalLimitsAdmin(TenantModelAdmin):
    """The provider's own limits; a class of optics without a row has the usual ones."""

    form = SignalLimitsForm
    list_display = ("class_name", "overload", "warning", "critical", "olt_warning", "olt_critical", "olts")
    ordering = ("pon_class",)
    sortable_by = ("class_name",)
    fieldsets = (
        (None, {"fields": ("pon_class",), "description": "Every ONU behind OLTs of this class is classified anew when "
                "these are saved."}),
        ("What an ONU receives", {"fields": VALUES[:3]}),
        ("What the OLT receives of an ONU", {"fields": VALUES[3:]}),
    )  # fmt: skip
    empty_title = "The usual limits hold"
    empty_help = (
        "For every class of optics: overload above −8 dBm, warning below −25, critical below −27; at the OLT warning "
        "below −28, critical below −30. Set your own for a class if your network is built to other budgets."
    )
    docs_path = "/docs"

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("pon_class",) if obj else ()

    def formfield_for_choice_field(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "pon_class":
            taken = set(SignalLimits.objects.values_list("pon_class", flat=True))
            kwargs["choices"] = [each for each in PonClass.choices if each[0] not in taken]
        return super().formfield_for_choice_field(db_field, request, **kwargs)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return super().has_add_permission(request) and SignalLimits.objects.count() < len(PonClass)

    def save_model(self, request: HttpRequest, obj: SignalLimits, form: Any, change: bool) -> None:
        values = {name: form.cleaned_data[name] for name in VALUES}
        if change:
            made = signal.change_limits(limits_id=obj.pk, **values)
        else:
            made = signal.create_limits(pon_class=form.cleaned_data["pon_class"], **values)
        obj.__dict__.update(made.__dict__)

    def delete_model(self, request: HttpRequest, obj: SignalLimits) -> None:
        signal.remove_limits(limits_id=obj.pk)

    @admin.display(description="Optics class", ordering="pon_class")
    def class_name(self, obj: SignalLimits) -> str:
        return obj.get_pon_class_display()

    @admin.display(description="Overload")
    def overload(self, obj: SignalLimits) -> str:
        return f"above {level(obj.overload_above_dbm)} dBm"

    @admin.display(description="Warning")
    def warning(self, obj: SignalLimits) -> str:
        return f"below {level(obj.warning_below_dbm)} dBm"

    @admin.display(description="Critical")
    def critical(self, obj: SignalLimits) -> str:
        return f"below {level(obj.critical_below_dbm)} dBm"

    @admin.display(description="At the OLT: warning")
    def olt_warning(self, obj: SignalLimits) -> str:
        return f"below {level(obj.olt_warning_below_dbm)} dBm"

    @admin.display(description="critical")
    def olt_critical(self, obj: SignalLimits) -> str:
        return f"below {level(obj.olt_critical_below_dbm)} dBm"

    @admin.display(description="OLTs")
    def olts(self, obj: Any) -> int:
        count: int = obj.olt_count
        return count

    def get_queryset(self, request: HttpRequest) -> Any:
        olts = Olt.objects.filter(pon_class=OuterRef("pon_class")).order_by().values("pon_class")
        counted = Subquery(olts.annotate(n=Count("pk")).values("n"), output_field=IntegerField())
        return super().get_queryset(request).annotate(olt_count=Coalesce(counted, 0))


links.add("signal_limits", "admin:hardware_signallimits_change")
navigation.add_list("Network", 75, "Signal limits", SignalLimits, icon="straighten")
