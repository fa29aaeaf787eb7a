"""A run of each sort of row, for the tests that walk all pages."""

from typing import Any

from django.utils import timezone

from billing.models import BillingRun, ParkedAccount, RunDifference, RunTotal
from ispcore.tenants.models import Tenant, User
from subscribers.models import Subscription


def fill_runs(tenant: Tenant, user: User, line: Subscription) -> dict[str, Any]:
    """Make a run that waits for approval, with somebody new in it and somebody left out."""
    now = timezone.now()
    run = BillingRun.objects.create(
        on=now.date(), status="planned", plan_hash="0" * 64, invoices_planned=1, parked=1, as_of=now, planned_at=now,
        created_by=user,
    )  # fmt: skip
    RunTotal.objects.create(run=run, currency="EUR", invoices=1, net=30, tax=6, total=36)
    return {
        "billing.BillingRun": run,
        "billing.RunDifference": RunDifference.objects.create(
            run=run, subscriber=line.subscriber, kind="new", currency="EUR", now=36
        ),
        "billing.ParkedAccount": ParkedAccount.objects.create(
            run=run, subscriber=line.subscriber, reason="currency", detail=f"A plan of {tenant.slug}"
        ),
    }
