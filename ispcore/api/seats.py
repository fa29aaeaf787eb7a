"""How many requests of one tenant a web process serves at once: what floods has threads left for the others.

Each process counts its own in memory, because asking anybody else would cost every request a round trip.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from uuid import UUID

from django.conf import settings

from ispcore.api.errors import ApiError

RETRY_AFTER_SECONDS = 1
MESSAGE = "{seats} requests of this tenant are being answered already. Send fewer at once."

_taken: Counter[tuple[UUID, bool]] = Counter()
_lock = Lock()


class NoSeat(ApiError):
    """All seats of a tenant are taken in this process."""

    def __init__(self, seats: int) -> None:
        super().__init__(429, "rate_limited", MESSAGE.format(seats=seats), wait=RETRY_AFTER_SECONDS)


@contextmanager
def seat(tenant_id: UUID, *, waiting: bool = False) -> Iterator[None]:
    """Serve one request of a tenant, or let it wait for a job: for that there are half as many seats more.

    Raises NoSeat where the tenant has as many under way as it may.
    """
    most = settings.REQUESTS_PER_TENANT
    key, seats = (tenant_id, waiting), (most + 1) // 2 if waiting else most
    with _lock:
        if 0 < seats <= _taken[key]:
            raise NoSeat(seats)
        _taken[key] += 1
    try:
        yield
    finally:
        with _lock:
            _taken[key] -= 1
            if not _taken[key]:
                del _taken[key]
