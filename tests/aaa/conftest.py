"""What the tests of access share."""

from collections.abc import Iterator

import pytest

from aaa.models import Account, Nas
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant
from tests.aaa.accounted import Line
from tests.aaa.deciding import rate
from tests.aaa.radius_role import Radius, radius_connection
from tests.factories import AccountFactory, NasFactory


@pytest.fixture
def radius(tenant: Tenant) -> Iterator[Radius]:
    with radius_connection() as connection:
        yield connection


@pytest.fixture
def nas(tenant: Tenant) -> Nas:
    with tenant_context(tenant.pk):
        made: Nas = NasFactory()
    return made


@pytest.fixture
def jane(tenant: Tenant) -> Account:
    """An account with a rate, whose every bar a test may close."""
    with tenant_context(tenant.pk):
        made: Account = AccountFactory(
            username="Jane", policy=rate("Gold", r1="20M/100M"), service_profile__framed_pool="dynamic"
        )
    return made


@pytest.fixture
def line(radius: Radius, nas: Nas, jane: Account) -> Line:
    return Line(radius, nas)
