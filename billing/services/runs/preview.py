"""The next invoice of one subscriber, computed as a run would, and rolled back."""

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from django.db import transaction

from billing.models import BillingPosition, BillingRun, Invoice, InvoiceLine, ParkedAccount, RunStatus
from billing.services import planning
from billing.services.runs.starting import refuse_wrong_day, terms_of
from ispcore.errors import NotRegistered
from subscribers.models import Period, ServiceStatus, Subscriber
from subscribers.services.periods import local_date, period_around

DAYS_SHOWN = 366  # A yearly line's next invoice.


class SubscriberUnknown(NotRegistered):
    message = "There is no such subscriber."
    field = "subscriber_id"


@dataclass(frozen=True)
class NextInvoice:
    """What a run of a day would ask one subscriber for in one currency, or give back; amounts as on the document."""

    kind: str
    currency: str
    net: Decimal
    tax: Decimal
    total: Decimal
    lines: list[InvoiceLine]


@dataclass(frozen=True)
class Preview:
    """What a run of a day would do with one subscriber; `parked` says why it could not bill, if so."""

    on: date
    invoices: list[NextInvoice] = field(default_factory=list)
    parked: ParkedAccount | None = None


class _RolledBack(Exception):
    """Ends the transaction of a preview; it never leaves this module."""


def next_invoice(*, subscriber_id: UUID, on: date | None = None, at: datetime) -> Preview:
    """Compute the invoice a run would plan for one subscriber, by the same statements. Writes nothing.

    Without a day, that of the first day on which something is due, as far as is known now. Raises
    SubscriberUnknown, DayTooFar, DayBeforeBeginning.
    """
    today = local_date(at)
    if on is not None:
        refuse_wrong_day(on, today=today, ahead=DAYS_SHOWN)
    if not Subscriber.objects.filter(pk=subscriber_id).exists():
        raise SubscriberUnknown
    for day in [on] if on else _next_days(subscriber_id, today):
        preview = _rolled_back(subscriber_id, refuse_wrong_day(day, today=today, ahead=DAYS_SHOWN), at)
        if preview.invoices or preview.parked:
            break
    return preview


def _rolled_back(subscriber_id: UUID, day: date, at: datetime) -> Preview:
    found: list[Preview] = []
    try:
        with transaction.atomic():
            found.append(_planned(subscriber_id, day, at))
            raise _RolledBack
    except _RolledBack:
        return found[0]


def _next_days(subscriber_id: UUID, today: date) -> list[date]:
    """Return the days on which a run looks at the subscriber next: cycle days and periods that end, the first each.

    Today, where a line ended or has never been billed.
    """
    positions = list(
        BillingPosition.objects.filter(
            subscription__subscriber=subscriber_id, is_closed=False
        ).select_related("subscription__subscriber__billing_profile")
    )
    if not positions or any(each.subscription.status == ServiceStatus.TERMINATED for each in positions):
        return [today]
    until = max(today, min(each.billed_until for each in positions))
    months = {
        period_around(
            on=today,
            period=Period.MONTH,
            profile=each.subscription.subscriber.billing_profile,
            began_on=local_date(each.subscription.provisioned_at),
        ).end
        for each in positions
    }
    return sorted({day for day in months if day < until} | {until})


def _planned(subscriber_id: UUID, on: date, at: datetime) -> Preview:
    # A run that is over is beside the one that may be open.
    run = BillingRun.objects.create(on=on, as_of=at, status=RunStatus.DISCARDED, discarded_at=at)
    planning.plan_batch(terms_of(run), [subscriber_id])
    drafts = list(
        Invoice.objects.filter(run=run).order_by("currency").prefetch_related("lines__subscription")
    )
    return Preview(
        on=on,
        invoices=[
            NextInvoice(
                draft.kind,
                draft.currency,
                draft.net,
                draft.tax,
                draft.total,
                sorted(draft.lines.all(), key=lambda line: line.position),
            )
            for draft in drafts
        ],
        parked=ParkedAccount.objects.filter(run=run).first(),
    )
