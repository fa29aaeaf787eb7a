"""Customers who log in: to the portal by a browser's client, to the API by a token."""

from datetime import timedelta

from django.test import Client
from django.utils import timezone

from ispcore.tenants.context import tenant_context
from support.models import PortalAccount, PortalLink
from support.services.portal import access
from tests.client import Api
from tests.factories import BillingProfileFactory
from tests.support.desk import make_line


def enter(customer, *, at=None) -> PortalAccount:
    """Follow a link that was sent to this customer; their tenant is bound."""
    at = at or timezone.now()
    secret = f"secret of {customer.pk}"
    PortalLink.objects.filter(subscriber=customer).delete()
    PortalLink.objects.create(
        subscriber=customer,
        email=customer.email_lower,
        secret_hash=access.hash_of(secret),
        expires_at=at + timedelta(minutes=1),
    )
    return access.enter(secret=secret, at=at)


def with_address(customer, email):
    customer.email = customer.email_lower = email
    customer.save()
    return customer


def make_reachable(email="jane@customer.example", line=None):
    """A customer with a line, an e-mail address and a profile that bills in euros."""
    customer = (line or make_line()).subscriber
    customer.billing_profile = BillingProfileFactory(currency="EUR", due_days=10)
    return with_address(customer, email)


def browser_of(tenant, customer, **of_client) -> Client:
    """A browser this customer has logged in with, by a link."""
    client = Client(**of_client)
    secret = f"link of {customer.pk}"
    with tenant_context(tenant.pk):
        PortalLink.objects.filter(subscriber=customer).delete()
        PortalLink.objects.create(
            subscriber=customer,
            email=customer.email_lower,
            secret_hash=access.hash_of(secret),
            expires_at=timezone.now() + timedelta(minutes=1),
        )
    answer = client.post(f"/portal/{tenant.slug}/enter/{secret}")
    assert answer.status_code == 302, answer.content
    return client


def api_of(tenant, customer) -> Api:
    with tenant_context(tenant.pk):
        return Api(enter(customer).user)
