"""Serializer fields that refuse what the framework would quietly bend."""

import copy
import ipaddress
import math
import re
from decimal import Decimal
from typing import Any, TypeVar

from django.db import models
from django.db.models import Model
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

M = TypeVar("M", bound=Model)

MONEY = r"^[0-9]{1,10}(\.[0-9]{1,2})?$"


class TextField(serializers.CharField):
    """Text only: a number or a boolean is a mistake, not text to be. Trimmed; NUL refused."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        # Before it is trimmed: what the document calls too long is too long.
        if self.max_length is not None and len(data) > self.max_length:
            self.fail("max_length", max_length=self.max_length)
        return super().to_internal_value(data)


class IpField(serializers.IPAddressField):
    """An IPv4 or IPv6 address, stored in its one canonical spelling."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        text: str = super().to_internal_value(data)
        try:
            return str(ipaddress.ip_address(text))
        except ValueError:
            self.fail("invalid")


class WriteOnlySecret(TextField):
    """A secret: taken, never given back."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(write_only=True, trim_whitespace=False, **kwargs)


class IntegerField(serializers.IntegerField):
    """A JSON number without a fraction: "161" is text."""

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, bool | str):
            self.fail("invalid")
        return super().to_internal_value(data)


class FloatField(serializers.FloatField):
    """A JSON number that is one: "1.5" is text, and a number beyond a double's range is none."""

    def to_internal_value(self, data: Any) -> float:
        if isinstance(data, bool | str) or (isinstance(data, int | float) and not _is_finite(data)):
            self.fail("invalid")
        return super().to_internal_value(data)


@extend_schema_field({"type": "string", "pattern": MONEY, "examples": ["29.90"]})
class MoneyField(serializers.DecimalField):
    """An amount of money, not negative, as text: a JSON number loses cents in some readers."""

    pattern = MONEY

    def __init__(self, *, max_digits: int = 12, decimal_places: int = 2, **kwargs: Any) -> None:
        super().__init__(max_digits=max_digits, decimal_places=decimal_places, **kwargs)

    def validate_empty_values(self, data: Any) -> tuple[bool, Any]:
        # Past the framework's own, which takes an empty text for null.
        return serializers.Field.validate_empty_values(self, data)

    def to_internal_value(self, data: Any) -> Decimal:
        if not isinstance(data, str) or not re.fullmatch(self.pattern, data, re.ASCII):
            self.fail("invalid")
        return Decimal(data)


class BooleanField(serializers.BooleanField):
    """`true` or `false`, and not what might be meant by "yes" or 1."""

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


@extend_schema_field({"type": "string", "enum": ["true", "false"]})
class FormBooleanField(TextField):
    """`true` or `false`, as the text a form can carry."""

    default_error_messages = {"not_a_boolean": "Give true or false."}

    def to_internal_value(self, data: Any) -> Any:
        text = super().to_internal_value(data)
        if text not in ("true", "false"):
            self.fail("not_a_boolean")
        return text == "true"


class ChoiceField(serializers.ChoiceField):
    """One of the texts listed."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid_choice", input=data)
        chosen: str = super().to_internal_value(data)
        return chosen


class IdField(serializers.UUIDField):
    """An id as the API writes it; a number is none."""

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, str):
            self.fail("invalid", value=data)
        return super().to_internal_value(data)


class StrictSerializer(serializers.Serializer[Any]):
    """Refuses properties it does not know: a misspelt one would otherwise be lost without a word."""

    def to_internal_value(self, data: Any) -> Any:
        unknown = sorted(set(data) - set(self.fields)) if isinstance(data, dict) else []
        refusals: dict[str, Any] = {
            name: [serializers.ErrorDetail("There is no such field.", "unknown_field")] for name in unknown
        }
        try:
            value = super().to_internal_value(data)
        except serializers.ValidationError as error:
            if not unknown:
                raise
            refusals |= error.detail  # type: ignore[arg-type]
        if refusals:
            raise serializers.ValidationError(refusals)
        return value


class FormSerializer(StrictSerializer):
    """A form with a file."""

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        # The framework takes an empty part of a form for none at all.
        blank = [name for name, given in self.initial_data.items() if given == ""]
        if blank:
            raise serializers.ValidationError(
                dict.fromkeys(blank, "This field may not be blank."), code="blank"
            )
        return attrs


class HouseSerializer(StrictSerializer, serializers.ModelSerializer[M]):
    """The base of every record's serializer: its fields take JSON's own types only."""

    serializer_field_mapping = {
        **serializers.ModelSerializer.serializer_field_mapping,
        models.CharField: TextField,
        models.TextField: TextField,
        models.GenericIPAddressField: IpField,
        models.IntegerField: IntegerField,
        models.BigIntegerField: IntegerField,
        models.SmallIntegerField: IntegerField,
        models.PositiveIntegerField: IntegerField,
        models.PositiveSmallIntegerField: IntegerField,
        models.FloatField: FloatField,
        models.BooleanField: BooleanField,
        models.UUIDField: IdField,
    }
    serializer_choice_field = ChoiceField

    id = serializers.UUIDField(read_only=True)

    def get_fields(self) -> dict[str, Any]:
        """Copy the fields of the class, which are made once: to make them takes longer than to check a record.

        A copy has a place of its own and shares its rules. What holds fields itself is copied with them.
        """
        made = _fields_made.get(type(self))
        if made is None:
            made = _fields_made[type(self)] = super().get_fields()
        return {
            name: copy.deepcopy(field) if _holds_fields(field) else copy.copy(field)
            for name, field in made.items()
        }


_fields_made: dict[type[serializers.BaseSerializer[Any]], dict[str, Any]] = {}


def _holds_fields(field: Any) -> bool:
    return isinstance(field, serializers.BaseSerializer) or any(
        isinstance(value, serializers.Field) for value in vars(field).values()
    )


def _is_finite(number: float) -> bool:
    try:
        return math.isfinite(number)
    except OverflowError:  # An integer that no double can hold.
        return False
