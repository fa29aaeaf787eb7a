"""Parts of a customer's record that have rules of their own."""

import json
import math
from datetime import timedelta
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from ispcore.api.fields import ChoiceField, StrictSerializer, TextField
from subscribers import normal
from subscribers.api.catalogue import COUNTRY
from subscribers.models import DocumentType
from subscribers.services import custom_fields

MAX_METADATA_BYTES = 4096
MAX_METADATA_KEYS = 50
MOST = 2**63 - 1  # What JSON readers with 64-bit integers still read.
CLOCKS_DIFFER = timedelta(minutes=1)


@extend_schema_field(
    {
        "type": "object",
        "maxProperties": MAX_METADATA_KEYS,
        "additionalProperties": {"type": ["string", "number", "boolean", "null"]},
        "description": "Your own facts, one level deep; at most 4 KiB as JSON.",
    }
)
class MetadataField(serializers.JSONField):
    default_error_messages = {
        "not_a_dict": "Give an object of names and values.",
        "too_many": f"At most {MAX_METADATA_KEYS} names.",
        "too_large": f"At most {MAX_METADATA_BYTES} bytes as JSON.",
        "not_a_scalar": "Values are text, numbers, true, false or null; `{name}` is none of these.",
        "too_far": "`{name}` is a number beyond 64 bits: send it as text.",
        "not_text": "Text that cannot be stored.",
    }

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if not isinstance(data, dict):
            self.fail("not_a_dict")
        if len(data) > MAX_METADATA_KEYS:
            self.fail("too_many")
        for name, value in data.items():
            if not _is_scalar(value):
                self.fail("not_a_scalar", name=name[:40])
            if isinstance(value, int) and abs(value) > MOST:
                self.fail("too_far", name=name[:40])
        text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
        try:
            size = len(text.encode())
        except UnicodeEncodeError:
            self.fail("not_text")
        if "\\u0000" in json.dumps(data):
            self.fail("not_text")
        if size > MAX_METADATA_BYTES:
            self.fail("too_large")
        return data


@extend_schema_field(
    {
        "type": "object",
        "maxProperties": custom_fields.MOST_FIELDS,
        "additionalProperties": {"type": ["string", "number", "boolean", "null"]},
        "description": "What this provider keeps besides: a value per key of `custom-fields`, of its kind; a date as "
        "2026-01-31. PATCH changes the keys given; null takes a value away.",
    }
)
class CustomFieldsField(serializers.Field[Any, Any, Any, Any]):
    """Values by the provider's own definitions: the document cannot name them, the refusals do."""

    default_error_messages = {"not_a_dict": "Give an object of keys and values."}

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if not isinstance(data, dict):
            self.fail("not_a_dict")
        instance = self.root.instance
        stored = instance.custom_fields if instance is not None else {}
        return checked_custom_fields(data, partial=getattr(self.root, "partial", False), stored=stored)

    def to_representation(self, value: Any) -> Any:
        return value


def checked_custom_fields(values: Any, *, partial: bool, stored: Any) -> dict[str, Any]:
    """Return values as they are stored. Raises ValidationError with every wrong one by its key."""
    try:
        return custom_fields.clean_custom_fields(values, partial=partial, stored=stored)
    except custom_fields.InvalidCustomFields as refusal:
        raise serializers.ValidationError(
            {key: [text] for key, text in refusal.problems.items()}
        ) from refusal


class AddressSerializer(StrictSerializer):
    line1 = TextField(source="address_line1", max_length=200, required=False, allow_blank=True)
    line2 = TextField(source="address_line2", max_length=200, required=False, allow_blank=True)
    city = TextField(max_length=100, required=False, allow_blank=True)
    state = TextField(max_length=100, required=False, allow_blank=True)
    postal_code = TextField(max_length=20, required=False, allow_blank=True)
    country = TextField(max_length=2, required=False, allow_blank=True, validators=[COUNTRY])


class DocumentSerializer(StrictSerializer):
    type = ChoiceField(source="document_type", choices=DocumentType.choices, required=False, allow_blank=True)
    number = TextField(source="document_number", max_length=60, required=False, allow_blank=True)

    def validate_number(self, number: str) -> str:
        if number and not normal.document_normal(number):
            raise serializers.ValidationError("A document number has letters or digits.")
        if len(normal.document_normal(number)) > 60:
            raise serializers.ValidationError("Ensure this field has no more than 60 characters.")
        return number


class PastField(serializers.DateTimeField):
    """When something was said: not later than now; a clock may be a minute ahead of ours."""

    default_error_messages = {"future": "This moment has not come yet."}

    def to_internal_value(self, value: Any) -> Any:
        moment = super().to_internal_value(value)
        if moment > timezone.now() + CLOCKS_DIFFER:
            self.fail("future")
        return moment


def _is_scalar(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or isinstance(value, str | bool | int)
