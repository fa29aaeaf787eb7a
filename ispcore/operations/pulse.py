"""Signs of life of what has no web server: each Celery worker, the clock that sends what is due, and the backup.

They are written to Redis by the processes themselves, at most every ten seconds, and read when Prometheus asks. Only
times and names of queues are written; nothing is lost with them.
"""

import json
import time
from typing import Any

from ispcore.redis import client

EVERY_SECONDS = 10.0
# A worker that said nothing for so long is gone, however its end came.
ALIVE_SECONDS = 60.0
FORGOTTEN_SECONDS = 7 * 24 * 3600.0
WORKERS_KEY = "pulse:workers"  # A hash: the worker's name to its queues and the time.
CLOCK_KEY = "pulse:clock"
BACKUP_KEY = "pulse:backup"

_written: dict[str, float] = {}


def note_worker(*, name: str, queues: list[str]) -> None:
    """Write that a worker lives, at most every ten seconds; called from its own loop."""
    if _is_due(name):
        client().hset(WORKERS_KEY, name, json.dumps({"queues": sorted(queues), "at": time.time()}))


def note_clock() -> None:
    """Write that the clock sent something that was due, at most every ten seconds."""
    if _is_due(CLOCK_KEY):
        client().set(CLOCK_KEY, repr(time.time()))


def note_backup() -> None:
    """Write that a whole backup was taken."""
    client().set(BACKUP_KEY, repr(time.time()))


def workers_by_queue(*, at: float) -> dict[str, int]:
    """Count the workers that live for each queue anybody served within a week; forget older ones."""
    found: dict[str, int] = {}
    for name, text in _hash(WORKERS_KEY).items():
        sign = json.loads(text)
        age = at - sign["at"]
        if age > FORGOTTEN_SECONDS:
            client().hdel(WORKERS_KEY, name)
            continue
        for queue in sign["queues"]:
            found[queue] = found.get(queue, 0) + (age <= ALIVE_SECONDS)
    return found


def clock_sent_at() -> float | None:
    """Return when the clock last sent something, as seconds since 1970; None: never."""
    return _time(CLOCK_KEY)


def backup_taken_at() -> float | None:
    """Return when a backup was last taken, as seconds since 1970; None: never, or Redis was emptied since."""
    return _time(BACKUP_KEY)


def _time(key: str) -> float | None:
    text: Any = client().get(key)
    return float(text) if text else None


def _hash(key: str) -> dict[str, str]:
    found: Any = client().hgetall(key)
    return dict(found)


def _is_due(what: str) -> bool:
    now = time.monotonic()
    if now - _written.get(what, -EVERY_SECONDS) < EVERY_SECONDS:
        return False
    _written[what] = now
    return True
