"""Whether the machines agree on what time it is."""

import time
from collections.abc import Callable

from ispcore.operations.checks.database import fetch
from ispcore.operations.checks.finding import Finding, error, ok
from ispcore.redis import client

MOST_SECONDS = 1.0


def check_clocks() -> list[Finding]:
    """Find a server whose clock is more than a second from this machine's.

    Bills, bars and the ends of sessions are told by all three. The answer's way is taken out: only what lies outside
    of the time between question and answer counts.
    """
    offsets = {"PostgreSQL": _offset(_postgresql_time), "the broker": _offset(_broker_time)}
    return [
        error(
            f"The clock of {name} is {abs(seconds):.1f} s {'ahead of' if seconds > 0 else 'behind'} this machine's.",
            "Run chrony or systemd-timesyncd on both machines.",
        )
        for name, seconds in offsets.items()
        if abs(seconds) > MOST_SECONDS
    ] or [ok("PostgreSQL, the broker and this machine agree within a second")]


def _offset(ask: Callable[[], float]) -> float:
    """Return how many seconds ahead the other clock is at the least."""
    before = time.time()
    there = ask()
    after = time.time()
    return there - after if there > after else min(there - before, 0.0)


def _postgresql_time() -> float:
    return float(fetch("SELECT extract(epoch FROM clock_timestamp())")[0][0])


def _broker_time() -> float:
    seconds, microseconds = client().time()
    return float(seconds) + float(microseconds) / 1e6
