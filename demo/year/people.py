"""What the year's provider sells, and who buys it. People and addresses are made up."""

import random
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal
from uuid import UUID

from billing.models import DunningPolicy, TaxRate
from billing.services.charges import add_ons, discounts, one_off, settings, taxes
from billing.services.dunning import policies
from billing.services.gateways import accounts
from demo.customers import FIRST, LAST, STREETS
from demo.year.clock import Clock
from subscribers.models import BillingProfile, Plan, Zone
from subscribers.services import catalogue, customers, lines

# name: how it is billed and paid.
PROFILES: dict[str, dict[str, object]] = {
    "1st": {"cycle_day": 1, "due_days": 14, "grace_days": 10, "currency": "EUR", "tax_class": "home"},
    "15th": {"cycle_day": 15, "due_days": 10, "grace_days": 5, "currency": "EUR", "tax_class": "home"},
    "29th": {"cycle_day": 29, "due_days": 14, "grace_days": 7, "currency": "EUR", "tax_class": "home"},
    "31st": {"cycle_day": 31, "due_days": 14, "grace_days": 7, "currency": "EUR", "tax_class": "home"},
    "Anniversary": {"cycle": "anniversary", "due_days": 14, "grace_days": 5, "currency": "EUR", "tax_class": "home"},
    "30th, yen": {"cycle_day": 30, "due_days": 14, "grace_days": 10, "currency": "JPY", "tax_class": "abroad"},
    "Anniversary, yen": {
        "cycle": "anniversary", "due_days": 21, "grace_days": 0, "currency": "JPY", "tax_class": "abroad"
    },
    "Prepaid": {"cycle": "anniversary", "payment_kind": "prepaid", "currency": "EUR", "tax_class": "home"},
}  # fmt: skip
WEIGHTS = (20, 15, 10, 12, 20, 6, 6, 11)
# name, period, price, currency
PLANS = (
    ("Home 50", "month", "19.90", "EUR"),
    ("Home 200", "month", "29.90", "EUR"),
    ("Home 1000", "month", "54.90", "EUR"),
    ("Quarter 200", "quarter", "84.50", "EUR"),
    ("Year 200", "year", "319.00", "EUR"),
    ("Home 200 (JP)", "month", "4980", "JPY"),
    ("Home 1000 (JP)", "month", "6975", "JPY"),
    ("Quarter (JP)", "quarter", "13999", "JPY"),
)
PLAN_WEIGHTS = (20, 40, 20, 12, 8)
# How people pay, of a hundred.
HABITS = {
    "punctual": 27, "early": 12, "late": 12, "very late": 8, "in parts": 7, "over": 5, "twice": 5, "gateway": 9,
    "bank": 9, "voucher": 3, "never": 2, "promise": 1,
}  # fmt: skip
# The pier lies within the harbour: what is taxed there is taxed here.
ZONES = (("Harbour", ""), ("Old Town", ""), ("Pier", "Harbour"))
ZONE_WEIGHTS = (2, 8, 1)


@dataclass(frozen=True)
class OfferedTax:
    """A tax as the provider's accountant would write it down."""

    name: str
    percent: Decimal
    tax_class: str = ""
    zones: frozenset[UUID] | None = None
    is_inclusive: bool = False
    starts_on: date = date.min
    ends_on: date = date.max

    def counts(self, *, tax_class: str, zone_id: UUID, on: date) -> bool:
        return (
            self.tax_class in ("", tax_class)
            and (self.zones is None or zone_id in self.zones)
            and self.starts_on <= on < self.ends_on
        )


@dataclass
class Person:
    """A customer, and what the year does with them."""

    subscriber_id: UUID
    line_id: UUID
    plan: Plan
    profile: str
    habit: str
    currency: str
    began_on: date
    name: str
    zone_id: UUID
    tax_class: str
    is_exempt: bool = False
    changed: bool = False
    ended: bool = False
    vacation_until: date | None = None
    add_ons: dict[UUID, date] = field(default_factory=dict)


@dataclass
class Offer:
    zones: list[Zone] = field(default_factory=list)
    plans: dict[str, list[Plan]] = field(default_factory=dict)
    profiles: dict[str, BillingProfile] = field(default_factory=dict)
    vat: TaxRate | None = None
    taxes: list[OfferedTax] = field(default_factory=list)
    gateway_id: UUID | None = None

    def raise_vat(self, percent: Decimal, starts_on: date) -> None:
        """Note that the first tax has another rate from a day on."""
        old = self.taxes[0]
        self.taxes[0] = replace(old, ends_on=starts_on)
        self.taxes.append(replace(old, percent=percent, starts_on=starts_on))


