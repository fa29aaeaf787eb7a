"""What an invoice moves in the ledger, and back."""

from collections import defaultdict
from datetime import date
from decimal import Decimal
from uuid import UUID

from billing.models import Invoice, LedgerAccount, LineKind, Transfer, TransferKind
from ispcore.tenants.fields import new_id


def book_invoice(invoice: Invoice, *, on: date, user_id: UUID | None) -> None:
    """Book what is owed by an invoice that is being issued: net by its account, and the taxes."""
    _book(invoice, _amounts(invoice), TransferKind.INVOICE, on=on, user_id=user_id)


def book_credit_note(note: Invoice, *, on: date, user_id: UUID | None) -> None:
    """Book what is given back by a credit note that is being issued."""
    taken = {account: -amount for account, amount in _amounts(note).items()}
    _book(note, taken, TransferKind.CREDIT_NOTE, on=on, user_id=user_id)


def book_back(invoice: Invoice, *, on: date, user_id: UUID | None) -> None:
    """Move back all that was booked when an invoice was issued."""
    entry = new_id()
    Transfer.objects.bulk_create(
        Transfer(
            entry=entry, kind=TransferKind.VOID, debit=booked.credit, credit=booked.debit, amount=booked.amount,
            currency=booked.currency, subscriber_id=booked.subscriber_id, invoice=invoice, booked_on=on,
            created_by_id=user_id, memo=f"{invoice.number} void",
        )
        for booked in Transfer.objects.filter(invoice=invoice, kind=TransferKind.INVOICE).order_by("id")
    )  # fmt: skip


def _amounts(invoice: Invoice) -> dict[str, Decimal]:
    amounts: dict[str, Decimal] = defaultdict(Decimal)
    for kind, net, tax in invoice.lines.values_list("kind", "net", "tax"):
        amounts[LedgerAccount.LATE_FEES if kind == LineKind.LATE_FEE else LedgerAccount.REVENUE] += net
        amounts[LedgerAccount.TAX_PAYABLE] += tax
    return amounts


def _book(
    invoice: Invoice, amounts: dict[str, Decimal], kind: TransferKind, *, on: date, user_id: UUID | None
) -> None:
    entry = new_id()
    transfers = []
    for account, amount in amounts.items():
        if not amount:
            continue
        debit, credit = LedgerAccount.RECEIVABLE, account
        if amount < 0:
            debit, credit = account, LedgerAccount.RECEIVABLE  # type: ignore[assignment]
        transfers.append(
            Transfer(
                entry=entry, kind=kind, debit=debit, credit=credit, amount=abs(amount), currency=invoice.currency,
                subscriber_id=invoice.subscriber_id, invoice=invoice, booked_on=on, created_by_id=user_id,
                memo=invoice.number,
            )
        )  # fmt: skip
    Transfer.objects.bulk_create(transfers)
