from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html

from hardware import selectors, services
from hardware.admin.signals import OUTCOME_TONES, STATE_WORDS, dbm
from hardware.models import DiscoveryRun, Olt, PonPort, RunOutcome
from ispcore.admin import links, navigation
from ispcore.admin.actions import action, run_on_each
from ispcore.admin.base import TenantModelAdmin
from ispcore.admin.dashboard import share
from ispcore.admin.formats import DASH, duration, meter, moment, pill
from ispcore.admin.site import register


@register(Olt)
class OltAdmin(TenantModelAdmin):
    """OLTs: registered by hand; what they say of themselves is written by discoveries."""

    list_display = ("name", "vendor", "address", "site", "onus", "last_answer", "state")
    list_filter = ("vendor", "site")
    search_fields = ("name", "=ip", "site")
    ordering = ("name",)
    actions = ("discover",)
    object_actions = ("discover",)
    change_form_outer_before_template = "admin/hardware/olt/facts.html"
    fieldsets = (
        (None, {"fields": ("name", "vendor", "site", "notes")}),
        ("How to reach it", {"fields": ("ip", "snmp_port", "snmp_version", "community")}),
    )
    empty_title = "No OLT is registered"
    empty_help = (
        "An OLT (optical line terminal) is the device your customers' fibres end at. Register it with its "
        "address and SNMP read community; a discovery then finds its ports and every ONU behind them."
    )
    docs_path = "/docs"
    history_ignore = (
        "sys_name", "sys_descr", "sys_object_id", "model", "uptime_seconds", "last_answer_at", "last_error"
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[Olt]:
        return selectors.with_last_outcome(selectors.with_onu_counts(super().get_queryset(request)))

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        olt = kwargs.get("obj")
        if olt:
            context |= {
                "state": self.state(olt),
                "facts": _facts(olt),
                "ports": [_port(port) for port in selectors.ports_of(olt)],
                "runs": [_run(run) for run in selectors.last_runs(olt)],
                "onus_url": f"{reverse('admin:hardware_onu_changelist')}?olt__id__exact={olt.pk}",
            }
        return super().render_change_form(request, context, *args, **kwargs)

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

    def delete_model(self, request: HttpRequest, obj: Olt) -> None:
        services.remove_olt(olt_id=obj.pk)

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
        percent = share(obj.onu_online, obj.onu_total)
        tone = "good" if percent >= 95 else "warning" if percent >= 80 else "danger"
        return meter(percent, tone=tone, label=f"{obj.onu_online} of {obj.onu_total}")

    @admin.display(description="Last answer", ordering="last_answer_at")
    def last_answer(self, obj: Olt) -> str:
        return moment(obj.last_answer_at, empty="never")

    @admin.display(description="State", ordering="last_outcome")
    def state(self, obj: Any) -> str:
        return pill(*STATE_WORDS[obj.last_outcome])


def _facts(olt: Olt) -> list[tuple[str, Any]]:
    return [
        ("Model", olt.model or DASH),
        ("Calls itself", olt.sys_name or DASH),
        ("Describes itself as", olt.sys_descr or DASH),
        ("Up for", duration(olt.uptime_seconds)),
        ("Last answer", moment(olt.last_answer_at, empty="never")),
    ]


def _port(port: PonPort) -> dict[str, Any]:
    is_up = port.is_up
    return {
        "index": port.index,
        "state": pill("Unknown")
        if is_up is None
        else pill("Up", "good")
        if is_up
        else pill("Down", "danger"),
        "online": meter(
            share(port.online_count, port.onu_count),
            tone="good" if port.online_count == port.onu_count else "warning",
            label=f"{port.online_count} of {port.onu_count}",
        )
        if port.onu_count
        else "none",
        "tx": dbm(port.tx_power_dbm),
        "temperature": DASH if port.temperature_c is None else f"{port.temperature_c:.0f} °C",
        "url": f"{reverse('admin:hardware_onu_changelist')}?pon_port__id__exact={port.pk}",
    }


def _run(run: DiscoveryRun) -> dict[str, Any]:
    outcome = RunOutcome(run.outcome)
    return {
        "url": reverse("admin:hardware_discoveryrun_change", args=[run.pk]),
        "outcome": pill(outcome.label, OUTCOME_TONES[outcome]),
        "started": moment(run.started_at),
        "counts": format_html("{} seen, {} new, {} vanished", run.onus_seen, run.onus_new, run.onus_vanished),
        "message": run.message,
    }


links.add("olt", "admin:hardware_olt_change")
navigation.add(
    "Network", 10, "OLTs", url_name="admin:hardware_olt_changelist", icon="dns", allowed="hardware.view_olt"
)
