"""A second count of the year, by a calendar of its own: nothing here asks how the planner does it.

What a line costs is added up day by day as fractions: the price of the plan it had when the day began, over the days
of that plan's period. Beside it stands what was billed, with what rounding left over, which each item keeps.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import Q, Sum

from billing.models import (
    BillingPosition,
    BillingRun,
    Discount,
    InvoiceKind,
    InvoiceLine,
    InvoiceStatus,
    LineTax,
    OneOffCharge,
    ParkedAccount,
)
from demo.year.days import days_of, period
from subscribers.models import Hold, HoldReason, PlanChange, Subscription

NOTHING = UUID(int=0)
MONTHS = {"month": 1, "quarter": 3, "year": 12}
# What a run made of a customer's items: an invoice, or a credit note where more is given back than asked for, whose
# items say how much.
BY_RULE = Q(invoice__kind=InvoiceKind.INVOICE) | Q(invoice__run__isnull=False)
ISSUED = (InvoiceStatus.ISSUED, InvoiceStatus.PARTLY_PAID, InvoiceStatus.PAID)
DIGITS = {"EUR": 100, "JPY": 1}
NEARLY = Fraction(1, 10**7)  # Each item keeps ten digits of its remainder.
WITHOUT_CONTAINED = Fraction(10, 11)  # Prices in yen contain ten percent.


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

    @property
    def had_other_period(self) -> bool:
        return any(plan.period != self.plans[0][1].period for _, plan in self.plans)

    def plan_on(self, day: date) -> Any:
        return next(plan for since, plan in reversed(self.plans) if since <= day)

    def is_billed(self, day: date) -> bool:
        return not any(since <= day < until for since, until in self.held)

    def period_days(self, day: date, months: int) -> int:
        start, end = period(day, months, self.anchor, self.cycle_day)
        return (end - start).days


@dataclass(frozen=True)
class TakenOff:
    """A discount: a part of what each day costs, or an amount of each whole period."""

    pk: UUID
    line_id: UUID | None
    percent: Decimal | None
    amount: Decimal | None
    starts_on: date
    ends_on: date

    def is_of(self, line_id: UUID) -> bool:
        return self.line_id in (None, line_id)

    def may_exceed(self, terms: Terms) -> bool:
        return self.amount is not None and any(self.amount > plan.price for _, plan in terms.plans)

    def off(self, terms: Terms, day: date) -> Fraction:
        if self.percent is not None:
            return -_cost(terms, day) * Fraction(self.percent) / 100
        assert self.amount is not None
        return -Fraction(self.amount) / terms.period_days(day, MONTHS[terms.plan_on(day).period])


def recount_lines(
    *,
    bills_from: date,
    last_run: date,
    zone: ZoneInfo,
    touched: dict[UUID, date],
    settled: Collection[UUID],
    freed: Collection[UUID],
) -> list[Difference]:
    """Compare what each postpaid line of the bound tenant should have been billed with what it was.

    `touched` has the day each add-on was last changed: what the line's last run did not know is not on an invoice yet.
    `settled` are customers whose end a person settled, `freed` those who do not pay the tax their prices contain.
    """
    found: list[Difference] = []
    billed = _billed()
    spans, discounts = _spans(), _discounts()
    charges = set(OneOffCharge.objects.values_list("pk", flat=True))
    for terms in _terms(bills_from, last_run, zone, found):
        line, record = terms.line, f"Service {terms.line.number}"
        _check_days(terms, spans.get(line.pk, []), found)
        if line.subscriber_id in settled and line.status == "terminated":
            billed = {key: got for key, got in billed.items() if key[0] != line.pk}
            continue
        compare = _Comparison(found, record, line.subscriber_id in freed, DIGITS[line.plan.currency])
        got = Billed()
        for source in {NOTHING, *(change.pk for change in line.plan_changes.all())}:
            got.add(billed.pop((line.pk, source), Billed()))
        days = [day for day in days_of(terms.began, terms.until) if terms.is_billed(day)]
        compare.tell("plan", (_cost(terms, day) for day in days), got)
        for added in line.add_ons.all():
            got = billed.pop((line.pk, added.pk), Billed())
            # What ran while the period became another one was billed by the period the plan had then.
            if touched[added.pk] < terms.settled_on and not terms.had_other_period:
                until = added.ends_on or date.max
                costs = (
                    Fraction(added.price) / terms.period_days(day, MONTHS[terms.plan_on(day).period])
                    for day in days
                    if added.starts_on <= day < until
                )
                compare.tell(f"add-on {added.name}", costs, got)
        taken_off = [each for each in discounts.get(line.subscriber_id, []) if each.is_of(line.pk)]
        for each in taken_off:
            got = billed.pop((line.pk, each.pk), Billed())
            # Several together take off no more than the price: who takes what is another rule.
            if len(taken_off) == 1 and not terms.had_other_period and not each.may_exceed(terms):
                offs = (each.off(terms, day) for day in days if each.starts_on <= day < each.ends_on)
                compare.tell(f"discount {each.pk}", offs, got, rounds=True)
        found += [
            Difference("unasked for", record, f"{source}: {float(rest.amount)}")
            for (line_id, source), rest in billed.items()
            if line_id == line.pk and rest.amount and source not in charges
        ]
    found += _charges(freed)
    found += [
        Difference("parked for good", f"Customer {each.subscriber.number}", f"{each.reason}: {each.detail}")
        for each in ParkedAccount.objects.filter(run__on=last_run, resolved_at=None).select_related(
            "subscriber"
        )
    ]
    return found


def _spans() -> dict[UUID, list[tuple[date, date]]]:
    """Return the days that stand on issued invoices as days of a plan, by line."""
    spans: dict[UUID, list[tuple[date, date]]] = defaultdict(list)
    rows = InvoiceLine.objects.filter(BY_RULE, invoice__status__in=ISSUED, kind="plan", is_void=False)
    for line, start, end in rows.values_list("subscription", "period_start", "period_end"):
        spans[line].append((start, end))
    return spans


def _check_days(terms: Terms, spans: list[tuple[date, date]], found: list[Difference]) -> None:
    """Each day from a line's first on stands on one invoice, as far as the line is billed."""
    record, reached = f"Service {terms.line.number}", terms.began
    for start, end in sorted(spans):
        if start != reached:
            what = "day billed twice" if start < reached else "day never billed"
            found.append(Difference(what, record, f"from {min(start, reached)} until {max(start, reached)}"))
        reached = max(reached, end)
    if reached < terms.until:
        found.append(Difference("day never billed", record, f"from {reached} until {terms.until}"))


