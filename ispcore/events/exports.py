"""The list of webhooks as a file: with the fields that the API shows, so without secrets."""

from ispcore.events.api import WebhookViewSet
from ispcore.files.exports import Export, register

register(Export(name="webhooks", view=WebhookViewSet))
