"""Discounts: a percentage off a service or all of a customer's, or an amount off one service's period."""

from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import transaction

from billing.models import Discount, LineKind
from billing.services.charges import checks
from ispcore.errors import DomainError
from subscribers.models import Subscription


class DiscountBilled(DomainError):
    code = "discount_billed"
    message = "{name} is on an invoice: only its name and its end can change. End it, and give another."


class PercentOrAmount(checks.Invalid):
    message = "Give either a percentage above 0 and up to 100, or an amount."
    field = "percent"


class AmountOfOneService(checks.Invalid):
    message = "An amount is taken off one service: say which, or give a percentage."
    field = "service_id"


@transaction.atomic
def add_discount(
    *,
    subscriber_id: UUID,
    name: str,
    starts_on: date,
    on: date,
    subscription_id: UUID | None = None,
    percent: Decimal | None = None,
    amount: Decimal | None = None,
    ends_on: date | None = None,
) -> Discount:
    """Take something off the price of plans for a time; `on` is today.

    Raises UnknownSubscriber, UnknownService, ServiceOver, PercentOrAmount, AmountOfOneService, AmountNotPositive,
    AmountTooFine, DatesCrossed, TooLongAgo.
    """
    subscriber = checks.subscriber_of(subscriber_id)
    line = checks.service_of(subscription_id, subscriber_id=subscriber.pk) if subscription_id else None
    discount = Discount(
        subscriber=subscriber, subscription=line, name=name, percent=percent, amount=amount, starts_on=starts_on,
        ends_on=ends_on,
    )  # fmt: skip
    _check(discount, line, on)
    discount.save()
    return discount


@transaction.atomic
def change_discount(*, discount_id: UUID, on: date, **fields: Any) -> Discount:
    """Change a discount: once on an invoice, its name and its end only; one that has ended stays so.

    Days that were billed with it are not asked for again. Raises DiscountBilled, EndBilled, PercentOrAmount,
    AmountOfOneService, AmountNotPositive, AmountTooFine, DatesCrossed, TooLongAgo.
    """
    discount = checks.locked(Discount, discount_id)
    if "ends_on" in fields and discount.ends_on and discount.ends_on <= on != fields["ends_on"]:
        raise checks.EndBilled(name=discount.name, ends_on=discount.ends_on)
    terms = {name for name, value in fields.items() if getattr(discount, name) != value}
    if terms - {"name", "ends_on"} and is_billed(discount):
        raise DiscountBilled(name=discount.name)
    for name, value in fields.items():
        setattr(discount, name, value)
    line = (
        Subscription.objects.select_related("plan").get(pk=discount.subscription_id)
        if discount.subscription_id
        else None
    )
    _check(discount, line, on if "starts_on" in terms else None)
    discount.save()
    return discount


@transaction.atomic
def remove_discount(*, discount_id: UUID) -> None:
    """Delete a discount no invoice has an item of. Raises DiscountBilled."""
    discount = checks.locked(Discount, discount_id)
    if is_billed(discount):
        raise DiscountBilled(name=discount.name)
    discount.delete()


def is_billed(discount: Discount) -> bool:
    lines = (
        [discount.subscription_id]
        if discount.subscription_id
        else Subscription.objects.filter(subscriber=discount.subscriber_id).values_list("pk", flat=True)
    )
    return checks.is_billed(discount.pk, subscriptions=lines, kinds=[LineKind.DISCOUNT])


def _check(discount: Discount, line: Subscription | None, on: date | None) -> None:
    if (discount.percent is None) == (discount.amount is None):
        raise PercentOrAmount
    if discount.percent is not None and not 0 < discount.percent <= 100:
        raise PercentOrAmount
    if discount.amount is not None:
        if line is None:
            raise AmountOfOneService
        checks.check_amount(discount.amount, line.plan.currency, field="amount")
    checks.check_dates(discount.starts_on, discount.ends_on, on=on)
