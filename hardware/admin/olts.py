from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone

from hardware import drivers, selectors, services
from hardware.admin import olt_page
from hardware.admin.signals import olt_state
from hardware.drivers import Capability
from hardware.models import CliProtocol, Olt
from hardware.services import signal, waiting
from ispcore.admin import links, navigation
from ispcore.admin.actions import action, run_on_each
from ispcore.admin.base import TenantForm, TenantModelAdmin
from ispcore.admin.dashboard import share
from ispcore.admin.formats import DASH, meter, moment, pill
from ispcore.admin.site import register

OLTS_PER_MAP = 20


class OltForm(TenantForm):
    class Meta:
        model = Olt
        fields: tuple[str, ...] = ()
        labels = {"is_polled": "Read in the background", "community": "SNMP read community",
                  "write_community": "SNMP write community", "cli_protocol": "Command line"}  # fmt: skip
        help_texts = {
            "community": "Stored encrypted and never shown again.",
            "write_community": "Only where ONUs are authorised by SNMP. Stored encrypted and never shown again.",
            "cli_protocol": "How ONUs are authorised on Huawei and ZTE. SSH is encrypted, Telnet is not.",
            "cli_username": "An account of its own, with no more rights than adding and removing ONUs takes.",
            "cli_password": "Stored encrypted and never shown again.",
            "pon_class": "Of the OLT's own optics. It decides which signal limits hold for its ONUs.",
            "is_polled": "State every few minutes, signal levels less often. Without it, only Discover reads it.",
        }

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if cleaned.get("cli_protocol") not in (None, CliProtocol.NONE):
            for name, what in (("cli_username", "user"), ("cli_password", "password")):
                if name in self.fields and not cleaned.get(name) and name not in self.errors:
                    self.add_error(name, f"The command line needs a {what}, or choose None above.")
        return cleaned

    def clean_cli_username(self) -> str:
        return self._one_line("cli_username")

    def clean_cli_password(self) -> Any:
        secret = self.cleaned_data["cli_password"]
        if secret and not secret.reveal().isprintable():
            raise forms.ValidationError("One line without control characters.")
        return secret

    def _one_line(self, name: str) -> str:
        text: str = self.cleaned_data[name]
        if not text.isprintable():
            raise forms.ValidationError("One line without control characters.")
        return text


