"""One provider's slow receivers leave workers to the others."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connections
from django.utils import timezone

from ispcore.events.models import WebhookEndpoint
from ispcore.events.services.sending import Sender
from ispcore.tenants.models import Tenant
from tests.events.hooked import happen, hook, send
from tests.events.receiver import Receiver, receiver

pytestmark = pytest.mark.django_db(databases=["default", "platform"], transaction=True)
PLACES, WEBHOOKS = 2, 8


@pytest.fixture
def there(settings: Any) -> Iterator[Receiver]:
    settings.WEBHOOK_NETWORKS = ["127.0.0.0/8"]
    settings.JOB_SLOTS = {"webhooks": PLACES}
    with receiver() as state:
        yield state


def claim(tenant: Tenant, webhook: WebhookEndpoint) -> Sender | None:
    """Begin to send as a worker does, and stay at it."""
    sender = Sender(tenant.pk, webhook.pk, now=timezone.now)
    try:
        return sender if sender._claim() else None
    finally:
        connections.close_all()


def test_webhooks_of_one_provider_are_sent_to_by_so_many_at_once(tenant, other_tenant, there):
    hooks = [hook(tenant, there) for _ in range(WEBHOOKS)]
    with ThreadPoolExecutor(WEBHOOKS) as workers:
        claims = list(workers.map(lambda webhook: claim(tenant, webhook), hooks))
    at_it = [sender for sender in claims if sender]
    (waiting, *_) = (webhook for webhook, sender in zip(hooks, claims, strict=True) if not sender)
    happen(tenant, 1)
    elsewhere = hook(other_tenant, there)
    happen(other_tenant, 2)

    refused, served = send(tenant, waiting), send(other_tenant, elsewhere)
    at_it[0]._release()
    afterwards = send(tenant, waiting)

    assert len(at_it) == PLACES
    assert (refused, served, afterwards) == (0, 1, 1)
