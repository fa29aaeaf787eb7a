"""Telling a provider's administrators that a webhook was switched off."""

from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.core.mail import EmailMessage
from django.urls import reverse

from ispcore.events.models import DeliveryStatus, DisabledReason, WebhookDelivery, WebhookEndpoint
from ispcore.tenants.context import current_tenant_id
from ispcore.tenants.models import Membership, Tenant
from ispcore.tenants.roles import Role

MOST_ADDRESSES = 20

WHY = {
    DisabledReason.FAILING: "nothing has arrived there for five days",
    DisabledReason.GONE: "it answered 410 Gone, which asks for nothing more to be sent",
}


@dataclass(frozen=True)
class Letter:
    """An e-mail to be sent once the transaction that read it has ended."""

    to: tuple[str, ...]
    subject: str
    body: str

    def send(self) -> None:
        for address in self.to:
            EmailMessage(subject=self.subject, body=self.body, to=[address]).send()


def letter_of(*, endpoint_id: UUID) -> Letter | None:
    """Write what a provider's administrators are told; None when the webhook is on again, or gone."""
    endpoint = WebhookEndpoint.objects.filter(pk=endpoint_id, is_enabled=False).first()
    if endpoint is None or endpoint.disabled_reason not in WHY:
        return None
    tenant = Tenant.objects.get(pk=current_tenant_id())
    members = Membership.objects.filter(tenant=tenant, role=Role.ADMINISTRATOR, user__is_active=True)
    addresses = members.order_by("pk").values_list("user__email", flat=True)[:MOST_ADDRESSES]
    waiting = WebhookDelivery.objects.filter(endpoint=endpoint, status=DeliveryStatus.WAITING).count()
    page = reverse("admin:events_webhookendpoint_change", args=[endpoint.pk])
    body = (
        f"{tenant.name}: the webhook “{endpoint}” was switched off, because "
        f"{WHY[DisabledReason(endpoint.disabled_reason)]}.\n\n"
        f"Address: {endpoint.url}\n"
        f"Messages that wait: {waiting}\n\n"
        "Once the receiver works again, switch the webhook on: what waits is sent then. What happened while it was off "
        f"can be sent from its page, too.\n\n{settings.PUBLIC_URL}{page}\n"
    )
    return Letter(to=tuple(addresses), subject=f"Webhook switched off: {endpoint}", body=body)
