"""A client as WispHub's documentation has them, with a debt, an address and an ONU."""

from datetime import date
from decimal import Decimal
from typing import Any

from django.utils import timezone

from ipam.services import allocation
from subscribers.models import ServiceStatus, Subscription
from subscribers.services import customers
from subscribers.services.settings import subscriber_settings
from tests.billing.owing import invoice, make_profile
from tests.factories import OnuFactory, PlanFactory, PremiseFactory, SubscriptionFactory, ZoneFactory
from tests.ipam.space import make_pool


def make_client(**fields: Any) -> Subscription:
    """Register Juan Pérez with a running service; `fields` are the service's."""
    settings = subscriber_settings()
    settings.phone_region = "CO"
    settings.save()
    customer = customers.create_subscriber(
        full_name="Juan Pérez",
        status="active",
        phone="+573001234567",
        document_type="national_id",
        document_number="1.234.567-890",
        billing_profile_id=make_profile(currency="COP", grace_days=5).pk,
    )
    line: Subscription = SubscriptionFactory(
        subscriber=customer,
        **{
            "number": 12345,
            "status": ServiceStatus.ACTIVE,
            "plan": PlanFactory(
                code="P50",
                name="Plan 50MB",
                price=Decimal("50000.00"),
                currency="COP",
                down_kbps=50_000,
                up_kbps=512,
            ),
            "premise": PremiseFactory(
                address_line1="Calle 123 #45-67", city="Bogotá", country="CO", zone=ZoneFactory(name="Centro")
            ),
        }
        | fields,
    )
    return line


def equip(line: Subscription, *, due_on: date) -> None:
    """Give a service an address, an ONU and an unpaid invoice."""
    allocation.allocate(pool_id=make_pool().pk, subscription_id=line.pk, at=timezone.now())
    OnuFactory(subscription=line, index="0/1/0/7")
    invoice(line.subscriber, due_on=due_on, amount="25000.00", currency="COP")