@register(Olt)
class OltAdmin(TenantModelAdmin):
    """OLTs: registered by hand; what they say of themselves is written by discoveries and polls."""

    form = OltForm
    list_display = ("name", "vendor", "address", "site", "onus", "last_answer", "state")
    list_filter = ("vendor", "site", "pon_class", "is_polled")
    search_fields = ("name", "=ip", "site")
    ordering = ("name",)
    actions = ("discover",)
    object_actions = ("discover", "look_for_waiting")
    change_form_outer_before_template = "admin/hardware/olt/page.html"
    fieldsets = (
        ("What it is", {"fields": ("name", "vendor", "site", "notes")}),
        (
            "How it is read",
            {"fields": ("ip", "snmp_port", "snmp_version", "community", "pon_class", "is_polled")},
        ),
        (
            "How it is changed",
            {
                "description": "Needed only to authorise, remove and restart ONUs from here. A device is never "
                "spoken to at any other address than the one above.",
                "fields": (
                    "cli_protocol", "cli_port", "cli_username", "cli_password", "cli_host_key", "write_community"
                ),
            },
        ),
    )  # fmt: skip
    empty_title = "No OLT is registered"
    empty_help = (
        "An OLT (optical line terminal) is the device your customers' fibres end at. Register it with its "
        "address and SNMP read community; a discovery then finds its ports and every ONU behind them."
    )
    docs_path = "/docs"
    history_ignore = (
        "sys_name", "sys_descr", "sys_object_id", "model", "uptime_seconds", "last_answer_at", "last_error",
        "dialect", "cards",
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[Olt]:
        return selectors.with_last_outcome(selectors.with_onu_counts(super().get_queryset(request)))

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.map_view)
        return [path("map/", view, name="hardware_olt_map"), *super().get_urls()]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        if olt := kwargs.get("obj"):
            context |= {"state": self.state(olt), **olt_page.context(request, olt)}
        return super().render_change_form(request, context, *args, **kwargs)

    def map_view(self, request: HttpRequest) -> HttpResponse:
        """Show all OLTs and their ports at one glance, some OLTs a page."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        page = Paginator(Olt.objects.order_by("name", "pk"), OLTS_PER_MAP).get_page(request.GET.get("page"))
        context = {
            **self.admin_site.each_context(request),
            "title": "PON map",
            "rows": olt_page.map_rows(page),
            "page": page,
        }
        return TemplateResponse(request, "admin/hardware/olt/map.html", context)

    def save_model(self, request: HttpRequest, obj: Olt, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if change and "pon_class" in form.changed_data:
            signal.classify_olt(olt_id=obj.pk)

    @action(
        description="Discover",
        permissions=["operate"],
        confirm="The device is read over SNMP: its ports and all ONUs behind them. Nothing is changed on it.",
        button="Discover now",
        icon="travel_explore",
    )
    def discover(self, request: HttpRequest, queryset: QuerySet[Olt]) -> HttpResponse | None:
        jobs = run_on_each(
            self,
            request,
            queryset,
            lambda olt: services.request_discovery(olt_id=olt.pk, user_id=request.user.pk),
            done="Discovery of {count} asked for." if queryset.count() > 1 else "Discovery asked for.",
        )
        if len(jobs) == 1:
            return redirect("admin:jobs_job_change", jobs[0].pk)
        return redirect("admin:jobs_job_changelist") if jobs else None

    @action(
        description="Look for waiting ONUs",
        permissions=["operate"],
        confirm="The OLT is asked which ONUs are plugged in and not authorised. Nothing is changed on it.",
        icon="person_search",
        available=lambda olt: _finds_waiting(olt),
    )
    def look_for_waiting(self, request: HttpRequest, queryset: QuerySet[Olt]) -> HttpResponse | None:
        jobs = run_on_each(
            self,
            request,
            queryset,
            lambda olt: waiting.request_refresh_waiting(olt_id=olt.pk, user_id=request.user.pk),
            done="The OLT is being asked.",
        )
        return redirect("admin:jobs_job_change", jobs[0].pk) if jobs else None

    def delete_model(self, request: HttpRequest, obj: Olt) -> None:
        services.remove_olt(olt_id=obj.pk, at=timezone.now())

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Say in numbers what goes with an OLT; Django would list every reading."""
        counts = [
            (Olt._meta.verbose_name_plural, len(objs)),
            ("PON ports", sum(olt.pon_ports.count() for olt in objs)),
            (
                "vanished ONUs, with their readings",
                sum(olt.onus.exclude(vanished_at=None).count() for olt in objs),
            ),
            ("discovery runs", sum(olt.discovery_runs.count() for olt in objs)),
            ("outages", sum(olt.outages.count() for olt in objs)),
            ("provisioning jobs", sum(olt.provisioning_jobs.count() for olt in objs)),
        ]
        listed = [olt for olt in objs if olt.onus.filter(vanished_at=None).exists()]
        protected = [
            f"{olt} still lists ONUs: move or remove them at the device, then discover it." for olt in listed
        ]
        return [str(olt) for olt in objs], dict(counts), set(), protected

    @admin.display(description="Address", ordering="ip")
    def address(self, obj: Olt) -> str:
        return obj.ip if obj.snmp_port == 161 else f"{obj.ip}:{obj.snmp_port}"

    @admin.display(description="ONUs online", ordering="onu_online")
    def onus(self, obj: Any) -> str:
        if not obj.onu_total:
            return DASH
        tone, _ = olt_page.health(obj.onu_online, obj.onu_total)
        return meter(
            share(obj.onu_online, obj.onu_total), tone=tone, label=f"{obj.onu_online} of {obj.onu_total}"
        )

    @admin.display(description="Last answer", ordering="last_answer_at")
    def last_answer(self, obj: Olt) -> str:
        return moment(obj.last_answer_at, empty="never")

    @admin.display(description="State", ordering="last_outcome")
    def state(self, obj: Any) -> str:
        return pill(*olt_state(obj, timezone.now()))


def _finds_waiting(olt: Olt) -> bool:
    driver = drivers.DRIVERS.get(olt.vendor)
    return driver is not None and Capability.WAITING in driver.capabilities


links.add("olt", "admin:hardware_olt_change")
navigation.add_list("Network", 10, "OLTs", Olt, icon="dns")
navigation.add(
    "Network", 60, "PON map", url_name="admin:hardware_olt_map", icon="grid_on", allowed="hardware.view_olt"
)
