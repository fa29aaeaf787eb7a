"""Payments and a gateway, for the tests that walk all pages."""

from decimal import Decimal
from typing import Any

from django.utils import timezone

from billing.models import GatewayAccount, GatewayEvent, Payment
from billing.services import payments
from billing.services.gateways import accounts
from ispcore.tenants.models import Tenant, User
from subscribers.models import Subscription


def fill_payments(tenant: Tenant, user: User, line: Subscription) -> dict[str, Any]:
    """Make a payment that left credit, of which a part went back, and a gateway with a notice that waits."""
    name, now = tenant.slug.title(), timezone.now()
    payment: Payment = payments.receive(
        subscriber_id=line.subscriber_id,
        amount=Decimal(50),
        currency="EUR",
        method="cash",
        reference=f"slip of {name}",
        received_at=now,
        note=f"Counter of {name}",
        created_by=user.pk,
    )
    payments.refund(
        payment_id=payment.pk, amount=Decimal(5), reason=f"Asked in {name}", at=now, created_by=user.pk
    )
    gateway: GatewayAccount = accounts.create_account(
        kind="stripe",
        label=f"Cards of {name}",
        api_key="sk_test_never_shown_secret",
        webhook_secret="whsec_never_shown_secret",
    )
    event = GatewayEvent.objects.create(
        gateway=gateway,
        event_id=f"evt_{name}",
        kind="refund.created",
        facts={"amount": "5.00", "currency": "EUR"},
        payload='{"id": "evt"}',
        outcome="parked",
        detail="The payment it belongs to has not come yet.",
        payment=payment,
        happened_at=now,
        received_at=now,
    )
    return {"billing.Payment": payment, "billing.GatewayAccount": gateway, "billing.GatewayEvent": event}
