"""What the year's customers change: their plans, holidays, add-ons, and whether they stay."""

import random
from datetime import timedelta
from decimal import Decimal
from functools import partial

from billing.models import AddOn
from billing.services.charges import add_ons
from billing.services.dunning import exemptions
from billing.services.prepaid import renewing
from demo.year.clock import Clock
from demo.year.paying import Counter
from demo.year.people import Offer, Person
from subscribers.models import Plan
from subscribers.services import lines, plan_changes


def change_something(
    clock: Clock, dice: random.Random, offer: Offer, counter: Counter, people: list[Person]
) -> None:
    """Let some customers change something today, about each hundredth of them."""
    for person in people:
        chance = dice.random()
        if person.ended or chance >= 0.0085 or clock.today <= person.began_on:
            continue
        if chance < 0.002 and person.profile != "Prepaid":
            _holiday(clock, dice, counter, person)
        elif chance < 0.0045 and person.profile != "Prepaid":
            _change_plan(clock, dice, offer, counter, person)
        elif chance < 0.0052:
            _leave(clock, counter, person)
        elif chance < 0.007:
            _change_add_on(clock, dice, counter, person)
        elif chance < 0.0078:
            _stop(clock, dice, counter, person)
        elif chance < 0.0081:
            done = clock.do(
                "exempt",
                partial(
                    exemptions.exempt,
                    subscriber_id=person.subscriber_id,
                    reason="Under discussion",
                    until=clock.in_days(dice.randint(5, 60)),
                    on=clock.today,
                    at=clock.at(15),
                ),
            )
            counter.done["exempted"] += done is not None


def _holiday(clock: Clock, dice: random.Random, counter: Counter, person: Person) -> None:
    """Hold a line for some days, from some hour, even one near midnight."""
    if person.vacation_until is not None and person.vacation_until >= clock.today:
        return
    days = dice.choice((1, 3, 14, 40, 75))
    at = clock.at(dice.choice((0, 10, 23)), 45)
    until = at + timedelta(days=days)
    done = clock.do(
        "holiday",
        lambda: lines.open_hold(subscription_id=person.line_id, reason="vacation", at=at, until=until),
    )
    if done is not None:
        person.vacation_until = clock.day(until)
        counter.done["holidays"] += 1


def _stop(clock: Clock, dice: random.Random, counter: Counter, person: Person) -> None:
    """Bar a line by hand for some days, whatever is paid meanwhile; those days are billed."""
    reason = dice.choice(("staff", "abuse"))
    done = clock.do(
        "stop",
        lambda: lines.open_hold(
            subscription_id=person.line_id, reason=reason, at=clock.at(14), note="A look"
        ),
    )
    if done is None:
        return
    counter.done["stopped by staff"] += 1

    def let_go() -> None:
        clock.do(
            "let go",
            lambda: lines.release_hold(subscription_id=person.line_id, reason=reason, at=clock.at(10)),
        )
        # As the schedule looks each quarter of an hour for prepaid lines that may go on.
        clock.do("prepaid", lambda: renewing.renew_line(subscription_id=person.line_id, at=clock.at(10, 2)))

    counter.later(dice.randint(1, 12), let_go)


def _change_plan(clock: Clock, dice: random.Random, offer: Offer, counter: Counter, person: Person) -> None:
    """Change to another plan, today or on a day; to one of another period once a year at most."""
    sold = [plan for plan in offer.plans[person.currency] if plan.pk != person.plan.pk]
    plan: Plan = dice.choice(sold)
    if person.changed:
        return
    if plan.period != person.plan.period:
        # Its days are charged by one period's length; that is counted for lines that change nothing else.
        if person.vacation_until is not None:
            return
        person.changed = True
    days, hour = dice.choice((0, 0, 1, 9, 33)), dice.choice((1, 12, 23))

    def deed() -> None:
        done = clock.do(
            "plan change",
            lambda: plan_changes.change_plan(
                subscription_id=person.line_id, to_plan_id=plan.pk, effective_on=clock.in_days(days),
                on=clock.today, at=clock.at(hour, 30),
            ),
        )  # fmt: skip
        if done is not None:
            person.plan = plan
            counter.done["plan changes"] += 1

    if hour == 1:  # Between midnight and the run of that night, the next one.
        counter.by_night.append(deed)
    else:
        deed()


def _leave(clock: Clock, counter: Counter, person: Person) -> None:
    if person.changed:
        return
    at = clock.at(16, 30)
    done = clock.do("end", lambda: lines.terminate_service(subscription_id=person.line_id, at=at))
    person.ended = done is not None
    counter.done["ended"] += person.ended


def _change_add_on(clock: Clock, dice: random.Random, counter: Counter, person: Person) -> None:
    def deed() -> AddOn | None:
        price = 700 if person.currency == "JPY" else 7
        found = AddOn.objects.filter(subscription=person.line_id).order_by("-pk").first()
        if found is not None and found.ends_on is None:
            return add_ons.change_add_on(
                add_on_id=found.pk, on=clock.today, ends_on=clock.in_days(dice.randint(1, 40))
            )
        return add_ons.add_add_on(
            subscription_id=person.line_id, name="Television", price=Decimal(price + price // 7),
            currency=person.currency, starts_on=clock.in_days(dice.randint(0, 20)), on=clock.today,
        )  # fmt: skip

    changed = clock.do("add-on", deed)
    if changed is not None:
        person.add_ons[changed.pk] = clock.today
        counter.done["add-ons changed"] += 1
