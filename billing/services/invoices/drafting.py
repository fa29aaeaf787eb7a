"""Invoices written by hand: drafts until somebody issues them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import transaction

from billing.models import Invoice, InvoiceLine, InvoiceStatus, LineKind, LineTax
from billing.services.invoices import taxing
from billing.services.invoices.rows import lock_invoice
from ispcore.errors import DomainError, NotRegistered
from ispcore.money import is_whole, minor_units, round_money
from subscribers.models import Subscription
from subscribers.services.customers import lock_subscriber
from subscribers.services.periods import local_date

MOST_LINES = 200
TOO_MUCH = Decimal(10) ** 12  # Of one item; the columns hold more, so that sums have room.
TOO_MANY = Decimal(10) ** 9
QUANTITY_DIGITS = 4


@dataclass(frozen=True)
class DraftLine:
    """What is charged: a price below zero is taken off. `subscription_id` places it in a zone."""

    description: str
    unit_price: Decimal
    quantity: Decimal = Decimal(1)
    tax_class: str = ""
    subscription_id: UUID | None = None


class NoLines(DomainError):
    code = "validation_error"
    message = "Give at least one line, with a description and a price."
    status = 422
    field = "lines"


class TooManyLines(DomainError):
    code = "validation_error"
    message = f"An invoice written by hand has {MOST_LINES} lines at most."
    status = 422
    field = "lines"


class BadPrice(DomainError):
    code = "validation_error"
    message = (
        "Line {number}: {currency} has {digits} digits after the point, and a price fewer than 13 before it."
    )
    status = 422
    field = "lines"


class BadQuantity(DomainError):
    code = "validation_error"
    message = "Line {number}: a quantity is greater than zero, below a billion, with 4 digits after the point at most."
    status = 422
    field = "lines"


class ServiceOfAnother(NotRegistered):
    code = "not_found"
    message = "Line {number}: the customer has no such service."
    field = "lines"


class TakesOffMore(DomainError):
    code = "invoice_below_zero"
    message = "More is taken off than charged: {total} {currency}. To give money back, credit an invoice."
    field = "lines"


class CurrencyMissing(DomainError):
    code = "currency_missing"
    message = "The customer has no billing profile: say in which currency, in three letters of ISO 4217."
    field = "currency"


class CurrencyDiffers(DomainError):
    code = "currency_mismatch"
    message = "The customer's billing profile is in {wanted}; an invoice in {currency} could not be paid by its credit."
    field = "currency"


class InvoiceNotDraft(DomainError):
    code = "invoice_not_draft"
    message = "The invoice {number} is {status}; only a draft is issued or discarded."


class DraftOfRun(DomainError):
    code = "draft_of_a_run"
    message = "This draft belongs to a billing run: approve or discard the run."


@transaction.atomic
def create_draft(
    *,
    subscriber_id: UUID,
    lines: Sequence[DraftLine],
    at: datetime,
    currency: str = "",
    user_id: UUID | None = None,
) -> Invoice:
    """Write a draft with taxes as they are today at the provider's. Nobody owes anything until it is issued.

    Raises SubscriberNotFound, NoLines, TooManyLines, BadPrice, BadQuantity, ServiceOfAnother, TakesOffMore,
    CurrencyMissing, CurrencyDiffers.
    """
    subscriber = lock_subscriber(subscriber_id)
    profile = subscriber.billing_profile
    wanted = profile.currency if profile else ""
    currency = currency or wanted
    if not currency:
        raise CurrencyMissing
    if wanted and currency != wanted:
        raise CurrencyDiffers(wanted=wanted, currency=currency)
    if not lines:
        raise NoLines
    if len(lines) > MOST_LINES:
        raise TooManyLines
    invoice = Invoice(subscriber=subscriber, currency=currency, created_by_id=user_id)
    rows, taxes = _items(invoice, lines, first=1, at=at)
    _sum_up(invoice, rows)
    invoice.save(force_insert=True)
    InvoiceLine.objects.bulk_create(rows)
    LineTax.objects.bulk_create(taxes)
    return invoice


@transaction.atomic
def add_line(*, invoice_id: UUID, line: DraftLine, at: datetime) -> Invoice:
    """Write one more line on a draft that was written by hand.

    Raises InvoiceUnknown, InvoiceNotDraft, DraftOfRun, TooManyLines and what `create_draft` raises of a line.
    """
    invoice = lock_invoice(invoice_id)
    refuse_unless_own_draft(invoice)
    have = list(invoice.lines.order_by("position"))
    if len(have) >= MOST_LINES:
        raise TooManyLines
    rows, taxes = _items(invoice, [line], first=max((row.position for row in have), default=0) + 1, at=at)
    _sum_up(invoice, [*have, *rows])
    InvoiceLine.objects.bulk_create(rows)
    LineTax.objects.bulk_create(taxes)
    invoice.save(update_fields=["net", "tax", "total", "open_amount", "updated_at"])
    return invoice


@transaction.atomic
def discard_draft(*, invoice_id: UUID) -> None:
    """Delete a draft that was written by hand. Raises InvoiceUnknown, InvoiceNotDraft, DraftOfRun."""
    invoice = lock_invoice(invoice_id)
    refuse_unless_own_draft(invoice)
    invoice.delete()


def refuse_unless_own_draft(invoice: Invoice) -> None:
    """Let pass a draft that no run wrote. Raises InvoiceNotDraft, DraftOfRun."""
    if invoice.status != InvoiceStatus.DRAFT:
        raise InvoiceNotDraft(number=invoice.number, status=invoice.get_status_display().lower())
    if invoice.run_id is not None:
        raise DraftOfRun


def _items(
    invoice: Invoice, lines: Sequence[DraftLine], *, first: int, at: datetime
) -> tuple[list[InvoiceLine], list[LineTax]]:
    """Check lines and make the rows of them, with their taxes."""
    zones = _zones(invoice.subscriber_id, lines)
    for number, line in enumerate(lines, start=first):
        _refuse_bad(line, number, invoice.currency)
        if line.subscription_id is not None and line.subscription_id not in zones:
            raise ServiceOfAnother(number=number)
    around = taxing.zones_around({zone for zone in zones.values() if zone is not None})
    rates = taxing.rates_of(subscriber_id=invoice.subscriber_id, on=local_date(at))
    rows, taxes = [], []
    for position, line in enumerate(lines, start=first):
        exact = line.quantity * line.unit_price
        amount = round_money(exact, invoice.currency)
        net, found = taxing.tax(
            amount,
            currency=invoice.currency,
            tax_class=line.tax_class,
            zones=around[zones[line.subscription_id]] if line.subscription_id else (),
            rates=rates,
        )
        row = InvoiceLine(
            invoice=invoice, position=position, kind=LineKind.MANUAL, subscription_id=line.subscription_id,
            description=line.description, quantity=line.quantity, unit_price=line.unit_price, net=net,
            tax=sum((each.amount for each in found), Decimal(0)), tax_class=line.tax_class, remainder=exact - amount,
        )  # fmt: skip
        rows.append(row)
        taxes += [
            LineTax(
                line=row, rate=each.rate, name=each.rate.name, percent=each.rate.percent, base=each.base,
                amount=each.amount,
            )
            for each in found
        ]  # fmt: skip
    return rows, taxes


def _sum_up(invoice: Invoice, rows: Sequence[InvoiceLine]) -> None:
    invoice.net = sum((row.net for row in rows), Decimal(0))
    invoice.tax = sum((row.tax for row in rows), Decimal(0))
    invoice.total = invoice.open_amount = invoice.net + invoice.tax
    if invoice.total < 0:
        raise TakesOffMore(total=invoice.total, currency=invoice.currency)


def _zones(subscriber_id: UUID, lines: Sequence[DraftLine]) -> dict[Any, Any]:
    """Return the zone of each of the subscriber's services that the lines name."""
    named = {line.subscription_id for line in lines if line.subscription_id is not None}
    if not named:
        return {}
    found = Subscription.objects.filter(pk__in=named, subscriber=subscriber_id)
    return dict(found.values_list("pk", "premise__zone"))


def _refuse_bad(line: DraftLine, number: int, currency: str) -> None:
    quantity = line.quantity
    if (
        not quantity.is_finite()
        or not 0 < quantity < TOO_MANY
        or quantity != round(quantity, QUANTITY_DIGITS)
    ):
        raise BadQuantity(number=number)
    price = line.unit_price
    if not price.is_finite() or not is_whole_price(price, currency) or abs(price * quantity) >= TOO_MUCH:
        raise BadPrice(number=number, currency=currency, digits=minor_units(currency))


def is_whole_price(price: Decimal, currency: str) -> bool:
    return abs(price) < TOO_MUCH and is_whole(price, currency)
