"""Filters of the address lists."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from ipam.models import Subnet, UsageLevel
from ispcore.admin import links

NEARLY = "nearly_full"
NOT_FINE = (UsageLevel.WARNING, UsageLevel.CRITICAL, UsageLevel.FULL)


class VrfFilter(admin.RelatedFieldListFilter):
    """By VRF, under the trade's own name."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.title = "VRF"


class LevelFilter(admin.SimpleListFilter):
    """By how full a pool is, as last counted."""

    title = "level"
    parameter_name = "level"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        levels = [(str(level.value), str(level.label)) for level in UsageLevel]
        return [(NEARLY, "Any that is not fine"), *levels]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        if self.value() == NEARLY:
            return queryset.filter(usage__level__in=NOT_FINE)
        return queryset.filter(usage__level=self.value()) if self.value() in UsageLevel.values else queryset


class _ChosenFilter(admin.SimpleListFilter):
    """Shown while a link narrowed the list to one record: there are too many to choose from."""

    model: Any

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        chosen = links.id_in(request.GET.get(self.parameter_name or ""))
        found = self.model.objects.filter(pk=chosen).first() if chosen else None
        return [(str(chosen), str(found or "Not found"))] if chosen else []


def chosen_filter(of: Any, field: str, named: str) -> type[admin.SimpleListFilter]:
    """Make a filter of a list's foreign key that only links use."""

    class Filter(_ChosenFilter):
        title = named
        parameter_name = f"{field}__id__exact"
        model = of

        def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
            chosen = links.id_in(self.value())
            return queryset.filter(**{field: chosen}) if chosen else queryset

    return Filter


class SubnetFilter(admin.SimpleListFilter):
    """What lies in a subnet and in those within it, while a link chose one."""

    title = "subnet"
    parameter_name = "subnet__id__exact"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        chosen = links.id_in(request.GET.get(self.parameter_name))
        self.subnet = Subnet.objects.filter(pk=chosen).first() if chosen else None
        return [(str(chosen), str(self.subnet or "Not found"))] if chosen else []

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        if not links.id_in(self.value()):
            return queryset
        if self.subnet is None:
            return queryset.none()
        # A network sorts before all that lies in it, its last address after.
        return queryset.filter(
            vrf=self.subnet.vrf_id, address__gte=self.subnet.network, address__lte=self.subnet.last_address
        )
