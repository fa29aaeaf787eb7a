"""Making an issued invoice void: nothing of it is owed, and what it billed may be billed again."""

from datetime import date, datetime
from uuid import UUID

from django.db import transaction
from django.db.models import F, Max

from billing.models import (
    NO_SOURCE,
    BillingPosition,
    Invoice,
    InvoiceKind,
    InvoiceLine,
    InvoiceStatus,
    LineKind,
    OneOffCharge,
)
from billing.services.dunning import clearing
from billing.services.invoices import booking
from billing.services.invoices.rows import lock_invoice
from ispcore.errors import DomainError
from ispcore.events.services import publish
from subscribers.services.periods import local_date

# Their dates say how far a line is billed; the others of a period follow the plan's.
PERIODS = (LineKind.PLAN,)
# What settles days that were billed before, each once: the line's position says since when.
SETTLING = (LineKind.PLAN_CHANGE, LineKind.HOLD_CREDIT, LineKind.END_CREDIT)
CHARGES = (LineKind.ONE_OFF, LineKind.LATE_FEE)


class NotVoidable(DomainError):
    code = "invoice_not_voidable"
    message = "{number} {why}"


class LaterPeriodBilled(DomainError):
    code = "later_period_billed"
    message = (
        "{number} bills {what} until {until}, and a later invoice bills what follows or gives back some of it. Make "
        "that one void first, or write a credit note for this one."
    )


@transaction.atomic
def void(*, invoice_id: UUID, reason: str, at: datetime, user_id: UUID | None = None) -> Invoice:
    """Make an invoice void of which nothing is paid: its bookings are moved back, its items may be billed again.

    Safe to repeat: a void invoice stays so. Raises InvoiceUnknown, NotVoidable, LaterPeriodBilled.
    """
    invoice = lock_invoice(invoice_id)
    if invoice.status == InvoiceStatus.VOID:
        return invoice
    if why := why_not(invoice):
        raise NotVoidable(number=invoice.number or "The draft", why=why)
    lines = list(invoice.lines.all())
    positions = _positions_to_move(invoice, lines)
    _refuse_later_add_ons(lines)
    charges = _charges_to_ask_again(invoice, lines)
    booking.book_back(invoice, on=local_date(at), user_id=user_id)
    invoice.lines.update(is_void=True, updated_at=at)
    invoice.status, invoice.open_amount, invoice.voided_at, invoice.reason = InvoiceStatus.VOID, 0, at, reason
    invoice.save(update_fields=["status", "open_amount", "voided_at", "reason", "updated_at"])
    for subscription_id, billed_until in positions.items():
        _move_back(subscription_id, billed_until, at)
    for charge_id, instalments in charges.items():
        OneOffCharge.objects.filter(pk=charge_id).update(charged=F("charged") - instalments, updated_at=at)
    publish("billing.invoice_voided", invoice_id=str(invoice.pk), subscriber_id=str(invoice.subscriber_id))
    clearing.clear(subscriber=invoice.subscriber, at=at)
    return invoice


def why_not(invoice: Invoice) -> str:
    """Say why an invoice cannot be made void; '' when nothing stands against it."""
    if invoice.kind == InvoiceKind.CREDIT_NOTE:
        return "is a credit note, which stays. Write an invoice for what was credited by mistake."
    if invoice.status == InvoiceStatus.DRAFT:
        return "was never issued: discard it."
    if invoice.credit_notes.exists():
        return "was credited already. Credit what is left of it instead."
    if invoice.status == InvoiceStatus.PARTLY_PAID:
        return "is partly paid. Release the payment from it or refund it first, or write a credit note."
    if invoice.status == InvoiceStatus.PAID and invoice.total:
        return "is paid. Write a credit note, or release or refund the payment first."
    return ""


