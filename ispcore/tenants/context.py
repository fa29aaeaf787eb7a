"""Which tenant this code acts for: a context variable for Python, a transaction-local setting for PostgreSQL."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple
from uuid import UUID

from django.db import connection, transaction

_tenant_id: ContextVar[UUID | None] = ContextVar("tenant_id", default=None)


class TenantNotSet(RuntimeError):
    """Raised when tenant data is touched while no tenant is bound."""


def current_tenant_id() -> UUID:
    """Return the bound tenant's id.

    Raises TenantNotSet outside `tenant_context`.
    """
    tenant_id = _tenant_id.get()
    if tenant_id is None:
        raise TenantNotSet("No tenant is bound. Wrap this code in tenant_context(tenant_id).")
    return tenant_id


class Limits(NamedTuple):
    """How long, in seconds, a statement may take, wait for a lock, and a transaction may stand idle."""

    statement: int
    lock: int
    idle: int


# Who waits for an answer has gone long before; a payment gateway asks again after 20 to 30 seconds.
REQUEST = Limits(statement=20, lock=10, idle=60)
# A billing run of a million lines plans in batches of seconds each. One that hangs gives its rows back.
JOB = Limits(statement=3600, lock=300, idle=600)


@contextmanager
def tenant_context(tenant_id: UUID, *, limits: Limits | None = None) -> Iterator[None]:
    """Act for one tenant: one transaction in which row-level security shows that tenant's rows only.

    Contexts nest; the outer tenant is bound again when the inner one ends. The settings are
    transaction-local, so a pooled connection can never carry them to its next user. `limits` count for the
    outermost context.
    """
    outer = _tenant_id.get()
    outermost = not connection.in_atomic_block
    with transaction.atomic():
        if outermost and limits is not None:
            _bind_within(tenant_id, limits)
        else:
            _bind(tenant_id)
        token = _tenant_id.set(tenant_id)
        try:
            yield
        finally:
            _tenant_id.reset(token)
            # The end of the transaction ends the setting; only within one must the outer tenant come back. In
            # a failed one no statement runs, and the rollback restores the setting by itself.
            if not outermost and not connection.needs_rollback and _usable():
                _bind(outer)


def _usable() -> bool:
    raw = connection.connection
    return raw is not None and not raw.closed and raw.info.transaction_status.name == "INTRANS"


def _bind_within(tenant_id: UUID, limits: Limits) -> None:
    """Bind a tenant and set the limits in the same round trip."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('app.tenant_id', %s, true), set_config('statement_timeout', %s, true), "
            "set_config('lock_timeout', %s, true), "
            "set_config('idle_in_transaction_session_timeout', %s, true)",
            [str(tenant_id), *(f"{seconds}s" for seconds in limits)],
        )


def _bind(tenant_id: UUID | None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('app.tenant_id', %s, true)", [str(tenant_id) if tenant_id else ""])
