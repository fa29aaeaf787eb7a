"""A second count of the year, by a calendar of its own: nothing here asks how the planner does it.

What a line costs is added up day by day as fractions: the price of the plan it had when the day began, over the days
of that plan's period. Beside it stands what was billed, with what rounding left over, which each item keeps.
"""

from calendar import monthrange
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import Sum

from billing.models import (
    AddOn,
    BillingPosition,
    Invoice,
    InvoiceKind,
    InvoiceLine,
    InvoiceStatus,
    LedgerAccount,
    LineTax,
    OneOffCharge,
    ParkedAccount,
    Transfer,
)
from billing.services.dunning import tonight
from subscribers.models import Hold, HoldReason, PlanChange, Subscription

NOTHING = UUID(int=0)
MONTHS = {"month": 1, "quarter": 3, "year": 12}
ISSUED = (InvoiceStatus.ISSUED, InvoiceStatus.PARTLY_PAID, InvoiceStatus.PAID)
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Difference:
    """What does not agree, and by how much."""

    what: str
    record: str
    detail: str


@dataclass
class Terms:
    """A line's life as days: each from when its first day begins to when the day after its last does."""

    line: Subscription
    anchor: date
    cycle_day: int
    began: date
    until: date
    plans: list[tuple[date, Any]]
    held: list[tuple[date, date]]
    flat: list[tuple[date, date, int]]
    settled_on: date

    def plan_on(self, day: date) -> Any:
        return next(plan for since, plan in reversed(self.plans) if since <= day)

    def is_billed(self, day: date) -> bool:
        return not any(since <= day < until for since, until in self.held)

    def period_days(self, day: date, months: int) -> int:
        start, end = period(day, months, self.anchor, self.cycle_day)
        return (end - start).days


def period(day: date, months: int, anchor: date, cycle_day: int) -> tuple[date, date]:
    """Return the period a day lies in, walked to from where the row of periods began."""
    year, month = anchor.year, anchor.month
    start = _on(year, month, cycle_day)
    while start > day:
        year, month = _months_on(year, month, -months)
        start = _on(year, month, cycle_day)
    while True:
        year, month = _months_on(year, month, months)
        end = _on(year, month, cycle_day)
        if day < end:
            return start, end
        start = end


def _on(year: int, month: int, day: int) -> date:
    return date(year, month, min(day, monthrange(year, month)[1]))


def _months_on(year: int, month: int, months: int) -> tuple[int, int]:
    count = year * 12 + month - 1 + months
    return count // 12, count % 12 + 1


def recount_lines(
    *, bills_from: date, last_run: date, zone: ZoneInfo, touched: dict[UUID, date]
) -> list[Difference]:
    """Compare what each postpaid line of the bound tenant should have been billed with what it was.

    `touched` has the day each add-on was last changed: what the line's last run did not know is not on an invoice yet.
    """
    found: list[Difference] = []
    billed = _billed()
    parked = set(
        ParkedAccount.objects.filter(run__on=last_run, resolved_at=None).values_list("subscriber", flat=True)
    )
    # What is parked waits for a person: nothing is lost, and it says so.
    for terms in _terms(bills_from, last_run, zone, parked, found):
        line = terms.line
        sources = {NOTHING, *(change.pk for change in line.plan_changes.all())}
        wanted = sum(
            (_cost(terms, day) for day in _days(terms.began, terms.until) if terms.is_billed(day)), Fraction()
        )
        got = sum((billed.pop((line.pk, source), Fraction()) for source in sources), Fraction())
        _compare(found, f"Service {line.number}", "plan", wanted, got)
        for added in line.add_ons.all():
            since = max(added.starts_on, bills_from, terms.began)
            until = min(added.ends_on or terms.until, terms.until)
            got = billed.pop((line.pk, added.pk), Fraction())
            prices = {added.price}
            wanted = sum(
                (
                    Fraction(price) / terms.period_days(day, MONTHS[terms.plan_on(day).period])
                    for day in _days(since, until)
                    for price in prices
                    if terms.is_billed(day)
                ),
                Fraction(),
            )
            if touched[added.pk] >= terms.settled_on:
                continue
            if len(terms.plans) > 1 and any(
                plan.period != terms.plans[0][1].period for _, plan in terms.plans
            ):
                continue  # Its days were billed by the period the plan had then.
            _compare(found, f"Service {line.number}", f"add-on {added.name}", wanted, got)
    found += _charges(bills_from)
    return found


