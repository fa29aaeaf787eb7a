"""Looking for prepaid lines whose period is over: by the clock, and when a line begins or comes back."""

from datetime import datetime
from uuid import UUID

from billing.services.prepaid import buying
from ispcore.tenants.context import tenant_context
from subscribers.models import BillingProfile, PaymentKind, Subscriber, Subscription
from subscribers.services.periods import local_date


def tenants_with_prepaid() -> list[UUID]:
    """Return the tenants that have a prepaid billing profile."""
    rows = BillingProfile._base_manager.using("platform").filter(
        payment_kind=PaymentKind.PREPAID, tenant__is_active=True
    )
    return list(rows.order_by().values_list("tenant_id", flat=True).distinct())


def renew_tenant(tenant_id: UUID, *, at: datetime) -> int:
    """Buy what begins for all of a tenant, one subscriber in a transaction; return how many periods were bought.

    Safe to repeat and to run twice at once: whoever comes second finds the period bought.
    """
    bought, after = 0, UUID(int=0)
    while True:
        with tenant_context(tenant_id):
            due = buying.due_subscribers(on=local_date(at), after=after)
        if not due:
            return bought
        for subscriber_id in due:
            with tenant_context(tenant_id):
                bought += renew_subscriber(subscriber_id=subscriber_id, at=at)
        after = due[-1]


def renew_subscriber(*, subscriber_id: UUID, at: datetime) -> int:
    """Buy what begins for one subscriber, whose row is locked; return how many periods."""
    rows = Subscriber.objects.select_for_update(of=("self",)).select_related("billing_profile")
    return buying.buy_due(subscriber=rows.get(pk=subscriber_id), at=at)


def renew_line(*, subscription_id: UUID, at: datetime) -> int:
    """Buy what begins for the subscriber of a line; nothing when they are not prepaid."""
    found = Subscription.objects.filter(
        pk=subscription_id, subscriber__billing_profile__payment_kind=PaymentKind.PREPAID
    )
    subscriber_id = found.values_list("subscriber", flat=True).first()
    return renew_subscriber(subscriber_id=subscriber_id, at=at) if subscriber_id else 0
