"""Charges: once, or in instalments, one each month; sold equipment included."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import transaction

from billing.models import ChargeKind, InvoiceLine, OneOffCharge
from billing.services.charges import checks
from ispcore import money
from ispcore.errors import DomainError


class ChargeBilled(DomainError):
    code = "charge_billed"
    message = "{name} is on an invoice and stays as it is. Cancel what is left of it, or write a credit note."


class ChargeCancelled(DomainError):
    code = "charge_cancelled"
    message = "{name} was cancelled."


class TooManyInstalments(checks.Invalid):
    message = "{amount} {currency} cannot be paid in {instalments} instalments: some would be nothing."
    field = "instalments"


@transaction.atomic
def add_charge(
    *,
    subscriber_id: UUID,
    name: str,
    amount: Decimal,
    currency: str,
    due_on: date,
    on: date,
    subscription_id: UUID | None = None,
    instalments: int = 1,
    tax_class: str = "",
    kind: str = ChargeKind.ONE_OFF,
) -> OneOffCharge:
    """Charge a customer once, or in monthly instalments from `due_on`; `on` is today.

    Instalments make up the amount exactly. Raises UnknownSubscriber, UnknownService, ServiceOver, CurrencyDiffers,
    AmountNotPositive, AmountTooFine, TooManyInstalments, TooLongAgo.
    """
    subscriber = checks.subscriber_of(subscriber_id)
    line = checks.service_of(subscription_id, subscriber_id=subscriber.pk) if subscription_id else None
    checks.check_currency(subscriber, currency, plan=line.plan if line else None)
    charge = OneOffCharge(
        subscriber=subscriber, subscription=line, name=name, amount=amount, currency=currency, due_on=due_on,
        instalments=instalments, tax_class=tax_class, kind=kind,
    )  # fmt: skip
    _check(charge, on)
    charge.save()
    return charge


@transaction.atomic
def change_charge(*, charge_id: UUID, on: date, **fields: Any) -> OneOffCharge:
    """Change a charge of which nothing is billed.

    Raises ChargeBilled, ChargeCancelled, AmountNotPositive, AmountTooFine, TooManyInstalments, TooLongAgo.
    """
    charge = checks.locked(OneOffCharge, charge_id)
    if charge.cancelled_at:
        raise ChargeCancelled(name=charge.name)
    if charge.charged or is_billed(charge):
        raise ChargeBilled(name=charge.name)
    for name, value in fields.items():
        setattr(charge, name, value)
    _check(charge, on)
    charge.save()
    return charge


@transaction.atomic
def cancel_charge(*, charge_id: UUID, at: datetime) -> OneOffCharge:
    """Ask no more of a charge; what is billed of it stays. Safe to repeat. Raises ChargeBilled when all of it is."""
    charge = checks.locked(OneOffCharge, charge_id)
    if charge.cancelled_at:
        return charge
    if charge.charged >= charge.instalments:
        raise ChargeBilled(name=charge.name)
    charge.cancelled_at = at
    charge.save(update_fields=["cancelled_at", "updated_at"])
    return charge


def is_billed(charge: OneOffCharge) -> bool:
    """Whether some invoice or draft has an item of it."""
    rows = InvoiceLine.objects.filter(kind=charge.kind, source=charge.pk, is_void=False)
    if charge.subscription_id:
        rows = rows.filter(subscription=charge.subscription_id)
    else:
        rows = rows.filter(subscription=None, invoice__subscriber=charge.subscriber_id)
    return bool(rows.exists())


def _check(charge: OneOffCharge, on: date) -> None:
    checks.check_amount(charge.amount, charge.currency, field="amount")
    checks.check_dates(charge.due_on, None, on=on)
    smallest = Decimal(1).scaleb(-money.minor_units(charge.currency))
    if charge.amount < smallest * charge.instalments:
        raise TooManyInstalments(
            amount=f"{charge.amount:f}", currency=charge.currency, instalments=charge.instalments
        )
