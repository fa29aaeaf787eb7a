"""Where a key may be used from."""

import ipaddress
from collections.abc import Iterable

from django.core.exceptions import ValidationError


def validate_network(value: str) -> None:
    """Raise ValidationError for what is neither an address nor a network."""
    try:
        ipaddress.ip_network(value, strict=False)
    except ValueError as error:
        raise ValidationError(
            "'%(value)s' is no IP address or network.", "invalid", {"value": value}
        ) from error


def contains(networks: Iterable[str], ip: str | None) -> bool:
    """Tell whether an address lies in one of the networks; no address lies nowhere."""
    try:
        address = ipaddress.ip_address(ip or "")
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped  # How a dual-stack socket shows an IPv4 peer.
    return any(address in ipaddress.ip_network(network, strict=False) for network in networks)
