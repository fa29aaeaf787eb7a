"""A small address plan for tests."""

from datetime import UTC, datetime
from typing import Any

from ipam.models import Pool, Subnet, Vrf
from ipam.services import pools, space

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def make_pool(
    network: str = "203.0.113.0/24", first: str = "203.0.113.10", last: str = "203.0.113.19", **fields: Any
) -> Pool:
    """A pool of ten addresses in a subnet of the default VRF, unless said otherwise."""
    vrf = fields.pop("vrf", None) or space.default_vrf()
    subnet_in(vrf, network)
    return pools.create_pool(
        vrf_id=vrf.pk,
        name=fields.pop("name", "homes"),
        ranges_given=[{"first": first, "last": last}],
        **fields,
    )


def subnet_in(vrf: Vrf, network: str, **fields: Any) -> Subnet:
    found = Subnet.objects.filter(vrf=vrf, network=network).first()
    return found or space.create_subnet(vrf_id=vrf.pk, network=network, **fields)


def make_prefix_pool(**fields: Any) -> Pool:
    """A pool of the /56 prefixes of a /40."""
    return make_pool(
        "2001:db8::/40",
        "2001:db8::",
        "2001:db8:ff:ffff:ffff:ffff:ffff:ffff",
        **{"name": "prefixes", "kind": "prefix", "family": 6, "prefix_length": 56, **fields},
    )
