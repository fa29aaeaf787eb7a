from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from ispcore.files.tenant_export import writing
from ispcore.tenants.models import Tenant
from tests.files.tenant_export import elsewhere

Export = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def second_database(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    with django_db_blocker.unblock():
        elsewhere.make_database()
        yield
        elsewhere.drop_database()


@pytest.fixture
def second_installation(second_database: None, transactional_db: None) -> None:
    """An installation without any provider, whatever the test before restored into it."""
    with elsewhere.owner_there() as owner:
        tables = owner.execute(
            "SELECT string_agg(quote_ident(relname), ', ') FROM pg_class WHERE relkind IN ('r', 'p') "
            "AND NOT relispartition AND relnamespace = 'public'::regnamespace "
            "AND relname NOT IN ('django_migrations', 'django_content_type', 'auth_permission')"
        ).fetchone()
        assert tables is not None
        owner.execute(f"TRUNCATE {tables[0]}")


@pytest.fixture
def export(tenant: Tenant) -> Export:
    """Write the tenant's export to a path; returns the manifest."""

    def write(path: Path, passphrase: str = "") -> dict[str, Any]:
        with path.open("wb") as stream:
            return writing.write(
                stream, tenant, at=timezone.now(), passphrase=passphrase, progress=lambda *told: None
            )

    return write
