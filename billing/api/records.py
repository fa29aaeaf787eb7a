"""What the input of charges, discounts and taxes has in common."""

import re
from datetime import date
from decimal import Decimal
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from billing.api.amounts import AmountField
from ispcore.api.fields import TextField
from subscribers.services.periods import local_date

POSITIVE = r"^[0-9]{1,14}(\.[0-9]{1,4})?$"
PERCENT = r"^[0-9]{1,3}(\.[0-9]{1,4})?$"


def today() -> date:
    """Return which day it is at the bound tenant's."""
    return local_date(timezone.now())


@extend_schema_field({"type": "string", "pattern": POSITIVE, "examples": ["29.90"]})
class PriceField(AmountField):
    """An amount given as text, with no more digits than the currency beside it has."""

    default_error_messages = {"invalid": "Give an amount as text, such as 29.90."}

    def __init__(self, *, currency: str = "currency", **kwargs: Any) -> None:
        self.currency = currency
        serializers.Field.__init__(self, **kwargs)

    def to_internal_value(self, data: Any) -> Decimal:
        if not isinstance(data, str) or not re.fullmatch(POSITIVE, data):
            self.fail("invalid")
        return Decimal(data)


@extend_schema_field({"type": "string", "pattern": PERCENT, "examples": ["23.00"]})
class PercentField(serializers.Field[Any, Any, Any, Any]):
    """A percentage as text, from 0 to 100."""

    default_error_messages = {"invalid": "Give a percentage from 0 to 100 as text, such as 23.5."}

    def __init__(self, *, decimals: int = 4, **kwargs: Any) -> None:
        self.decimals = decimals
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> Decimal:
        if not isinstance(data, str) or not re.fullmatch(PERCENT, data):
            self.fail("invalid")
        percent = Decimal(data)
        if percent > 100 or percent != round(percent, self.decimals):
            self.fail("invalid")
        return percent

    def to_representation(self, value: Decimal) -> str:
        return f"{value:f}"


class CurrencyCodeField(TextField):
    """ISO 4217, such as EUR."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=3, min_length=3, help_text="ISO 4217, for example EUR.", **kwargs)
