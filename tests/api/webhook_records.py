"""Webhooks and deliveries, as the walks over all routes need them."""

from typing import Any

from django.utils import timezone

from ispcore.events.models import Event, WebhookDelivery, WebhookEndpoint


def make_webhook() -> Any:
    return WebhookEndpoint.objects.create(
        url="https://hooks.example/in",
        description="Theirs",
        secret="whsec_dGhlaXJzLXRoZWlycy10aGVpcnMtdGhlaXJz",
    )


def make_delivery() -> Any:
    event = Event.objects.create(
        name="platform.webhook_tested", payload={"webhook_id": "x"}, delivered_at=timezone.now()
    )
    return WebhookDelivery.objects.create(
        endpoint=make_webhook(), event=event, next_attempt_at=timezone.now()
    )


MAKE: dict = {WebhookEndpoint: make_webhook, WebhookDelivery: make_delivery}
NAMED = {"webhook": make_webhook, "delivery": make_delivery}
PERMISSIONS = {
    ("get", "events"): "events.view",
    ("get", "event-types"): "events.view",
    ("get", "webhooks"): "events.view",
    ("post", "webhooks"): "events.add",
    ("get", "webhooks/{pk}"): "events.view",
    ("patch", "webhooks/{pk}"): "events.change",
    ("delete", "webhooks/{pk}"): "events.delete",
    ("post", "webhooks/{pk}/rotate-secret"): "events.change",
    ("post", "webhooks/{pk}/test"): "events.change",
    ("get", "webhooks/{pk}/deliveries"): "events.view",
    ("post", "webhooks/{pk}/replay"): "events.change",
    ("get", "webhook-deliveries"): "events.view",
    ("get", "webhook-deliveries/{pk}"): "events.view",
    ("post", "webhook-deliveries/{pk}/replay"): "events.change",
}
WITHOUT_RECORDS = {
    "events": "names no record; tests/events/test_feed.py asks it for two tenants",
    "event-types": "the same for all",
}
RECORD = {"webhooks": "webhook", "webhook-deliveries": "delivery"}
BODIES: dict[str, Any] = {"webhooks": []}  # Names no record.
FILTERS = {
    "webhooks": ["is_enabled=true", "url=https://hooks.example/in"],
    "webhook-deliveries": ["webhook_id={webhook}", "status=waiting", "is_replay=false"],
}
