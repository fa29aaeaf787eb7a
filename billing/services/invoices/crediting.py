"""Credit notes: what of an issued invoice is given back, in whole, by line, or as an amount. Amounts contain taxes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db import transaction
from django.db.models import Sum

from billing.models import (
    Allocation,
    Invoice,
    InvoiceKind,
    InvoiceLine,
    InvoiceStatus,
    LineTax,
)
from billing.services import payments
from billing.services.dunning import clearing
from billing.services.invoices import booking
from billing.services.invoices.numbers import draw_numbers
from billing.services.invoices.rows import billing_settings, lock_invoice
from ispcore.errors import DomainError, NotRegistered
from ispcore.events.services import publish
from ispcore.money import is_whole, minor_units, round_money
from subscribers.services.periods import local_date

CREDITABLE = (InvoiceStatus.ISSUED, InvoiceStatus.PARTLY_PAID, InvoiceStatus.PAID)


@dataclass(frozen=True)
class CreditedLine:
    """How much of one line is given back, with its taxes in it."""

    line_id: UUID
    amount: Decimal


class NotCreditable(DomainError):
    code = "invoice_not_creditable"
    message = "{number} {why}"


class CreditBeyondInvoice(DomainError):
    code = "credit_beyond_invoice"
    message = "{left} {currency} of {what} are left to credit, less than {amount}. Credit that much at most."
    field = "amount"


class BadCreditAmount(DomainError):
    code = "validation_error"
    message = (
        "An amount to credit is greater than zero and has {digits} digits after the point, as {currency} has."
    )
    status = 422
    field = "amount"


class AmountAndLines(DomainError):
    code = "validation_error"
    message = "Give an amount or lines, not both; neither credits all that is left."
    status = 422
    field = "amount"


class LineUnknown(NotRegistered):
    message = "The invoice has no such line."
    field = "lines"


class LineNamedTwice(DomainError):
    code = "validation_error"
    message = "A line is named twice; name each once, with all that is credited of it."
    status = 422
    field = "lines"


@dataclass
class _Rest:
    """What of a line is not credited yet: its net, and its taxes by their rows."""

    line: InvoiceLine
    net: Decimal
    taxes: list[tuple[LineTax, Decimal]]

    @property
    def total(self) -> Decimal:
        return self.net + sum((amount for _, amount in self.taxes), Decimal(0))


@transaction.atomic
def credit(
    *,
    invoice_id: UUID,
    reason: str,
    at: datetime,
    amount: Decimal | None = None,
    lines: Sequence[CreditedLine] = (),
    user_id: UUID | None = None,
) -> Invoice:
    """Write and issue a credit note: over an amount, over parts of lines, or over all that is left.

    It pays what is open of its invoice; what remains is the customer's credit and pays other open invoices. Never
    more than the invoice. Raises InvoiceUnknown, NotCreditable, CreditBeyondInvoice, BadCreditAmount,
    AmountAndLines, LineUnknown, LineNamedTwice.
    """
    invoice = lock_invoice(invoice_id)
    if why := why_not(invoice):
        raise NotCreditable(number=invoice.number or "The draft", why=why)
    if amount is not None and lines:
        raise AmountAndLines
    rests = _rests(invoice)
    # The credit notes of runs have items of their own, not those of the invoice.
    left = max(
        Decimal(0), min(sum((rest.total for rest in rests), Decimal(0)), invoice.total - credited(invoice))
    )
    if amount is not None:
        _refuse_bad(amount, invoice.currency)
        _refuse_beyond(amount, left, invoice, invoice.number)
        shares = _shares(amount, rests, invoice.currency)
    elif lines:
        shares = _named(lines, rests, invoice)
        _refuse_beyond(sum(shares.values(), Decimal(0)), left, invoice, invoice.number)
    else:
        shares = _shares(left, rests, invoice.currency)
    if not left:
        raise NotCreditable(number=invoice.number, why="was credited in whole already.")
    note = _write(invoice, rests, shares, reason=reason, at=at, user_id=user_id)
    _pay(invoice, note, at=at, user_id=user_id)
    if note.open_amount:
        payments.spend_credit(subscriber=invoice.subscriber, at=at)
        note.refresh_from_db()
    publish("billing.credit_note_issued", invoice_id=str(note.pk), subscriber_id=str(note.subscriber_id))
    clearing.clear(subscriber=invoice.subscriber, at=at)
    return note


def why_not(invoice: Invoice) -> str:
    """Say why nothing of an invoice can be credited; '' when something may be."""
    if invoice.kind == InvoiceKind.CREDIT_NOTE:
        return "is a credit note itself. Credit the invoice it corrects."
    if invoice.status == InvoiceStatus.DRAFT:
        return "was never issued: change or discard it."
    if invoice.status == InvoiceStatus.VOID:
        return "was made void: nothing of it is owed."
    return ""


def credited(invoice: Invoice) -> Decimal:
    """Return how much of an invoice was credited so far."""
    total: Decimal | None = invoice.credit_notes.aggregate(total=Sum("total"))["total"]
    return total or Decimal(0)


def _rests(invoice: Invoice) -> list[_Rest]:
    """Return what of each line no credit note has given back yet."""
    given = (
        InvoiceLine.objects.filter(invoice__corrects=invoice).values_list("source").annotate(net=Sum("net"))
    )
    nets = dict(given.order_by())
    taxes = LineTax.objects.filter(line__invoice__corrects=invoice).values_list("line__source", "rate")
    taken = {(source, rate): tax for source, rate, tax in taxes.annotate(tax=Sum("amount")).order_by()}
    lines = invoice.lines.prefetch_related("taxes").order_by("position")
    return [
        _Rest(
            line,
            line.net - nets.get(line.pk, Decimal(0)),
            [(tax, tax.amount - taken.get((line.pk, tax.rate_id), Decimal(0))) for tax in line.taxes.all()],
        )
        for line in lines
    ]


def _shares(amount: Decimal, rests: Sequence[_Rest], currency: str) -> dict[UUID, Decimal]:
    """Spread an amount over the lines by what is left of each; the rounded sums make up exactly the amount."""
    shares, sum_before = {}, Decimal(0)
    left = sum((rest.total for rest in rests), Decimal(0))
    if not left:
        return {}
    for rest in rests:
        sum_now = sum_before + rest.total
        shares[rest.line.pk] = round_money(amount * sum_now / left, currency) - round_money(
            amount * sum_before / left, currency
        )
        sum_before = sum_now
    return shares


def _named(lines: Sequence[CreditedLine], rests: Sequence[_Rest], invoice: Invoice) -> dict[UUID, Decimal]:
    by_line = {rest.line.pk: rest for rest in rests}
    shares: dict[UUID, Decimal] = {}
    for named in lines:
        rest = by_line.get(named.line_id)
        if rest is None:
            raise LineUnknown
        if named.line_id in shares:
            raise LineNamedTwice
        _refuse_bad(named.amount, invoice.currency)
        _refuse_beyond(named.amount, max(rest.total, Decimal(0)), invoice, f"'{rest.line.description}'")
        shares[named.line_id] = named.amount
    return shares


def _refuse_bad(amount: Decimal, currency: str) -> None:
    if not amount.is_finite() or amount <= 0 or abs(amount) >= 10**13 or not is_whole(amount, currency):
        raise BadCreditAmount(digits=minor_units(currency), currency=currency)


def _refuse_beyond(amount: Decimal, left: Decimal, invoice: Invoice, what: str) -> None:
    if amount > left:
        digits = minor_units(invoice.currency)
        raise CreditBeyondInvoice(
            left=f"{left:.{digits}f}", currency=invoice.currency, what=what, amount=f"{amount:.{digits}f}"
        )


def _write(
    invoice: Invoice,
    rests: Sequence[_Rest],
    shares: Mapping[UUID, Decimal],
    *,
    reason: str,
    at: datetime,
    user_id: UUID | None,
) -> Invoice:
    """Write the note as a draft, then issue it: its items must be there first."""
    note = Invoice(
        kind=InvoiceKind.CREDIT_NOTE, subscriber=invoice.subscriber, currency=invoice.currency, corrects=invoice,
        reason=reason, created_by_id=user_id,
    )  # fmt: skip
    rows, taxes = [], []
    for rest in rests:
        share = shares.get(rest.line.pk, Decimal(0))
        if not share:
            continue
        row = InvoiceLine(
            invoice=note, position=rest.line.position, kind=rest.line.kind, source=rest.line.pk,
            subscription_id=rest.line.subscription_id, description=rest.line.description, unit_price=0, net=0,
            tax_class=rest.line.tax_class,
        )  # fmt: skip
        for tax, amount in rest.taxes:
            part = round_money(share * amount / rest.total, invoice.currency)
            taxes.append(
                LineTax(
                    line=row, rate_id=tax.rate_id, name=tax.name, percent=tax.percent, base=0, amount=part
                )
            )
            row.tax += part
        row.net = row.unit_price = share - row.tax
        for tax_row in taxes:
            if tax_row.line is row:
                tax_row.base = row.net
        rows.append(row)
    note.net = sum((row.net for row in rows), Decimal(0))
    note.tax = sum((row.tax for row in rows), Decimal(0))
    note.total = note.open_amount = note.net + note.tax
    note.save(force_insert=True)
    InvoiceLine.objects.bulk_create(rows)
    LineTax.objects.bulk_create(taxes)
    on = local_date(at)
    note.status, note.issued_on, note.issued_at = InvoiceStatus.ISSUED, on, at
    (note.number,) = draw_numbers(InvoiceKind.CREDIT_NOTE, on=on, settings=billing_settings())
    booking.book_credit_note(note, on=on, user_id=user_id)
    note.save()
    return note


def _pay(invoice: Invoice, note: Invoice, *, at: datetime, user_id: UUID | None) -> None:
    """Let the note pay what is open of its invoice."""
    paid = min(invoice.open_amount, note.open_amount)
    if not paid:
        return
    Allocation.objects.create(credit_note=note, invoice=invoice, amount=paid, created_by_id=user_id)
    for each in (invoice, note):
        each.open_amount -= paid
        each.status = InvoiceStatus.PARTLY_PAID if each.open_amount else InvoiceStatus.PAID
        each.paid_at = None if each.open_amount else at
        each.save(update_fields=["open_amount", "status", "paid_at", "updated_at"])
