"""What every amount and every lock of a payment goes through."""

from decimal import Decimal
from uuid import UUID

from billing.models import Payment
from ispcore.errors import DomainError, NotRegistered
from ispcore.money import is_whole, minor_units
from subscribers.models import Subscriber

TOO_MUCH = Decimal(10) ** 13  # The columns hold one digit more, so that balances of many have room.


class AmountNotPositive(DomainError):
    code = "amount_not_positive"
    message = "The amount must be greater than zero. To give money back, refund the payment."
    status = 422
    field = "amount"


class AmountTooLarge(DomainError):
    code = "amount_too_large"
    message = "The amount {amount} cannot be right: it has more than 13 digits before the point."
    status = 422
    field = "amount"


class AmountTooPrecise(DomainError):
    code = "amount_too_precise"
    message = "{currency} has {digits} digits after the point; {amount} has more. Round it as the payer did."
    status = 422
    field = "amount"


class PaymentUnknown(NotRegistered):
    message = "There is no such payment."


class PayerUnknown(NotRegistered):
    message = "There is no such subscriber."
    field = "subscriber_id"


def refuse_bad_amount(amount: Decimal, currency: str) -> None:
    """Let pass what is positive and whole in the currency's minor unit, as ISO 4217 has it.

    Raises AmountNotPositive, AmountTooLarge, AmountTooPrecise.
    """
    if not amount.is_finite() or amount <= 0:
        raise AmountNotPositive
    if amount >= TOO_MUCH:
        raise AmountTooLarge(amount=f"{amount:.6}")
    if not is_whole(amount, currency):
        raise AmountTooPrecise(currency=currency, digits=minor_units(currency), amount=amount)


def lock_payer(subscriber_id: UUID) -> Subscriber:
    """Lock a subscriber, before all that is theirs. Raises PayerUnknown."""
    payer: Subscriber | None = (
        Subscriber.objects.select_for_update(of=("self",)).filter(pk=subscriber_id).first()
    )
    if payer is None:
        raise PayerUnknown
    return payer


def lock_payment(payment_id: UUID) -> Payment:
    """Lock a payment behind its subscriber, who stays the same for ever. Raises PaymentUnknown."""
    payer = Payment.objects.filter(pk=payment_id).values_list("subscriber", flat=True).first()
    if payer is None:
        raise PaymentUnknown
    lock_payer(payer)
    payment: Payment = Payment.objects.select_for_update(of=("self",)).get(pk=payment_id)
    return payment
