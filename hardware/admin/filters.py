"""Filters of the network's lists."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from hardware.models import PonPort, Signal
from hardware.selectors import Telemetry, numbers_in, telemetry_of_onus
from ispcore.admin import links

PORT = "pon_port__id__exact"
OLT = "olt__id__exact"
WEAK = "weak"


class OltFilter(admin.RelatedFieldListFilter):
    """By OLT, under the trade's own name."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.title = "OLT"


class SignalFilter(admin.SimpleListFilter):
    """By the stored class, whatever limits it was made with."""

    title = "signal"
    parameter_name = "signal"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(WEAK, "Weak: warning or critical"), *((str(kind.value), str(kind.label)) for kind in Signal)]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        chosen = self.value()
        if chosen == WEAK:
            return queryset.filter(signal__in=(Signal.WARNING, Signal.CRITICAL))
        return queryset.filter(signal=chosen) if chosen in Signal.values else queryset


class PortFilter(admin.SimpleListFilter):
    """By PON port, once an OLT or one of its ports is chosen: a network has too many to list."""

    title = "PON port"
    parameter_name = PORT

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        ports = PonPort.objects.all()
        if port := links.id_in(request.GET.get(PORT)):
            ports = ports.filter(olt__pon_ports=port)
        elif olt := links.id_in(request.GET.get(OLT)):
            ports = ports.filter(olt=olt)
        else:
            return []
        named = sorted(ports.values_list("pk", "index"), key=lambda each: numbers_in(each[1]))
        return [(str(pk), index) for pk, index in named]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        port = links.id_in(self.value())
        return queryset.filter(pon_port=port) if port else queryset


class ServiceFilter(admin.SimpleListFilter):
    title = "service"
    parameter_name = "service"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("linked", "Feeds a service"), ("none", "No service linked")]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        if self.value() in ("linked", "none"):
            return queryset.filter(subscription__isnull=self.value() == "none")
        return queryset


class TelemetryFilter(admin.SimpleListFilter):
    title = "telemetry"
    parameter_name = "telemetry"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(str(state.value), str(state.label)) for state in Telemetry]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        condition = telemetry_of_onus(timezone.now()).get(self.value() or "")
        return queryset if condition is None else queryset.filter(condition)
