"""Bits per second from two counts of bytes."""

from dataclasses import dataclass
from datetime import datetime

# No PON port and no ONU carries more; what a cleared counter would come to lies far above (25GS-PON: 25 Gb/s).
FASTEST_BPS = 100_000_000_000


@dataclass(frozen=True, slots=True)
class Count:
    """A counter's value and when it was read."""

    value: int | None
    at: datetime | None


def bits_per_second(
    before: Count, now: Count, *, width: int = 64, uptime_seconds: int | None = None
) -> int | None:
    """Return the mean rate between two counts, None where they do not tell one.

    A counter that stands lower than before has wrapped once (RFC 2578, 7.1.6 and 7.1.10: at 2^32 or 2^64), unless
    the device started between the counts, which its sysUpTime tells, or the result is faster than any line: then
    it was cleared. A Counter32 that wraps twice between two counts cannot be told from one that wrapped once.
    """
    if before.value is None or before.at is None or now.value is None or now.at is None:
        return None
    seconds = (now.at - before.at).total_seconds()
    if seconds <= 0 or (uptime_seconds is not None and uptime_seconds < seconds):
        return None
    rate = (now.value - before.value) % 2**width * 8 / seconds
    return round(rate) if rate <= FASTEST_BPS else None
