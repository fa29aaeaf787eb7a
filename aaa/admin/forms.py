"""Fields and answers that several forms of access share."""

from decimal import Decimal
from typing import Any

from django import forms

from aaa.admin.words import GIGABYTE
from ispcore.admin.fields import NumberInput

MOST_GIGABYTES = 1_000_000


class GigabytesField(forms.DecimalField):
    """Takes gigabytes (10⁹ bytes) with three decimals, gives bytes."""

    widget = NumberInput

    def __init__(self, **kwargs: Any) -> None:
        limits = {"min_value": Decimal("0.001"), "max_value": MOST_GIGABYTES, "decimal_places": 3}
        super().__init__(**{"widget": NumberInput, **limits, **kwargs})

    def prepare_value(self, value: Any) -> Any:
        if not isinstance(value, int):
            return value
        whole, rest = divmod(value, GIGABYTE)
        return f"{whole}.{rest:09d}".rstrip("0").rstrip(".")

    def clean(self, value: Any) -> Any:
        gigabytes = super().clean(value)
        return None if gigabytes is None else int(gigabytes * GIGABYTE)

    def has_changed(self, initial: Any, data: Any) -> bool:
        return super().has_changed(self.prepare_value(initial), data)
