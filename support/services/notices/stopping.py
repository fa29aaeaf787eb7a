"""The link in each offer that ends them: a header names it (RFC 2369, 3.2), and a mail program may press it (RFC 8058).

The link is its own permission: whoever has the e-mail may stop the offers to its address, and nothing else. It never
expires, for an old e-mail must do as well.
"""

from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.core import signing
from django.urls import reverse

from ispcore.errors import DomainError
from ispcore.tenants.context import current_tenant_id
from support.models import Channel, Consent, Purpose
from support.services.notices import consent
from support.services.portal.words import words_in

SALT = "support.notices.stop"


class StopLinkWrong(DomainError):
    code = "link_wrong"
    message = "This link is not whole. Copy it completely, or answer the e-mail."
    status = 404


def stop_link(subscriber_id: UUID) -> str:
    """Return the address at which a customer stops offers by e-mail."""
    token = signing.Signer(salt=SALT).sign_object([current_tenant_id().hex, subscriber_id.hex])
    return f"{settings.PUBLIC_URL}{reverse('notices-stop', args=[token])}"


def footer(subscriber_id: UUID, language: str) -> str:
    """Return what stands below an offer."""
    return words_in(language)["stop_footer"].format(link=stop_link(subscriber_id))


def read_token(token: str) -> tuple[UUID, UUID]:
    """Return tenant and customer of a link. Raises StopLinkWrong."""
    try:
        tenant, subscriber = signing.Signer(salt=SALT).unsign_object(token)
        return UUID(tenant), UUID(subscriber)
    except (signing.BadSignature, ValueError, TypeError, AttributeError) as error:
        raise StopLinkWrong from error


def stop_offers(*, subscriber_id: UUID, at: datetime) -> Consent:
    """Write down that a customer wants no more offers by e-mail. Safe to repeat. Raises UnknownSubscriber."""
    return consent.set_consent(
        subscriber_id=subscriber_id,
        channel=Channel.EMAIL,
        purpose=Purpose.MARKETING,
        is_given=False,
        at=at,
    )
