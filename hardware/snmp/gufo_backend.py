"""SNMP v2c reads through gufo_snmp's compiled client, with every doubt settled by the careful transport.

gufo 0.13 neither repeats requests, nor looks at the error-status, nor checks that OIDs increase, and its
blocking calls wait a full timeout again after every stray datagram. So its socket is driven here with our own
deadline, and wherever an answer is missing or ambiguous the walk goes on from the last row through
`PysnmpTransport`.
"""

import contextlib
import select
import time
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Self, TypeVar, cast

from gufo.snmp import SnmpError as GufoError
from gufo.snmp._fast import GetIter, SnmpV2cClientSocket

from hardware.snmp.errors import SnmpError
from hardware.snmp.pysnmp_backend import PysnmpTransport
from hardware.snmp.stepping import check_increasing
from hardware.snmp.transport import Target, Value, resolve

Answer = TypeVar("Answer")


class _NoAnswerError(Exception):
    """gufo got nothing, or something it could not read, before the deadline."""


class GufoTransport:
    """Read through gufo_snmp and write through pysnmp."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self._careful = PysnmpTransport(target)
        _, address = resolve(target)
        host = f"[{address}]" if ":" in address else address
        try:
            # A timeout of 0 makes the socket non-blocking; the waiting is done in `_wait`.
            self._socket: SnmpV2cClientSocket | None = SnmpV2cClientSocket(
                f"{host}:{target.port}", target.community, 0, 0, 0, 0
            )
        except (OSError, GufoError, ValueError) as error:
            self._careful.close()
            raise SnmpError(f"{target.host}:{target.port} cannot be reached: {error}") from error
        self._readable = select.poll()
        self._readable.register(self._socket.get_fd(), select.POLLIN)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._socket = None  # gufo closes its socket when the object goes.
        self._careful.close()

    def set(self, pairs: Sequence[tuple[str, Value]]) -> None:
        self._careful.set(pairs)

    def get(self, oids: Sequence[str]) -> dict[str, Value | None]:
        found: dict[str, Value | None] = dict.fromkeys(oids)
        chunk = self.target.max_repetitions
        for start in range(0, len(oids), chunk):
            asked = list(oids[start : start + chunk])
            lost = 0
            try:
                answer = self._get(asked)
            except _NoAnswerError:
                answer, lost = {}, 1
            # gufo leaves out what does not exist, and everything when there is an error-status: ask again.
            doubtful = [oid for oid in asked if oid not in answer]
            found.update((oid, answer[oid]) for oid in asked if oid in answer)
            if doubtful:
                found.update(self._careful.get(doubtful, lost=lost))
        return found

    def walk(self, column: str, *, patience: float = 1.0) -> Iterator[tuple[str, Value]]:
        size = self._careful.pace.size
        if size == 1:  # A device that cannot bear GETBULK.
            yield from self._careful.walk(column, patience=patience)
            return
        after = ""
        lost = 0
        skip = len(column) + 1
        step = GetIter(column, size)
        timeout = self.target.timeout_seconds * patience
        while True:
            try:
                answer = self._get_bulk(step, timeout)
            except _NoAnswerError:
                lost = 1
                break
            if not answer:
                break
            self._careful.pace.answered()
            ended = answer[-1] is None
            rows = [(row[0][skip:], row[1]) for row in answer if row is not None]
            if rows:
                check_increasing(after, [row[0] for row in rows])
                after = rows[-1][0]
                yield from cast("list[tuple[str, Value]]", rows)
            if ended:  # A variable of the next column was seen: this one is over.
                return
        # No rows can mean the end of the MIB, an error-status or a lost answer, and gufo does not say which.
        yield from self._careful.resume_walk(column, after=after, patience=patience, lost=lost)

    def _get(self, oids: list[str]) -> dict[str, Value]:
        sock = self._open_socket()
        _guarded(lambda: sock.send_get_many(oids))
        deadline = time.monotonic() + self.target.timeout_seconds
        return cast("dict[str, Value]", self._receive(sock.recv_get_many, deadline))

    def _get_bulk(self, step: GetIter, timeout_seconds: float) -> list[tuple[str, object] | None]:
        """Return the next rows; a trailing None is the column's end, an empty list that gufo cannot tell."""
        sock = self._open_socket()
        _guarded(lambda: sock.send_get_bulk(step))
        deadline = time.monotonic() + timeout_seconds
        try:
            return cast(
                "list[tuple[str, object] | None]", self._receive(lambda: sock.recv_get_bulk(step), deadline)
            )
        except StopAsyncIteration:
            return []

    def _receive(self, receive: Callable[[], Answer], deadline: float) -> Answer:
        while True:
            self._wait(deadline)
            # BlockingIOError: what arrived was the answer to another request.
            with contextlib.suppress(BlockingIOError):
                return _guarded(receive)

    def _wait(self, deadline: float) -> None:
        left = deadline - time.monotonic()
        if left <= 0 or not self._readable.poll(left * 1000):
            raise _NoAnswerError

    def _open_socket(self) -> SnmpV2cClientSocket:
        if self._socket is None:
            raise SnmpError("the transport is closed")
        return self._socket


def _guarded(act: Callable[[], Answer]) -> Answer:
    """Turn whatever gufo raises for a device's fault into one error.

    Cut-off BER makes it panic, and a panic is no Exception: left alone, it would take the worker down. Its
    state stays usable, which a test with mutilated answers checks.
    """
    try:
        return act()
    except (BlockingIOError, StopAsyncIteration):
        raise
    except (OSError, GufoError, RuntimeError) as error:
        raise _NoAnswerError from error
    except BaseException as error:
        if type(error).__module__ != "pyo3_runtime":
            raise
        raise _NoAnswerError from error