def _compare(found: list[Difference], record: str, what: str, wanted: Fraction, got: Fraction) -> None:
    # Each item keeps ten digits of its remainder.
    if abs(wanted - got) > Fraction(1, 10**7):
        found.append(Difference(what, record, f"should be {float(wanted):.6f}, billed {float(got):.6f}"))


def _cost(terms: Terms, day: date) -> Fraction:
    plan = terms.plan_on(day)
    months = MONTHS[plan.period]
    for since, until, days in terms.flat:
        if since <= day < until:
            return Fraction(plan.price) / days
    return Fraction(plan.price) / terms.period_days(day, months)


def _days(since: date, until: date) -> Iterator[date]:
    while since < until:
        yield since
        since += DAY


def _billed() -> dict[tuple[UUID, UUID], Fraction]:
    """Return what stands on issued invoices, with contained taxes and remainders, by line and source."""
    contained: dict[UUID, Decimal] = dict(
        LineTax.objects.filter(rate__is_inclusive=True).values_list("line").annotate(Sum("amount"))
    )
    billed: dict[tuple[UUID, UUID], Fraction] = defaultdict(Fraction)
    rows = InvoiceLine.objects.filter(
        invoice__status__in=ISSUED,
        invoice__kind=InvoiceKind.INVOICE,
        subscription__isnull=False,
        is_void=False,
    )
    for pk, line, source, net, rest in rows.values_list("pk", "subscription", "source", "net", "remainder"):
        billed[line, source] += Fraction(net) + Fraction(contained.get(pk, Decimal(0))) + Fraction(rest)
    return billed


def _terms(
    bills_from: date, last_run: date, zone: ZoneInfo, parked: set[UUID], found: list[Difference]
) -> Iterator[Terms]:
    def day(at: datetime) -> date:
        return at.astimezone(zone).date()

    positions = {each.subscription_id: each for each in BillingPosition.objects.all()}
    rows = (
        Subscription.objects.filter(provisioned_at__isnull=False)
        .exclude(subscriber__billing_profile__payment_kind="prepaid")
        .exclude(subscriber__in=parked)
        .select_related("plan", "subscriber__billing_profile")
        .prefetch_related("plan_changes__from_plan", "plan_changes__to_plan", "holds", "add_ons")
        .order_by("number")
    )
    for line in rows:
        position = positions.get(line.pk)
        began = day(line.provisioned_at)
        if position is None:
            if began < last_run and not line.holds.exists() and line.terminated_at is None:
                found.append(Difference("position", f"Service {line.number}", "was never billed"))
            continue
        profile = line.subscriber.billing_profile
        by_anniversary = profile.cycle == "anniversary"
        settled = position.settled_at
        changes: list[PlanChange] = sorted(
            (each for each in line.plan_changes.all() if each.applied_at and each.applied_at <= settled),
            key=lambda each: (each.effective_on, each.applied_at),
        )
        later = [each for each in line.plan_changes.all() if each.applied_at and each.applied_at > settled]
        last = min(later, key=lambda each: each.applied_at).from_plan if later else line.plan
        plans: list[tuple[date, Any]] = [(date.min, changes[0].from_plan if changes else last)]
        plans += [(each.effective_on, each.to_plan) for each in changes]
        ended = (
            day(line.terminated_at)
            if line.status == "terminated"
            and line.terminated_at
            and (position.is_closed or line.terminated_at <= settled)
            else None
        )
        holds: Iterable[Hold] = [each for each in line.holds.all() if each.reason == HoldReason.VACATION]
        terms = Terms(
            line,
            began if by_anniversary else date(2000, 1, 1),
            began.day if by_anniversary else profile.cycle_day or 1,
            max(began, bills_from),
            position.billed_until,
            plans,
            [
                (day(each.opened_at), day(each.released_at))
                for each in holds
                if each.released_at is not None and each.released_at <= settled
            ],
            [],
            day(settled),
        )
        if ended is not None:
            terms.until = max(min(ended, terms.until if not position.is_closed else ended), terms.began)
        for each in changes:
            _note_flat(terms, each, zone)
        _check_position(terms, position, last_run, holds, ended, found)
        yield terms


def _note_flat(terms: Terms, change: PlanChange, zone: ZoneInfo) -> None:
    """A change to a plan of another period: the rest that was billed is charged by the new period around that day."""
    old, new = MONTHS[change.from_plan.period], MONTHS[change.to_plan.period]
    start, end = period(change.effective_on, old, terms.anchor, terms.cycle_day)
    assert change.applied_at is not None
    was_billed = change.effective_on > start or change.applied_at.astimezone(zone).hour >= 2
    if old != new and was_billed:
        days = terms.period_days(change.effective_on, new)
        terms.flat.append((change.effective_on, end, days))


