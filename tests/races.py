"""Many callers at the same moment."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.db import connection

from ispcore.errors import DomainError
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant


def at_once(tenant: Tenant, calls: list[Callable[[], Any]]) -> list[Any]:
    """Run calls in threads and transactions of their own; a refusal is an answer."""

    def run(call: Callable[[], Any]) -> Any:
        try:
            with tenant_context(tenant.pk):
                return call()
        except DomainError as refusal:
            return refusal
        finally:
            connection.close()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))
