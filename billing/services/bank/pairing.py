"""What becomes of one line: booked as a payment, left out, or taken back. The line is locked before its payer."""

from datetime import datetime, time
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import transaction

from billing.models import (
    BankLine,
    Invoice,
    LineState,
    MatchRule,
    Payment,
    PaymentMethod,
    PaymentStatus,
)
from billing.services import payments
from billing.services.payments import Share
from ispcore.errors import DomainError, NotRegistered
from ispcore.tenants.context import current_tenant_id
from ispcore.tenants.models import Tenant


class LineNotFound(NotRegistered):
    message = "There is no such line of a bank statement."


class LineIsMatched(DomainError):
    code = "line_matched"
    message = "The line is booked already, as a payment of {payer}. Take that back first."


class MoneyWentOut(DomainError):
    code = "money_went_out"
    message = "Money went out with this line: it is no payment of a customer."


class InvoiceOfAnother(DomainError):
    code = "invoice_of_another_subscriber"
    message = "The invoice {invoice} is another customer's."
    field = "invoice_id"


class PaymentDiffers(DomainError):
    code = "payment_differs"
    message = "The payment {why}, so it cannot be the one of this line."
    field = "payment_id"


class NobodyToPair(NotRegistered):
    message = "There is no such {what}."


@transaction.atomic
def pair(
    *,
    line_id: UUID,
    subscriber_id: UUID,
    at: datetime,
    invoice_id: UUID | None = None,
    payment_id: UUID | None = None,
    rule: str = MatchRule.BY_HAND,
    user_id: UUID | None = None,
) -> BankLine:
    """Book a line as a subscriber's payment, or tie it to one that was entered before.

    It pays `invoice_id` as far as that is open, or the oldest due first. Safe to repeat: a line is booked once.
    Raises LineNotFound, LineIsMatched, MoneyWentOut, NobodyToPair, InvoiceOfAnother, PaymentDiffers and what
    `billing.services.payments.receive` raises.
    """
    line = _lock(line_id)
    if line.state == LineState.MATCHED:
        assert line.payment is not None
        if line.payment.subscriber_id == subscriber_id:
            return line
        raise LineIsMatched(payer=line.payment.subscriber)
    if line.amount < 0:
        raise MoneyWentOut
    if payment_id is not None:
        line.payment = _entered_before(line, payment_id, subscriber_id)
    else:
        line.payment = payments.receive(
            subscriber_id=subscriber_id,
            amount=line.amount,
            currency=line.currency,
            method=PaymentMethod.BANK,
            reference=reference_of(line),
            received_at=_midnight(line),
            allocations=_share(line, subscriber_id, invoice_id),
            note=" ".join(filter(None, (line.payer_name, line.text)))[:200],
            created_by=user_id,
            at=max(at, _midnight(line)),
        )
    line.state, line.rule, line.note = LineState.MATCHED, rule, ""
    line.settled_at, line.settled_by_id = at, user_id
    line.save()
    return line


@transaction.atomic
def ignore(*, line_id: UUID, at: datetime, reason: str = "", user_id: UUID | None = None) -> BankLine:
    """Leave a line out: it is no customer's payment. Safe to repeat. Raises LineNotFound, LineIsMatched."""
    line = _lock(line_id)
    if line.state == LineState.MATCHED:
        assert line.payment is not None
        raise LineIsMatched(payer=line.payment.subscriber)
    if line.state != LineState.IGNORED:
        line.state, line.note = LineState.IGNORED, reason[:200]
        line.settled_at, line.settled_by_id = at, user_id
        line.save()
    return line


@transaction.atomic
def unpair(*, line_id: UUID, at: datetime, reason: str = "", user_id: UUID | None = None) -> BankLine:
    """Take back what became of a line: it waits again, and the payment booked for it is taken back.

    A payment that was entered by hand before the statement came stays. Safe to repeat. Raises LineNotFound,
    MoneyWentOut, and what `billing.services.payments.bounce` raises.
    """
    line = _lock(line_id)
    if line.amount < 0:
        raise MoneyWentOut
    if line.state not in (LineState.MATCHED, LineState.IGNORED):
        return line
    if (payment := line.payment) is not None:
        line.payment = None
        if payment.reference == reference_of(line):
            why = reason or "Paired with the wrong customer."
            payments.bounce(payment_id=payment.pk, reason=why[:200], at=at, user_id=user_id)
            line.pairings += 1
    line.state = LineState.SUGGESTED if line.suggestions.exists() else LineState.UNMATCHED
    line.rule, line.note, line.settled_at, line.settled_by_id = "", reason[:200], None, None
    line.save()
    return line


@transaction.atomic
def leave_to_a_person(*, line_id: UUID, why: str) -> None:
    """Keep a line that was certain and could not be booked, with the reason. Safe to repeat."""
    line = _lock(line_id)
    if line.state == LineState.SUGGESTED:
        line.suggestions.update(is_certain=False)
        line.note = why[:200]
        line.save(update_fields=["note", "updated_at"])


def reference_of(line: BankLine) -> str:
    """Return the reference of the payment a line becomes; another one once a pairing was taken back."""
    again = f"-{line.pairings + 1}" if line.pairings else ""
    return f"BANK-{line.booked_on:%Y%m%d}-{line.pk.hex[-12:]}{again}"


def _lock(line_id: UUID) -> BankLine:
    # Without its payment: one booked while this waited would not be seen by the same statement.
    line: BankLine | None = BankLine.objects.select_for_update(of=("self",)).filter(pk=line_id).first()
    if line is None:
        raise LineNotFound
    return line


def _midnight(line: BankLine) -> datetime:
    """Return when the line's day began at the provider's."""
    zone = Tenant.objects.values_list("timezone", flat=True).get(pk=current_tenant_id())
    return datetime.combine(line.booked_on, time(), ZoneInfo(zone))


def _share(line: BankLine, subscriber_id: UUID, invoice_id: UUID | None) -> list[Share] | None:
    if invoice_id is None:
        return None
    invoice: Invoice | None = Invoice.objects.filter(pk=invoice_id).first()
    if invoice is None:
        raise NobodyToPair(what="invoice")
    if invoice.subscriber_id != subscriber_id:
        raise InvoiceOfAnother(invoice=invoice)
    # What is more than it has open goes to the oldest due, as without a choice.
    return [Share(invoice.pk, line.amount)] if line.amount <= invoice.open_amount else None


def _entered_before(line: BankLine, payment_id: UUID, subscriber_id: UUID) -> Payment:
    payment: Payment | None = Payment.objects.select_for_update(of=("self",)).filter(pk=payment_id).first()
    if payment is None:
        raise NobodyToPair(what="payment")
    whys = {
        "is another customer's": payment.subscriber_id != subscriber_id,
        "has another amount": (payment.amount, payment.currency) != (line.amount, line.currency),
        "is no bank transfer": payment.method != PaymentMethod.BANK,
        "went back to the payer": payment.status != PaymentStatus.RECEIVED,
        "belongs to another line": BankLine.objects.filter(payment=payment).exists(),
    }
    for why, is_so in whys.items():
        if is_so:
            raise PaymentDiffers(why=why)
    return payment
