from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html

from hardware import drivers, selectors
from hardware.admin import onu_page
from hardware.admin.filters import OltFilter, PortFilter, ServiceFilter, SignalFilter, TelemetryFilter
from hardware.admin.signals import STATUS_TONES, TELEMETRY_TONES, dbm, metres, signal
from hardware.drivers import Capability
from hardware.models import Olt, Onu, OnuStatus, PonPort
from hardware.selectors import Telemetry, telemetry_of_onus, with_telemetry
from hardware.services import live, provisioning
from ispcore.admin import links, navigation
from ispcore.admin.actions import ActionForm, action, run_on_each
from ispcore.admin.base import ReadOnlyAdmin
from ispcore.admin.fields import Select
from ispcore.admin.formats import DASH, choice_column, moment, pill, time_column
from ispcore.admin.site import register

MOST_RESTARTED = 50
PER_PAGE = 50
PORTS_SHOWN = 8
PRESENT = (OnuStatus.ONLINE, OnuStatus.OFFLINE, OnuStatus.UNKNOWN, OnuStatus.AUTHORISED)


class RestartForm(ActionForm):
    """Says before the question what a restart of the chosen ONUs comes to."""

    which = forms.ChoiceField(
        choices=[("online", "Those that are online"), ("all", "All that are chosen")],
        label="Which ones",
        widget=Select,
        help_text="An ONU that is off does not hear it; its job would fail.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        able = [
            vendor for vendor, driver in drivers.DRIVERS.items() if Capability.REBOOT in driver.capabilities
        ]
        self.count = self.rows.count()
        if self.count == 1:
            del self.fields["which"]  # There is nothing to choose from.
            return
        seen = self.rows.order_by().aggregate(
            online=Count("pk", filter=Q(status=OnuStatus.ONLINE)),
            unable=Count("pk", filter=~Q(olt__vendor__in=able)),
            customers=Count("subscription", filter=Q(status=OnuStatus.ONLINE), distinct=True),
            olts=Count("olt", distinct=True),
        )
        words = [
            f"Chosen: {self.count}, of which {seen['online']} online, on {seen['olts']} OLT"
            f"{'' if seen['olts'] == 1 else 's'}.",
            f"Customers who lose their line for a minute or two: {seen['customers']}.",
        ]
        if seen["unable"]:
            words.append(f"{seen['unable']} cannot be restarted from here: their OLT does not offer it.")
        words.append("Each restart is a job of its own; those of one OLT run one after the other.")
        self.fields["which"].help_text += " " + " ".join(words)

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if self.count > MOST_RESTARTED:
            raise forms.ValidationError(
                f"At most {MOST_RESTARTED} at a time, and {self.count} are chosen. Choose fewer: whole ports at "
                "once are better restarted from the OLT."
            )
        return cleaned


