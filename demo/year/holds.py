"""A second look at who is cut and who is spared, by the balances in the customers' books."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from billing.models import Invoice, InvoiceKind
from billing.services.dunning import tonight
from demo.year.recount import ISSUED, Difference
from subscribers.models import Hold, HoldReason, Subscription


def look_at_holds(
    *, on: date, minimum: Decimal, cut_at: datetime | None, balances: Mapping[tuple[UUID, str], Decimal]
) -> list[Difference]:
    """Look at who is cut: nobody without a debt, and after the night nobody with one spared without a reason."""
    found: list[Difference] = []
    held = list(
        Hold.objects.filter(reason=HoldReason.NON_PAYMENT, released_at=None)
        .exclude(subscription__subscriber__billing_profile__payment_kind="prepaid")
        .values_list("subscription__subscriber", "subscription__number", "opened_at")
    )
    if not held and cut_at is None:
        return found
    overdue, late = _owed(balances, on=on, minimum=minimum)
    owing = {subscriber for (subscriber, _), amount in balances.items() if amount > minimum}
    for subscriber, number, opened_at in held:
        if subscriber not in owing:
            found.append(Difference("cut, but paid", f"Service {number}", f"on {on}"))
        if subscriber not in overdue:
            found.append(Difference("cut without debt", f"Service {number}", f"on {on}"))
        elif cut_at is not None and opened_at == cut_at and subscriber not in late:
            found.append(Difference("cut within grace", f"Service {number}", f"on {on}"))
    if cut_at is None or not late:
        return found
    running = set(
        Subscription.objects.filter(status="active", subscriber__in=late).values_list("subscriber", flat=True)
    )
    if running:
        spared, offset = set(), 0
        while page := tonight.tonight(on=on, offset=offset):
            spared |= {row.subscriber_id for row in page if row.verdict != "cut"}
            offset += len(page)
        found += [
            Difference("not cut, and no reason told", str(subscriber), f"on {on}")
            for subscriber in sorted(running - spared)
        ]
    return found


def _owed(
    balances: Mapping[tuple[UUID, str], Decimal], *, on: date, minimum: Decimal
) -> tuple[set[UUID], set[UUID]]:
    """Return who owes more than the minimum past due, and past the grace days; never more than their balance."""
    due: dict[tuple[UUID, str], Decimal] = defaultdict(Decimal)
    past: dict[tuple[UUID, str], Decimal] = defaultdict(Decimal)
    rows = Invoice.objects.filter(
        kind=InvoiceKind.INVOICE, status__in=ISSUED, open_amount__gt=0, due_on__lt=on
    ).values_list(
        "subscriber", "currency", "open_amount", "due_on", "subscriber__billing_profile__grace_days"
    )
    for subscriber, currency, amount, due_on, days in rows:
        due[subscriber, currency] += amount
        if due_on + timedelta(days=days) < on:
            past[subscriber, currency] += amount

    def above(sums: Mapping[tuple[UUID, str], Decimal]) -> set[UUID]:
        return {key[0] for key, amount in sums.items() if min(amount, balances[key]) > minimum}

    return above(due), above(past)
