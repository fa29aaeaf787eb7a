"""Filters of the lists of access."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from aaa.models import Account, AccountState, Nas, Policy, Session
from ipam.models import Pool
from subscribers.models import Plan

MOST_LISTED = 200


class _ByRecord(admin.SimpleListFilter):
    """One of the records there are; what is chosen is found by its key."""

    records: Callable[[], QuerySet[Any]]

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        named = type(self).records().order_by("name").values_list("pk", "name")[:MOST_LISTED]
        return [(str(pk), name) for pk, name in named]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        try:
            key = UUID(self.value() or "")
        except ValueError:
            return queryset
        return queryset.filter(self.having(key))

    def having(self, key: UUID) -> Q:
        raise NotImplementedError


class NasFilter(_ByRecord):
    title, parameter_name = "NAS", "nas"
    records = staticmethod(lambda: Nas.objects.all())

    def having(self, key: UUID) -> Q:
        return Q(nas=key)


class PolicyFilter(_ByRecord):
    title, parameter_name = "policy", "policy"
    records = staticmethod(lambda: Policy.objects.all())

    def having(self, key: UUID) -> Q:
        return Q(account__in=Account.objects.filter(policy=key).order_by().values("pk"))


class PlanFilter(_ByRecord):
    title, parameter_name = "plan", "plan"
    records = staticmethod(lambda: Plan.objects.all())

    def having(self, key: UUID) -> Q:
        return Q(account__in=Account.objects.filter(subscription__plan=key).order_by().values("pk"))


class PoolFilter(_ByRecord):
    title, parameter_name = "address pool", "pool"
    records = staticmethod(lambda: Pool.objects.all())

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
