"""The year itself: each day what the schedule does by the clock, then what customers and staff do."""

import random
from collections import Counter as Count
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

from billing.models import (
    BillingRun,
    DunningNight,
    Invoice,
    InvoiceKind,
    NightStatus,
    Payment,
    PrepaidLine,
    RunStatus,
)
from billing.services import ledger, payments, runs
from billing.services.charges import taxes
from billing.services.dunning import nightly, suspending
from billing.services.prepaid import renewing
from demo.year import changing, people, recount
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
    last = year.clock.in_days(-1)
    with tenant_context(year.clock.tenant_id), year.clock.timed("recount"):
        year.findings = ledger.recount()
        year.differences += recount.recount_lines(
            bills_from=year.first,
            last_run=last,
            zone=year.clock.zone,
            touched={pk: day for person in year.persons.values() for pk, day in person.add_ons.items()},
        )


def one_day(year: Year) -> None:
    """Do what a day brings, in the order of `ispcore.schedule`."""
    clock = year.clock
    _midnight(year)
    cut_at = _dun_at_night(year)
    _bill(year)
    _look(year, cut_at)
    with clock.timed("letters"):
        with tenant_context(clock.tenant_id):
            nightly.do_what_is_due(at=clock.at(9, 3))
        clock.work_off(clock.at(9, 3))
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
        clock.do(
            "tax change",
            lambda: taxes.replace_rate(
                rate_id=vat.pk, percent=Decimal("20.5"), starts_on=clock.in_days(12), on=clock.today
            ),
        )
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
        for reason in run.parked_accounts.values_list("reason", flat=True):
            year.parked[reason] += 1
        issued = list(
            Invoice.objects.filter(run=run, open_amount__gt=0, kind=InvoiceKind.INVOICE)
            .order_by("pk")
            .values_list("pk", "subscriber", "due_on")
        )
    for invoice_id, subscriber_id, due_on in issued:
        year.counter.billed(year.persons[subscriber_id], invoice_id, due_on)


def _look(year: Year, cut_at: datetime | None) -> None:
    with tenant_context(year.clock.tenant_id), year.clock.timed("second count"):
        year.differences += recount.look_at_holds(on=year.clock.today, minimum=MINIMUM, cut_at=cut_at)


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

            def deed(person: Person = person) -> Payment:
                return payments.receive(
                    subscriber_id=person.subscriber_id, amount=Decimal(dice.choice((5, 30, 61))),
                    currency=person.currency, method="cash", received_at=clock.at(19),
                )  # fmt: skip

            year.done["paid"] += clock.do("pay", deed) is not None