@register(Onu)
class OnuAdmin(ReadOnlyAdmin):
    """What the OLTs report. What is changed is changed at the device, by a provisioning job."""

    list_display = (
        "serial",
        "place",
        choice_column("status", "State", STATUS_TONES),
        "rx",
        "service",
        "distance",
        "description",
        "read_age",
    )
    list_filter = (
        "status", SignalFilter, ("olt", OltFilter), PortFilter, ServiceFilter, TelemetryFilter
    )  # fmt: skip
    list_select_related = ("olt", "subscription__subscriber")
    search_fields = ("^serial", "description")
    search_help_text = "The serial number's beginning, or part of the description"
    ordering = ("olt__name", "serial")
    sortable_by = ("serial", "status_label", "rx", "distance")
    actions = ("restart",)
    object_actions = ("read_now", "restart", "remove")
    change_form_outer_before_template = "admin/hardware/onu/page.html"
    fieldsets = (
        (
            "Registration",
            {
                "fields": (
                    "description",
                    "model",
                    "line_profile",
                    "service_profile",
                    choice_column("admin_state", "Administrative state", {}),
                    time_column("first_seen_at", "First seen"),
                    time_column("last_seen_at", "Last listed by its OLT"),
                    time_column("authorised_at", "Authorised from here", empty="no"),
                    time_column("vanished_at", "Not listed since", empty="it is listed"),
                )
            },
        ),
    )
    empty_title = "No ONU is known yet"
    empty_help = "ONUs are found by discoveries: register an OLT and discover it, and each unit behind it appears here."

    def get_palette_results(
        self, request: HttpRequest, queryset: QuerySet[Onu], term: str
    ) -> tuple[QuerySet[Onu], bool]:
        """Find serial numbers by their beginning, by index; a part of a description is looked for in the list alone."""
        return queryset.filter(serial__prefix=term.upper()), False

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest) -> bool:
        return lookup == "pon_port__id__exact" or super().lookup_allowed(lookup, value, request)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Onu]:
        rows = super().get_queryset(request).select_related("olt", "pon_port", "subscription__subscriber")
        return with_telemetry(rows, telemetry_of_onus(timezone.now()))

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.low_signal_view)
        return [path("low-signal/", view, name="hardware_onu_low_signal"), *super().get_urls()]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        if onu := kwargs.get("obj"):
            context |= onu_page.context(request, onu)
        return super().render_change_form(request, context, *args, **kwargs)

    def low_signal_view(self, request: HttpRequest) -> HttpResponse:
        """List weak ONUs, the worst first, and the ports that have most of them."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        olt = links.named(Olt.objects.all(), request.GET.get("olt"))
        port = links.named(PonPort.objects.select_related("olt"), request.GET.get("port"))
        rows = selectors.weak_onus(olt_id=olt and olt.pk, pon_port_id=port and port.pk)
        # The keys in their order first, and what is shown of one page of them then: joins for 50 rows, not for all.
        page = Paginator(rows.values_list("pk", flat=True), PER_PAGE).get_page(request.GET.get("page"))
        shown = self.get_queryset(request).filter(pk__in=list(page)).in_bulk()
        asked = {name: str(each.pk) for name, each in (("olt", olt), ("port", port)) if each}
        context = {
            **self.admin_site.each_context(request),
            "title": "Low signal",
            "chosen": " ".join(filter(None, (olt and olt.name, port and f"{port.olt.name} {port.index}"))),
            "rows": [_weak_row(shown[pk]) for pk in page if pk in shown],
            "count": page.paginator.count,
            "page": page,
            "query": urlencode(asked),
            "ports": [] if asked else [_weak_port(*each) for each in selectors.weakest_ports(PORTS_SHOWN)],
            "all_url": reverse("admin:hardware_onu_low_signal"),
        }
        return TemplateResponse(request, "admin/hardware/onu/low_signal.html", context)

    @action(
        description="Read now",
        permissions=["operate"],
        confirm="The ONU's state and optics are read from its OLT now and stored. Nothing is changed on it.",
        icon="speed",
        available=lambda onu: onu.status in PRESENT,
    )
    def read_now(self, request: HttpRequest, queryset: QuerySet[Onu]) -> HttpResponse | None:
        jobs = run_on_each(
            self,
            request,
            queryset,
            lambda onu: live.request_onu_reading(
                onu_id=onu.pk,
                kind="signal" if live.has_optics(onu.olt) else "status",
                user_id=request.user.pk,
            ),
            done="The reading was asked for.",
        )
        return redirect("admin:jobs_job_change", jobs[0].pk) if jobs else None

    @action(
        description="Restart",
        permissions=["operate"],
        confirm="The ONU starts anew: its customer is offline for a minute or two.",
        icon="restart_alt",
        available=lambda onu: onu.status in PRESENT,
        form=RestartForm,
    )
    def restart(
        self, request: HttpRequest, queryset: QuerySet[Onu], data: dict[str, Any]
    ) -> HttpResponse | None:
        rows = queryset.filter(status=OnuStatus.ONLINE) if data.get("which") == "online" else queryset
        changes = run_on_each(
            self,
            request,
            rows[:MOST_RESTARTED],
            lambda onu: provisioning.request_reboot(onu=onu, user_id=request.user.pk),
            done="Restarts asked for: {count}.",
        )
        return onu_page.to_changes(request, changes, asked=bool(rows.count()))

    @action(
        description="Remove from the OLT",
        permissions=["operate"],
        confirm="The ONU is deleted from its OLT, its service ports first, and its customer loses the line. Its "
        "readings stay here. To bring it back it is authorised anew.",
        button="Remove it",
        icon="link_off",
        danger=True,
        available=lambda onu: onu.status in PRESENT,
    )
    def remove(self, request: HttpRequest, queryset: QuerySet[Onu]) -> HttpResponse | None:
        changes = run_on_each(
            self,
            request,
            queryset,
            lambda onu: provisioning.request_unauthorize(onu=onu, user_id=request.user.pk),
            done="The removal was asked for.",
        )
        return onu_page.to_changes(request, changes, asked=True)

    @admin.display(description="OLT and index", ordering="olt__name")
    def place(self, obj: Onu) -> str:
        return f"{obj.olt.name} · {obj.index}"

    @admin.display(description="Signal (Rx)", ordering="rx_power_dbm")
    def rx(self, obj: Onu) -> str:
        return signal(obj.rx_power_dbm, obj.signal)

    @admin.display(description="Distance", ordering="distance_m")
    def distance(self, obj: Onu) -> str:
        return metres(obj.distance_m)

    @admin.display(description="Service")
    def service(self, obj: Onu) -> str:
        line = obj.subscription
        if line is None:
            return DASH
        url = links.url_of("service", line.pk)
        return format_html("{} {}", links.link(url, f"#{line.number}"), line.subscriber.full_name)

    @admin.display(description="Read")
    def read_age(self, obj: Any) -> str:
        if obj.telemetry == Telemetry.FRESH:
            return moment(obj.observed_at)
        return pill(str(Telemetry(obj.telemetry).label), TELEMETRY_TONES[obj.telemetry])


def _weak_row(onu: Any) -> dict[str, Any]:
    line = onu.subscription
    return {
        "url": reverse("admin:hardware_onu_change", args=[onu.pk]),
        "serial": onu.serial,
        "place": f"{onu.olt.name} · {onu.index}",
        "rx": signal(onu.rx_power_dbm, onu.signal),
        "olt_rx": dbm(onu.olt_rx_power_dbm),
        "distance": metres(onu.distance_m),
        "customer": f"#{line.number} {line.subscriber.full_name}" if line else "no service linked",
        "customer_url": links.url_of("service", line.pk) if line else "",
        "measured": moment(onu.measured_at, empty="never"),
    }


def _weak_port(port: PonPort, weak: int, weakest: float | None) -> dict[str, Any]:
    return {
        "name": f"{port.olt.name} · {port.index}",
        "url": f"{reverse('admin:hardware_onu_low_signal')}?port={port.pk}",
        "weak": f"{weak} of {port.online_count} online" if port.online_count else str(weak),
        "weakest": dbm(weakest),
    }


links.add("onu", "admin:hardware_onu_change")
navigation.add_list("Network", 20, "ONUs", Onu, icon="router")
navigation.add(
    "Network",
    65,
    "Low signal",
    url_name="admin:hardware_onu_low_signal",
    icon="signal_cellular_alt",
    allowed="hardware.view_onu",
)
