"""The demo's customers: people who do not exist, at addresses that do not, on plans nobody sells.

Telephone numbers are of the range Ofcom keeps for drama (07700 900000 to 900999), e-mail of example.org.
"""

import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pgtrigger
from django.db import connection

from ispcore import numbering
from ispcore.tenants.context import current_tenant_id
from subscribers.models import (
    BillingProfile,
    Hold,
    HoldReason,
    Plan,
    Premise,
    ServiceStatus,
    Subscriber,
    SubscriberStatus,
    Subscription,
    Zone,
)
from subscribers.services import catalogue, customers

FIRST = (
    "Alda", "Bento", "Célia", "Dário", "Elsa", "Fausto", "Graça", "Hélder", "Inês", "Jaime", "Lídia", "Mário",
    "Nádia", "Otávio", "Paula", "Quim", "Rosa", "Simão", "Teresa", "Vasco", "Xénia", "Zacarias",
)  # fmt: skip
LAST = (
    "Abreu", "Brandão", "Caldeira", "Domingues", "Esteves", "Falcão", "Guedes", "Henriques", "Jardim", "Lacerda",
    "Macedo", "Nóbrega", "Outeiro", "Pacheco", "Quaresma", "Rebelo", "Sampaio", "Torres", "Valadares",
)  # fmt: skip
COMPANIES = ("Bakery", "Dental Practice", "Hotel", "Garage", "Library", "Pharmacy", "School", "Workshop")
STREETS = (
    "Harbour Road", "Mill Lane", "Orchard Street", "Station Avenue", "Lighthouse Way", "Chapel Hill", "Quay Street"
)  # fmt: skip
AREAS = {"Northport": ("Harbour", "Old Town", "Riverside"), "Hillside": ("Upper Hillside", "Water Tower")}
# code, name, Mbit/s down and up, data cap in GB, price
PLANS = (
    ("FIBRE-50", "Fibre 50", 50, 10, 500, "19.90"),
    ("FIBRE-200", "Fibre 200", 200, 50, None, "29.90"),
    ("FIBRE-500", "Fibre 500", 500, 100, None, "39.90"),
    ("FIBRE-1000", "Fibre 1000", 1000, 500, None, "54.90"),
    ("BUSINESS-500", "Business 500", 500, 500, None, "129.00"),
)
RETIRED = ("FIBRE-20", "Fibre 20", 20, 5, 200, "14.90")
PROFILES = (("Monthly, 1st", 1, 14, 10), ("Monthly, 15th", 15, 14, 5), ("Business, 30 days", 1, 30, 15))
TAGS = ("vip", "paper invoice", "senior", "early adopter")
YEARS_BACK = 3

# What becomes of people, of a hundred: their status, and their line's if they have one.
FATES: tuple[tuple[int, str, str], ...] = (
    (79, SubscriberStatus.ACTIVE, ServiceStatus.ACTIVE),
    (6, SubscriberStatus.SUSPENDED, ServiceStatus.SUSPENDED),
    (5, SubscriberStatus.PROSPECT, ServiceStatus.PENDING_INSTALLATION),
    (4, SubscriberStatus.PROSPECT, ""),
    (6, SubscriberStatus.INACTIVE, ServiceStatus.TERMINATED),
)
HOLDS = (HoldReason.NON_PAYMENT, HoldReason.NON_PAYMENT, HoldReason.VACATION, HoldReason.ABUSE)
NOTES = {
    HoldReason.NON_PAYMENT: "Two invoices open",
    HoldReason.VACATION: "Asked for by phone",
    HoldReason.ABUSE: "Open mail relay reported",
}


@dataclass(frozen=True)
class _Offer:
    zones: list[Zone]
    plans: list[Plan]
    business: Plan
    profiles: list[BillingProfile]


def load(*, count: int, currency: str, at: datetime) -> None:
    """Give the bound tenant what it sells and `count` customers; one that has customers stays as it is."""
    if Subscriber.objects.exists():
        return
    dice = random.Random(count)  # The same people each time.
    offer = _make_offer(currency, at)
    people = [_make_subscriber(number, dice, offer) for number in range(count)]
    fates = dice.choices(FATES, weights=[fate[0] for fate in FATES], k=count)
    for person, (_, status, _) in zip(people, fates, strict=True):
        person.status = status
    since = {
        person.pk: at - timedelta(days=dice.randint(20, 365 * YEARS_BACK), minutes=dice.randint(0, 1440))
        if fate[2] != ServiceStatus.PENDING_INSTALLATION
        else at - timedelta(days=dice.randint(1, 12), minutes=dice.randint(0, 1440))
        for person, fate in zip(people, fates, strict=True)
    }
    _connect(people, [fate[2] for fate in fates], since, dice, offer, at)
    _date_back(people, since)


def _make_offer(currency: str, at: datetime) -> _Offer:
    zones = []
    for name, parts in AREAS.items():
        outer = catalogue.create_zone(name=name)
        zones += [catalogue.create_zone(name=part, parent_id=outer.pk) for part in parts]
    *plans, business = [_make_plan(currency, *plan) for plan in PLANS]
    today = at.date()
    _make_plan(
        currency, *RETIRED, sold_from=today - timedelta(days=2000), sold_until=today - timedelta(days=400)
    )
    profiles = [
        catalogue.create_billing_profile(
            name=name, cycle_day=day, due_days=due, grace_days=grace, currency=currency
        )
        for name, day, due, grace in PROFILES
    ]
    return _Offer(zones, plans, business, profiles)


