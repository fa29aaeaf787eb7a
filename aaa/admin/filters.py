"""Filters of the lists of access."""

from abc import ABC, abstractmethod
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from aaa.models import Account, AccountState, Nas, Policy, Session
from ipam.models import Pool
from ispcore.admin import links
from ispcore.tenants.base import TenantModel
from subscribers.models import Plan

MOST_LISTED = 200


class _ByRecord(ABC, admin.SimpleListFilter):
    """One of the records there are; what is chosen is found by its key."""

    model: type[TenantModel]

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        named = self.model.objects.order_by("name").values_list("pk", "name")[:MOST_LISTED]
        return [(str(pk), name) for pk, name in named]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        key = links.id_in(self.value())
        return queryset.filter(self.having(key)) if key else queryset

    @abstractmethod
    def having(self, key: UUID) -> Q:
        """Return the condition on the list's rows that this record is the one they have."""


class NasFilter(_ByRecord):
    title, parameter_name = "NAS", "nas"
    model = Nas

    def having(self, key: UUID) -> Q:
        return Q(nas=key)


class PolicyFilter(_ByRecord):
    title, parameter_name = "policy", "policy"
    model = Policy

    def having(self, key: UUID) -> Q:
        return Q(account__in=Account.objects.filter(policy=key).order_by().values("pk"))


class PlanFilter(_ByRecord):
    title, parameter_name = "plan", "plan"
    model = Plan

    def having(self, key: UUID) -> Q:
        return Q(account__in=Account.objects.filter(subscription__plan=key).order_by().values("pk"))


class PoolFilter(_ByRecord):
    title, parameter_name = "address pool", "pool"
    model = Pool

    def having(self, key: UUID) -> Q:
        return Q(account__in=Account.objects.filter(pool=key).order_by().values("pk"))


class StandingFilter(admin.SimpleListFilter):
    """By what staff look for among accounts."""

    title, parameter_name = "status", "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            ("online", "Online now"),
            ("off", "Switched off"),
            ("expired", "Expired"),
            ("depleted", "Data used up"),
            ("barred", "Service suspended or over"),
            ("never", "Never logged in"),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        states = AccountState.objects.order_by()
        conditions = {
            "online": lambda: Q(Exists(Session.objects.filter(account=OuterRef("pk"), stopped_at=None))),
            "off": lambda: Q(enabled=False),
            "expired": lambda: Q(expires_at__lte=timezone.now()),
            "depleted": lambda: Q(
                pk__in=states.filter(used_bytes__gte=F("allowance_bytes")).values("account")
            ),
            "barred": lambda: ~Q(blocked_reason=""),
            "never": lambda: Q(pk__in=states.filter(last_seen_at=None).values("account")),
        }
        chosen = conditions.get(self.value() or "")
        return queryset.filter(chosen()) if chosen else queryset
