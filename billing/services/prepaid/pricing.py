"""What the next period of a prepaid line costs, taxes included."""

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from uuid import UUID

from django.db.models import Q

from billing.models import NO_SOURCE, AddOn, Discount, LineKind
from billing.services.invoices import taxing
from ispcore.money import round_money
from subscribers.models import Subscription


@dataclass(frozen=True)
class Item:
    kind: str
    source: UUID
    description: str
    price: Decimal
    net: Decimal
    tax_class: str
    taxes: list[taxing.Tax]

    @property
    def tax(self) -> Decimal:
        return sum((tax.amount for tax in self.taxes), Decimal(0))


@dataclass(frozen=True)
class Price:
    """Whole periods only: nothing of it is prorated."""

    currency: str
    items: list[Item] = field(default_factory=list)

    @property
    def net(self) -> Decimal:
        return sum((item.net for item in self.items), Decimal(0))

    @property
    def tax(self) -> Decimal:
        return sum((item.tax for item in self.items), Decimal(0))

    @property
    def total(self) -> Decimal:
        return self.net + self.tax


def price_of(line: Subscription, *, on: date) -> Price:
    """Price the period of a line that begins on a day: its plan, its add-ons, less its discounts, with taxes.

    A discount takes off the plan's price and never more, as in a billing run.
    """
    plan, profile = line.plan, line.subscriber.billing_profile
    lasts = Q(starts_on__lte=on) & (Q(ends_on=None) | Q(ends_on__gt=on))
    tax_class = plan.tax_class or (profile.tax_class if profile else "")
    rates = taxing.rates_of(subscriber_id=line.subscriber_id, on=on)
    zone_id = line.premise.zone_id
    zones = taxing.zones_around([zone_id])[zone_id] if any(rate.zone_id for rate in rates) else set()
    wanted = [(LineKind.PLAN, NO_SOURCE, plan.name, plan.price, tax_class)]
    added = AddOn.objects.filter(lasts, subscription=line, currency=plan.currency).order_by("pk")
    wanted += [
        (LineKind.ADD_ON, each.pk, each.name, each.price, each.tax_class or tax_class) for each in added
    ]
    left = plan.price
    of_line = Q(subscription=line) | Q(subscription=None)
    for discount in Discount.objects.filter(lasts, of_line, subscriber=line.subscriber_id).order_by("pk"):
        exact = plan.price * discount.percent / 100 if discount.percent is not None else discount.amount
        off = min(round_money(exact or Decimal(0), plan.currency), left)
        left -= off
        if off:
            wanted.append((LineKind.DISCOUNT, discount.pk, discount.name, -off, tax_class))
    items = []
    for kind, source, description, amount, its_class in wanted:
        rounded = round_money(amount, plan.currency)
        net, taxes = taxing.tax(
            rounded,
            currency=plan.currency,
            tax_class=its_class,
            zones=zones,
            rates=rates,
        )
        items.append(Item(kind, source, description, rounded, net, its_class, taxes))
    return Price(plan.currency, items)
