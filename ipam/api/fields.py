"""Fields of addresses, as JSON text."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from ipam.models.fields import LONGEST_TEXT, canonical
from ipam.services import ranges
from ispcore.api.fields import IntegerField, TextField


class AddressField(TextField):
    """A host's address in any spelling; stored and shown in its canonical one (RFC 5952)."""

    with_mask = False
    default_error_messages = {
        "address": "Enter an IPv4 or IPv6 address.",
        "mask": "Enter an address without a mask.",
    }

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("max_length", LONGEST_TEXT)
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        try:
            address = canonical(text)
        except ValueError:
            self.fail("address")
        if "/" in address and not self.with_mask:
            self.fail("mask")
        return address


class AddressOrPrefixField(AddressField):
    """An address, or a delegated prefix with its mask."""

    with_mask = True


class NetworkField(AddressField):
    """A network in CIDR notation."""

    with_mask = True
    default_error_messages = {
        "host_bits": "Host bits are set: {given} lies in the network {meant}. Enter {meant}.",
        "no_mask": "Enter a network with its mask, such as {given}/24.",
    }

    def to_internal_value(self, data: Any) -> str:
        address = super().to_internal_value(data)
        if "/" not in data:
            self.fail("no_mask", given=address)
        length = ranges.length_of(address)
        meant = ranges.containers_of(address)[-1]
        if ranges.number_of(meant) != ranges.number_of(address):
            self.fail("host_bits", given=address, meant=meant)
        return f"{address.partition('/')[0]}/{length}"


@extend_schema_field({"type": "integer", "enum": [4, 6]})
class FamilyField(IntegerField):
    """4 or 6."""

    def to_internal_value(self, data: Any) -> int:
        family = super().to_internal_value(data)
        if family not in (4, 6):
            raise serializers.ValidationError("4 or 6.", "invalid_choice")
        return family
