"""Finding addresses by a part of their text; every search is a range or a prefix of an index."""

import re

from django.db.models import Q, QuerySet

from ipam.models import Address
from ipam.models.fields import canonical
from ipam.services import layout, ranges

BEGINNING_V4 = re.compile(r"\d{1,3}(\.\d{1,3}){0,2}\.?\Z", re.ASCII)
BEGINNING_V6 = re.compile(r"[0-9a-f]{1,4}(:[0-9a-f]{1,4}){0,6}:?\Z", re.IGNORECASE | re.ASCII)


def search(rows: QuerySet[Address], text: str) -> QuerySet[Address]:
    """Narrow to an address and the prefixes around it, a network, the beginning of either, or of a host name."""
    text = text.strip()
    network = _network_meant(text)
    if network is None:
        return rows.filter(hostname__prefix=text, hostname__gt="") if text else rows.none()
    if "/" in network:
        return within_network(rows, network)
    return rows.filter(Q(address=network) | Q(address__in=ranges.containers_of(network)))


def within_network(rows: QuerySet[Address], network: str) -> QuerySet[Address]:
    """Narrow to what lies in a network, whatever host bits it is written with."""
    return layout.within(rows, ranges.span_of(ranges.containers_of(network)[-1]), ranges.family_of(network))


def _network_meant(text: str) -> str | None:
    """Read an address, a network or the beginning of one: 10.1 is 10.1.0.0/16, 2001:db8: is 2001:db8::/32."""
    try:
        return canonical(text)
    except ValueError:
        pass
    try:
        if BEGINNING_V4.match(text):
            parts = text.rstrip(".").split(".")
            return canonical(".".join([*parts, *["0"] * (4 - len(parts))]) + f"/{8 * len(parts)}")
        if ":" in text and BEGINNING_V6.match(text):
            groups = text.rstrip(":").split(":")
            return canonical(":".join(groups) + ("::" if len(groups) < 8 else "") + f"/{16 * len(groups)}")
    except ValueError:
        pass
    return None