@dataclass
class _Comparison:
    """Holds what a line should have been billed against what it was."""

    found: list[Difference]
    record: str
    is_freed: bool
    digits: int

    def tell(self, what: str, wanted: Iterable[Fraction], got: "Billed", *, rounds: bool = False) -> None:
        # What is freed of a contained tax is rounded a second time.
        within = Fraction(got.items, self.digits) if rounds or self.is_freed else NEARLY
        share = WITHOUT_CONTAINED if self.is_freed else 1
        agreed = share * sum(wanted, Fraction())
        if abs(agreed - got.amount) > within:
            told = f"should be {float(agreed):.6f}, billed {float(got.amount):.6f}"
            self.found.append(Difference(what, self.record, told))


def _cost(terms: Terms, day: date) -> Fraction:
    plan = terms.plan_on(day)
    months = MONTHS[plan.period]
    for since, until, days in terms.flat:
        if since <= day < until:
            return Fraction(plan.price) / days
    return Fraction(plan.price) / terms.period_days(day, months)


@dataclass
class Billed:
    """What stands on issued invoices of something, contained taxes and what rounding left over included."""

    amount: Fraction = Fraction()
    items: int = 0

    def add(self, other: "Billed") -> None:
        self.amount += other.amount
        self.items += other.items


def _billed() -> dict[tuple[UUID, UUID], Billed]:
    """Add up what was billed, by line and source."""
    contained: dict[UUID, Decimal] = dict(
        LineTax.objects.filter(rate__is_inclusive=True).values_list("line").annotate(Sum("amount"))
    )
    billed: dict[tuple[UUID, UUID], Billed] = defaultdict(Billed)
    rows = InvoiceLine.objects.filter(
        BY_RULE, invoice__status__in=ISSUED, subscription__isnull=False, is_void=False
    )
    for pk, kind, line, source, net, rest in rows.values_list(
        "pk", "invoice__kind", "subscription", "source", "net", "remainder"
    ):
        amount = Fraction(net) + Fraction(contained.get(pk, Decimal(0))) + Fraction(rest)
        billed[line, source].add(Billed(sign_of(kind) * amount, 1))
    return billed


