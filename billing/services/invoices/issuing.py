"""Issuing one draft: from then on it is owed, and stays as it is."""

from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from billing.models import Invoice, InvoiceKind, InvoiceStatus
from billing.services import payments
from billing.services.invoices import booking
from billing.services.invoices.drafting import refuse_unless_own_draft
from billing.services.invoices.numbers import draw_numbers
from billing.services.invoices.rows import billing_settings, lock_invoice
from ispcore.events.services import publish
from subscribers.services.periods import local_date

DUE_DAYS = 14  # Of a customer without a billing profile: the profile's own default.


@transaction.atomic
def issue(*, invoice_id: UUID, at: datetime, user_id: UUID | None = None) -> Invoice:
    """Give a draft its number, book what is owed, and let the customer's credit pay it.

    Refused when repeated. Raises InvoiceUnknown, InvoiceNotDraft, DraftOfRun.
    """
    invoice = lock_invoice(invoice_id)
    refuse_unless_own_draft(invoice)
    on = local_date(at)
    profile = invoice.subscriber.billing_profile
    booking.book_invoice(invoice, on=on, user_id=user_id)
    invoice.status = InvoiceStatus.ISSUED
    invoice.issued_on, invoice.issued_at = on, at
    invoice.due_on = on + timedelta(days=profile.due_days if profile else DUE_DAYS)
    if invoice.total == 0:
        invoice.status, invoice.paid_at = InvoiceStatus.PAID, at
    # Last, because whoever else issues waits for the series from here on.
    (invoice.number,) = draw_numbers(InvoiceKind.INVOICE, on=on, settings=billing_settings())
    invoice.save()
    payments.spend_credit(subscriber=invoice.subscriber, at=at)
    publish("billing.invoice_issued", invoice_id=str(invoice.pk), subscriber_id=str(invoice.subscriber_id))
    invoice.refresh_from_db()
    return invoice
