"""A client of WispHub: a customer's service with what is known of it. Some at a time, in the same few queries."""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import Case, IntegerField, Min, QuerySet, Value, When

from aaa.models import Session
from billing.models import Invoice, InvoiceKind, SubscriberBalance
from compat.wisphub.numbers import number_of
from compat.wisphub.shapes import amount
from hardware.models import Onu
from ipam.models import Address, Purpose
from ispcore.tenants.context import tenant_context
from ispcore.tenants.roles import allows
from subscribers import normal
from subscribers.models import ServiceStatus, Subscription

PART = 500
PRESENT = (ServiceStatus.ACTIVE, ServiceStatus.SUSPENDED, ServiceStatus.PENDING_INSTALLATION)


def lines() -> QuerySet[Subscription]:
    rows: QuerySet[Subscription] = Subscription.objects.select_related(
        "subscriber__billing_profile", "plan", "premise__zone"
    )
    return rows


def line_with_number(text: str) -> Subscription | None:
    number = normal.line_number(text)
    return None if number is None else lines().filter(number=number).first()


def first_of(rows: QuerySet[Subscription]) -> Subscription | None:
    """Return, of several services, one that runs before one that is barred, waits or is over; then the newest."""
    rank = Case(
        *(When(status=status, then=Value(place)) for place, status in enumerate(PRESENT)),
        default=Value(len(PRESENT)),
        output_field=IntegerField(),
    )
    return rows.order_by(rank, "-id").first()


def walk(*, tenant_id: UUID, on: date, role: str | None) -> Iterator[list[dict[str, Any]]]:
    """Give all active clients in parts, each read in a transaction of its own and behind the last one's end."""
    after = -1
    while True:
        with tenant_context(tenant_id):
            rows = lines().filter(status=ServiceStatus.ACTIVE, number__gt=after)
            found = list(rows.order_by("number")[:PART])
            shown = show(found, on=on, role=role)
        if shown:
            yield shown
        if len(found) < PART:
            return
        after = found[-1].number


def show(found: Sequence[Subscription], *, on: date, role: str | None) -> list[dict[str, Any]]:
    """Return services as clients are shown; `on` is today at the provider's.

    What belongs to an app that the caller's role may not look into is null: debts, addresses, where the ONU sits.
    """
    keys = [line.pk for line in found]
    money = _money(found, on) if allows(role, "billing", "view") else {}
    addresses = _addresses(keys) if allows(role, "ipam", "view") and allows(role, "aaa", "view") else {}
    onus = (
        Onu.objects.filter(subscription__in=keys) if allows(role, "hardware", "view") else Onu.objects.none()
    )
    places = dict(onus.values_list("subscription", "index"))
    return [
        {
            "service_id": line.number,
            "name": line.subscriber.full_name,
            "document": line.subscriber.document_number or None,
            "phone": line.subscriber.phone_e164 or line.subscriber.phone or None,
            "address": ", ".join(filter(None, (line.premise.address_line1, line.premise.address_line2))),
            "city": line.premise.city or None,
            "locality": line.premise.zone.name if line.premise.zone else None,
            "payment_status": None,
            "zone_id": number_of(line.premise.zone_id) if line.premise.zone_id else None,
            "antenna_ip": addresses.get(line.pk),
            "cut_off_date": None,
            "outstanding_balance": None,
            "lan_interface": places.get(line.pk),
            "internet_plan_name": line.plan.name,
            "internet_plan_price": amount(line.plan.price),
            "technician_id": None,
        }
        | money.get(line.pk, {})
        for line in found
    ]


def _money(found: Sequence[Subscription], on: date) -> dict[UUID, dict[str, Any]]:
    """Return what each service's customer owes, and from when on that cuts them off."""
    people = {line.subscriber_id for line in found}
    rows = SubscriberBalance.objects.filter(subscriber__in=people)
    balances = {
        (subscriber, currency): balance
        for subscriber, currency, balance in rows.values_list("subscriber", "currency", "balance")
    }
    dues = _first_dues(people)
    told = {}
    for line in found:
        account = (line.subscriber_id, _currency(line))
        profile, due_on = line.subscriber.billing_profile, dues.get(account)
        grace = timedelta(days=profile.grace_days if profile else 0)
        told[line.pk] = {
            "payment_status": _payment_status(line, due_on, on),
            "cut_off_date": (due_on + grace).isoformat() if due_on else None,
            "outstanding_balance": amount(balances.get(account, Decimal(0))),
        }
    return told


def _payment_status(line: Subscription, due_on: date | None, on: date) -> str:
    if line.status == ServiceStatus.SUSPENDED:
        return "suspended"
    return "overdue" if due_on is not None and due_on < on else "active"


def _currency(line: Subscription) -> str:
    profile = line.subscriber.billing_profile
    return str(profile.currency if profile else line.plan.currency)


def _first_dues(people: set[UUID]) -> dict[tuple[UUID, str], date]:
    """Return the first due day of what is open, by customer and currency."""
    opened = Invoice.objects.filter(
        subscriber__in=people, kind=InvoiceKind.INVOICE, open_amount__gt=0, due_on__isnull=False
    ).exclude(number="")
    rows = opened.order_by().values_list("subscriber", "currency").annotate(first=Min("due_on"))
    return {(subscriber, currency): first for subscriber, currency, first in rows}


def _addresses(keys: list[UUID]) -> dict[UUID, str]:
    """Return by which address each service is reached: that of its live session, else a static one, else any."""
    held = (
        Address.objects.filter(subscription__in=keys)
        .order_by("-address")
        .values_list("subscription", "address", "pool", "pool__purpose")
    )
    dynamic: dict[UUID, str] = {}
    static: dict[UUID, str] = {}
    for line, address, pool, purpose in held:
        if "/" not in address:
            (static if pool is None or purpose == Purpose.STATIC else dynamic)[line] = address
    live = (
        Session.objects.filter(account__subscription__in=keys, stopped_at=None, framed_ip__isnull=False)
        .order_by("started_at", "id")
        .values_list("account__subscription", "framed_ip")
    )
    return dynamic | static | {line: str(address) for line, address in live}
