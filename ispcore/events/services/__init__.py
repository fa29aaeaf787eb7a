"""The outbox, and what webhooks make of it."""

from ispcore.events.services.outbox import BATCH, begin_to_look, publish, publish_each, relay_tenant

__all__ = ["BATCH", "begin_to_look", "publish", "publish_each", "relay_tenant"]
