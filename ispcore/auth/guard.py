"""A limit on refused credentials per address, in front of everything that checks them."""

import threading
import time
from collections import OrderedDict
from typing import Any

from redis.exceptions import RedisError
from rest_framework.exceptions import Throttled

from ispcore.api.errors import ApiError
from ispcore.api.throttles import GcraLimit, address_group
from ispcore.auth.authenticate import authenticate
from ispcore.auth.principal import Principal

# No program sends so many wrong credentials a minute by mistake, and nobody finds one of 256 bits so.
REFUSALS_LIMIT = GcraLimit(rate=60, period=60)
REMEMBERED = 2048


class _Memory:
    """What this process knows without asking: addresses to refuse, and credentials that were good lately.

    Costs an accepted call one look into a dictionary; Redis is asked about refused ones alone.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._closed_until: OrderedDict[str, float] = OrderedDict()
        self._good: OrderedDict[int, None] = OrderedDict()  # By hash: no credential lies here.

    def wait_of(self, group: str, header: str) -> int:
        """Return for how many seconds an address may not try; one broken program stops no other beside it."""
        until = self._closed_until.get(group)
        if until is None or hash(header) in self._good:
            return 0
        return max(0, round(until - time.monotonic() + 0.5))

    def close(self, group: str, seconds: int) -> None:
        with self._lock:
            self._closed_until[group] = time.monotonic() + seconds
            _trim(self._closed_until)

    def note_good(self, header: str) -> None:
        if hash(header) not in self._good:
            with self._lock:
                self._good[hash(header)] = None
                _trim(self._good)

    def note_refused(self, header: str) -> None:
        with self._lock:
            self._good.pop(hash(header), None)

    def clear(self) -> None:
        with self._lock:
            self._closed_until.clear()
            self._good.clear()


def _trim(remembered: "OrderedDict[Any, Any]") -> None:
    while len(remembered) > REMEMBERED:
        remembered.popitem(last=False)


memory = _Memory()


def authenticate_carefully(header: str, *, ip: str | None) -> Principal:
    """Check a credential, unless too many from this address were refused lately.

    Raises Throttled (429), and what `authenticate` raises. While Redis is away nothing is counted: a lost limiter
    must not become a lost service.
    """
    group = address_group(ip)
    if wait := memory.wait_of(group, header):
        raise Throttled(wait=wait, detail="Too many refused credentials from this address.")
    try:
        principal = authenticate(header, ip=ip)
    except ApiError as refusal:
        if refusal.status_code == 401:
            memory.note_refused(header)
            _count(group)
        raise
    memory.note_good(header)
    return principal


def _count(group: str) -> None:
    try:
        taken = REFUSALS_LIMIT.take(f"auth:refused:{group}")
    except RedisError:
        return
    if taken.remaining == 0:
        memory.close(group, max(1, taken.retry_after_seconds))
