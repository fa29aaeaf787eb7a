"""Taxes of an item written by hand, by the rule that a run's items are taxed by; a test holds the two equal.

A tax contained in the price is taken out of it, and the contained taxes, by rounded sums, make up exactly the
difference. A tax that is added is rounded on the item.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID

from django.db import connection
from django.db.models import Q

from billing.models import TaxExemption, TaxRate
from ispcore.money import round_money
from ispcore.tenants.context import current_tenant_id

# A tax of a zone is one of the zones within it as well. UNION ends the walk should zones ever contain each other.
AROUND_SQL = """
WITH RECURSIVE around AS (
    SELECT id AS within, id, parent_id FROM subscribers_zone WHERE tenant_id = %(tenant)s AND id = ANY (%(zones)s)
    UNION
    SELECT around.within, zone.id, zone.parent_id
    FROM around JOIN subscribers_zone AS zone ON zone.tenant_id = %(tenant)s AND zone.id = around.parent_id
)
SELECT within, id FROM around
"""


@dataclass(frozen=True)
class Tax:
    """One tax on one item; `base` is the item's net."""

    rate: TaxRate
    base: Decimal
    amount: Decimal


def rates_of(*, subscriber_id: UUID, on: date) -> list[TaxRate]:
    """Return the taxes a subscriber may have to pay on a day, in the order they are rounded in."""
    lasts = Q(starts_on__lte=on) & (Q(ends_on=None) | Q(ends_on__gt=on))
    freed = set(
        TaxExemption.objects.filter(lasts, subscriber=subscriber_id).values_list("rate_id", flat=True)
    )
    if None in freed:
        return []
    rates = TaxRate.objects.filter(lasts).order_by("name", "id")
    return [rate for rate in rates if rate.pk not in freed]


def zones_around(zones: Collection[UUID]) -> dict[UUID, set[UUID]]:
    """Return each zone with all it lies in. One query, for any number of them."""
    found: dict[UUID, set[UUID]] = defaultdict(set)
    if zones:
        with connection.cursor() as cursor:
            cursor.execute(AROUND_SQL, {"tenant": current_tenant_id(), "zones": list(zones)})
            for within, zone in cursor.fetchall():
                found[within].add(zone)
    return found


def tax(
    amount: Decimal, *, currency: str, tax_class: str, zones: Collection[UUID], rates: Sequence[TaxRate]
) -> tuple[Decimal, list[Tax]]:
    """Return the net of an amount and the taxes on it, for an item of a class in a zone and those around it."""
    found = [
        rate
        for rate in rates
        if rate.tax_class in ("", tax_class) and (rate.zone_id is None or rate.zone_id in zones)
    ]
    contained = sum((rate.percent for rate in found if rate.is_inclusive), Decimal(0))
    net = round_money(amount * 100 / (100 + contained), currency) if contained else amount
    taxes, before = [], Decimal(0)
    for rate in found:
        if rate.is_inclusive:
            until = before + rate.percent
            part = _share(amount - net, until, contained, currency) - _share(
                amount - net, before, contained, currency
            )
            before = until
        else:
            part = round_money(net * rate.percent / 100, currency)
        taxes.append(Tax(rate, net, part))
    return net, taxes


def _share(taxed: Decimal, percent: Decimal, contained: Decimal, currency: str) -> Decimal:
    return round_money(taxed * percent / contained, currency) if contained else Decimal(0)