def _discounts() -> dict[UUID, list[TakenOff]]:
    found: dict[UUID, list[TakenOff]] = defaultdict(list)
    for each in Discount.objects.order_by("pk"):
        found[each.subscriber_id].append(
            TakenOff(
                each.pk, each.subscription_id, each.percent, each.amount, each.starts_on, each.ends_on or date.max
            )
        )  # fmt: skip
    return found


def sign_of(kind: str) -> int:
    return -1 if kind == InvoiceKind.CREDIT_NOTE else 1


def _terms(bills_from: date, last_run: date, zone: ZoneInfo, found: list[Difference]) -> Iterator[Terms]:
    def day(at: datetime) -> date:
        return at.astimezone(zone).date()

    positions = {each.subscription_id: each for each in BillingPosition.objects.all()}
    last = BillingRun.objects.latest("on")
    voided = set(
        InvoiceLine.objects.filter(kind="plan", invoice__voided_at__gt=last.as_of).values_list(
            "subscription", flat=True
        )
    )
    rows = (
        Subscription.objects.filter(provisioned_at__isnull=False)
        .exclude(subscriber__billing_profile__payment_kind="prepaid")
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
        _check_position(terms, position, last_run, holds, ended, voided, found)
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
    voided: Collection[UUID],
    found: list[Difference],
) -> None:
    """A line that was never held is billed to the end of the period of the last run's day.

    Where its plan became one of another period within what was billed, to the end of that; what was made void after the
    last run is asked for by the next.
    """
    line = terms.line
    if ended is not None or line.terminated_at or list(holds) or terms.began >= last_run:
        return
    if line.pk in voided:
        return
    months = MONTHS[terms.plan_on(last_run).period]
    _, end = period(last_run, months, terms.anchor, terms.cycle_day)
    end = next((until for since, until, _ in reversed(terms.flat) if since <= last_run < until), end)
    if position.billed_until != end:
        found.append(
            Difference(
                "position", f"Service {line.number}", f"billed until {position.billed_until}, not {end}"
            )
        )


def _charges(freed: Collection[UUID]) -> list[Difference]:
    """Compare the instalments that were billed with what was agreed."""
    billed: dict[UUID, tuple[Fraction, int]] = {}
    contained = dict(
        LineTax.objects.filter(rate__is_inclusive=True).values_list("line").annotate(Sum("amount"))
    )
    rows = InvoiceLine.objects.filter(
        BY_RULE, invoice__status__in=ISSUED, kind__in=("one_off", "late_fee"), is_void=False
    )
    for pk, kind, source, net in rows.values_list("pk", "invoice__kind", "source", "net"):
        amount, count = billed.get(source, (Fraction(), 0))
        part = sign_of(kind) * (Fraction(net) + Fraction(contained.get(pk, Decimal(0))))
        billed[source] = amount + part, count + 1
    found = []
    for charge in OneOffCharge.objects.all():
        amount, count = billed.get(charge.pk, (Fraction(), 0))
        agreed, within = Fraction(charge.amount), Fraction()
        if charge.subscriber_id in freed:
            agreed, within = WITHOUT_CONTAINED * agreed, Fraction(count, DIGITS[charge.currency])
        is_asked = count == charge.instalments
        if (
            count != charge.charged
            or (is_asked and abs(amount - agreed) > within)
            or amount > agreed + within
        ):
            found.append(
                Difference("charge", charge.name, f"{count} of {charge.instalments} billed, {float(amount)}")
            )
    return found
