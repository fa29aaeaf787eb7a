"""Periods bought from credit when they begin; without credit the line is held, and a top-up brings it back."""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import Q

from billing.models import (
    BillingPosition,
    Invoice,
    InvoiceLine,
    LineKind,
    LineTax,
    PrepaidLine,
    SubscriberBalance,
)
from billing.models.fields import day_words
from billing.services import invoices
from billing.services.dunning import debts
from billing.services.prepaid import pricing
from ispcore.events.services import publish
from ispcore.tenants.context import current_tenant_id
from ispcore.tenants.models import Tenant
from subscribers.models import (
    BillingProfile,
    Cycle,
    Hold,
    HoldReason,
    PaymentKind,
    ServiceStatus,
    Subscriber,
    Subscription,
)
from subscribers.services import holds
from subscribers.services.periods import local_date, period_around

BATCH = 200  # Subscribers looked at in a row.
MOST_PERIODS = 24  # Bought at once for one line after a long stop; what is left comes with the next look.


@transaction.atomic
def buy_due(*, subscriber: Subscriber, at: datetime) -> int:
    """Buy the periods that begin, for all prepaid lines of a locked subscriber; return how many were bought.

    Each is an issued invoice that the credit pays at once. A line whose next period costs more than the credit is
    held for non-payment and comes back with the first look that finds enough, its new period beginning that day. Safe
    to repeat: a period is bought once, which the database holds to as well.
    """
    profile = subscriber.billing_profile
    if profile is None or profile.payment_kind != PaymentKind.PREPAID:
        return 0
    today = local_date(at)
    lines = list(
        Subscription.objects.filter(
            Q(status=ServiceStatus.ACTIVE)
            | Q(status=ServiceStatus.SUSPENDED, prepaid__waits_since__isnull=False),
            Q(prepaid=None) | Q(prepaid__paid_until__lte=today),
            subscriber=subscriber,
        )
        .select_related("plan", "premise", "subscriber__billing_profile")
        .order_by("pk")
        .select_for_update(of=("self",))
    )
    bought = 0
    for line in lines:
        state = _state(line, today)
        if state is not None:
            bought += _buy(line, state, today=today, at=at)
    if bought:
        holds.bring_back([subscriber.pk], at=at)
    return bought


def due_subscribers(*, on: date, after: UUID, limit: int = BATCH) -> list[UUID]:
    """Return the next prepaid subscribers with a line whose period is over, or that waits while there is credit."""
    over = Q(prepaid=None) | Q(prepaid__paid_until__lte=on)
    credit = Q(
        status=ServiceStatus.SUSPENDED,
        prepaid__waits_since__isnull=False,
        subscriber__balances__balance__lt=0,
    )
    rows = Subscription.objects.filter(
        Q(status=ServiceStatus.ACTIVE) & over | credit,
        subscriber__billing_profile__payment_kind=PaymentKind.PREPAID,
        subscriber__gt=after,
    )
    return list(rows.order_by("subscriber").values_list("subscriber", flat=True).distinct()[:limit])


def credit_of(subscriber_id: UUID, currency: str) -> Decimal:
    """Return what a subscriber has to spend, by the ledger: nothing while they owe."""
    balance = (
        SubscriberBalance.objects.filter(subscriber=subscriber_id, currency=currency)
        .values_list("balance", flat=True)
        .first()
    )
    return max(-balance, Decimal(0)) if balance is not None else Decimal(0)


def end_of_period(line: Subscription, start: date, *, anchor_on: date) -> date:
    """Return the first day after the period of a line that begins on `start`."""
    # Periods begin on the day a row of them began, whatever the billing profile says of invoices.
    rule = BillingProfile(cycle=Cycle.ANNIVERSARY)
    return period_around(on=start, period=line.plan.period, profile=rule, began_on=anchor_on).end


def _state(line: Subscription, today: date) -> PrepaidLine | None:
    """Return how far a line is paid; None when it is held for another reason, too, and buying would be in vain."""
    state: PrepaidLine | None = PrepaidLine.objects.filter(subscription=line).first()
    if state is None:
        if InvoiceLine.objects.filter(
            subscription=line, kind=LineKind.PLAN, invoice__status="draft"
        ).exists():
            return None  # A run that waits for approval bills it still: where invoices end is not known yet.
        # A line that was billed by invoices goes on where these end.
        billed = (
            BillingPosition.objects.filter(subscription=line).values_list("billed_until", flat=True).first()
        )
        start = max(billed, today) if billed else today
        state = PrepaidLine(subscription=line, anchor_on=start, paid_until=start, currency=line.plan.currency)
        if start > today:
            state.save()
            return None
    others = Hold.objects.filter(subscription=line, released_at=None).exclude(reason=HoldReason.NON_PAYMENT)
    return None if others.exists() else state


