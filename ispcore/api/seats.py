"""How many requests of one tenant a web process serves at once: what floods has threads left for the others.

While several tenants ask, a quarter of a tenant's seats is worked on at a time and its next requests wait for their
turn, so that who asks for a hundred things at once takes little more of the processor than who asks for one. Who asks
alone has all seats. Each process counts its own in memory, because asking anybody else would cost every request
a round trip.
"""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition
from typing import Any
from uuid import UUID

from django.conf import settings

from ispcore.api.errors import ApiError

RETRY_AFTER_SECONDS = 1
MESSAGE = "{seats} requests of this tenant are being answered already. Send fewer at once."
# While others ask, this part of its seats is worked on at a time.
CROWDED_SHARE = 4
# A tenant that asked for something so lately is one of several that ask.
LATELY_SECONDS = 1.0
# Longer than this nobody waits for a turn: what goes before takes too long.
MOST_WAIT_SECONDS = 15.0

_taken: Counter[tuple[UUID, bool]] = Counter()
_working: Counter[UUID] = Counter()
_asked: dict[UUID, float] = {}
_turns = Condition()


class NoSeat(ApiError):
    """All seats of a tenant are taken in this process."""

    def __init__(self, seats: int) -> None:
        super().__init__(429, "rate_limited", MESSAGE.format(seats=seats), wait=RETRY_AFTER_SECONDS)


@contextmanager
def seat(tenant_id: UUID, *, waiting: bool = False) -> Iterator[None]:
    """Serve one request of a tenant, or let it wait for a job: for that there are half as many seats more.

    Raises NoSeat where the tenant has as many under way as it may, or none of them ended for too long.
    """
    most = settings.REQUESTS_PER_TENANT
    if not most:
        yield
        return
    key, seats = (tenant_id, waiting), (most + 1) // 2 if waiting else most
    with _turns:
        if _taken[key] >= seats:
            raise NoSeat(seats)
        _taken[key] += 1
    try:
        if waiting:
            yield
        else:
            with _turn(tenant_id, seats):
                yield
    finally:
        with _turns:
            _forget(_taken, key)


@contextmanager
def _turn(tenant_id: UUID, seats: int) -> Iterator[None]:
    """Work on a request when it is its tenant's turn."""
    until = time.monotonic() + MOST_WAIT_SECONDS
    at_once = max(1, seats // CROWDED_SHARE)
    with _turns:
        _asked[tenant_id] = time.monotonic()
        while _working[tenant_id] >= at_once and _others_ask(tenant_id):
            if time.monotonic() > until:
                raise NoSeat(seats)
            _turns.wait(LATELY_SECONDS)  # Others may stop asking meanwhile, of which nobody tells.
        _working[tenant_id] += 1
    try:
        yield
    finally:
        with _turns:
            _forget(_working, tenant_id)
            _turns.notify_all()


def _others_ask(tenant_id: UUID) -> bool:
    lately = time.monotonic() - LATELY_SECONDS
    for other in [other for other, at in _asked.items() if at < lately and not _working[other]]:
        del _asked[other]
    return any(other != tenant_id for other in _asked)


def _forget(counter: Counter[Any], key: Any) -> None:
    counter[key] -= 1
    if not counter[key]:
        del counter[key]
