"""Customers who log in: to the portal by a browser's client, to the API by a token."""

from datetime import timedelta

from django.test import Client
from django.utils import timezone

from ispcore.tenants.context import tenant_context
from support.models import PortalAccount, PortalLink
from support.services.portal import access
from tests.client import Api
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
    """A customer with a line and an e-mail address."""
    return with_address((line or make_line()).subscriber, email)


def browser_of(tenant, customer) -> Client:
    """A browser this customer has logged in with, by a link."""
    client = Client()
    with tenant_context(tenant.pk):
        secret = f"link of {customer.pk}"
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
