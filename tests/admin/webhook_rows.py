"""An event, a webhook and a delivery for the pages."""

from typing import Any
from uuid import UUID

from django.utils import timezone

from ispcore.events.models import Event, WebhookDelivery
from ispcore.events.services import endpoints
from ispcore.tenants.models import Tenant


def fill_webhooks(tenant: Tenant, olt_id: UUID) -> dict[str, Any]:
    event = Event.objects.create(name="hardware.discovery_finished", payload={"olt_id": str(olt_id)})
    webhook, _ = endpoints.create_webhook(
        url=f"https://{tenant.slug}.example/hooks",
        description=f"Accounting of {tenant.slug}",
        event_types=["billing.*", "hardware.discovery_finished", "support.ticket_opened", "aaa.*"],
    )
    delivery = WebhookDelivery.objects.create(
        endpoint=webhook,
        event=event,
        attempts=1,
        next_attempt_at=timezone.now(),
        response_status=503,
        duration_ms=120,
        answer="Come back later",
        log=[
            {
                "at": timezone.now().isoformat(),
                "response_status": 503,
                "duration_ms": 120,
                "answer": "Come back later",
            }
        ],
    )
    return {
        "events.Event": event,
        "events.WebhookEndpoint": webhook,
        "events.WebhookDelivery": delivery,
    }
