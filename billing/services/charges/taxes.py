"""Tax rates and who is exempt. A rate that was ever in force stays as it was: a new one begins where it ends."""

from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import transaction

from billing.models import TaxExemption, TaxRate
from billing.services.charges import checks
from ispcore.errors import DomainError, NotRegistered
from subscribers.models import Zone


class RateInForce(DomainError):
    code = "tax_rate_in_force"
    message = "{name} has been in force since {starts_on} and stays on the invoices it is on. Replace it from a day on."


class RateOver(DomainError):
    code = "tax_rate_ended"
    message = "{name} has ended on {ends_on}."


class RateTwice(DomainError):
    code = "duplicate_tax_rate"
    message = "{name} has a rate that begins on {starts_on} already."
    field = "starts_on"


class RateNotLater(checks.Invalid):
    message = "The new rate must begin after {starts_on}, when the one it replaces did."
    field = "starts_on"


class PercentOutOfRange(checks.Invalid):
    message = "Give a percentage from 0 to 100."
    field = "percent"


class EndInThePast(DomainError):
    code = "end_in_the_past"
    message = "It was in force until today: it can end tomorrow or later, not on {ends_on}."
    field = "ends_on"


class UnknownZone(NotRegistered):
    message = "There is no such zone."
    field = "zone_id"


class UnknownRate(NotRegistered):
    message = "There is no such tax rate."
    field = "rate_id"


@transaction.atomic
def add_rate(
    *,
    name: str,
    percent: Decimal,
    starts_on: date,
    tax_class: str = "",
    zone_id: UUID | None = None,
    is_inclusive: bool = False,
    ends_on: date | None = None,
) -> TaxRate:
    """Add a tax, from a day on, of a tax class or all, in a zone and the zones within it, or everywhere.

    Raises PercentOutOfRange, UnknownZone, RateTwice, DatesCrossed.
    """
    rate = TaxRate(
        name=name, percent=percent, starts_on=starts_on, ends_on=ends_on, tax_class=tax_class, zone_id=zone_id,
        is_inclusive=is_inclusive,
    )  # fmt: skip
    return _saved(rate)


@transaction.atomic
def change_rate(*, rate_id: UUID, on: date, **fields: Any) -> TaxRate:
    """Change a rate that has not begun; of one in force only its end, to a day after today (`on`).

    Raises RateInForce, RateOver, EndInThePast, PercentOutOfRange, UnknownZone, RateTwice, DatesCrossed.
    """
    rate = checks.locked(TaxRate, rate_id)
    changed = {name for name, value in fields.items() if getattr(rate, name) != value}
    if rate.starts_on <= on:
        if changed - {"ends_on"}:
            raise RateInForce(name=rate.name, starts_on=rate.starts_on)
        if changed and rate.ends_on and rate.ends_on <= on:
            raise RateOver(name=rate.name, ends_on=rate.ends_on)
        if changed and fields["ends_on"] and fields["ends_on"] <= on:
            raise EndInThePast(ends_on=fields["ends_on"])
    for name, value in fields.items():
        setattr(rate, name, value)
    return _saved(rate)


@transaction.atomic
def replace_rate(*, rate_id: UUID, percent: Decimal, starts_on: date, on: date) -> TaxRate:
    """End a rate on a day and begin one of the same name there; who was exempt of it stays so. Returns the new one.

    Raises RateOver, RateNotLater, EndInThePast, PercentOutOfRange, RateTwice.
    """
    old = checks.locked(TaxRate, rate_id)
    if old.ends_on and old.ends_on <= starts_on:
        raise RateOver(name=old.name, ends_on=old.ends_on)
    if starts_on <= old.starts_on:
        raise RateNotLater(starts_on=old.starts_on)
    if starts_on <= on:
        refusal = EndInThePast(ends_on=starts_on)
        refusal.field = "starts_on"
        raise refusal
    new = TaxRate(
        name=old.name, percent=percent, starts_on=starts_on, ends_on=old.ends_on, tax_class=old.tax_class,
        zone_id=old.zone_id, is_inclusive=old.is_inclusive,
    )  # fmt: skip
    old.ends_on = starts_on
    old.save(update_fields=["ends_on", "updated_at"])
    new = _saved(new)
    freed = TaxExemption.objects.filter(rate=old).exclude(ends_on__lte=starts_on)
    TaxExemption.objects.bulk_create(
        TaxExemption(
            subscriber_id=each.subscriber_id, rate=new, reason=each.reason,
            starts_on=max(each.starts_on, starts_on), ends_on=each.ends_on,
        )
        for each in freed
    )  # fmt: skip
    return new


@transaction.atomic
def remove_rate(*, rate_id: UUID, on: date) -> None:
    """Delete a rate that has not begun. Raises RateInForce."""
    rate = checks.locked(TaxRate, rate_id)
    if rate.starts_on <= on:
        raise RateInForce(name=rate.name, starts_on=rate.starts_on)
    rate.delete()


@transaction.atomic
def add_exemption(
    *,
    subscriber_id: UUID,
    reason: str,
    starts_on: date,
    rate_id: UUID | None = None,
    ends_on: date | None = None,
) -> TaxExemption:
    """Free a customer from a tax, or from all.

    Raises UnknownSubscriber, UnknownRate, DatesCrossed.
    """
    checks.subscriber_of(subscriber_id)
    if rate_id and not TaxRate.objects.filter(pk=rate_id).exists():
        raise UnknownRate
    checks.check_dates(starts_on, ends_on)
    made: TaxExemption = TaxExemption.objects.create(
        subscriber_id=subscriber_id, rate_id=rate_id, reason=reason, starts_on=starts_on, ends_on=ends_on
    )
    return made


@transaction.atomic
def change_exemption(*, exemption_id: UUID, **fields: Any) -> TaxExemption:
    """Change the reason or the days of an exemption; invoices that were issued stay as they are.

    Raises DatesCrossed.
    """
    exemption = checks.locked(TaxExemption, exemption_id)
    for name, value in fields.items():
        setattr(exemption, name, value)
    checks.check_dates(exemption.starts_on, exemption.ends_on)
    exemption.save()
    return exemption


@transaction.atomic
def remove_exemption(*, exemption_id: UUID) -> None:
    """Delete an exemption; its history is kept, and invoices that were issued stay as they are."""
    checks.locked(TaxExemption, exemption_id).delete()


def _saved(rate: TaxRate) -> TaxRate:
    if not 0 <= rate.percent <= 100:
        raise PercentOutOfRange
    if rate.zone_id and not Zone.objects.filter(pk=rate.zone_id).exists():
        raise UnknownZone
    checks.check_dates(rate.starts_on, rate.ends_on)
    twin = TaxRate.objects.filter(name=rate.name, starts_on=rate.starts_on).exclude(pk=rate.pk)
    if twin.exists():
        raise RateTwice(name=rate.name, starts_on=rate.starts_on)
    rate.save()
    return rate
