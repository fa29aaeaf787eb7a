"""Webhooks: set up, changed, switched off and on, their secrets rotated."""

import base64
import os
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F

from ispcore import outbound
from ispcore.errors import DomainError
from ispcore.events import catalogue
from ispcore.events.models import DisabledReason, WebhookDelivery, WebhookEndpoint
from ispcore.events.services import deliveries
from ispcore.tenants.base import changed, locked
from ispcore.tenants.context import current_tenant_id

MOST_WEBHOOKS = 50
SECRET_BYTES = 32  # Standard Webhooks: between 24 and 64 random bytes.
# How long a receiver has to learn a new secret.
OVERLAP = timedelta(hours=24)


class BadAddress(DomainError):
    code = "validation_error"
    message = "{why}"
    status = 422
    field = "url"


class UnknownType(DomainError):
    code = "validation_error"
    message = "There is no event type {name}. GET event-types lists all; `billing.*` means all of billing."
    status = 422
    field = "event_types"


class TooManyWebhooks(DomainError):
    code = "too_many_webhooks"
    message = f"There are {MOST_WEBHOOKS} webhooks already, which is as many as there may be."


@transaction.atomic
def create_webhook(
    *, url: str, description: str = "", event_types: Sequence[str] = ()
) -> tuple[WebhookEndpoint, str]:
    """Set up a webhook; return it and its secret, which is shown this once.

    Raises BadAddress, UnknownType, TooManyWebhooks.
    """
    if WebhookEndpoint.objects.count() >= MOST_WEBHOOKS:
        raise TooManyWebhooks
    secret = new_secret()
    made = WebhookEndpoint(
        url=_checked(url), description=description, event_types=_known(event_types), secret=secret
    )
    made.save()
    return made, secret


@transaction.atomic
def change_webhook(*, endpoint_id: UUID, at: datetime, **fields: Any) -> WebhookEndpoint:
    """Change what is given of address, description, event types and whether it is on. Safe to repeat.

    Raises BadAddress, UnknownType.
    """
    endpoint = locked(WebhookEndpoint, endpoint_id)
    if "url" in fields:
        fields["url"] = _checked(fields["url"])
    if "event_types" in fields:
        fields["event_types"] = _known(fields["event_types"])
    is_enabled = fields.pop("is_enabled", endpoint.is_enabled)
    if is_enabled and not endpoint.is_enabled:
        fields |= {"is_enabled": True, "disabled_at": None, "disabled_reason": ""}
        fields |= {"failing_since": None, "resting_until": None}
    elif endpoint.is_enabled and not is_enabled:
        fields |= {"is_enabled": False, "disabled_at": at, "disabled_reason": DisabledReason.BY_HAND}
    stored = changed(endpoint, fields)
    if stored.is_enabled:
        tenant_id = current_tenant_id()
        transaction.on_commit(lambda: deliveries.wake(tenant_id, stored.pk), robust=True)
    return stored


@transaction.atomic
def rotate_secret(*, endpoint_id: UUID, at: datetime) -> tuple[WebhookEndpoint, str]:
    """Give a webhook a new secret; return it, shown this once. For 24 hours the old one signs as well.

    A rotation within these hours ends the oldest secret.
    """
    endpoint = locked(WebhookEndpoint, endpoint_id)
    secret = new_secret()
    rotated = changed(
        endpoint,
        {"previous_secret": endpoint.secret, "previous_secret_until": at + OVERLAP, "secret": secret},
    )
    return rotated, secret


@transaction.atomic
def remove_webhook(*, endpoint_id: UUID) -> None:
    """Remove a webhook with the log of what was sent to it; what waits is not sent any more."""
    endpoint = locked(WebhookEndpoint, endpoint_id)
    WebhookDelivery.objects.filter(endpoint=endpoint)._raw_delete(WebhookDelivery.objects.db)
    endpoint.delete()


def forget_old_secrets(*, at: datetime) -> int:
    """Delete previous secrets whose time is over. Safe to repeat."""
    rows = WebhookEndpoint.objects.filter(previous_secret_until__lte=at)
    return int(rows.update(previous_secret="", previous_secret_until=None, updated_at=F("updated_at")))


def new_secret() -> str:
    return f"whsec_{base64.b64encode(os.urandom(SECRET_BYTES)).decode()}"


def _checked(url: str) -> str:
    try:
        outbound.check_url(url, networks=settings.WEBHOOK_NETWORKS)
    except outbound.BadUrl as error:
        raise BadAddress(why=error) from error
    return url


def _known(names: Sequence[str]) -> list[str]:
    for name in names:
        if not catalogue.is_known(name):
            raise UnknownType(name=name)
    return list(dict.fromkeys(names))
