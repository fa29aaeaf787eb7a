"""Providers who have NASes and accounts at the real FreeRADIUS."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from aaa.models import Account, Nas, NasType, Policy, ServiceProfile
from aaa.services.accounts import create_account
from aaa.services.nas import create_nas
from aaa.services.policies import create_policy
from aaa.services.profiles import create_service_profile
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant
from tests.aaa.radius.client import NasClient
from tests.aaa.radius.server import Server

SECRET = "a \"secret\"|with 'odd' letters"


@dataclass(frozen=True, slots=True)
class Provider:
    """A tenant with one kind of service, for whom tests make NASes and accounts."""

    tenant: Tenant
    server: Server
    profile: ServiceProfile

    def nas(self, nas_type: str = NasType.MIKROTIK, *, secret: str = SECRET, **fields: Any) -> NasClient:
        """Register a NAS and return it."""
        client = NasClient(secret, self.server.auth_port, self.server.acct_port)
        with tenant_context(self.tenant.pk):
            create_nas(
                name=client.address, address=client.address, secret=secret, nas_type=nas_type, **fields
            )
        return client

    def record_of(self, nas: NasClient) -> Nas:
        with tenant_context(self.tenant.pk):
            record: Nas = Nas.objects.get(address=nas.address)
        return record

    def account(self, username: str, password: str = "right", **fields: Any) -> Account:
        with tenant_context(self.tenant.pk):
            return create_account(
                at=timezone.now(), username=username, password=password,
                **({"service_profile_id": self.profile.pk} | fields),
            )  # fmt: skip

    def policy(self, name: str = "10/50", **fields: Any) -> Policy:
        with tenant_context(self.tenant.pk):
            return create_policy(name=name, **fields)

    def rows(self, query: str, *arguments: Any) -> list[tuple[Any, ...]]:
        """Return what a query finds, as the tenant sees it."""
        with tenant_context(self.tenant.pk), connection.cursor() as cursor:
            cursor.execute(query, arguments)
            return list(cursor.fetchall())

    def attempts(self) -> list[tuple[Any, ...]]:
        return self.rows("SELECT username, accepted, reason FROM aaa_authattempt ORDER BY at")


MakeProvider = Callable[..., Provider]


@pytest.fixture
def make_provider(
    freeradius: Server, transactional_db: None, make_tenant: Callable[..., Tenant]
) -> MakeProvider:
    def make(slug: str, **profile: Any) -> Provider:
        tenant = make_tenant(slug)
        with tenant_context(tenant.pk):
            made = create_service_profile(name="PPPoE", **profile)
        return Provider(tenant, freeradius, made)

    return make


@pytest.fixture
def provider(make_provider: MakeProvider) -> Provider:
    return make_provider("north")
