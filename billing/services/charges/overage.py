"""What data above a plan's cap costs, by whole months."""

from datetime import date
from decimal import Decimal
from uuid import UUID

from django.db import transaction

from billing.models import OveragePrice
from billing.services.charges import checks
from ispcore.errors import DomainError
from subscribers.models import Plan


class PlanUncapped(DomainError):
    code = "plan_uncapped"
    message = "{plan} has no data cap, so there is nothing above it."
    field = "plan_id"


class NotAMonthsFirst(checks.Invalid):
    message = "Data is charged by whole months: give the first day of one."


class OverageBegun(DomainError):
    code = "overage_price_in_force"
    message = "It has been in force since {starts_on}. End it with a month, or give another from a month on."


@transaction.atomic
def set_price(*, plan_id: UUID, price: Decimal, currency: str, starts_on: date, on: date) -> OveragePrice:
    """Charge for data above a plan's cap from a month on; a price in force until then ends there.

    Raises UnknownPlan, PlanUncapped, CurrencyDiffers, AmountNotPositive, AmountTooFine, NotAMonthsFirst, TooLongAgo,
    OverageBegun for a month that has begun with another price.
    """
    plan: Plan | None = Plan.objects.filter(pk=plan_id).select_for_update(of=("self",), no_key=True).first()
    if plan is None:
        raise checks.UnknownPlan
    if plan.cap_bytes is None:
        raise PlanUncapped(plan=plan)
    if currency != plan.currency:
        raise checks.CurrencyDiffers(who=plan, wanted=plan.currency, given=currency)
    checks.check_amount(price, currency, field="price")
    _check_month(starts_on, "starts_on")
    checks.check_dates(starts_on, None, on=on)
    others = OveragePrice.objects.filter(plan=plan)
    if begun := others.filter(starts_on__gte=starts_on).order_by("starts_on").first():
        refusal = OverageBegun(starts_on=begun.starts_on)
        refusal.field = "starts_on"
        raise refusal
    others.filter(ends_on=None).update(ends_on=starts_on)
    others.filter(ends_on__gt=starts_on).update(ends_on=starts_on)
    made: OveragePrice = OveragePrice.objects.create(
        plan=plan, price=price, currency=currency, starts_on=starts_on
    )
    return made


@transaction.atomic
def end_price(*, price_id: UUID, ends_on: date) -> OveragePrice:
    """Charge no more from a month on. Raises NotAMonthsFirst, DatesCrossed."""
    price = checks.locked(OveragePrice, price_id)
    _check_month(ends_on, "ends_on")
    checks.check_dates(price.starts_on, ends_on)
    price.ends_on = ends_on
    price.save(update_fields=["ends_on", "updated_at"])
    return price


@transaction.atomic
def remove_price(*, price_id: UUID, on: date) -> None:
    """Delete a price whose first month has not begun. Raises OverageBegun."""
    price = checks.locked(OveragePrice, price_id)
    if price.starts_on <= on:
        raise OverageBegun(starts_on=price.starts_on)
    price.delete()


def _check_month(day: date, field: str) -> None:
    if day.day != 1:
        refusal = NotAMonthsFirst()
        refusal.field = field
        raise refusal
