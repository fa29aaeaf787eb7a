"""A real FreeRADIUS with the configuration of deploy/freeradius, on the database of the tests."""

import io
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from aaa.models import Account, Nas, NasType, Policy, ServiceProfile
from aaa.services.accounts import create_account
from aaa.services.nas import create_nas
from aaa.services.policies import create_policy
from aaa.services.profiles import create_service_profile
from ispcore.embedded.freeradius import FreeRadius
from ispcore.embedded.keys import parse_env
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant
from tests import servers
from tests.aaa.radius.client import NasClient
from tests.needs import require

# So soon the server notices that a NAS was changed or removed.
NAS_SECONDS = 2
THREADS = 4
SECRET = "a \"secret\"|with 'odd' letters"


@dataclass(frozen=True, slots=True)
class Server:
    """The running server and its ports."""

    process: FreeRadius
    auth_port: int
    acct_port: int

    @property
    def log(self) -> str:
        return self.process.log.read_text(errors="replace")

    def spooled(self) -> list[str]:
        return sorted(path.name for path in (self.process.directory / "spool").iterdir())


def free_ports() -> tuple[int, int]:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as two,
    ):
        for probe in (one, two):
            probe.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1]), int(two.getsockname()[1])


@pytest.fixture(scope="session")
def freeradius(django_db_setup: None) -> Iterator[Server]:
    """One server for the whole run; it never learns that the tables were emptied between two tests."""
    require("freeradius", "rlm_sql_postgresql")
    home = servers.servers.home
    auth_port, acct_port = free_ports()
    directory = home.root / "freeradius"
    process = FreeRadius(
        directory, home.logs / "freeradius.log", home.account, radius_environment(auth_port, acct_port)
    )
    process.start()
    yield Server(process, auth_port, acct_port)
    process.stop()


def radius_environment(auth_port: int, acct_port: int, url: str = "") -> dict[str, str]:
    output = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RADIUS_DATABASE_URL", url or servers.servers.radius_url)
        call_command(
            "radius_env", address="127.0.0.1", auth_port=auth_port, acct_port=acct_port, threads=THREADS,
            nas_seconds=NAS_SECONDS, stdout=output,
        )  # fmt: skip
    return parse_env(output.getvalue(), source="radius_env")


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
