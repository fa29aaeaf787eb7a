"""The next invoice of one subscriber, computed as a run would, and rolled back."""

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import transaction

from billing.models import BillingPosition, BillingRun, Invoice, InvoiceLine, ParkedAccount, RunStatus
from billing.services import planning
from billing.services.runs.starting import refuse_wrong_day, terms_of
from ispcore.errors import NotRegistered
from subscribers.models import Subscriber
from subscribers.services.periods import local_date

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

    Without a day, that of the first day on which something is due. Raises SubscriberUnknown, DayTooFar,
    DayBeforeBeginning.
    """
    on = refuse_wrong_day(
        on or _next_day(subscriber_id, local_date(at)), today=local_date(at), ahead=DAYS_SHOWN
    )
    if not Subscriber.objects.filter(pk=subscriber_id).exists():
        raise SubscriberUnknown
    found: list[Any] = []
    try:
        with transaction.atomic():
            today = local_date(at)
            day = refuse_wrong_day(on or _next_day(subscriber_id, today), today=today, ahead=DAYS_SHOWN)
            found.append(_planned(subscriber_id, day, at))
            raise _RolledBack
    except _RolledBack:
        preview: Preview = found[0]
        return preview


def _next_day(subscriber_id: UUID, today: date) -> date:
    until: date | None = (
        BillingPosition.objects.filter(subscription__subscriber=subscriber_id, is_closed=False)
        .order_by("billed_until")
        .values_list("billed_until", flat=True)
        .first()
    )
    return max(today, until or today)


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
