"""Amounts as the API writes them."""

from decimal import Decimal
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from ispcore.money import round_money

AMOUNT = r"^-?[0-9]{1,14}(\.[0-9]{1,4})?$"


def amount_text(amount: Decimal, currency: str) -> str:
    """Write an amount with as many digits as its currency has."""
    return f"{round_money(Decimal(amount), currency):f}"


@extend_schema_field({"type": "string", "pattern": AMOUNT, "examples": ["29.90"]})
class AmountField(serializers.Field[Any, Any, Any, Any]):
    """An amount as text, with the digits of the currency in the field beside it; null where there is none."""

    def __init__(self, *, currency: str = "currency", **kwargs: Any) -> None:
        self.currency = currency
        super().__init__(read_only=True, **kwargs)

    def get_attribute(self, instance: Any) -> Any:
        amount = super().get_attribute(instance)
        if amount is None:
            return None
        beside = (
            instance.get(self.currency) if isinstance(instance, dict) else getattr(instance, self.currency)
        )
        return amount_text(amount, str(beside))

    def to_representation(self, value: Any) -> Any:
        return value
