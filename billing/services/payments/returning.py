"""Money that goes back: refunds, and payments the bank took back."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db import transaction

from billing.models import (
    Allocation,
    LedgerAccount,
    Payment,
    PaymentMethod,
    PaymentStatus,
    Refund,
    Transfer,
    TransferKind,
)
from billing.services.payments import allocating, checks
from billing.services.payments.receiving import ACCOUNTS
from ispcore.errors import DomainError
from ispcore.events.services import publish
from ispcore.money import round_money
from ispcore.tenants.fields import new_id
from subscribers.services.periods import local_date


class RefundBeyondPayment(DomainError):
    code = "refund_beyond_payment"
    message = "The payment has {left} {currency} left, less than {amount}. Refund that much at most."
    field = "amount"


class NothingLeft(DomainError):
    code = "payment_not_refundable"
    message = "The payment {why}: nothing of it is left."


class DuplicateRefund(DomainError):
    code = "duplicate_refund"
    message = (
        "A refund of {amount} {currency} with the reference {reference} was booked. This one differs; give it a "
        "reference of its own."
    )
    field = "reference"


@transaction.atomic
def refund(
    *,
    payment_id: UUID,
    amount: Decimal,
    reason: str,
    reference: str = "",
    at: datetime,
    created_by: UUID | None = None,
) -> Refund:
    """Give money back to the payer: what is credit first, then what paid invoices, the newest allocation first.

    Invoices that were paid by it are open again by as much, and other credit of the payer's pays them. Safe to repeat
    with a reference: the refund that has it is returned. Raises PaymentUnknown, NothingLeft, RefundBeyondPayment,
    DuplicateRefund and what `refuse_bad_amount` raises.
    """
    payment = checks.lock_payment(payment_id)
    reference = reference.strip()
    first: Refund | None = payment.refunds.filter(reference=reference).first() if reference else None
    if first is not None:
        if first.amount != amount:
            raise DuplicateRefund(
                reference=reference,
                amount=round_money(first.amount, payment.currency),
                currency=payment.currency,
            )
        return first
    refuse_beyond(payment, amount)
    is_reopened = _free(payment, amount, at=at, user_id=created_by)
    made: Refund = Refund.objects.create(
        payment=payment,
        amount=amount,
        reason=reason,
        reference=reference,
        refunded_at=at,
        created_by_id=created_by,
    )
    payment.refunded += amount
    if payment.refunded == payment.amount:
        payment.status = PaymentStatus.REFUNDED
    payment.save(update_fields=["refunded", "status", "updated_at"])
    _move_back(payment, amount, TransferKind.REFUND, entry=made.pk, memo=reason, at=at, user_id=created_by)
    if is_reopened:
        allocating.spend_credit(subscriber=payment.subscriber, at=at)
    publish(
        "billing.payment_refunded",
        payment_id=str(payment.pk),
        refund_id=str(made.pk),
        subscriber_id=str(payment.subscriber_id),
    )
    return made


@transaction.atomic
def bounce(*, payment_id: UUID, reason: str, at: datetime, user_id: UUID | None = None) -> Payment:
    """Take everything back that is left of a payment the bank did not honour; what it paid is owed again.

    Other credit of the payer's pays as much of that as it can. Safe to repeat: a bounced payment stays so. Raises
    PaymentUnknown, NothingLeft.
    """
    payment = checks.lock_payment(payment_id)
    if payment.status == PaymentStatus.BOUNCED:
        return payment
    left = _left_or_refuse(payment)
    is_reopened = _free(payment, left, at=at, user_id=user_id)
    payment.refunded = payment.amount
    payment.status = PaymentStatus.BOUNCED
    payment.bounced_at, payment.bounce_reason = at, reason
    payment.save(update_fields=["refunded", "status", "bounced_at", "bounce_reason", "updated_at"])
    _move_back(payment, left, TransferKind.BOUNCE, entry=new_id(), memo=reason, at=at, user_id=user_id)
    if is_reopened:
        allocating.spend_credit(subscriber=payment.subscriber, at=at)
    publish("billing.payment_bounced", payment_id=str(payment.pk), subscriber_id=str(payment.subscriber_id))
    return payment


def refuse_beyond(payment: Payment, amount: Decimal) -> None:
    """Let pass what can go back of a locked payment.

    Raises NothingLeft, RefundBeyondPayment and what `refuse_bad_amount` raises.
    """
    checks.refuse_bad_amount(amount, payment.currency)
    left = _left_or_refuse(payment)
    if amount > left:
        raise RefundBeyondPayment(
            left=round_money(left, payment.currency), currency=payment.currency, amount=amount
        )


def _left_or_refuse(payment: Payment) -> Decimal:
    if payment.status == PaymentStatus.BOUNCED:
        raise NothingLeft(why="bounced")
    if payment.status == PaymentStatus.REFUNDED:
        raise NothingLeft(why="was refunded in full")
    return Decimal(payment.amount - payment.refunded)


def _free(payment: Payment, amount: Decimal, *, at: datetime, user_id: UUID | None) -> bool:
    """Release allocations, the newest first, until so much of a payment is free; tell whether any was."""
    missing = amount - allocating.left_of(payment)
    if missing <= 0:
        return False
    taken = []
    for allocation in Allocation.objects.filter(payment=payment, released_at=None).order_by("-pk"):
        if missing <= 0:
            break
        part = min(missing, allocation.amount)
        taken.append((allocation, part))
        missing -= part
    allocating.take_back(payment, taken, at=at, user_id=user_id)
    return True


def _move_back(
    payment: Payment,
    amount: Decimal,
    kind: TransferKind,
    *,
    entry: UUID,
    memo: str,
    at: datetime,
    user_id: UUID | None,
) -> None:
    Transfer.objects.create(
        entry=entry,
        kind=kind,
        debit=LedgerAccount.RECEIVABLE,
        credit=ACCOUNTS[PaymentMethod(payment.method)],
        amount=amount,
        currency=payment.currency,
        subscriber_id=payment.subscriber_id,
        payment=payment,
        booked_on=local_date(at),
        created_by_id=user_id,
        memo=memo,
    )
