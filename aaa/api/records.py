"""What the views of access have in common."""

import ipaddress
from typing import Any
from uuid import UUID

import django_filters
from django import forms
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema_field

from ipam.models.fields import canonical
from ispcore.api.fields import IntegerField, TextField

MAX_BYTES = 2**60  # An exabyte: above any cap, below the column's end.
NO_STORE = {"Cache-Control": "no-store"}


class AddressField(TextField):
    """An IP address, perhaps with a mask, in its canonical spelling."""

    default_error_messages = {
        "no_address": "Must be an IP address.",
        "no_ipv4": "Must be an IPv4 address.",
        "no_prefix": "Must be an IPv6 prefix such as 2001:db8:1::/56.",
    }

    def __init__(self, *, kind: str = "address", **kwargs: Any) -> None:
        self.kind = kind
        super().__init__(max_length=43, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        try:
            value = canonical(text)
            network = ipaddress.ip_network(value)
        except ValueError:
            self.fail(f"no_{self.kind}")
        if self.kind == "prefix":
            if network.version != 6 or "/" not in text:
                self.fail("no_prefix")
        elif "/" in value or (self.kind == "ipv4" and network.version != 4):
            self.fail(f"no_{self.kind}")
        return value


class _AddressFormField(forms.CharField):
    def clean(self, value: Any) -> str | None:
        text = super().clean(value)
        try:
            return canonical(text) if text else None
        except ValueError as error:
            raise forms.ValidationError("Enter an IP address.", code="invalid") from error


@extend_schema_field({"type": "string", "examples": ["203.0.113.9"]})
class AddressFilter(django_filters.Filter):  # type: ignore[misc]
    """An address in any spelling."""

    field_class = _AddressFormField


class UsernameFilter(django_filters.CharFilter):  # type: ignore[misc]
    """A user name in any case; with `*` all that begin with it."""

    def filter(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        if not value:
            return queryset
        key = value.lower()
        if key.endswith("*"):
            return queryset.filter(username_key__prefix=key[:-1])
        return queryset.filter(username_key=key)


class _IdPrefixField(forms.CharField):
    def clean(self, value: Any) -> tuple[UUID, UUID] | None:
        text = super().clean(value)
        if not text:
            return None
        digits = text.removesuffix("*").replace("-", "").lower()
        whole = 32 if text.endswith("*") else len(digits)
        if whole != 32 or len(digits) > 32 or not set(digits) <= set("0123456789abcdef"):
            raise forms.ValidationError("Enter an id, or its beginning and `*`.", code="invalid")
        return UUID(digits.ljust(32, "0")), UUID(digits.ljust(32, "f"))


@extend_schema_field({"type": "string", "pattern": r"^[0-9a-fA-F-]{0,36}\*?$"})
class IdPrefixFilter(django_filters.Filter):  # type: ignore[misc]
    """An id, or all that begin with it when the value ends in `*`: a range, which an index serves."""

    field_class = _IdPrefixField

    def filter(self, queryset: QuerySet[Any], value: tuple[UUID, UUID] | None) -> QuerySet[Any]:
        return queryset.filter(pk__range=value) if value else queryset


class BytesField(IntegerField):
    """A number of bytes."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min_value=1, max_value=MAX_BYTES, **kwargs)
