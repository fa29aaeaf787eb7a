"""Credit vouchers: made in batches, printed once, each a payment once.

A code is kept as a hash only; in the clear it stands on the sheet, which is made in the same transaction.
"""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import transaction

from billing.models import CreditVoucher, CreditVoucherBatch, CreditVoucherState, Payment, PaymentMethod
from billing.services import payments
from billing.services.prepaid import selling, sheets
from ispcore import money
from ispcore.errors import DomainError, NotRegistered
from ispcore.events.services import publish
from ispcore.jobs import services as jobs
from ispcore.jobs.models import Job
from ispcore.vouchers import services
from ispcore.vouchers.codes import normal_code
from subscribers.services.customers import lock_subscriber

KIND = "billing.make_credit_vouchers"
RANDOM_SIGNS = 12  # They are money.


class CreditVoucherUnknown(NotRegistered):
    code = "credit_voucher_unknown"
    message = "There is no such voucher. Check the code on it."
    field = "code"


class CreditVoucherUsed(DomainError):
    code = "credit_voucher_used"
    message = "This voucher was used on {used_at:%Y-%m-%d %H:%M} UTC."
    field = "code"


class CreditVoucherOver(DomainError):
    code = "credit_voucher_over"
    message = "This voucher is {state}."
    field = "code"


class CreditVoucherNotUnused(DomainError):
    code = "credit_voucher_not_unused"
    message = "Only a voucher that nobody used yet can be revoked; refund its payment instead."


class VoucherAmountInvalid(DomainError):
    code = "amount_invalid"
    message = "{amount} is no amount of {currency}: above zero, with no more digits than the currency has."
    status = 422
    field = "amount"


class CreditBatchInUse(DomainError):
    code = "batch_in_use"
    message = "{count} vouchers of {name} were used already. Revoke those that are left instead."


@transaction.atomic
def create_batch(
    *,
    name: str,
    quantity: int,
    amount: Decimal,
    currency: str,
    prefix: str = "",
    use_before: datetime | None = None,
    user_id: UUID | None,
) -> tuple[CreditVoucherBatch, Job]:
    """Register a batch and start the job that makes its vouchers and their sheet. Raises VoucherAmountInvalid."""
    if amount <= 0 or not money.is_whole(amount, currency):
        raise VoucherAmountInvalid(amount=amount, currency=currency)
    batch: CreditVoucherBatch = CreditVoucherBatch.objects.create(
        name=name,
        quantity=quantity,
        amount=amount,
        currency=currency,
        prefix=normal_code(prefix),
        use_before=use_before,
        created_by_id=user_id,
    )
    job = jobs.enqueue(
        kind=KIND,
        params={"batch_id": str(batch.pk)},
        label=f"{batch.quantity} credit vouchers: {batch.name}",
        subject=f"batch:{batch.pk}",
        queue="billing",
        user_id=user_id,
    )
    return batch, job


def make_vouchers(run: jobs.Run, *, at: datetime) -> dict[str, Any]:
    """Make a batch's vouchers and their sheet, as `ispcore.vouchers.services.make_vouchers` does."""
    return services.make_vouchers(
        run,
        batches=CreditVoucherBatch.objects.all(),
        random_signs=RANDOM_SIGNS,
        sheet_name="credit-vouchers",
        render=sheets.render_vouchers,
        at=at,
    )


@transaction.atomic
def redeem(*, subscriber_id: UUID, code: str, at: datetime, user_id: UUID | None = None) -> Payment:
    """Turn a voucher into a payment of a subscriber; of many at once one succeeds.

    What is due is paid, prepaid lines buy their period and come back, the rest stays as credit. Raises
    SubscriberNotFound, CreditVoucherUnknown, CreditVoucherUsed, CreditVoucherOver and what `payments.receive` raises.
    """
    lock_subscriber(subscriber_id)
    found: CreditVoucher | None = services.lock_voucher(CreditVoucher.objects.all(), code)
    if found is None:
        raise CreditVoucherUnknown
    if found.state == CreditVoucherState.USED:
        raise CreditVoucherUsed(used_at=found.used_at)
    if found.state != CreditVoucherState.UNUSED:
        raise CreditVoucherOver(state=found.get_state_display().lower())
    if found.batch.use_before is not None and found.batch.use_before <= at:
        raise CreditVoucherOver(state="out of date")
    payment = payments.receive(
        subscriber_id=subscriber_id,
        amount=found.batch.amount,
        currency=found.batch.currency,
        method=PaymentMethod.VOUCHER,
        reference=f"voucher {found.pk}",
        received_at=at,
        note=f"Voucher {found}",
        created_by=user_id,
    )
    found.state, found.used_at = CreditVoucherState.USED, at
    found.subscriber_id, found.payment = subscriber_id, payment
    found.save(update_fields=["state", "used_at", "subscriber", "payment", "updated_at"])
    publish("billing.credit_voucher_used", voucher_id=str(found.pk), subscriber_id=str(subscriber_id))
    return payment


@transaction.atomic
def revoke_voucher(*, voucher_id: UUID) -> CreditVoucher:
    """Make an unused voucher worthless. Safe to repeat. Raises CreditVoucherNotUnused."""
    voucher: CreditVoucher = CreditVoucher.objects.select_for_update(of=("self",)).get(pk=voucher_id)
    if voucher.state == CreditVoucherState.USED:
        raise CreditVoucherNotUnused
    voucher.state = CreditVoucherState.REVOKED
    voucher.save(update_fields=["state", "updated_at"])
    return voucher


@transaction.atomic
def revoke_batch(*, batch_id: UUID, at: datetime) -> int:
    """Make all unused vouchers of a batch worthless; return how many. Safe to repeat."""
    unused = CreditVoucher.objects.filter(batch=batch_id, state=CreditVoucherState.UNUSED)
    return int(unused.update(state=CreditVoucherState.REVOKED, updated_at=at))


@transaction.atomic
def remove_batch(*, batch_id: UUID) -> None:
    """Delete a batch none of whose vouchers was used or sold. Raises CreditBatchInUse, CreditBatchSold."""
    batch = CreditVoucherBatch.objects.select_for_update(of=("self",)).get(pk=batch_id)
    count = CreditVoucher.objects.filter(batch=batch, state=CreditVoucherState.USED).count()
    if count:
        raise CreditBatchInUse(name=batch.name, count=count)
    selling.refuse_sold(batch)
    batch.delete()
