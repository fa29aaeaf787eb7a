"""Events, and the webhooks that are told of them."""

from ispcore.events.api.feed import EventTypeView, EventView
from ispcore.events.api.webhooks import DeliveryViewSet, WebhookViewSet

__all__ = ["DeliveryViewSet", "EventTypeView", "EventView", "WebhookViewSet"]
