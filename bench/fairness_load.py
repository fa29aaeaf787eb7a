"""Who asks: quiet callers that come on time whatever the answers take, and a flood that asks all it can.

Nothing here knows Django: the flood runs in a process of its own.
"""

import http.client
import itertools
import json
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

API = "/api/v1"
ANSWER_SECONDS = 60
CALLERS = 32  # So many quiet requests may be under way at once.
NICE = 19
REFUSED_BY_SEATS = b"requests of this tenant are being answered already"
NOT_ANSWERED = 0


class Wanted(NamedTuple):
    """One request: of whom, what it is called, and what goes over the wire."""

    token: str
    kind: str
    verb: str
    path: str
    body: Any = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request got: `seconds` are from when it was due until its last byte; status 0 is no answer."""

    kind: str
    status: int
    seconds: float


class Caller:
    """One kept connection."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._connection = http.client.HTTPConnection(*address, timeout=ANSWER_SECONDS)

    def ask(self, wanted: Wanted) -> tuple[int, float, bytes]:
        """Return status, `Retry-After` in seconds and body; status 0 where none came."""
        headers = {"Authorization": f"Bearer {wanted.token}", "Prefer": "wait=0"}
        body = None
        if wanted.body is not None:
            headers["Content-Type"], body = "application/json", json.dumps(wanted.body)
        for _ in range(2):  # A kept connection may have been closed meanwhile: then once more on a new one.
            try:
                self._connection.request(wanted.verb, API + wanted.path, body, headers)
                response = self._connection.getresponse()
                content = response.read()
            except ConnectionError:
                self._connection.close()
            except (OSError, http.client.HTTPException):
                self._connection.close()
                break
            else:
                return response.status, float(response.headers.get("Retry-After", 0)), content
        return NOT_ANSWERED, 1.0, b""

    def close(self) -> None:
        self._connection.close()


def ask_on_time(
    address: tuple[str, int], wanted: Callable[[int], Wanted], *, per_second: float, seconds: float
) -> list[Answer]:
    """Ask for `wanted(0)`, `wanted(1)` … each at its time, whether or not those before were answered."""
    answers: list[Answer] = []
    own, callers = threading.local(), []

    def ask(number: int, due: float) -> None:
        if not hasattr(own, "caller"):
            own.caller = Caller(address)
            callers.append(own.caller)
        request = wanted(number)
        status, _, _ = own.caller.ask(request)
        answers.append(Answer(request.kind, status, time.perf_counter() - due))

    began = time.perf_counter()
    with ThreadPoolExecutor(CALLERS) as pool:
        for number in range(int(seconds * per_second)):
            due = began + number / per_second
            time.sleep(max(0.0, due - time.perf_counter()))
            pool.submit(ask, number, due)
    for caller in callers:
        caller.close()
    return answers


def flood(
    address: tuple[str, int], wanted: Sequence[Wanted], *, connections: int, ending: threading.Event
) -> Counter[str]:
    """Ask on so many connections at once until told to end; every second one waits as long as it is told to.

    Returns how many answers there were of each kind: the status, and of a 429 which limit it was.
    """
    outcomes: Counter[str] = Counter()
    lock = threading.Lock()
    turn = itertools.cycle(wanted)

    def ask(is_polite: bool) -> None:
        caller = Caller(address)
        while not ending.is_set():
            with lock:
                request = next(turn)
            status, retry_after, content = caller.ask(request)
            with lock:
                outcomes[name_of(status, content)] += 1
            if is_polite and retry_after:
                ending.wait(retry_after)
        caller.close()

    threads = [threading.Thread(target=ask, args=(n % 2 == 0,)) for n in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


def name_of(status: int, content: bytes) -> str:
    if status == 429:
        return "429 too many at once" if REFUSED_BY_SEATS in content else "429 too often"
    return str(status) if status else "no answer"


def flood_alone(
    pipe: Connection, address: tuple[str, int], wanted: Sequence[Wanted], connections: int
) -> None:
    """Flood in this process, the least important one of the machine, until the pipe says so; send what came."""
    os.nice(NICE)
    ending = threading.Event()

    def end_when_told() -> None:
        pipe.recv()
        ending.set()

    threading.Thread(target=end_when_told, daemon=True).start()
    pipe.send("begun")
    pipe.send(flood(address, wanted, connections=connections, ending=ending))
