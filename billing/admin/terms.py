"""What the pages of charges, discounts and taxes have in common."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

from django.contrib import admin
from django.utils import timezone

from ispcore.admin.base import TenantForm
from ispcore.admin.formats import day, pill, said
from ispcore.money import minor_units
from subscribers.services.periods import local_date


def today() -> date:
    """Return which day it is at the bound tenant's."""
    return local_date(timezone.now())


def percent(value: Decimal) -> str:
    return f"{value.normalize():f} %"


def standing(starts_on: date, ends_on: date | None, on: date) -> str:
    """Say whether something has begun and not ended."""
    if ends_on and ends_on <= on:
        return pill("Ended")
    if starts_on > on:
        return pill("Coming", "info")
    return pill("In force", "good")


def amount_said(field: str, description: str) -> Callable[[Any], str]:
    """Make a read-only field of an amount, with the digits of its currency."""

    @admin.display(description=description)
    def shown(obj: Any) -> str:
        return said(getattr(obj, field), obj.currency)

    shown.__name__ = f"{field}_said"
    return shown


@admin.display(description="From", ordering="starts_on")
def starts(obj: Any) -> str:
    return day(obj.starts_on)


@admin.display(description="Until", ordering="ends_on")
def ends(obj: Any) -> str:
    return day(obj.ends_on, empty="no end")


@admin.display(description="State")
def state(obj: Any) -> str:
    return standing(obj.starts_on, obj.ends_on, today())


class AmountForm(TenantForm):
    """Shows amounts with the digits of their currency, and takes a currency in any case."""

    amounts: tuple[str, ...] = ()
    refused_fields = {"service_id": "subscription"}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in self.amounts:
            kept = getattr(self.instance, name, None)
            if kept is None or self.instance._state.adding:
                continue
            digits = minor_units(getattr(self.instance, "currency", ""))
            self.initial[name] = kept.quantize(Decimal(1).scaleb(-digits))

    def clean_currency(self) -> str:
        return str(self.cleaned_data["currency"]).upper()

    def clean(self) -> dict[str, Any]:
        """Say at its field what the constraints of the table would only name."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        begins, end = (
            cleaned.get(name, getattr(self.instance, name, None)) for name in ("starts_on", "ends_on")
        )
        if begins and end and end <= begins and "ends_on" in self.fields:
            self.add_error("ends_on", f"It must be later than {day(begins)}, the day it begins.")
        for name in self.amounts:
            if (amount := cleaned.get(name)) is not None and amount <= 0:
                self.add_error(name, "It must be more than nothing.")
        return cleaned
