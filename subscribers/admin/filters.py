from abc import ABC, abstractmethod
from typing import Any

from django.contrib import admin
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest

from subscribers import selectors
from subscribers.models import Hold, HoldReason, Zone
from subscribers.services import customers


class TagFilter(admin.SimpleListFilter):
    title = "tag"
    parameter_name = "tag"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(tag, tag) for tag in selectors.tags_in_use()]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        return customers.tagged(queryset, tag) if (tag := self.value()) else queryset


class _ZoneFilter(ABC, admin.SimpleListFilter):
    title = "zone"
    parameter_name = "zone"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        self.zones = {str(zone.pk): zone.name for zone in Zone.objects.order_by("name")}
        return list(self.zones.items())

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        zone = self.value()
        if not zone:
            return queryset
        # What is not one of the zones offered, another tenant's included, matches nothing.
        return self.narrow(queryset, zone) if zone in self.zones else queryset.none()

    @abstractmethod
    def narrow(self, queryset: QuerySet, zone: str) -> QuerySet:
        """Return the rows that lie in the zone of that key."""


class SubscriberZoneFilter(_ZoneFilter):
    """Customers with a line at a premise in the zone."""

    def narrow(self, queryset: QuerySet, zone: str) -> QuerySet:
        return queryset.filter(selectors.in_zone(zone, subscriber=OuterRef("pk")))


class LineZoneFilter(_ZoneFilter):
    def narrow(self, queryset: QuerySet, zone: str) -> QuerySet:
        return queryset.filter(premise__zone=zone)


class HoldFilter(admin.SimpleListFilter):
    """By the reason of an open hold."""

    title = "on hold for"
    parameter_name = "hold"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(str(value), str(label)) for value, label in HoldReason.choices]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        if not self.value():
            return queryset
        held = Hold.objects.filter(subscription=OuterRef("pk"), reason=self.value(), released_at=None)
        return queryset.filter(Exists(held))
