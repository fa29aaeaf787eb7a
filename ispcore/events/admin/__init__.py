"""Events, the webhooks that are told of them, and what was sent."""

from ispcore.events.admin import deliveries, events, webhooks

__all__ = ["deliveries", "events", "webhooks"]
