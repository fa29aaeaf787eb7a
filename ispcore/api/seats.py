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

_taken: Counter[UUID] = Counter()
_lock = Lock()


class NoSeat(ApiError):
    """All seats of a tenant are taken in this process."""

    def __init__(self, seats: int) -> None:
        super().__init__(429, "rate_limited", MESSAGE.format(seats=seats), wait=RETRY_AFTER_SECONDS)


@contextmanager
def seat(tenant_id: UUID) -> Iterator[None]:
    """Serve one request of a tenant. Raises NoSeat where it has as many under way as it may."""
    with _lock:
        if 0 < settings.REQUESTS_PER_TENANT <= _taken[tenant_id]:
            raise NoSeat(_taken[tenant_id])
        _taken[tenant_id] += 1
    try:
        yield
    finally:
        with _lock:
            _taken[tenant_id] -= 1
            if not _taken[tenant_id]:
                del _taken[tenant_id]