def _positions_to_move(invoice: Invoice, lines: list[InvoiceLine]) -> dict[UUID, date | None]:
    """Return how far each line was billed before this invoice; None where the invoice did not move that."""
    spans: dict[UUID, list[InvoiceLine]] = {}
    for line in lines:
        if line.kind in (*PERIODS, *SETTLING) and line.subscription_id is not None:
            spans.setdefault(line.subscription_id, []).append(line)
    found: dict[UUID, date | None] = {}
    for subscription_id, mine in sorted(spans.items()):
        others = (
            InvoiceLine.objects.filter(subscription=subscription_id, is_void=False)
            .exclude(invoice=invoice)
            .exclude(invoice__status=InvoiceStatus.DRAFT)
        )
        periods = [line for line in mine if line.kind in PERIODS]
        until = max(line.period_end for line in periods or mine if line.period_end)
        later = others.filter(kind__in=PERIODS, period_start__gte=until)
        # What was given back or changed of these days would be so twice, or never.
        settled = others.filter(kind__in=SETTLING, invoice__issued_at__gt=invoice.issued_at)
        if not periods:
            later = others.filter(kind__in=PERIODS, invoice__issued_at__gt=invoice.issued_at)
        if later.exists() or settled.exists():
            raise LaterPeriodBilled(number=invoice.number, what=mine[0].description, until=until)
        if periods:
            found[subscription_id] = min(line.period_start for line in periods if line.period_start)
        elif any(line.kind == LineKind.END_CREDIT and line.source == NO_SOURCE for line in mine):
            found[subscription_id] = others.filter(kind__in=PERIODS).aggregate(until=Max("period_end"))[
                "until"
            ]
        else:
            found[subscription_id] = None
    return found


def _refuse_later_add_ons(lines: list[InvoiceLine]) -> None:
    """An add-on is billed from where its last item ends: days before a later item would never be asked for again."""
    for line in lines:
        if line.kind == LineKind.ADD_ON and line.period_end is not None:
            later = InvoiceLine.objects.filter(
                kind=LineKind.ADD_ON, source=line.source, is_void=False, period_start__gte=line.period_end
            ).exclude(invoice__status=InvoiceStatus.DRAFT)
            if later.exists():
                raise LaterPeriodBilled(
                    number=line.invoice.number, what=line.description, until=line.period_end
                )


def _charges_to_ask_again(invoice: Invoice, lines: list[InvoiceLine]) -> dict[UUID, int]:
    """Return how many instalments of each charge this invoice asked for."""
    found: dict[UUID, int] = {}
    for line in lines:
        if line.kind in CHARGES:
            found[line.source] = found.get(line.source, 0) + 1
    for charge_id in found:
        last = max(line.period_start for line in lines if line.source == charge_id and line.period_start)
        later = InvoiceLine.objects.filter(
            kind__in=CHARGES, source=charge_id, is_void=False, period_start__gt=last
        ).exclude(invoice__status=InvoiceStatus.DRAFT)
        if later.exists():
            name = OneOffCharge.objects.values_list("name", flat=True).get(pk=charge_id)
            raise LaterPeriodBilled(number=invoice.number, what=name, until=last)
    return found


def _move_back(subscription_id: UUID, billed_until: date | None, at: datetime) -> None:
    """Let the next run bill a line from here, with the changes and holds that no other invoice has settled."""
    position = (
        BillingPosition.objects.select_for_update(of=("self",)).filter(subscription=subscription_id).first()
    )
    if position is None:
        return
    # Charges are asked for without a look at what else there is to settle.
    earlier = (
        InvoiceLine.objects.filter(subscription=subscription_id, is_void=False, invoice__run__isnull=False)
        .exclude(kind__in=CHARGES)
        .exclude(invoice__status=InvoiceStatus.DRAFT)
    )
    settled = earlier.aggregate(at=Max("invoice__run__as_of"))["at"] or position.subscription.provisioned_at
    position.billed_until = billed_until or position.billed_until
    position.settled_at = min(settled or position.settled_at, position.settled_at)
    position.is_closed = False
    position.save(update_fields=["billed_until", "settled_at", "is_closed", "updated_at"])
