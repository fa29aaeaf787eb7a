"""Money that comes in: booked, and used for what is due, in one transaction."""

import re
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db import IntegrityError, transaction

from billing.models import (
    Invoice,
    LedgerAccount,
    Payment,
    PaymentMethod,
    Transfer,
    TransferKind,
)
from billing.services.dunning import clearing
from billing.services.payments import allocating, checks
from billing.services.payments.allocating import Share
from billing.services.prepaid import buying
from ispcore.errors import DomainError
from ispcore.events.services import publish
from ispcore.money import round_money
from subscribers.models import Subscriber, Subscription
from subscribers.services.periods import local_date

# Where the money lies until it is handed on.
ACCOUNTS = {
    PaymentMethod.CASH: LedgerAccount.CASH,
    PaymentMethod.BANK: LedgerAccount.BANK,
    PaymentMethod.CARD: LedgerAccount.CARD_CLEARING,
    PaymentMethod.VOUCHER: LedgerAccount.VOUCHERS,
}


class DuplicatePayment(DomainError):
    code = "duplicate_payment"
    message = (
        "A payment with the reference {reference} was booked on {booked_on}: {amount} {currency} by {method} from "
        "{payer}. This one differs; give it a reference of its own."
    )
    field = "reference"


class CurrencyNotTheirs(DomainError):
    code = "currency_mismatch"
    message = "{payer} is billed in {theirs}, not in {currency}. Book the amount in {theirs}."
    field = "currency"


class CurrencyUnknown(DomainError):
    code = "currency_unknown"
    message = "{currency} is no currency; give three capital letters of ISO 4217, for example EUR."
    status = 422
    field = "currency"


class ReceivedInFuture(DomainError):
    code = "received_in_future"
    message = "The payment cannot have come in at {received_at}: that is still to come."
    status = 422
    field = "received_at"


@transaction.atomic
def receive(
    *,
    subscriber_id: UUID,
    amount: Decimal,
    currency: str,
    method: str,
    reference: str = "",
    received_at: datetime,
    allocations: Sequence[Share] | None = None,
    note: str = "",
    created_by: UUID | None = None,
    at: datetime | None = None,
) -> Payment:
    """Book money a subscriber paid, and use it: for the oldest due first, or as `allocations` tell.

    What is not used stays as the subscriber's credit. Lines that were held for the debt come back with the payment
    that clears it. `at` is now, when that is not `received_at`. Safe to repeat
    with a reference: the payment that has it is returned as it is, whatever became of it, when subscriber, amount,
    currency and method are the same. Without a reference each call is another payment.

    Raises DuplicatePayment, PayerUnknown, CurrencyNotTheirs, ReceivedInFuture, what `refuse_bad_amount` raises, and
    for allocations what `allocate` raises.
    """
    reference = reference.strip()
    at = received_at if at is None else at
    wanted = Payment(
        subscriber_id=subscriber_id,
        amount=amount,
        currency=currency,
        method=method,
        reference=reference,
        received_at=received_at,
        note=note,
        created_by_id=created_by,
    )
    checks.refuse_bad_amount(amount, currency)
    payer = checks.lock_payer(subscriber_id)
    if first := _booked(wanted):
        return first
    if received_at > at:
        raise ReceivedInFuture(received_at=received_at.isoformat())
    refuse_foreign_currency(payer, currency)
    try:
        with transaction.atomic():
            wanted.save(force_insert=True)
    except IntegrityError:
        # Another subscriber's payment took the reference meanwhile.
        if first := _booked(wanted):
            return first
        raise
    Transfer.objects.create(
        entry=wanted.pk,
        kind=TransferKind.PAYMENT,
        debit=ACCOUNTS[PaymentMethod(method)],
        credit=LedgerAccount.RECEIVABLE,
        amount=amount,
        currency=currency,
        subscriber=payer,
        payment=wanted,
        booked_on=local_date(received_at),
        created_by_id=created_by,
    )
    allocating.use(wanted, shares=allocations, at=at, user_id=created_by)
    clearing.clear(subscriber=payer, at=at)
    buying.buy_due(subscriber=payer, at=at)
    publish("billing.payment_received", payment_id=str(wanted.pk), subscriber_id=str(payer.pk))
    return wanted


def _booked(wanted: Payment) -> Payment | None:
    """Return the payment that has this one's reference. Raises DuplicatePayment when it is not the same."""
    if not wanted.reference:
        return None
    first: Payment | None = (
        Payment.objects.select_related("subscriber").filter(reference=wanted.reference).first()
    )
    if first is None:
        return None
    same = ("subscriber_id", "amount", "currency", "method")
    if any(getattr(first, name) != getattr(wanted, name) for name in same):
        raise DuplicatePayment(
            reference=first.reference,
            booked_on=local_date(first.received_at),
            amount=round_money(first.amount, first.currency),
            currency=first.currency,
            method=PaymentMethod(first.method).label.lower(),
            payer=first.subscriber,
        )
    return first


def refuse_foreign_currency(payer: Subscriber, currency: str) -> None:
    """Take money in the currency a subscriber is billed in, or was and has open invoices in.

    Without a billing profile that is what their services cost; without services nothing is known yet. Raises
    CurrencyNotTheirs, CurrencyUnknown.
    """
    theirs = {payer.billing_profile.currency} if payer.billing_profile else set[str]()
    if not theirs:
        theirs.update(Subscription.objects.filter(subscriber=payer).values_list("plan__currency", flat=True))
    if currency in theirs:
        return
    owed = Invoice.objects.filter(subscriber=payer, open_amount__gt=0, currency=currency)
    if theirs and not owed.exclude(status="draft").exists():
        raise CurrencyNotTheirs(payer=payer, theirs=" or ".join(sorted(theirs)), currency=currency)
    if not re.fullmatch("[A-Z]{3}", currency):
        raise CurrencyUnknown(currency=currency)
