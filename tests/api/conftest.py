"""Here every answer is held against the OpenAPI document."""

from collections.abc import Callable

import pytest

from ispcore.api import throttles
from ispcore.tenants.models import Tenant, User
from ispcore.tenants.roles import Role
from tests.api.described import DescribedApi


@pytest.fixture
def api(admin_user: User) -> DescribedApi:
    """The API as `tenant`'s administrator."""
    return DescribedApi(admin_user)


@pytest.fixture
def api_as(tenant: Tenant, make_user: Callable[..., User]) -> Callable[[Role], DescribedApi]:
    """The API as somebody with the role given."""
    return lambda role: DescribedApi(make_user(str(role), {tenant: role}))


@pytest.fixture
def anonymous(db: None) -> DescribedApi:
    """The API without a credential."""
    return DescribedApi()


@pytest.fixture(autouse=True)
def no_remembered_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that takes Redis away must not switch the limits off for the next one."""
    monkeypatch.setattr(throttles, "_outage", throttles._Outage())