def _buy(line: Subscription, state: PrepaidLine, *, today: date, at: datetime) -> int:
    bought = 0
    for start in _starts(line, state, today):
        price = pricing.price_of(line, on=start)
        credit = credit_of(line.subscriber_id, price.currency)
        if price.total > credit:
            _wait(line, state, missing=price.total - credit, at=at)
            return bought
        state.currency = price.currency
        if start != state.paid_until or state.waits_since is not None:
            state.anchor_on = start
        _write(line, state, price, start=start, at=at)
        bought += 1
    if bought:
        _bring_back(line, today, at)
    return bought


def _starts(line: Subscription, state: PrepaidLine, today: date) -> Iterator[date]:
    """Give the first days of the periods to buy: from today where the line stood still, else where the last ended."""
    if state.waits_since is not None or _stood_still(line, state.paid_until):
        yield today
    for _ in range(MOST_PERIODS):
        if state.paid_until > today:
            return
        yield state.paid_until


def _stood_still(line: Subscription, since: date) -> bool:
    """Tell whether a hold ended after the period did: nobody pays for days on it."""
    zone = ZoneInfo(Tenant.objects.values_list("timezone", flat=True).get(pk=current_tenant_id()))
    ended = datetime.combine(since, time(0), zone)
    return Hold.objects.filter(subscription=line, released_at__gte=ended).exists()


def _write(
    line: Subscription, state: PrepaidLine, price: pricing.Price, *, start: date, at: datetime
) -> None:
    """Issue the invoice of one period and move the line's end; the credit pays it."""
    end = end_of_period(line, start, anchor_on=state.anchor_on)
    state.paid_until, state.waits_since, state.missing = end, None, None
    state.save()
    BillingPosition.objects.update_or_create(
        subscription=line, defaults={"billed_until": end, "settled_at": at}
    )
    invoice: Invoice = Invoice.objects.create(
        subscriber=line.subscriber,
        currency=price.currency,
        period_start=start,
        period_end=end,
        net=price.net,
        tax=price.tax,
        total=price.total,
        open_amount=price.total,
    )
    for position, item in enumerate(price.items, start=1):
        row = InvoiceLine.objects.create(
            invoice=invoice,
            position=position,
            kind=item.kind,
            subscription=line,
            source=item.source,
            description=item.description,
            period_start=start,
            period_end=end,
            unit_price=item.price,
            net=item.net,
            tax=item.tax,
            tax_class=item.tax_class,
            days=(end - start).days,
            period_days=(end - start).days,
        )
        LineTax.objects.bulk_create(
            LineTax(
                line=row,
                rate=each.rate,
                name=each.rate.name,
                percent=each.rate.percent,
                base=each.base,
                amount=each.amount,
            )
            for each in item.taxes
        )
    invoices.issue(invoice_id=invoice.pk, at=at)


def _wait(line: Subscription, state: PrepaidLine, *, missing: Decimal, at: datetime) -> None:
    """Hold a line until there is credit; one that waits already learns what is missing by now."""
    began = state.waits_since is None
    state.waits_since = state.waits_since or at
    state.missing, state.currency = missing, line.plan.currency
    state.save()
    if line.status == ServiceStatus.ACTIVE:
        holds.hold_lines(
            [line],
            reason=HoldReason.NON_PAYMENT,
            at=at,
            until=None,
            note=f"Prepaid until {day_words(state.paid_until - timedelta(days=1))}",
            user_id=None,
        )
    if began:
        publish("billing.credit_used_up", subscription_id=str(line.pk), subscriber_id=str(line.subscriber_id))


def _bring_back(line: Subscription, today: date, at: datetime) -> None:
    line.refresh_from_db(fields=["status"])  # Paying the invoice may have brought it back.
    if line.status == ServiceStatus.SUSPENDED and not any(
        debt.counts for debt in debts.overdue_of(line.subscriber_id, on=today)
    ):
        holds.release_holds([line], at=at, reasons=[HoldReason.NON_PAYMENT])
