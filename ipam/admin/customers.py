"""The addresses of a customer's lines, on the customer's page and on that of a service."""

from collections.abc import Sequence
from typing import Any

from django.db.models import Q
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from ipam.admin.address_page import past_row
from ipam.admin.words import service_words
from ipam.models import Address, CgnatRule, PastAssignment
from ipam.services import cgnat, ranges
from ispcore.admin.formats import moment
from subscribers.admin import tabs
from subscribers.models import ServiceStatus, Subscriber, Subscription

LINES_SHOWN = 20
PAST_SHOWN = 10
ENDED = (ServiceStatus.TERMINATED, ServiceStatus.CANCELLED)


def addresses_tab(request: HttpRequest, subscriber: Subscriber) -> dict[str, Any]:
    """Read the addresses of a customer's lines; as many queries for one line as for six."""
    rows = Subscription.objects.filter(subscriber=subscriber).exclude(status__in=ENDED)
    lines = list(rows.select_related("plan", "premise", "subscriber").order_by("pk")[:LINES_SHOWN])
    past = PastAssignment.objects.filter(subscription__subscriber=subscriber)
    return _addresses(request, lines, past)


def service_panel(request: HttpRequest, line: Subscription) -> dict[str, Any]:
    """Read the addresses of one line."""
    past = PastAssignment.objects.filter(subscription=line)
    return {**_addresses(request, [line], past), "is_single": True}


def _addresses(request: HttpRequest, lines: Sequence[Subscription], past: Any) -> dict[str, Any]:
    held: dict[Any, list[Address]] = {}
    found = Address.objects.filter(subscription__in=[line.pk for line in lines])
    for address in found.select_related("pool", "subnet").order_by("address"):
        held.setdefault(address.subscription_id, []).append(address)
    now = timezone.now()
    rules = list(CgnatRule.objects.filter(Q(valid_until=None) | Q(valid_until__gt=now), valid_from__lte=now))
    may_change = request.user.has_perm("ipam.change_address")
    before = past.select_related("subscription__subscriber", "ended_by").order_by("-ended_at")[:PAST_SHOWN]
    return {
        "address_lines": [
            {
                "name": service_words(line),
                "plan": line.plan.name,
                "wants": line.plan.pool_hint,
                "held": [_row(address, rules, may_change) for address in held.get(line.pk, [])],
            }
            for line in lines
        ],
        "past_addresses": [past_row(row) for row in before],
        "pools_url": reverse("admin:ipam_pool_changelist") if may_change else "",
    }


def _row(address: Address, rules: list[CgnatRule], may_change: bool) -> dict[str, Any]:
    return {
        "address": address.address,
        "url": reverse("admin:ipam_address_change", args=[address.pk]),
        "pool": address.pool.name if address.pool else "",
        "pool_url": reverse("admin:ipam_pool_change", args=[address.pool_id]) if address.pool else "",
        "host": address.hostname,
        "since": moment(address.assigned_at),
        "outside": _outside(address, rules),
        "release_url": reverse("admin:ipam_address_action", args=[address.pk, "release_it"])
        if may_change
        else "",
    }


def _outside(address: Address, rules: list[CgnatRule]) -> str:
    """Say what the world sees of an address behind CGNAT."""
    if ranges.length_of(address.address) != 32 or ranges.family_of(address.address) != 4:
        return ""
    for rule in rules:
        if rule.vrf_id == address.vrf_id and (block := cgnat.block_of(rule, address.address)):
            return f"{block.public_address}, ports {block.first_port} – {block.last_port}"
    return ""


tabs.add(
    35,
    "addresses",
    "Addresses",
    template="admin/ipam/customer.html",
    allowed="ipam.view_address",
    read=addresses_tab,
)
tabs.add_panel(
    35,
    "addresses",
    template="admin/ipam/customer.html",
    allowed="ipam.view_address",
    read=service_panel,
)
