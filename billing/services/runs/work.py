"""Who does a run's work: a job's worker, or whoever calls, in the transaction that is open."""

from contextlib import AbstractContextManager
from typing import Protocol
from uuid import UUID

from django.db import transaction

from billing.models import BillingRun


class Work(Protocol):
    """What a run needs of its worker; `ispcore.jobs.services.Run` is one."""

    user_id: UUID | None

    def tenant(self) -> AbstractContextManager[None]: ...

    def progress(self, done: int, total: int, message: str = "") -> None: ...

    def hold(self) -> None: ...


class Inline:
    """Work done by the caller for the bound tenant, without a job."""

    user_id: UUID | None = None

    def tenant(self) -> AbstractContextManager[None]:
        return transaction.atomic()

    def progress(self, done: int, total: int, message: str = "") -> None:
        """Nobody looks."""

    def hold(self) -> None:
        """The run's own row is lock enough."""


def lock_run(run_id: UUID) -> BillingRun:
    """Return the run, locked: whoever works at it or decides about it takes turns."""
    found: BillingRun = BillingRun.objects.select_for_update(of=("self",)).get(pk=run_id)
    return found
