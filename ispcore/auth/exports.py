"""The list of API keys as a file: with the fields that the API shows, so without what opens anything."""

from ispcore.auth.keys_api import ApiKeyViewSet
from ispcore.files.exports import Export, register

register(Export(name="api-keys", view=ApiKeyViewSet))
