"""The demo's money: two months of invoices and payments, some debt, a statement half matched, a run that waits.

All of it is made by the services that customers are billed by, at the times the days had. Nobody is written to: the
policy has no reminders, because whoever tries the demo may have a mail server.
"""

import random
import secrets
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from billing.models import BillingRun, DunningPolicy, Invoice
from billing.services import bank, payments, runs
from billing.services.charges import add_ons, discounts, one_off, settings, taxes
from billing.services.dunning import policies, promises
from billing.services.gateways import accounts
from demo.year.clock import Clock
from ispcore.money import round_money
from ispcore.tenants.context import current_tenant_id
from ispcore.tenants.models import Tenant
from subscribers.models import ServiceStatus, Subscription

MONTHS = 2
CYCLE_DAYS = (1, 15)  # Of the demo's billing profiles.
ADD_ON_EVERY, DISCOUNT_EVERY, ROUTER_EVERY = 9, 14, 11
# Of a hundred invoices: how many are paid, how many in part; the rest is still owed.
PAID, IN_PART = 88, 3
TRANSFERS = 9  # On the bank's statement.


def load(*, at: datetime, country: str = "PT") -> None:
    """Give the bound tenant's customers their invoices and payments until now; one that has runs stays as it is."""
    if BillingRun.objects.exists():
        return
    tenant = Tenant.objects.get(pk=current_tenant_id())
    now = at.astimezone(ZoneInfo(tenant.timezone))
    clock, dice = Clock(tenant.pk, ZoneInfo(tenant.timezone), now.date()), random.Random(2)
    first = now.date().replace(day=1)
    for _ in range(MONTHS):
        first = (first - timedelta(days=1)).replace(day=1)
    clock.today = first
    _make_terms(clock, country)
    for day in _cycle_days(first, now.date()):
        clock.today = day
        _bill(clock)
        _pay(clock, dice, until=now)
    clock.today = now.date()
    _take_in_statement(clock, now)
    _promise(clock, now)
    # The next cycle, planned ahead: it waits for somebody to look at it and approve it.
    coming = next(day for ahead in range(1, 32) if (day := clock.in_days(ahead)).day in CYCLE_DAYS)
    runs.start_run(on=coming, at=now)
    clock.work_off(now)


def _make_terms(clock: Clock, country: str) -> None:
    """Settings, taxes, dunning, the demo's bank, and what some customers bought beside their line."""
    settings.change_settings(on=clock.today, bills_from=clock.today)
    taxes.add_rate(name="VAT 23 %", percent=Decimal(23), starts_on=clock.today)
    policies.save_policy(
        policy=DunningPolicy(),
        country=country,
        reminder_days=[],
        minimum_balance=Decimal(5),
        late_fee_after_days=7,
        late_fee_amount=Decimal(3),
    )
    accounts.create_account(kind="demo_bank", label="Demo bank", webhook_secret=secrets.token_urlsafe(24))
    running = Subscription.objects.filter(status=ServiceStatus.ACTIVE).select_related("plan")
    for number, line in enumerate(running.order_by("number")):
        currency = line.plan.currency
        if number % ADD_ON_EVERY == 4:
            add_ons.add_add_on(
                subscription_id=line.pk, name="Static address", price=Decimal(5), currency=currency,
                starts_on=clock.today, on=clock.today,
            )  # fmt: skip
        if number % DISCOUNT_EVERY == 3:
            discounts.add_discount(
                subscriber_id=line.subscriber_id, name="Welcome", percent=Decimal(10), starts_on=clock.today,
                on=clock.today,
            )  # fmt: skip
        if number % ROUTER_EVERY == 7:
            one_off.add_charge(
                subscriber_id=line.subscriber_id, subscription_id=line.pk, name="Router", amount=Decimal("89.90"),
                currency=currency, due_on=clock.today, instalments=6, on=clock.today,
            )  # fmt: skip


def _cycle_days(first: date, last: date) -> list[date]:
    days = (first + timedelta(days=number) for number in range((last - first).days))
    return [day for day in days if day.day in CYCLE_DAYS]


def _bill(clock: Clock) -> None:
    at = clock.at(2, 7)
    run = runs.start_run(on=clock.today, at=at)
    clock.work_off(at)
    run.refresh_from_db()
    runs.approve_run(run_id=run.pk, plan_hash=run.plan_hash, at=at)
    clock.work_off(at)


def _pay(clock: Clock, dice: random.Random, *, until: datetime) -> None:
    """Let most pay about the day their invoice is due, as far as that has come."""
    for invoice in Invoice.objects.filter(issued_on=clock.today, open_amount__gt=0).order_by("number"):
        chance, due_on = dice.randrange(100), invoice.due_on or clock.today
        day = due_on + timedelta(days=dice.randint(-9, 3))
        received_at = datetime.combine(day, time(dice.randint(8, 20), dice.randrange(60)), clock.zone)
        if received_at >= until or chance >= PAID + IN_PART:
            continue
        share = Decimal(1) if chance < PAID else Decimal("0.5")
        payments.receive(
            subscriber_id=invoice.subscriber_id,
            amount=round_money(invoice.open_amount * share, invoice.currency),
            currency=invoice.currency,
            method=dice.choices(("bank", "cash", "card"), weights=(6, 2, 2))[0],
            received_at=received_at,
        )


def _take_in_statement(clock: Clock, now: datetime) -> None:
    """Some transfers say what they pay, some only who paid, and some neither."""
    open_ones = list(
        Invoice.objects.filter(open_amount__gt=0, kind="invoice")
        .exclude(status="draft")
        .select_related("subscriber")
        .order_by("number")[:TRANSFERS]
    )
    day = clock.in_days(-1)
    rows = []
    for number, invoice in enumerate(open_ones):
        name, text = invoice.subscriber.full_name, invoice.number
        if number % 3 == 1:
            text = "Internet"
        elif number % 3 == 2:
            name, text = "J. Unknown", "Thank you"
        rows.append(f"{day};{invoice.open_amount:.2f};{name};{text};{invoice.currency}")
    if not rows:
        return
    content = "\n".join(["Date;Amount;Name;Description;Currency", *rows, ""]).encode()
    bank.request_reconciliation(name=f"statement-{day}.csv", content=[content], account="Current account")
    clock.work_off(now)


def _promise(clock: Clock, now: datetime) -> None:
    """One of those who owe has promised to pay next week."""
    overdue = (
        Invoice.objects.filter(open_amount__gt=0, kind="invoice", due_on__lt=clock.today)
        .exclude(status="draft")
        .order_by("number")
        .first()
    )
    if overdue is not None:
        promises.make_promise(
            subscriber_id=overdue.subscriber_id,
            amount=overdue.open_amount,
            currency=overdue.currency,
            until=clock.in_days(7),
            on=clock.today,
            at=now,
            note="By telephone",
        )
