"""A second count of taxes, discounts and prepaid prices, from what the provider offered and customers agreed to."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from uuid import UUID

from billing.models import AddOn, Discount, InvoiceLine, InvoiceStatus, LineTax, PrepaidLine
from demo.year.people import OfferedTax, Person
from demo.year.recount import BY_RULE, Difference
from subscribers.models import Hold, HoldReason, Subscription

DIGITS = {"EUR": Decimal("0.01"), "JPY": Decimal(1)}


def rounded(amount: Decimal, currency: str) -> Decimal:
    return amount.quantize(DIGITS[currency], ROUND_HALF_UP)


def taxes_on(
    net: Decimal, contained: Decimal, currency: str, taxes: Iterable[OfferedTax]
) -> tuple[Decimal, Any]:
    """Return what an item's net has to be, and its taxes by name."""
    found = list(taxes)
    inside = [each for each in found if each.is_inclusive]
    assert len(inside) < 2, "Two taxes contained in one price are shared by a rule this count does not know."
    told, price = {}, net + contained
    if inside:
        net = rounded(price * 100 / (100 + inside[0].percent), currency)
        told[inside[0].name] = price - net
    for each in found:
        if not each.is_inclusive:
            told[each.name] = rounded(net * each.percent / 100, currency)
    return net, told


def recount_taxes(taxes: list[OfferedTax], persons: Mapping[UUID, Person]) -> Iterator[Difference]:
    """Tax each item of each invoice again."""
    billed: dict[UUID, dict[str, Decimal]] = defaultdict(dict)
    for line_id, name, amount in LineTax.objects.values_list("line", "name", "amount"):
        billed[line_id][name] = amount
    inclusive = {each.name for each in taxes if each.is_inclusive}
    rows = InvoiceLine.objects.filter(BY_RULE).exclude(invoice__status=InvoiceStatus.DRAFT)
    for pk, number, position, currency, issued_on, subscriber_id, net in rows.values_list(
        "pk",
        "invoice__number",
        "position",
        "invoice__currency",
        "invoice__issued_on",
        "invoice__subscriber",
        "net",
    ):
        person, got = persons[subscriber_id], billed.pop(pk, {})
        counting = (
            []
            if person.is_exempt
            else [
                each
                for each in taxes
                if each.counts(tax_class=person.tax_class, zone_id=person.zone_id, on=issued_on)
            ]
        )
        contained = sum((amount for name, amount in got.items() if name in inclusive), Decimal(0))
        wanted = taxes_on(net, contained, currency, counting)
        if wanted != (net, got):
            yield Difference("tax", f"{number}, item {position}", f"should be {wanted}, is {(net, got)}")


def price_of(line: Subscription, person: Person, taxes: list[OfferedTax], on: date) -> Decimal:
    """Add up what the next period of a prepaid line costs: plan and add-ons, less discounts, with taxes."""
    plan = line.plan
    items = [plan.price]
    items += [each.price for each in AddOn.objects.filter(subscription=line) if _lasts(each, on)]
    left = plan.price
    for each in Discount.objects.filter(subscriber=person.subscriber_id).order_by("pk"):
        if _lasts(each, on) and each.subscription_id in (None, line.pk):
            exact = plan.price * each.percent / 100 if each.percent is not None else each.amount
            off = min(rounded(exact, plan.currency), left)
            left -= off
            items.append(-off)
    counting = [
        each
        for each in taxes
        if not person.is_exempt and each.counts(tax_class=person.tax_class, zone_id=person.zone_id, on=on)
    ]
    total = Decimal(0)
    for item in items:
        net, told = taxes_on(rounded(item, plan.currency), Decimal(0), plan.currency, counting)
        total += net + sum(told.values(), Decimal(0))
    return total


def _lasts(row: Any, on: date) -> bool:
    return bool(row.starts_on <= on and (row.ends_on is None or row.ends_on > on))


def look_at_waiting(
    owed: Mapping[tuple[UUID, str], Decimal],
    persons: Mapping[UUID, Person],
    taxes: list[OfferedTax],
    on: date,
) -> Iterator[Difference]:
    """Look at the prepaid lines that wait for credit: none has enough, unless it is barred for another reason."""
    barred = Hold.objects.filter(released_at=None).exclude(reason=HoldReason.NON_PAYMENT)
    waiting = (
        PrepaidLine.objects.filter(waits_since__isnull=False, subscription__status="suspended")
        .exclude(subscription__in=barred.values("subscription"))
        .select_related("subscription__plan")
    )
    for state in waiting:
        line = state.subscription
        person = persons[line.subscriber_id]
        credit, price = -owed[person.subscriber_id, person.currency], price_of(line, person, taxes, on)
        if credit >= price:
            yield Difference("paid but blocked", f"Service {line.number}", f"on {on}: {credit} for {price}")


def recount_prepaid(first: date) -> Iterator[Difference]:
    """Look at the periods prepaid lines bought: none twice, none of no days, each for what the plan costs."""
    reached: dict[UUID, date] = {}
    rows = (
        InvoiceLine.objects.filter(
            subscription__subscriber__billing_profile__payment_kind="prepaid", kind="plan", is_void=False
        )
        .order_by("subscription", "period_start")
        .values_list("subscription", "subscription__number", "period_start", "period_end")
    )
    for line, number, start, end in rows:
        if start < reached.get(line, first) or end <= start:
            yield Difference("day bought twice", f"Service {number}", f"from {start} until {end}")
        reached[line] = end
