"""What a caller says who bars something, shared by customers and their services."""

from typing import Any

from django.utils import timezone
from rest_framework import serializers

from ispcore.api.fields import StrictSerializer, TextField


class HoldTermsInput(StrictSerializer):
    """Until when, and a note for colleagues."""

    until = serializers.DateTimeField(
        required=False, allow_null=True, help_text="Lifts itself then; left out: until somebody lifts it."
    )
    note = TextField(max_length=200, required=False, allow_blank=True)

    def validate_until(self, until: Any) -> Any:
        if until is not None and until <= timezone.now():
            raise serializers.ValidationError("This moment has passed.")
        return until
