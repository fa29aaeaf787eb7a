"""What the tests of access share."""

from collections.abc import Iterator

import pytest

from aaa.models import Account, Nas
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant
from tests.aaa import nas_peer
from tests.aaa.accounted import Line
from tests.aaa.deciding import rate
from tests.aaa.nas_peer import NasPeer
from tests.aaa.radius import server
from tests.aaa.radius.server import Server
from tests.aaa.radius_role import Radius, radius_connection
from tests.factories import AccountFactory, NasFactory
from tests.needs import require


@pytest.fixture(scope="module")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NasPeer]:
    """A real FreeRADIUS that plays a NAS, one per file of tests."""
    require("freeradius")
    with nas_peer.running(tmp_path_factory.mktemp("nas")) as nas:
        yield nas


@pytest.fixture(scope="session")
def freeradius(django_db_setup: None) -> Iterator[Server]:
    """One server for the whole run; it never learns that the tables were emptied between two tests."""
    require("freeradius", "rlm_sql_postgresql")
    with server.running() as running:
        yield running


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
