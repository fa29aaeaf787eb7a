"""An invoice and who bills it, for the tests that walk all pages."""

from decimal import Decimal
from typing import Any

from django.utils import timezone

from billing.models import BillingIdentity, TaxRate
from billing.services import invoices
from billing.services.invoices import DraftLine
from ispcore.tenants.models import Tenant
from subscribers.models import Subscription


def fill_invoices(tenant: Tenant, line: Subscription) -> dict[str, Any]:
    """Make an issued invoice, a part of which was credited."""
    name, now = tenant.slug.title(), timezone.now()
    TaxRate.objects.create(name=f"Tax of {name}", percent=Decimal(20), starts_on=now.date())
    draft = invoices.create_draft(
        subscriber_id=line.subscriber_id,
        lines=[DraftLine(f"Call-out of {name}", Decimal(40), subscription_id=line.pk)],
        currency="EUR",
        at=now,
    )
    invoice = invoices.issue(invoice_id=draft.pk, at=now)
    invoices.credit(invoice_id=invoice.pk, reason=f"Late in {name}", at=now, amount=Decimal(10))
    identity = BillingIdentity.objects.create(legal_name=f"{name} Ltd", address="High Street 1")
    return {"billing.Invoice": invoice, "billing.BillingIdentity": identity}
