"""A small load generator: keep-alive sockets in one process, so that a benchmark needs no other program.

It costs 20 to 40 us of CPU per request (the benchmark prints what it was), next to nothing beside answers
that take milliseconds, but half a core at 15,000 answers per second: read such figures as "at least".
"""

import itertools
import select
import socket
import statistics
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Load:
    """What one run measured: answers per second, milliseconds, answers by status, and the client's own CPU."""

    per_second: float
    p50: float
    p99: float
    statuses: Counter[int]
    body_bytes: int
    client_us: float


def request_bytes(
    path: str, *, host: str, headers: dict[str, str], verb: str = "GET", body: bytes = b""
) -> bytes:
    """Write a request as it goes over the wire."""
    lines = [f"{verb} {path} HTTP/1.1", f"Host: {host}", "Accept: */*"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


def run(address: tuple[str, int], requests: Iterable[bytes], *, connections: int, seconds: float) -> Load:
    """Keep each connection busy for `seconds`, taking the requests in turn.

    Raises ConnectionError when the server hangs up.
    """
    turn = itertools.cycle(requests)
    times: list[float] = []
    statuses: Counter[int] = Counter()
    size = 0
    waiting: dict[int, tuple[socket.socket, float]] = {}
    poll = select.epoll()
    try:
        for _ in range(connections):
            connection = socket.create_connection(address)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            poll.register(connection.fileno(), select.EPOLLIN)
            waiting[connection.fileno()] = (connection, 0.0)
        cpu, began = time.process_time(), time.perf_counter()
        end = began + seconds
        for number, (connection, _) in waiting.items():
            waiting[number] = (connection, time.perf_counter())
            connection.sendall(next(turn))
        busy = len(waiting)
        while busy:
            for number, _ in poll.poll():
                connection, sent = waiting[number]
                status, size = _read(connection)
                now = time.perf_counter()
                times.append(now - sent)
                statuses[status] += 1
                if now >= end:
                    busy -= 1
                    continue
                waiting[number] = (connection, time.perf_counter())
                connection.sendall(next(turn))
        wall, cpu = time.perf_counter() - began, time.process_time() - cpu
    finally:
        for connection, _ in waiting.values():
            connection.close()
        poll.close()
    cuts = statistics.quantiles(times, n=100, method="inclusive") if len(times) > 1 else times * 99
    return Load(
        len(times) / wall, cuts[49] * 1000, cuts[98] * 1000, statuses, size, cpu / len(times) * 1_000_000
    )


def _read(connection: socket.socket) -> tuple[int, int]:
    """Read one answer; return its status and the length of its body."""
    data = connection.recv(262_144)
    while (head := data.find(b"\r\n\r\n")) < 0:
        more = connection.recv(262_144)
        if not more:
            raise ConnectionError(f"the server hung up after {data[:200]!r}")
        data += more
    fields = data[:head].lower()
    at = fields.find(b"content-length: ")
    length = int(fields[at + 16 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
    left = head + 4 + length - len(data)
    while left > 0:
        more = connection.recv(min(left, 262_144))
        if not more:
            raise ConnectionError("the server hung up within an answer")
        left -= len(more)
    return int(data[9:12]), length
