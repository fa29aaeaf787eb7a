"""Add-ons: what a line has besides its plan, rented equipment included."""

from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import transaction

from billing.models import AddOn, LineKind
from billing.services.charges import checks
from ispcore.errors import DomainError


class AddOnBilled(DomainError):
    code = "add_on_billed"
    message = (
        "{name} is on an invoice. End it on a day instead: what was billed after that day is given back."
    )


class BeginningBilled(DomainError):
    code = "add_on_billed"
    message = "{name} is on an invoice: the day it begins stays."
    field = "starts_on"


@transaction.atomic
def add_add_on(
    *,
    subscription_id: UUID,
    name: str,
    price: Decimal,
    currency: str,
    starts_on: date,
    on: date,
    ends_on: date | None = None,
    tax_class: str = "",
) -> AddOn:
    """Add something to a line, charged with each period of its plan from that day; `on` is today.

    Raises UnknownService, ServiceOver, CurrencyDiffers, AmountNotPositive, AmountTooFine, DatesCrossed, TooLongAgo.
    """
    line = checks.service_of(subscription_id)
    checks.check_currency(line.subscriber, currency, plan=line.plan)
    checks.check_amount(price, currency, field="price")
    checks.check_dates(starts_on, ends_on, on=on)
    added: AddOn = AddOn.objects.create(
        subscription=line, name=name, price=price, currency=currency, tax_class=tax_class, starts_on=starts_on,
        ends_on=ends_on,
    )  # fmt: skip
    return added


@transaction.atomic
def change_add_on(*, add_on_id: UUID, on: date, **fields: Any) -> AddOn:
    """Change name, price, tax class or days; what is billed stays as it was, what is given back is what was billed.

    A new price is charged from the next period on. An end is a day from today on, or an earlier one while nothing is
    billed; an add-on that has ended stays so. Raises AmountNotPositive, AmountTooFine, DatesCrossed, TooLongAgo,
    BeginningBilled, EndBilled.
    """
    added = checks.locked(AddOn, add_on_id)
    if "ends_on" in fields and added.ends_on and added.ends_on <= on and fields["ends_on"] != added.ends_on:
        raise checks.EndBilled(name=added.name, ends_on=added.ends_on)
    begins_anew = fields.get("starts_on", added.starts_on) != added.starts_on
    if begins_anew and is_billed(added):
        raise BeginningBilled(name=added.name)
    for name, value in fields.items():
        setattr(added, name, value)
    checks.check_amount(added.price, added.currency, field="price")
    checks.check_dates(added.starts_on, added.ends_on, on=on if begins_anew else None)
    added.save()
    return added


@transaction.atomic
def remove_add_on(*, add_on_id: UUID) -> None:
    """Delete an add-on no invoice has an item of. Raises AddOnBilled."""
    added = checks.locked(AddOn, add_on_id)
    if is_billed(added):
        raise AddOnBilled(name=added.name)
    added.delete()


def is_billed(added: AddOn) -> bool:
    return checks.is_billed(added.pk, subscriptions=[added.subscription_id], kinds=[LineKind.ADD_ON])
