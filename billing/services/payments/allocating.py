"""What a payment or a credit note pays: by hand, or the oldest due first."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F, QuerySet

from billing.models import Allocation, Invoice, InvoiceKind, InvoiceStatus, Payment
from billing.services.dunning import clearing
from billing.services.payments import checks
from ispcore.errors import DomainError, NotRegistered
from ispcore.money import round_money
from subscribers.models import Subscriber

MOST_SHARES = 200  # Invoices one payment is told to pay.
OPEN = (InvoiceStatus.ISSUED, InvoiceStatus.PARTLY_PAID)
_NOT_OPEN = {
    InvoiceStatus.DRAFT: "is a draft; issue it first",
    InvoiceStatus.VOID: "was made void; choose another invoice or leave the money as credit",
    InvoiceStatus.PAID: "is paid already; choose another invoice or leave the money as credit",
}


@dataclass(frozen=True)
class Share:
    """How much of a payment is for one invoice."""

    invoice_id: UUID
    amount: Decimal


class InvoiceNotOpen(DomainError):
    code = "invoice_not_open"
    message = "The invoice {invoice} {why}."
    field = "allocations"


class InvoiceOfAnother(DomainError):
    code = "invoice_of_another_subscriber"
    message = "The invoice {invoice} is another subscriber's; name the invoices of the one who paid."
    field = "allocations"


class InvoiceCurrencyDiffers(DomainError):
    code = "currency_mismatch"
    message = "The invoice {invoice} is in {currency}, the payment in {paid}. Book the payment in {currency}."
    field = "allocations"


class InvoiceOverpaid(DomainError):
    code = "allocation_beyond_invoice"
    message = (
        "The invoice {invoice} has {open} {currency} open, less than {amount}. Allocate that much at most."
    )
    field = "allocations"


class PaymentOverspent(DomainError):
    code = "allocation_beyond_payment"
    message = "The payment has {left} {currency} left, less than {amount}. Allocate that much at most."
    field = "allocations"


class InvoiceNamedTwice(DomainError):
    code = "invoice_named_twice"
    message = "An invoice is named twice; name each once, with all that is for it."
    field = "allocations"


class TooManyShares(DomainError):
    code = "too_many_allocations"
    message = f"One call allocates to {MOST_SHARES} invoices at most."
    field = "allocations"


class InvoiceUnknown(NotRegistered):
    message = "There is no such invoice."
    field = "allocations"


class AllocationUnknown(NotRegistered):
    message = "There is no such allocation."


@transaction.atomic
def allocate(
    *, payment_id: UUID, shares: Sequence[Share] | None = None, at: datetime, user_id: UUID | None = None
) -> Payment:
    """Use what is left of a payment for invoices as told, or the oldest due first.

    Raises PaymentUnknown, InvoiceUnknown, InvoiceNotOpen, InvoiceOfAnother, InvoiceCurrencyDiffers,
    InvoiceOverpaid, PaymentOverspent, InvoiceNamedTwice, TooManyShares and what `refuse_bad_amount` raises.
    """
    payment = checks.lock_payment(payment_id)
    use(payment, shares=shares, at=at, user_id=user_id)
    clearing.clear(subscriber=payment.subscriber, at=at)
    return payment


@transaction.atomic
def release(*, allocation_id: UUID, at: datetime, user_id: UUID | None = None) -> Allocation:
    """Take an allocation back: its invoice is open again by that much, and the money is credit again.

    Safe to repeat: what was released stays so. Raises AllocationUnknown.
    """
    found = Allocation.objects.filter(pk=allocation_id).values_list("invoice__subscriber", flat=True).first()
    if found is None:
        raise AllocationUnknown
    checks.lock_payer(found)
    allocation: Allocation = Allocation.objects.select_related("invoice").get(pk=allocation_id)
    if allocation.released_at is None:
        credit: Payment | Invoice = (
            Payment.objects.select_for_update(of=("self",)).get(pk=allocation.payment_id)
            if allocation.payment_id
            else Invoice.objects.select_for_update(of=("self",)).get(pk=allocation.credit_note_id)
        )
        take_back(credit, [(allocation, allocation.amount)], at=at, user_id=user_id)
    return allocation


@transaction.atomic
def spend_credit(*, subscriber: Subscriber, at: datetime) -> Decimal:
    """Use a subscriber's credit notes and payments that are not allocated for open invoices, oldest first.

    Returns how much was spent. Safe to repeat: then nothing is left to spend, or nothing to pay.
    """
    checks.lock_payer(subscriber.pk)
    invoices = _open_invoices(subscriber.pk)
    spent = Decimal(0)
    if invoices:
        notes = _by_key(
            Invoice.objects.filter(
                subscriber=subscriber.pk, kind=InvoiceKind.CREDIT_NOTE, status__in=OPEN, open_amount__gt=0
            )
        )
        payments = _by_key(
            Payment.objects.filter(subscriber=subscriber.pk, amount__gt=F("allocated") + F("refunded"))
        )
        for credit in (*notes, *payments):
            spent += _spend(credit, [one for one in invoices if one.currency == credit.currency], at=at)
    if spent:
        clearing.clear(subscriber=subscriber, at=at)
    return spent


def use(
    payment: Payment, *, shares: Sequence[Share] | None, at: datetime, user_id: UUID | None = None
) -> Decimal:
    """Allocate a locked payment of a locked subscriber; return how much. Refusals: those of `allocate`."""
    if shares is None:
        invoices = [one for one in _open_invoices(payment.subscriber_id) if one.currency == payment.currency]
        return _spend(payment, invoices, at=at, user_id=user_id)
    paid = _told(payment, shares)
    _write(payment, paid, at=at, user_id=user_id)
    return sum((amount for _, amount in paid), Decimal(0))


def take_back(
    credit: Payment | Invoice,
    taken: Sequence[tuple[Allocation, Decimal]],
    *,
    at: datetime,
    user_id: UUID | None,
) -> None:
    """Release allocations of a locked credit, each by an amount up to its own, and open their invoices again."""
    invoices = {
        one.pk: one for one in _by_key(Invoice.objects.filter(pk__in={one.invoice_id for one, _ in taken}))
    }
    for allocation, amount in taken:
        allocation.released_at, allocation.released_by_id = at, user_id
        allocation.save(update_fields=["released_at", "released_by", "updated_at"])
        if amount < allocation.amount:
            Allocation.objects.create(
                payment_id=allocation.payment_id,
                credit_note_id=allocation.credit_note_id,
                invoice_id=allocation.invoice_id,
                amount=allocation.amount - amount,
                created_by_id=user_id,
            )
        invoice = invoices[allocation.invoice_id]
        _set_open(invoice, invoice.open_amount + amount, at)
    _use_up(credit, -sum((amount for _, amount in taken), Decimal(0)), at=at)


def _told(payment: Payment, shares: Sequence[Share]) -> list[tuple[Invoice, Decimal]]:
    """Check what the caller told against the rows, locked."""
    if len(shares) > MOST_SHARES:
        raise TooManyShares
    named = {share.invoice_id for share in shares}
    if len(named) != len(shares):
        raise InvoiceNamedTwice
    invoices = {one.pk: one for one in _by_key(Invoice.objects.filter(pk__in=named))}
    if len(invoices) != len(named):
        raise InvoiceUnknown
    paid = [(invoices[share.invoice_id], share.amount) for share in shares]
    for invoice, amount in paid:
        _refuse_unpayable(invoice, payment)
        checks.refuse_bad_amount(amount, payment.currency)
        if amount > invoice.open_amount:
            raise InvoiceOverpaid(
                invoice=invoice,
                open=round_money(invoice.open_amount, invoice.currency),
                currency=invoice.currency,
                amount=amount,
            )
    told = sum((amount for _, amount in paid), Decimal(0))
    if told > left_of(payment):
        raise PaymentOverspent(
            left=round_money(left_of(payment), payment.currency), currency=payment.currency, amount=told
        )
    return paid


def _refuse_unpayable(invoice: Invoice, payment: Payment) -> None:
    if invoice.subscriber_id != payment.subscriber_id:
        raise InvoiceOfAnother(invoice=invoice)
    if invoice.kind != InvoiceKind.INVOICE:
        raise InvoiceNotOpen(invoice=invoice, why="is a credit note; choose an invoice")
    if invoice.status not in OPEN:
        raise InvoiceNotOpen(invoice=invoice, why=_NOT_OPEN[InvoiceStatus(invoice.status)])
    if invoice.currency != payment.currency:
        raise InvoiceCurrencyDiffers(invoice=invoice, currency=invoice.currency, paid=payment.currency)


def left_of(credit: Payment | Invoice) -> Decimal:
    """Return what is neither allocated nor given back of a payment, or not yet used of a credit note."""
    if isinstance(credit, Payment):
        return Decimal(credit.amount - credit.allocated - credit.refunded)
    return Decimal(credit.open_amount)


def _spend(
    credit: Payment | Invoice, invoices: Sequence[Invoice], *, at: datetime, user_id: UUID | None = None
) -> Decimal:
    """Pay invoices in their order with a credit until one of both is used up."""
    left, paid = left_of(credit), []
    for invoice in invoices:
        amount = min(left, invoice.open_amount)
        if amount > 0:
            paid.append((invoice, amount))
            left -= amount
    _write(credit, paid, at=at, user_id=user_id)
    return sum((amount for _, amount in paid), Decimal(0))


def _write(
    credit: Payment | Invoice,
    paid: Sequence[tuple[Invoice, Decimal]],
    *,
    at: datetime,
    user_id: UUID | None,
) -> None:
    of = {"payment": credit} if isinstance(credit, Payment) else {"credit_note": credit}
    Allocation.objects.bulk_create(
        Allocation(**of, invoice=invoice, amount=amount, created_by_id=user_id) for invoice, amount in paid
    )
    for invoice, amount in paid:
        _set_open(invoice, invoice.open_amount - amount, at)
    _use_up(credit, sum((amount for _, amount in paid), Decimal(0)), at=at)


def _use_up(credit: Payment | Invoice, used: Decimal, *, at: datetime) -> None:
    if not used:
        return
    if isinstance(credit, Payment):
        credit.allocated += used
        credit.save(update_fields=["allocated", "updated_at"])
    else:
        _set_open(credit, credit.open_amount - used, at)


def _set_open(invoice: Invoice, amount: Decimal, at: datetime) -> None:
    """Store what is open of an issued invoice or credit note, and the status that says so."""
    invoice.open_amount = amount
    if amount == 0:
        invoice.status, invoice.paid_at = InvoiceStatus.PAID, at
    else:
        invoice.status = InvoiceStatus.ISSUED if amount == invoice.total else InvoiceStatus.PARTLY_PAID
        invoice.paid_at = None
    invoice.save(update_fields=["open_amount", "status", "paid_at", "updated_at"])


def _open_invoices(subscriber_id: UUID) -> list[Invoice]:
    """Lock a subscriber's open invoices by their keys; return them the oldest due first."""
    found = _by_key(
        Invoice.objects.filter(subscriber=subscriber_id, kind=InvoiceKind.INVOICE, status__in=OPEN)
    )
    return sorted(found, key=lambda one: (one.due_on or one.issued_on, one.issued_at, one.pk))


def _by_key(rows: QuerySet[Any]) -> list[Any]:
    """Lock rows in the order of their keys, so that two who lock the same ones never wait for each other."""
    return list(rows.order_by("pk").select_for_update(of=("self",)))
