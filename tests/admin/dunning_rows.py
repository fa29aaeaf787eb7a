"""A row of each model of dunning and prepaid for the pages."""

from datetime import timedelta
from typing import Any

from django.utils import timezone

from billing.models import (
    CreditVoucher,
    CreditVoucherBatch,
    DunningNight,
    DunningPolicy,
    Exemption,
    PrepaidLine,
    Promise,
    Reminder,
)
from ispcore.tenants.models import Tenant, User
from subscribers.models import Subscription
from tests.billing import owing


def fill_dunning(tenant: Tenant, user: User, line: Subscription) -> dict[str, Any]:
    """Make a night that waits, who is spared in it, what was written, and vouchers."""
    day = timezone.now().date()
    customer = line.subscriber
    invoice = owing.invoice(customer, due_on=day - timedelta(days=30))
    batch = CreditVoucherBatch.objects.create(
        name=f"Shop of {tenant.slug}", quantity=1, amount=20, currency="EUR", created_by=user
    )
    return {
        "billing.DunningPolicy": DunningPolicy.objects.create(business_days_only=False),
        "billing.DunningNight": DunningNight.objects.create(
            on=day,
            status="waiting",
            active_lines=100,
            cap_lines=3,
            found_lines=7,
            found_subscribers=5,
        ),
        "billing.Promise": Promise.objects.create(
            subscriber=customer, amount=31, currency="EUR", until=day, made_at=timezone.now(), created_by=user
        ),
        "billing.Exemption": Exemption.objects.create(
            subscriber=customer, reason="Hospital", created_by=user
        ),
        "billing.Reminder": Reminder.objects.create(
            invoice=invoice,
            step=-3,
            due_on=day,
            email="eva@customer.example",
            status="failed",
            detail="No such user",
        ),
        "billing.CreditVoucherBatch": batch,
        "billing.CreditVoucher": CreditVoucher.objects.create(
            batch=batch, code_hash=tenant.slug.encode(), shown="ABCD"
        ),
        "billing.PrepaidLine": PrepaidLine.objects.create(
            subscription=line,
            anchor_on=day,
            paid_until=day,
            currency="EUR",
            waits_since=timezone.now(),
            missing=15,
        ),
    }
