"""Bank statements: read, matched with who paid, booked or left for a person. Import from here."""

from billing.services.bank.entries import StatementUnreadable
from billing.services.bank.pairing import (
    InvoiceOfAnother,
    LineIsMatched,
    LineNotFound,
    MoneyWentOut,
    NobodyToPair,
    PaymentDiffers,
    ignore,
    pair,
    unpair,
)
from billing.services.bank.statements import (
    KIND,
    StatementKnown,
    StatementTooLarge,
    reconcile,
    request_reconciliation,
)

__all__ = [
    "KIND", "InvoiceOfAnother", "LineIsMatched", "LineNotFound", "MoneyWentOut", "NobodyToPair", "PaymentDiffers",
    "StatementKnown", "StatementTooLarge", "StatementUnreadable", "ignore", "pair", "reconcile",
    "request_reconciliation", "unpair",
]  # fmt: skip
