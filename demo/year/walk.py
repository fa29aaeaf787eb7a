"""The year itself: each day what the schedule does by the clock, then what customers and staff do."""

import random
from collections import Counter as Count
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from functools import partial
from uuid import UUID
from zoneinfo import ZoneInfo

from billing.models import (
    BillingRun,
    DunningNight,
    Invoice,
    InvoiceKind,
    NightStatus,
    PrepaidLine,
    RunStatus,
)
from billing.services import ledger, runs
from billing.services.charges import taxes
from billing.services.dunning import nightly, suspending
from billing.services.prepaid import renewing
from demo.year import books, changing, people, prices, recount
from demo.year import holds as holds_look
from demo.year.clock import Clock
from demo.year.paying import Counter
from demo.year.people import Offer, Person
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import User
from subscribers.services import holds, plan_changes

NEW_EACH_DAY = 0.0008  # Of all customers; a quarter more in a year.
MINIMUM = Decimal(2)


@dataclass
class Year:
    """One provider's year, as far as it has come."""

    clock: Clock
    dice: random.Random
    offer: Offer
    counter: Counter
    first: date
    persons: dict[UUID, Person] = field(default_factory=dict)
    differences: list[recount.Difference] = field(default_factory=list)
    findings: list[ledger.Finding] = field(default_factory=list)
    parked: Count[str] = field(default_factory=Count)
    settled: set[UUID] = field(default_factory=set)
    count: int = 0
    user_id: UUID | None = None

    @property
    def done(self) -> dict[str, int]:
        return self.counter.done


def begin(*, tenant_id: UUID, zone: str, subscribers: int, start: date, seed: int) -> Year:
    """Fill the tenant, which is empty, with what it sells and its first customers."""
    clock, dice = Clock(tenant_id, ZoneInfo(zone), start), random.Random(seed)
    with tenant_context(tenant_id):
        offer = people.make_offer(clock)
    # Nights above the cap are approved by a person.
    user = User.objects.create_user(
        email=f"{tenant_id.hex}@year.example", password=None, full_name="Olga Office"
    )
    year = Year(clock, dice, offer, Counter(clock, dice, offer), start, count=subscribers, user_id=user.pk)
    for number in range(subscribers):
        _welcome(year, number, days_ago=dice.randint(1, 700))
    return year


def walk(year: Year, *, days: int, tell: Callable[[str], None] = lambda _: None) -> None:
    """Go on for so many days, and recount all at the end."""
    for _ in range(days):
        one_day(year)
        if year.clock.today.day == 1:
            tell(f"{year.clock.today}: {sum(year.clock.seconds.values()):.0f} s, {dict(year.done)}")
        year.clock.today = year.clock.in_days(1)
    count_again(year)


def count_again(year: Year) -> None:
    """Recount all that was billed until yesterday: by the ledger, by lines and prices, and by the customers' books."""
    last = year.clock.in_days(-1)
    with tenant_context(year.clock.tenant_id), year.clock.timed("recount"):
        year.findings = ledger.recount()
        year.differences += recount.recount_lines(
            bills_from=year.first,
            last_run=last,
            zone=year.clock.zone,
            touched={pk: day for person in year.persons.values() for pk, day in person.add_ons.items()},
            settled=year.settled,
            freed={
                person.subscriber_id
                for person in year.persons.values()
                if person.is_exempt and person.tax_class == "abroad"
            },
        )
        year.differences += prices.recount_taxes(year.offer.taxes, year.persons)
        year.differences += prices.recount_prepaid(year.first)
        year.differences += books.compare(year.counter.books, first=year.first, last=last)


def one_day(year: Year) -> None:
    """Do what a day brings, in the order of `ispcore.schedule`."""
    clock = year.clock
    _midnight(year)
    while year.counter.by_night:
        year.counter.by_night.pop()()
    cut_at = _dun_at_night(year)
    _bill(year)
    _look(year, cut_at)
    with clock.timed("letters"):
        with tenant_context(clock.tenant_id):
            nightly.do_what_is_due(at=clock.at(9, 3))
        clock.work_off(clock.at(9, 3))
    year.done["reminders"] += year.counter.books.read_mail(clock.today)
    if clock.today.weekday() == 0:
        year.counter.read_statements()
    for deed in year.counter.diary.pop(clock.today, []):
        deed()
    changing.change_something(clock, year.dice, year.offer, year.counter, list(year.persons.values()))
    _top_up(year)
    if year.dice.random() < NEW_EACH_DAY * year.count:
        _welcome(year, len(year.persons), days_ago=0)
    if (clock.today - year.first).days == 170:
        vat = year.offer.vat
        assert vat is not None
        starts_on, percent = clock.in_days(12), Decimal("20.5")
        clock.do(
            "tax change",
            lambda: taxes.replace_rate(rate_id=vat.pk, percent=percent, starts_on=starts_on, on=clock.today),
        )
        year.offer.raise_vat(percent, starts_on)
    _look(year, None)


