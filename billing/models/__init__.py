from billing.models.charges import AddOn, BillingPosition, Discount, OneOffCharge, TaxExemption, TaxRate
from billing.models.invoices import (
    NO_SOURCE,
    Invoice,
    InvoiceKind,
    InvoiceLine,
    InvoiceStatus,
    LineKind,
    LineTax,
)
from billing.models.ledger import LedgerAccount, SubscriberBalance, Transfer, TransferKind
from billing.models.payments import Allocation, Payment, PaymentMethod, PaymentStatus, Refund
from billing.models.runs import (
    OPEN_RUN,
    BillingRun,
    DifferenceKind,
    ParkedAccount,
    ParkReason,
    RunDifference,
    RunStatus,
    RunTotal,
)
from billing.models.settings import BillingSettings

__all__ = [
    "NO_SOURCE",
    "OPEN_RUN",
    "AddOn",
    "Allocation",
    "BillingPosition",
    "BillingRun",
    "BillingSettings",
    "DifferenceKind",
    "Discount",
    "Invoice",
    "InvoiceKind",
    "InvoiceLine",
    "InvoiceStatus",
    "LedgerAccount",
    "LineKind",
    "LineTax",
    "OneOffCharge",
    "ParkReason",
    "ParkedAccount",
    "Payment",
    "PaymentMethod",
    "PaymentStatus",
    "Refund",
    "RunDifference",
    "RunStatus",
    "RunTotal",
    "SubscriberBalance",
    "TaxExemption",
    "TaxRate",
    "Transfer",
    "TransferKind",
]