def _make_plan(
    currency: str, code: str, name: str, down: int, up: int, cap_gb: int | None, price: str, **sold: Any
) -> Plan:
    return catalogue.create_plan(
        code=code,
        name=name,
        down_kbps=down * 1000,
        up_kbps=up * 1000,
        cap_bytes=cap_gb * 10**9 if cap_gb else None,
        price=Decimal(price),
        currency=currency,
        **sold,
    )


def _make_subscriber(number: int, dice: random.Random, offer: _Offer) -> Subscriber:
    first, last = dice.choice(FIRST), dice.choice(LAST)
    is_company = dice.random() < 0.06
    zone = dice.choice(offer.zones)
    return customers.create_subscriber(
        full_name=f"{last} {dice.choice(COMPANIES)}" if is_company else f"{first} {last}",
        email=f"customer{number + 1}@example.org" if dice.random() < 0.9 else "",
        phone=f"+44 7700 900{number % 1000:03d}",
        billing_profile_id=(offer.profiles[2] if is_company else dice.choice(offer.profiles[:2])).pk,
        address_line1=f"{number % 140 + 1} {dice.choice(STREETS)}",
        city=zone.name,
        tags=["business"] if is_company else dice.sample(TAGS, 1) if dice.random() < 0.2 else [],
        metadata={"lead_source": dice.choice(("walk_in", "website", "neighbour"))} if number % 5 == 0 else {},
    )


def _connect(
    people: list[Subscriber],
    fates: list[str],
    since: dict[Any, datetime],
    dice: random.Random,
    offer: _Offer,
    at: datetime,
) -> None:
    """Give each their premise and line, and some lines a hold, in one statement per table."""
    zones = {zone.name: zone for zone in offer.zones}
    premises, lines, holds = [], [], []
    for person, fate in zip(people, fates, strict=True):
        if not fate:
            continue
        premise = Premise(zone=zones[person.city], address_line1=person.address_line1, city=person.city)
        premises.append(premise)
        is_company = "business" in person.tags
        lines.append(
            Subscription(
                subscriber=person,
                premise=premise,
                plan=offer.business if is_company else dice.choices(offer.plans, weights=(2, 5, 3, 1))[0],
                status=fate,
                wifi_name=f"Home-{person.number[-3:]}",
            )
        )
        if is_company and fate == ServiceStatus.ACTIVE:
            lines.append(Subscription(subscriber=person, premise=premise, plan=offer.plans[0], status=fate))
    for number, line in zip(numbering.draw("service", count=len(lines)), lines, strict=True):
        line.number = number
        if line.status == ServiceStatus.PENDING_INSTALLATION:
            continue
        line.provisioned_at = since[line.subscriber_id] + timedelta(days=dice.randint(1, 9))
        if line.status == ServiceStatus.TERMINATED:
            line.terminated_at = line.provisioned_at + (at - line.provisioned_at) * dice.uniform(0.2, 0.95)
        elif line.status == ServiceStatus.SUSPENDED or dice.random() < 0.08:
            holds.append(_hold(line, dice, at))
    Premise.objects.bulk_create(premises)
    Subscription.objects.bulk_create(lines)
    Hold.objects.bulk_create(holds)


def _hold(line: Subscription, dice: random.Random, at: datetime) -> Hold:
    """Make the hold a suspended line has, or one that another had and paid off."""
    reason = dice.choice(HOLDS)
    opened = at - timedelta(days=dice.uniform(1, 9))
    hold = Hold(subscription=line, reason=reason, note=NOTES[reason], opened_at=opened)
    if line.status != ServiceStatus.SUSPENDED:
        hold.released_at = opened + timedelta(hours=dice.randint(3, 20))
    elif reason == HoldReason.VACATION:
        hold.until = at + timedelta(days=dice.randint(5, 30))
    return hold


def _date_back(people: list[Subscriber], since: dict[Any, datetime]) -> None:
    """Let the customers have come over the years, with the status they have by now, unseen by the history."""
    with pgtrigger.ignore(), connection.cursor() as cursor:
        # Positional, because ignoring triggers puts a statement of its own before each.
        cursor.execute(
            """
            UPDATE subscribers_subscriber AS subscriber
            SET created_at = given.since, status = given.status
            FROM unnest(%s::uuid[], %s::timestamptz[], %s::text[]) AS given (id, since, status)
            WHERE subscriber.tenant_id = %s AND subscriber.id = given.id
            """,
            [
                [person.pk for person in people],
                [since[person.pk] for person in people],
                [str(person.status) for person in people],
                current_tenant_id(),
            ],
        )
        cursor.execute(
            """
            UPDATE subscribers_subscription AS line SET created_at = subscriber.created_at
            FROM subscribers_subscriber AS subscriber
            WHERE line.tenant_id = %s AND subscriber.tenant_id = line.tenant_id
              AND subscriber.id = line.subscriber_id
            """,
            [current_tenant_id()],
        )
