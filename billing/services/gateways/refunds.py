"""Money back by the gateway it came by: asked for by a job, booked when the gateway has agreed."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import transaction

from billing.models import Checkout, Payment
from billing.services import payments
from billing.services.gateways import accounts
from billing.services.payments import checks, returning
from ispcore.errors import DomainError
from ispcore.jobs import services as jobs
from ispcore.jobs.models import Job

KIND = "billing.refund_by_gateway"


class NotByGateway(DomainError):
    code = "payment_not_by_gateway"
    message = "The payment did not come by a gateway; give the money back yourself and book the refund."


@transaction.atomic
def request_refund(*, payment_id: UUID, amount: Decimal, reason: str, user_id: UUID | None) -> Job:
    """Let a worker have money given back by the gateway a payment came by; one refund of a payment at a time.

    Raises PaymentUnknown, NotByGateway, NothingLeft, RefundBeyondPayment and what `refuse_bad_amount` raises.
    """
    payment = checks.lock_payment(payment_id)
    if checkout_of(payment) is None:
        raise NotByGateway
    returning.refuse_beyond(payment, amount)
    return jobs.enqueue(
        kind=KIND,
        params={
            "payment_id": str(payment.pk),
            "amount": str(amount),
            "reason": reason,
            # With it the gateway knows a second try of the same refund from a second refund.
            "after": str(payment.refunded),
        },
        label=f"Refund of {amount} {payment.currency}",
        subject=str(payment.pk),
        user_id=user_id,
    )


def refund_job(run: jobs.Run, *, at: datetime) -> dict[str, Any]:
    """Ask the gateway, then book. Safe to repeat: the gateway knows it by its key, the books by its reference."""
    payment_id, amount = UUID(run.params["payment_id"]), Decimal(run.params["amount"])
    with run.tenant():
        payment = Payment.objects.get(pk=payment_id)
        checkout = checkout_of(payment)
        if checkout is None:
            raise NotByGateway
        adapter = accounts.adapter_of(checkout.gateway)
    reference = adapter.refund(
        remote_payment=checkout.remote_payment,
        amount=amount,
        currency=payment.currency,
        key=f"{payment_id}-{run.params['after']}-{amount}",
    )
    with run.tenant():
        made = payments.refund(
            payment_id=payment_id,
            amount=amount,
            reason=run.params["reason"],
            reference=reference,
            at=at,
            created_by=run.user_id,
        )
    return {"refund_id": str(made.pk), "reference": reference}


def checkout_of(payment: Payment) -> Checkout | None:
    """Return the checkout a payment came by."""
    found: Checkout | None = (
        Checkout.objects.select_related("gateway").filter(payment=payment).exclude(remote_payment="").first()
    )
    return found
