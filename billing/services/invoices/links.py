"""The address under which anybody who has it sees and pays one invoice, without logging in."""

from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.core import signing
from django.urls import reverse

from billing.models import Invoice
from ispcore.errors import DomainError
from ispcore.tenants.context import current_tenant_id

SALT = "billing.pay"
VALID_FOR = timedelta(days=180)


class LinkWrong(DomainError):
    code = "invalid_link"
    message = "This link is not valid. Please copy it in whole."
    status = 404


class LinkOver(DomainError):
    code = "link_expired"
    message = "This link has expired. Please ask for a new one."
    status = 410


def payment_link(invoice: Invoice) -> str:
    """Return the address of an invoice's payment page; it opens this one invoice for 180 days."""
    return f"{settings.PUBLIC_URL}{reverse('pay', args=[token_of(invoice)])}"


def token_of(invoice: Invoice) -> str:
    """Sign which invoice of which provider is meant, and when."""
    return signing.dumps([current_tenant_id().hex, invoice.pk.hex], salt=SALT)


def read_token(token: str) -> tuple[UUID, UUID]:
    """Return the provider and the invoice a token was signed for. Raises LinkWrong, LinkOver."""
    try:
        tenant, invoice = signing.loads(token, salt=SALT, max_age=VALID_FOR)
        return UUID(tenant), UUID(invoice)
    except signing.SignatureExpired as error:
        raise LinkOver from error
    except (signing.BadSignature, ValueError, TypeError) as error:
        raise LinkWrong from error
