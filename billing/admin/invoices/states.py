"""Where an invoice stands, in words and colours."""

from datetime import date

from billing.models import (
    Invoice,
    InvoiceKind,
    InvoiceStatus,
)
from billing.services.documents.invoices import is_open
from ispcore.admin.formats import pill

STATUS_TONES = {
    InvoiceStatus.DRAFT: "plain",
    InvoiceStatus.ISSUED: "info",
    InvoiceStatus.PARTLY_PAID: "warning",
    InvoiceStatus.PAID: "good",
    InvoiceStatus.VOID: "plain",
}


def state_of(invoice: Invoice, on: date) -> str:
    """Say in a word where an invoice stands, overdue before all."""
    days = days_overdue(invoice, on)
    if days:
        return pill(f"Overdue {days} day{'s' if days > 1 else ''}", "danger")
    if invoice.kind == InvoiceKind.CREDIT_NOTE and invoice.status != InvoiceStatus.DRAFT:
        return pill("Credit left", "info") if invoice.open_amount else pill("Credit used")
    return pill(invoice.get_status_display(), STATUS_TONES[InvoiceStatus(invoice.status)])


def days_overdue(invoice: Invoice, on: date) -> int:
    if invoice.kind != InvoiceKind.INVOICE or not is_open(invoice) or invoice.due_on is None:
        return 0
    return max(0, (on - invoice.due_on).days)


def title_of(invoice: Invoice) -> str:
    name = "Credit note" if invoice.kind == InvoiceKind.CREDIT_NOTE else "Invoice"
    return f"{name} {invoice.number}" if invoice.number else f"Draft of {invoice.subscriber.full_name}"