def _welcome(year: Year, number: int, *, days_ago: int) -> None:
    person = year.clock.do(
        "new customer",
        lambda: people.make_person(year.clock, year.dice, year.offer, number, days_ago=days_ago),
    )
    assert person is not None, year.clock.refused
    year.persons[person.subscriber_id] = person
    if person.profile == "Prepaid":
        year.counter.by_gateway(person, None, Decimal(60))


def _midnight(year: Year) -> None:
    clock, at = year.clock, year.clock.at(0, 2)
    with clock.timed("midnight"):
        looked_at = -1
        while looked_at:
            with tenant_context(clock.tenant_id):
                looked_at = holds.release_ended_holds(at=at)
                looked_at += plan_changes.apply_due_plan_changes(on=clock.today, at=at)
    with clock.timed("prepaid"):
        renewing.renew_tenant(clock.tenant_id, at=at)


def _dun_at_night(year: Year) -> datetime:
    """Cut who is to be cut; where that is more than the cap, a person looks at the list and approves."""
    clock, at = year.clock, year.clock.at(2, 3)
    with tenant_context(clock.tenant_id):
        nightly.do_what_is_due(at=at)
    clock.work_off(at)
    with tenant_context(clock.tenant_id):
        night = DunningNight.objects.get(on=clock.today)
        if night.status == NightStatus.WAITING:
            suspending.approve_night(night_id=night.pk, lines=night.found_lines, at=at, user_id=year.user_id)
            year.done["nights over the cap"] += 1
    clock.work_off(at)
    with tenant_context(clock.tenant_id):
        night.refresh_from_db()
    assert night.status == NightStatus.DONE, night.status
    year.done["lines cut"] += night.suspended_lines
    return at


def _bill(year: Year) -> None:
    """Plan today's run, approve it by its hash, and issue it."""
    clock, at = year.clock, year.clock.at(2, 7)
    with tenant_context(clock.tenant_id):
        run = runs.start_nightly_run(at=at)
    assert run is not None
    clock.work_off(at)
    with tenant_context(clock.tenant_id):
        run.refresh_from_db()
        runs.approve_run(run_id=run.pk, plan_hash=run.plan_hash, at=at)
    clock.work_off(at)
    with tenant_context(clock.tenant_id):
        run = BillingRun.objects.get(pk=run.pk)
        assert run.status == RunStatus.ISSUED, run.status
        year.done["invoices"] += run.invoices_issued
        issued = list(
            Invoice.objects.filter(run=run, open_amount__gt=0, kind=InvoiceKind.INVOICE)
            .order_by("pk")
            .values_list("pk", "subscriber", "due_on")
        )
        parked = list(run.parked_accounts.values_list("pk", "subscriber", "reason"))
    for parked_id, subscriber_id, reason in parked:
        # The office looks: what was credited by hand is not given back again with the end.
        year.parked[reason] += 1
        if year.persons[subscriber_id].ended:
            clock.do("parked", partial(runs.resolve_parked, parked_id=parked_id, at=at, user_id=year.user_id))
            year.settled.add(subscriber_id)
    for invoice_id, subscriber_id, due_on in issued:
        year.counter.billed(year.persons[subscriber_id], invoice_id, due_on)


def _look(year: Year, cut_at: datetime | None) -> None:
    owed, on = year.counter.books.owed, year.clock.today
    with tenant_context(year.clock.tenant_id), year.clock.timed("second count"):
        year.counter.books.read_letters(on)
        year.differences += holds_look.look_at_holds(on=on, minimum=MINIMUM, cut_at=cut_at, balances=owed)
        year.differences += prices.look_at_waiting(owed, year.persons, year.offer.taxes, on)


def _top_up(year: Year) -> None:
    """Let prepaid customers pay ahead: some in time, some only when they are held, some with a voucher."""
    clock, dice = year.clock, year.dice
    with tenant_context(clock.tenant_id), clock.timed("look"):
        ending = list(
            PrepaidLine.objects.filter(paid_until__lte=clock.in_days(2))
            .exclude(subscription__status="terminated")
            .order_by("pk")
            .values_list("subscription__subscriber", "waits_since")
        )
    for subscriber_id, waits_since in ending:
        person, chance = year.persons[subscriber_id], dice.random()
        if chance < 0.1:
            year.counter.by_voucher(person)
        elif chance < (0.15 if waits_since else 0.3):
            year.counter.by_gateway(person, None, Decimal(dice.choice((20, 35, 100))))
        elif chance < 0.35:
            year.counter.top_up(person, Decimal(dice.choice((5, 30, 61))))
