"""One reader per OLT: its polling row is claimed by compare-and-set before the first packet leaves.

Polls, discoveries and live reads share the claim, so that a device never has two requests of ours in flight. A
claim ends when it is given back, or by itself when its holder stops saying that it lives.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Q
from django.db.models.functions import Now

from hardware.models import OltPolling
from ispcore.errors import RetryableError
from ispcore.tenants.fields import new_id

LEASE = timedelta(seconds=90)  # Longer than any pause between two heartbeats: an OLT's worst one is 60 s.
HEARTBEAT_EVERY_SECONDS = 10.0
LOOK_AGAIN_SECONDS = 0.25

# Opens a transaction for the tenant; a job's stamps history with who asked for it.
Tenant = Callable[[], AbstractContextManager[None]]


class DeviceBusy(RetryableError):
    code = "device_busy"
    message = "{name} is being read by another run, and takes one at a time. Try again shortly."


class ClaimLost(Exception):
    """The claim ran out and is somebody else's, or nobody's: stop and store nothing."""


class Claim:
    """The hold on one OLT; valid for `LEASE` after it was last kept."""

    def __init__(self, *, olt_id: UUID, token: UUID, tenant: Tenant) -> None:
        self.olt_id = olt_id
        self.token = token
        self._tenant = tenant
        self._last_beat = time.monotonic()

    def keep(self, *_: Any) -> None:
        """Say that the holder lives, every ten seconds at most; serves as a driver's progress hook.

        Raises ClaimLost.
        """
        now = time.monotonic()
        if now - self._last_beat < HEARTBEAT_EVERY_SECONDS:
            return
        self._last_beat = now
        with self._tenant():
            if not self._mine().update(claimed_until=Now() + LEASE):
                raise ClaimLost

    def hold(self) -> None:
        """Lock the row inside the caller's transaction, so that what it commits is the holder's work.

        Raises ClaimLost.
        """
        if not self._mine().select_for_update(of=("self",)).exists():
            raise ClaimLost

    def give_back(self) -> None:
        with self._tenant():
            self._mine().update(claim_token=None, claimed_until=None)

    def _mine(self) -> Any:
        return OltPolling.objects.filter(olt=self.olt_id, claim_token=self.token)


def ensure_polling(*, olt_id: UUID, at: datetime, optics_due_at: datetime) -> None:
    """Make the OLT's polling row unless it is there; its first poll is due at once, its optics when told."""
    row = OltPolling(olt_id=olt_id, status_due_at=at, optics_due_at=optics_due_at, inventory_due_at=at)
    OltPolling.objects.bulk_create([row], ignore_conflicts=True)


def take(*, olt_id: UUID, tenant: Tenant, when: Q | None = None) -> Claim | None:
    """Claim the OLT if nobody holds it and `when` is true of its polling row; None otherwise.

    Runs in the caller's transaction.
    """
    token = new_id()
    free = Q(claimed_until=None) | Q(claimed_until__lt=Now())
    claimed = OltPolling.objects.filter(free, when or Q(), olt=olt_id).update(
        claim_token=token, claimed_until=Now() + LEASE
    )
    return Claim(olt_id=olt_id, token=token, tenant=tenant) if claimed else None


@contextmanager
def claimed(
    *, olt_id: UUID, name: str, at: datetime, wait_seconds: float, tenant: Tenant, on_wait: Callable[[], None]
) -> Iterator[Claim]:
    """Hold the OLT for a block, once whoever holds it gives it back; `on_wait` is called while waiting.

    Opens its own short transactions through `tenant`. Raises DeviceBusy after `wait_seconds`, and when the claim
    was lost in the block.
    """
    until = time.monotonic() + wait_seconds
    while True:
        with tenant():
            ensure_polling(olt_id=olt_id, at=at, optics_due_at=at)
            claim = take(olt_id=olt_id, tenant=tenant)
        if claim:
            break
        if time.monotonic() >= until:
            raise DeviceBusy(name=name)
        on_wait()
        time.sleep(LOOK_AGAIN_SECONDS)
    try:
        yield claim
    except ClaimLost as error:
        raise DeviceBusy(name=name) from error
    finally:
        claim.give_back()
