"""Invoices as rows: found, locked behind their subscriber, refused in one wording."""

from uuid import UUID

from billing.models import BillingSettings, Invoice
from ispcore.errors import NotRegistered
from subscribers.services.customers import lock_subscriber


class InvoiceUnknown(NotRegistered):
    message = "There is no such invoice."


def lock_invoice(invoice_id: UUID) -> Invoice:
    """Lock an invoice behind its subscriber, who stays the same for ever. Raises InvoiceUnknown."""
    subscriber_id = Invoice.objects.filter(pk=invoice_id).values_list("subscriber", flat=True).first()
    if subscriber_id is None:
        raise InvoiceUnknown
    lock_subscriber(subscriber_id)
    invoice: Invoice | None = (
        Invoice.objects.select_for_update(of=("self",))
        .select_related("subscriber")
        .filter(pk=invoice_id)
        .first()
    )
    if invoice is None:  # A draft, discarded meanwhile.
        raise InvoiceUnknown
    return invoice


def billing_settings() -> BillingSettings:
    """Return the bound tenant's settings; the defaults when nothing was ever set."""
    found: BillingSettings | None = BillingSettings.objects.first()
    return found or BillingSettings()
