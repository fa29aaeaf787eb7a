"""Webhooks, events and sending, as the tests of them say it."""

from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from ispcore.events import services
from ispcore.events.models import WebhookDelivery, WebhookEndpoint
from ispcore.events.services import endpoints
from ispcore.events.services.sending import Sender
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant
from tests.events.receiver import Receiver

OLT = "hardware.discovery_finished"


def hook(tenant: Tenant, receiver: Receiver, **fields: Any) -> WebhookEndpoint:
    """Set up a webhook to this receiver, which learns its secret."""
    with tenant_context(tenant.pk):
        made, secret = endpoints.create_webhook(url=receiver.url, **fields)
    receiver.secret = secret
    return made


def happen(tenant: Tenant, *numbers: int, name: str = OLT) -> None:
    """Let events happen one after the other, and the relay tell of them."""
    with tenant_context(tenant.pk):
        for number in numbers:
            services.publish(name, olt_id=str(number), run_id="r")
    relay(tenant)


def relay(tenant: Tenant) -> None:
    with tenant_context(tenant.pk):
        services.relay_tenant()


def send(tenant: Tenant, webhook: WebhookEndpoint, *, after: timedelta = timedelta(0)) -> int:
    """Send what is due some time from now; return how many attempts were made."""
    return Sender(tenant.pk, webhook.pk, now=lambda: later(after)).run()


def later(after: timedelta) -> datetime:
    return timezone.now() + after


def rows(tenant: Tenant) -> list[Any]:
    with tenant_context(tenant.pk):
        return list(WebhookDelivery.objects.order_by("pk"))


def again(tenant: Tenant, webhook: WebhookEndpoint) -> WebhookEndpoint:
    with tenant_context(tenant.pk):
        return WebhookEndpoint.objects.get(pk=webhook.pk)


def numbers(receiver: Receiver) -> list[int]:
    """Return which events arrived, in order."""
    return [int(each["data"]["olt_id"]) for each in receiver.taken]
