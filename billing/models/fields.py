"""Columns of money, and how a record names its day."""

from datetime import date
from typing import Any

from django.db import models

from ispcore.money import DECIMALS, MOST_DIGITS


class MoneyField(models.DecimalField):  # type: ignore[type-arg]
    """An amount in whole minor units of the currency beside it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("max_digits", MOST_DIGITS)
        kwargs.setdefault("decimal_places", DECIMALS)
        super().__init__(*args, **kwargs)


def day_words(day: date) -> str:
    """Write a day as the pages do: 1 Dec 2026."""
    return f"{day.day} {day:%b %Y}"


class CurrencyField(models.CharField):  # type: ignore[type-arg]
    """ISO 4217, such as EUR."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("max_length", 3)
        super().__init__(*args, **kwargs)
