"""Vouchers that were sold: their worth is owed to whoever holds them, until it is used.

Selling moves it from where the money lies to the account of vouchers sold; using a voucher moves it on from there to
what its user owes, as a payment. So that account says what is still out there.
"""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from billing.models import (
    MONEY_METHODS,
    CreditVoucher,
    CreditVoucherBatch,
    CreditVoucherState,
    LedgerAccount,
    PaymentMethod,
    Transfer,
    TransferKind,
)
from billing.models.fields import day_words
from billing.services.payments.receiving import ACCOUNTS
from ispcore.errors import DomainError
from ispcore.money import round_money
from subscribers.services.periods import local_date


class CreditBatchSold(DomainError):
    code = "batch_sold"
    message = "{name} was sold on {day}: {count} vouchers, {amount} {currency}."


class CreditBatchWorthless(DomainError):
    code = "batch_worthless"
    message = "{name} has no voucher to sell: its codes are being made, or all were revoked."


class SaleMethodWrong(DomainError):
    code = "sale_method_invalid"
    message = "Vouchers are sold for cash, by bank transfer or by card."
    status = 422
    field = "method"


@transaction.atomic
def sell_batch(*, batch_id: UUID, method: str, at: datetime, user_id: UUID | None) -> CreditVoucherBatch:
    """Book what a batch was sold for: the worth of its vouchers that were not revoked, paid by `method`.

    Vouchers that were used before count: they were sold by then. Raises CreditBatchSold, CreditBatchWorthless,
    SaleMethodWrong.
    """
    batch: CreditVoucherBatch = CreditVoucherBatch.objects.select_for_update(of=("self",)).get(pk=batch_id)
    if method not in dict(MONEY_METHODS):
        raise SaleMethodWrong
    refuse_sold(batch)
    count = CreditVoucher.objects.filter(batch=batch).exclude(state=CreditVoucherState.REVOKED).count()
    if not count:
        raise CreditBatchWorthless(name=batch.name)
    batch.sold_at, batch.sold_quantity = at, count
    batch.save(update_fields=["sold_at", "sold_quantity", "updated_at"])
    Transfer.objects.create(
        entry=batch.pk,
        kind=TransferKind.SALE,
        debit=ACCOUNTS[PaymentMethod(method)],
        credit=LedgerAccount.VOUCHERS,
        amount=batch.amount * count,
        currency=batch.currency,
        booked_on=local_date(at),
        created_by_id=user_id,
        memo=batch.name,
    )
    return batch


def refuse_sold(batch: CreditVoucherBatch) -> None:
    """Let pass a batch that was not sold yet. Raises CreditBatchSold."""
    if batch.sold_at is not None and batch.sold_quantity:
        raise CreditBatchSold(
            name=batch.name,
            day=day_words(local_date(batch.sold_at)),
            count=batch.sold_quantity,
            amount=round_money(batch.amount * batch.sold_quantity, batch.currency),
            currency=batch.currency,
        )
