"""What staff see and click of billing. Split by noun."""

from billing.admin import (
    bank,
    bank_lines,
    charges,
    customers,
    dashboard,
    dunning,
    gateways,
    identity,
    invoices,
    ledger,
    payments,
    prepaid,
    revenue,
    runs,
    settings,
    taxes,
)

__all__ = [
    "bank",
    "bank_lines",
    "charges",
    "customers",
    "dashboard",
    "dunning",
    "gateways",
    "identity",
    "invoices",
    "ledger",
    "payments",
    "prepaid",
    "revenue",
    "runs",
    "settings",
    "taxes",
]
