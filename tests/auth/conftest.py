import time
from collections.abc import Iterator
from typing import Any

import pytest

from ispcore.auth.issuer_keys import issuer_keys
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Membership, Tenant, User
from ispcore.tenants.roles import Role
from tests.auth import issuer, log_in_service
from tests.auth.log_in_service import LogInService
from tests.conftest import PASSWORD


class Clock:
    """Lets hours pass for what measures durations."""

    def __init__(self) -> None:
        self.offset = 0.0

    def advance(self, seconds: float) -> None:
        self.offset += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    moved = Clock()
    real = time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: real() + moved.offset)
    return moved


@pytest.fixture
def keys(settings) -> Iterator[issuer.KeyServer]:
    """The configured issuer's key server, with nothing cached yet."""
    issuer_keys.cache_clear()
    with issuer.serve_keys() as server:
        settings.OIDC_ISSUER = issuer.ISSUER
        settings.OIDC_JWKS_URL = server.url
        settings.OIDC_API_AUDIENCE = issuer.AUDIENCE
        yield server
    issuer_keys.cache_clear()


@pytest.fixture(autouse=True)
def fast_hasher(settings) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def alice(tenant: Tenant) -> User:
    """Works for `tenant` and knows PASSWORD."""
    user = User.objects.create_user(email="alice@north.example", password=PASSWORD)
    with tenant_context(tenant.pk):
        Membership.objects.create(tenant=tenant, user=user, role=Role.SUPPORT)
    return user


@pytest.fixture
def service(settings: Any) -> Iterator[LogInService]:
    """A log-in service that this installation is connected to."""
    issuer_keys.cache_clear()
    with log_in_service.serve() as running:
        for name, value in running.settings.items():
            setattr(settings, name, value)
        yield running
    issuer_keys.cache_clear()