def make_offer(clock: Clock) -> Offer:
    """Register plans, profiles, taxes, the gateway and the dunning of the bound tenant."""
    offer = Offer()
    zones: dict[str, Zone] = {}
    for name, parent in ZONES:
        zones[name] = catalogue.create_zone(name=name, parent_id=zones[parent].pk if parent else None)
    offer.zones = list(zones.values())
    for number, (name, period, price, currency) in enumerate(PLANS):
        plan = catalogue.create_plan(
            code=f"YEAR-{number}", name=name, period=period, price=Decimal(price), currency=currency,
            down_kbps=200_000, up_kbps=50_000,
        )  # fmt: skip
        offer.plans.setdefault(currency, []).append(plan)
    for name, fields in PROFILES.items():
        offer.profiles[name] = catalogue.create_billing_profile(name=name, **fields)
    settings.change_settings(
        on=clock.today, bills_from=clock.today, runs_nightly=True, approves_within_bounds=False
    )
    harbour = frozenset((zones["Harbour"].pk, zones["Pier"].pk))
    offer.taxes = [
        OfferedTax("VAT", Decimal(23), "home"),
        OfferedTax("Consumption tax", Decimal(10), "abroad", is_inclusive=True),
        OfferedTax("Harbour levy", Decimal("2.5"), zones=harbour),
    ]
    rates = [
        taxes.add_rate(
            name=each.name, percent=each.percent, starts_on=clock.today, tax_class=each.tax_class,
            zone_id=zones["Harbour"].pk if each.zones else None, is_inclusive=each.is_inclusive,
        )
        for each in offer.taxes
    ]  # fmt: skip
    offer.vat = rates[0]
    policies.save_policy(
        policy=DunningPolicy(),
        country="PT",
        minimum_balance=Decimal(2),
        late_fee_after_days=12,
        late_fee_amount=Decimal(5),
    )
    offer.gateway_id = accounts.create_account(
        kind="demo_bank",
        label="Demo bank",
        webhook_secret="a secret of the simulated year",  # noqa: S106
    ).pk
    return offer


def make_person(clock: Clock, dice: random.Random, offer: Offer, number: int, *, days_ago: int) -> Person:
    """Register a customer with a line that went into operation so many days ago, and what else they bought."""
    name = f"{dice.choice(FIRST)} {dice.choice(LAST)} {number}"
    profile = dice.choices(list(PROFILES), weights=WEIGHTS)[0]
    currency = str(PROFILES[profile]["currency"])
    is_prepaid = profile == "Prepaid"
    sold = offer.plans[currency]
    plan = (
        dice.choice(sold[:3])
        if is_prepaid
        else dice.choices(sold, weights=PLAN_WEIGHTS)[0]
        if currency == "EUR"
        else dice.choice(sold)
    )
    customer = customers.create_subscriber(
        full_name=name,
        status="active",
        email=f"year{number}@example.org" if dice.random() < 0.3 else "",
        billing_profile_id=offer.profiles[profile].pk,
    )
    zone_id = dice.choices([zone.pk for zone in offer.zones], weights=ZONE_WEIGHTS)[0]
    premise = catalogue.create_premise(
        zone_id=zone_id,
        address_line1=f"{number + 1} {dice.choice(STREETS)}",
        city="Northport",
    )
    at = clock.at(dice.choice((8, 12, 23)), dice.randrange(60)) - timedelta(days=days_ago)
    line = lines.create_service(
        subscriber_id=customer.pk, plan_id=plan.pk, premise_id=premise.pk, on=clock.today
    )
    lines.activate_service(subscription_id=line.pk, at=at)
    person = Person(
        customer.pk,
        line.pk,
        plan,
        profile,
        "prepaid" if is_prepaid else dice.choices(list(HABITS), weights=list(HABITS.values()))[0],
        currency,
        clock.day(at),
        name,
        zone_id,
        str(PROFILES[profile]["tax_class"]),
    )
    if dice.random() < 0.06 and not is_prepaid:
        # A second line at the same place, which stays as it is.
        second = lines.create_service(
            subscriber_id=customer.pk,
            plan_id=dice.choice(sold).pk,
            premise_id=premise.pk,
            on=clock.today,
        )
        lines.activate_service(subscription_id=second.pk, at=at)
    _buy_more(clock, dice, person)
    return person


def _buy_more(clock: Clock, dice: random.Random, person: Person) -> None:
    cents = Decimal("0.01") if person.currency == "EUR" else Decimal(1)
    if dice.random() < 0.2:
        added = add_ons.add_add_on(
            subscription_id=person.line_id,
            name="Static address",
            price=500 * cents,
            currency=person.currency,
            starts_on=clock.in_days(dice.randint(0, 20)),
            ends_on=clock.in_days(dice.randint(40, 300)) if dice.random() < 0.5 else None,
            on=clock.today,
        )
        person.add_ons[added.pk] = clock.today
    if dice.random() < 0.15:
        discounts.add_discount(
            subscriber_id=person.subscriber_id,
            name="Welcome",
            percent=Decimal(dice.choice(("10", "12.5", "33.33"))),
            starts_on=clock.in_days(dice.randint(0, 10)),
            ends_on=clock.in_days(dice.randint(30, 200)) if dice.random() < 0.7 else None,
            on=clock.today,
        )
    if dice.random() < 0.08:
        discounts.add_discount(
            subscriber_id=person.subscriber_id,
            subscription_id=person.line_id,
            name="Neighbours",
            amount=dice.choice((100, 333, 2500)) * cents,
            starts_on=clock.in_days(dice.randint(0, 40)),
            ends_on=clock.in_days(dice.randint(60, 150)) if dice.random() < 0.5 else None,
            on=clock.today,
        )
    if dice.random() < 0.25 and person.profile != "Prepaid":
        one_off.add_charge(
            subscriber_id=person.subscriber_id,
            subscription_id=person.line_id,
            name="Router",
            amount=dice.choice((10, 100, 8990, 10001)) * cents,
            currency=person.currency,
            due_on=clock.in_days(dice.randint(0, 31)),
            instalments=dice.choice((1, 3, 6, 7)),
            on=clock.today,
        )
    if dice.random() < 0.03:
        taxes.add_exemption(subscriber_id=person.subscriber_id, reason="Charity", starts_on=clock.today)
        person.is_exempt = True
