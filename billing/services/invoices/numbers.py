"""Numbers of invoices and credit notes: per series and year, without gaps."""

from datetime import date

from billing.models import BillingSettings, InvoiceKind
from ispcore import numbering


def draw_numbers(kind: str, *, on: date, settings: BillingSettings, count: int = 1) -> list[str]:
    """Take the next numbers of the year of `on`, such as INV-2026-000123.

    Locks the series until the transaction ends, so draw late in it; what is rolled back leaves no gap. Two kinds
    that are given the same prefix share a series, and still no number twice.
    """
    prefix = settings.credit_note_prefix if kind == InvoiceKind.CREDIT_NOTE else settings.invoice_prefix
    series = f"{prefix}-{on.year}"
    return [f"{series}-{number:06d}" for number in numbering.draw(series, count=count)]
