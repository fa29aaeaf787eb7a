"""ISPChamp's operations are the native ones; only the shape around their answers differs."""

from typing import Any

from django.urls import URLPattern, URLResolver, include, path, re_path

from aaa.api import CoaView, DisconnectView, PolicyViewSet, SessionViewSet
from billing.api.invoices import InvoiceViewSet
from billing.api.payments import PaymentViewSet
from billing.api.runs import GenerateView
from compat.frame import in_dialect
from hardware.api import (
    DiscoverView,
    OnuAuthorizeView,
    OnuSignalView,
    OnuStatusView,
    OnuUnauthorizeView,
    PonStatsView,
    SyncView,
)
from ipam.api.addresses import AllocateView, ReleaseView
from ipam.api.pools import PoolViewSet
from ipam.api.space import SubnetViewSet, VrfViewSet
from ispcore.jobs.api import TaskViewSet
from subscribers.api.customers import SubscriberViewSet
from support.api.tickets import TicketViewSet

app_name = "ispchamp"

LIST = {"get": "list"}
LIST_AND_CREATE = {"get": "list", "post": "create"}
PK = r"(?P<pk>[^/]+)"


def route(pattern: str, name: str, view: Any) -> URLPattern:
    made: URLPattern = re_path(rf"^{pattern}/?$", in_dialect(view).as_view(), name=name)
    return made


def records(pattern: str, name: str, view: Any, basename: str, actions: dict[str, str]) -> URLPattern:
    """Serve some verbs of a native viewset; `basename` names its native routes, for `Location`."""
    spoken = in_dialect(view).as_view(actions, basename=basename, detail=PK in pattern)
    made: URLPattern = re_path(rf"^{pattern}/?$", spoken, name=name)
    return made


hardware: list[URLPattern] = [
    route("olt/sync", "olt-sync", SyncView),
    route("olt/discover", "olt-discover", DiscoverView),
    route("olt/onu/status", "onu-status", OnuStatusView),
    route("olt/onu/signal", "onu-signal", OnuSignalView),
    route("olt/pon/stats", "pon-stats", PonStatsView),
    route("olt/onu/authorize", "onu-authorize", OnuAuthorizeView),
    route("olt/onu/unauthorize", "onu-unauthorize", OnuUnauthorizeView),
]

api: list[URLPattern | URLResolver] = [
    records("subscribers", "subscribers", SubscriberViewSet, "subscriber", LIST_AND_CREATE),
    records(
        f"subscribers/{PK}",
        "subscriber",
        SubscriberViewSet,
        "subscriber",
        {"get": "retrieve", "put": "update", "patch": "partial_update", "delete": "destroy"},
    ),
    records(
        f"subscribers/{PK}/activate",
        "subscriber-activate",
        SubscriberViewSet,
        "subscriber",
        {"post": "activate"},
    ),
    records(
        f"subscribers/{PK}/suspend",
        "subscriber-suspend",
        SubscriberViewSet,
        "subscriber",
        {"post": "suspend"},
    ),
    records("billing/invoices", "invoices", InvoiceViewSet, "invoice", LIST),
    route("billing/invoices/generate", "invoice-generate", GenerateView),
    records(f"billing/invoices/{PK}", "invoice", InvoiceViewSet, "invoice", {"get": "retrieve"}),
    records("billing/payments", "payments", PaymentViewSet, "payment", LIST_AND_CREATE),
    path("hardware/", include(hardware)),
    records("ipam/pools", "pools", PoolViewSet, "pool", LIST_AND_CREATE),
    records("ipam/subnets", "subnets", SubnetViewSet, "subnet", LIST),
    route("ipam/allocate", "allocate", AllocateView),
    route("ipam/release", "release", ReleaseView),
    records("ipam/vrfs", "vrfs", VrfViewSet, "vrf", LIST),
    records("aaa/sessions", "sessions", SessionViewSet, "session", LIST),
    route("aaa/coa", "coa", CoaView),
    route("aaa/disconnect", "disconnect", DisconnectView),
    records("aaa/policies", "policies", PolicyViewSet, "policy", LIST_AND_CREATE),
    records("support/tickets", "tickets", TicketViewSet, "ticket", LIST_AND_CREATE),
    records(
        f"support/tickets/{PK}",
        "ticket",
        TicketViewSet,
        "ticket",
        {"get": "retrieve", "patch": "partial_update"},
    ),
    records(
        f"support/tickets/{PK}/comments",
        "ticket-comments",
        TicketViewSet,
        "ticket",
        {"get": "comments", "post": "say"},
    ),
    records(f"tasks/{PK}", "task", TaskViewSet, "task", {"get": "retrieve"}),
]

urlpatterns: list[URLPattern | URLResolver] = [path("api/v1/", include(api))]
