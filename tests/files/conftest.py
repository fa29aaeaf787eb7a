from collections.abc import Callable

import pytest

from ispcore.tenants.models import Tenant


@pytest.fixture
def tenant(make_tenant: Callable[..., Tenant]) -> Tenant:
    """A provider two hours ahead of UTC all year."""
    return make_tenant("north", timezone="Africa/Johannesburg")