def _check_position(
    terms: Terms,
    position: BillingPosition,
    last_run: date,
    holds: Iterable[Hold],
    ended: date | None,
    found: list[Difference],
) -> None:
    """A line that was never held is billed to the end of the period of the last run's day."""
    line = terms.line
    if ended is not None or line.terminated_at or list(holds) or terms.began >= last_run:
        return
    months = MONTHS[terms.plan_on(last_run).period]
    _, end = period(last_run, months, terms.anchor, terms.cycle_day)
    end = max([end, *(until for _, until, _ in terms.flat)])
    if position.billed_until != end:
        found.append(
            Difference(
                "position", f"Service {line.number}", f"billed until {position.billed_until}, not {end}"
            )
        )


def _charges(bills_from: date) -> list[Difference]:
    """Compare the instalments that were billed with what was agreed."""
    billed: dict[UUID, tuple[Fraction, int]] = {}
    contained = dict(
        LineTax.objects.filter(rate__is_inclusive=True).values_list("line").annotate(Sum("amount"))
    )
    rows = InvoiceLine.objects.filter(
        invoice__status__in=ISSUED,
        invoice__kind=InvoiceKind.INVOICE,
        kind__in=("one_off", "late_fee"),
        is_void=False,
    )
    for pk, source, net in rows.values_list("pk", "source", "net"):
        amount, count = billed.get(source, (Fraction(), 0))
        billed[source] = amount + Fraction(net) + Fraction(contained.get(pk, Decimal(0))), count + 1
    found = []
    for charge in OneOffCharge.objects.all():
        amount, count = billed.get(charge.pk, (Fraction(), 0))
        wrong = count != charge.charged or (count == charge.instalments and amount != Fraction(charge.amount))
        if wrong or amount > Fraction(charge.amount):
            found.append(
                Difference("charge", charge.name, f"{count} of {charge.instalments} billed, {float(amount)}")
            )
    return found


def owed(*, on: date, grace: bool) -> dict[tuple[UUID, str], Decimal]:
    """Add up what each owes past due, and past the grace days where asked; never more than the ledger has."""
    balances: dict[tuple[UUID, str], Decimal] = defaultdict(Decimal)
    receivable = LedgerAccount.RECEIVABLE
    for account, sign in (("debit", 1), ("credit", -1)):
        rows = Transfer.objects.filter(**{account: receivable}).values_list("subscriber", "currency")
        for subscriber, currency, amount in rows.annotate(Sum("amount")):
            balances[subscriber, currency] += sign * amount
    due: dict[tuple[UUID, str], Decimal] = defaultdict(Decimal)
    rows = Invoice.objects.filter(
        kind=InvoiceKind.INVOICE, status__in=ISSUED, open_amount__gt=0, due_on__lt=on
    ).values_list(
        "subscriber", "currency", "open_amount", "due_on", "subscriber__billing_profile__grace_days"
    )
    for subscriber, currency, amount, due_on, days in rows:
        if not grace or due_on + timedelta(days=days) < on:
            due[subscriber, currency] += amount
    return {key: min(amount, balances[key]) for key, amount in due.items() if balances[key] > 0}


def look_at_holds(*, on: date, minimum: Decimal, cut_at: datetime | None) -> list[Difference]:
    """Look at who is cut: nobody without a debt, and nobody with one spared without a reason. The day's last word."""
    found: list[Difference] = []
    held = (
        Hold.objects.filter(reason=HoldReason.NON_PAYMENT, released_at=None)
        .exclude(subscription__subscriber__billing_profile__payment_kind="prepaid")
        .values_list("subscription__subscriber", "subscription__number", "opened_at")
    )
    overdue = {subscriber for (subscriber, _), amount in owed(on=on, grace=False).items() if amount > minimum}
    late = {subscriber for (subscriber, _), amount in owed(on=on, grace=True).items() if amount > minimum}
    for subscriber, number, opened_at in held:
        if subscriber not in overdue:
            found.append(Difference("cut without debt", f"Service {number}", f"on {on}"))
        elif cut_at is not None and opened_at == cut_at and subscriber not in late:
            found.append(Difference("cut within grace", f"Service {number}", f"on {on}"))
    if cut_at is None:
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


__all__ = ["AddOn", "Difference", "look_at_holds", "owed", "period", "recount_lines"]
