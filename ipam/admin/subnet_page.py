"""What a subnet's page shows: what it is, its map, what lies within, and which pools hand parts of it out."""

from typing import Any

import netaddr
from django.urls import reverse
from django.utils.html import format_html_join

from ipam.admin import map as drawing
from ipam.admin.words import figures, percent_of, percent_words, tone_of, what_of
from ipam.models import Pool, Subnet
from ipam.services import pools, ranges, usage
from ispcore.admin import links
from ispcore.admin.dashboard import Bar, Chart, Part, share
from ispcore.admin.formats import DASH

CHILDREN_SHOWN = 60
NETWORKS_NAMED = 4


def context(subnet: Subnet, *, at: str) -> dict[str, Any]:
    """Read one subnet's page; what it costs does not grow with the subnet."""
    children = list(subnet.children.order_by("first_address")[: CHILDREN_SHOWN + 1])
    counts = usage.counts_of_subnets([subnet.pk, *(child.pk for child in children[:CHILDREN_SHOWN])])
    return {
        "facts": _facts(subnet, counts[subnet.pk]),
        "tiles": _tiles(subnet, counts[subnet.pk]),
        "map": drawing.draw(subnet, at),
        "children": _children(children[:CHILDREN_SHOWN], counts),
        "more_children": len(children) > CHILDREN_SHOWN,
        "list_url": f"{reverse('admin:ipam_subnet_changelist')}?q={subnet.network}",
        "pools": _pools(subnet),
        "addresses_url": addresses_url(subnet),
    }


def addresses_url(subnet: Subnet, **more: str) -> str:
    query = "".join(f"&{name}={value}" for name, value in more.items())
    return f"{reverse('admin:ipam_address_changelist')}?subnet__id__exact={subnet.pk}{query}"


def unused_networks(subnet: Subnet) -> list[str]:
    """Name the largest parts of a subnet in which no subnet lies yet."""
    taken = subnet.children.values_list("network", flat=True)
    left = netaddr.IPSet([subnet.network]) - netaddr.IPSet(list(taken))
    largest = sorted(left.iter_cidrs(), key=lambda network: network.prefixlen)[:NETWORKS_NAMED]
    return [str(network) for network in sorted(largest)]


def _facts(subnet: Subnet, counts: usage.Counts) -> list[tuple[str, Any]]:
    parent = subnet.parent
    zone = subnet.zone
    return [
        ("VRF", links.link(links.url_of("vrf", subnet.vrf_id), subnet.vrf.name)),
        (
            "Lies in",
            links.link(links.url_of("subnet", parent.pk), str(parent)) if parent else "no other subnet",
        ),
        ("Zone", links.link(links.url_of("zone", zone.pk), zone.name) if zone else DASH),
        ("Site", subnet.site or DASH),
        ("VLAN", str(subnet.vlan_id) if subnet.vlan_id else DASH),
        ("Gateway", subnet.gateway or DASH),
        ("DNS servers", ", ".join(subnet.dns_servers) or DASH),
        ("Addresses", f"{subnet.first_address} – {subnet.last_address}"),
        *([("Host addresses", figures(counts.total))] if ranges.family_of(subnet.network) == 4 else []),
    ]


def _tiles(subnet: Subnet, counts: usage.Counts) -> list[dict[str, Any]]:
    states = (
        ("Assigned", counts.assigned, "assigned", "good"),
        ("Reserved", counts.reserved, "reserved", "warning"),
        ("Resting", counts.quarantined, "quarantined", "info"),
    )
    return [
        {
            "label": label,
            "value": figures(count),
            "tone": tone if count else "plain",
            "url": addresses_url(subnet, state__exact=state),
        }
        for label, count, state, tone in states
    ]


def _children(children: list[Subnet], counts: dict[Any, usage.Counts]) -> Chart:
    bars = [_bar(child, counts[child.pk]) for child in children]
    return Chart("Subnets within", bars, empty="None. “Add a subnet within” above divides this network.")


def _bar(child: Subnet, counts: usage.Counts) -> Bar:
    used = counts.total - counts.free
    share_of = percent_of(used, counts.total)
    is_countable = ranges.family_of(child.network) == 4
    value = f"{figures(used)} of {figures(counts.total)} ({percent_words(used, counts.total)})"
    return Bar(
        label=child.network,
        hint=child.name,
        value=value if is_countable else f"{figures(used)} in use",
        parts=[Part("In use", used, share(used, counts.total), tone_of(share_of))] if is_countable else [],
        url=reverse("admin:ipam_subnet_change", args=[child.pk]),
    )


def _pools(subnet: Subnet) -> list[dict[str, Any]]:
    parts = subnet.pool_ranges.select_related("pool").order_by("first")
    by_pool: dict[Pool, list[Any]] = {}
    for part in parts:
        by_pool.setdefault(part.pool, []).append(part)
    free = pools.next_free(by_pool.keys())
    return [
        {
            "url": reverse("admin:ipam_pool_change", args=[pool.pk]),
            "name": pool.name,
            "what": what_of(pool),
            "ranges": format_html_join(", ", "{}", ((str(part),) for part in found)),
            "next": free.get(pool.pk) or "nothing left",
            "is_active": pool.is_active,
        }
        for pool, found in by_pool.items()
    ]
