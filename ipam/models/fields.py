"""Columns of PostgreSQL's network types; Python sees their canonical text."""

from typing import Any

import netaddr
from django.core.exceptions import ValidationError
from django.db import models

LONGEST_TEXT = 43  # An IPv6 address and its mask.
BITS = {4: 32, 6: 128}


def canonical(text: str) -> str:
    """Return an address, or a prefix with its mask, as PostgreSQL writes it (RFC 5952 for IPv6).

    Raises ValueError for what is none; IPv4 needs its four numbers, and a scope such as %eth0 is none.
    """
    address, slash, mask = text.strip().partition("/")
    try:
        ip = netaddr.IPAddress(address, flags=netaddr.INET_PTON)
    except (netaddr.AddrFormatError, TypeError, ValueError) as error:
        raise ValueError(f"{text!r} is no IP address.") from error
    if not slash:
        return str(ip)
    if not (mask.isascii() and mask.isdigit()) or int(mask) > BITS[ip.version]:
        raise ValueError(f"{text!r} has no mask between 0 and {BITS[ip.version]}.")
    return str(ip) if int(mask) == BITS[ip.version] else f"{ip}/{int(mask)}"


class InetField(models.CharField):  # type: ignore[type-arg]
    """A host's address, or a prefix with its mask."""

    description = "IP address"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["max_length"] = LONGEST_TEXT
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        kwargs.pop("max_length", None)
        return name, path, args, kwargs

    def db_type(self, connection: Any) -> str:
        return "inet"

    def to_python(self, value: Any) -> Any:
        if value in (None, ""):
            return None
        try:
            return canonical(str(value))
        except ValueError as error:
            raise ValidationError(str(error), code="invalid") from error

    def get_prep_value(self, value: Any) -> Any:
        return value if hasattr(value, "resolve_expression") else self.to_python(value)


class CidrField(InetField):
    """A network: no host bits, which PostgreSQL refuses."""

    description = "IP network"

    def db_type(self, connection: Any) -> str:
        return "cidr"


class FirstAddressField(InetField):
    """The first address of the row's `network`, written with it: ranges of it are leakproof, `<<=` is not."""

    def pre_save(self, model_instance: Any, add: bool) -> str:
        address = str(
            netaddr.IPAddress(netaddr.IPNetwork(model_instance.network).first, version_of(model_instance))
        )
        setattr(model_instance, self.attname, address)
        return address


class LastAddressField(InetField):
    """The last address of the row's `network`, as FirstAddressField."""

    def pre_save(self, model_instance: Any, add: bool) -> str:
        address = str(
            netaddr.IPAddress(netaddr.IPNetwork(model_instance.network).last, version_of(model_instance))
        )
        setattr(model_instance, self.attname, address)
        return address


def version_of(row: Any) -> int:
    version: int = netaddr.IPNetwork(row.network).version
    return version
