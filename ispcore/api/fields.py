"""Serializer fields that refuse what the framework would quietly bend."""

import ipaddress
from typing import Any, TypeVar

from django.db.models import Model
from rest_framework import serializers

M = TypeVar("M", bound=Model)


class TextField(serializers.CharField):
    """Text only: a number or a boolean is a mistake, not text to be. Trimmed; NUL refused."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class IpField(serializers.IPAddressField):
    """An IPv4 or IPv6 address, stored in its one canonical spelling."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        checked: str = super().to_internal_value(data)
        return str(ipaddress.ip_address(checked))


class WriteOnlySecret(TextField):
    """A secret: taken, never given back."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(write_only=True, trim_whitespace=False, **kwargs)


class StrictSerializer(serializers.Serializer[Any]):
    """Refuses properties it does not know: a misspelt one would otherwise be lost without a word."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict):
            unknown = sorted(set(data) - set(self.fields))
            if unknown:
                message = "There is no such field."
                raise serializers.ValidationError({name: message for name in unknown}, code="unknown_field")
        return super().to_internal_value(data)


class HouseSerializer(StrictSerializer, serializers.ModelSerializer[M]):
    """The base of every record's serializer."""

    id = serializers.UUIDField(read_only=True)
