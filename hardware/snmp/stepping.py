"""Walking, repeating and slowing down on top of single exchanges, for the backends that offer only those."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Self, TypeVar

from hardware.snmp.errors import SnmpBadAnswer, SnmpError, SnmpNonIncreasing, SnmpRefused, SnmpTimeout
from hardware.snmp.transport import Binding, Target, Value

Answer = TypeVar("Answer")

# Answers in a row after which a reduced size is doubled again.
CLEAN_ANSWERS_TO_GROW = 16


class Pace:
    """How many rows to ask for at once: halves on a lost answer, grows back when answers keep coming.

    A size that is lost right after growing sets the limit: then the size was the reason, not the line.
    """

    def __init__(self, limit: int) -> None:
        self.size = limit
        self._limit = limit
        self._clean = 0
        self._just_grown = False

    def lost(self, *, last_try: bool = False) -> None:
        """Halve; before the last try go down to single rows, which are asked by GETNEXT."""
        self.size = 1 if last_try else max(1, self.size // 2)
        if self._just_grown:
            self._limit = self.size
        self._clean = 0
        self._just_grown = False

    def answered(self) -> None:
        self._clean += 1
        self._just_grown = False
        if self.size < self._limit and self._clean >= CLEAN_ANSWERS_TO_GROW:
            self.size = min(self._limit, self.size * 2)
            self._clean = 0
            self._just_grown = True


def check_increasing(previous: str, indexes: Sequence[str]) -> None:
    """Refuse indexes that do not come strictly after each other and after `previous` ("" for none).

    Raises SnmpNonIncreasing.
    """
    head, _, tail = previous.rpartition(".")
    last = int(tail) if tail else -1
    for index in indexes:
        index_head, _, tail = index.rpartition(".")
        number = int(tail)
        # Most neighbours differ only in the last number; only the others pay for the full comparison.
        if (index_head != head or number <= last) and previous and _arcs(index) <= _arcs(previous):
            raise SnmpNonIncreasing(f"OID not increasing: index {index} came after {previous}")
        head, last, previous = index_head, number, index


def _arcs(index: str) -> tuple[int, ...]:
    return tuple(map(int, index.split(".")))


class SteppingTransport(ABC):
    """A transport made of single exchanges; a subclass supplies three of them."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.pace = Pace(target.max_repetitions if target.version == "2c" else 1)

    @abstractmethod
    def _get_once(self, oids: Sequence[str], timeout_seconds: float) -> list[Binding]:
        """Send one GET. Raises SnmpTimeout, SnmpBadAnswer, SnmpRefused."""

    @abstractmethod
    def _next_once(self, oid: str, rows: int, timeout_seconds: float) -> list[Binding]:
        """Send one GETBULK, or GETNEXT for a single row; a value of None is the end of the MIB."""

    @abstractmethod
    def set(self, pairs: Sequence[tuple[str, Value]]) -> None: ...

    @abstractmethod
    def close(self) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def get(self, oids: Sequence[str], *, lost: int = 0) -> dict[str, Value | None]:
        """Read instances; `lost` tries of the first request are spent."""
        found: dict[str, Value | None] = dict.fromkeys(oids)
        chunk = self.target.max_repetitions
        for start in range(0, len(oids), chunk):
            found.update(self._get_chunk(oids[start : start + chunk], lost))
            lost = 0
        return found

    def _get_chunk(self, oids: Sequence[str], lost: int = 0) -> dict[str, Value | None]:
        try:
            answer = self._repeat(lambda: self._get_once(oids, self.target.timeout_seconds), lost)
        except SnmpRefused as refusal:
            if refusal.status != "tooBig" or len(oids) == 1:
                raise
            half = len(oids) // 2
            return self._get_chunk(oids[:half]) | self._get_chunk(oids[half:])
        # A device may not answer a question nobody asked.
        asked = set(oids)
        return {oid: value for oid, value in answer if oid in asked}

    def walk(self, column: str, *, patience: float = 1.0) -> Iterator[tuple[str, Value]]:
        return self.resume_walk(column, patience=patience)

    def resume_walk(
        self, column: str, *, after: str = "", patience: float = 1.0, lost: int = 0
    ) -> Iterator[tuple[str, Value]]:
        """Walk the rest of a column after the index `after`; `lost` tries of its first request are spent."""
        prefix = column + "."
        timeout = self.target.timeout_seconds * patience
        while True:
            asked = prefix + after if after else column
            answer = self._ask_next(asked, timeout, lost)
            if not answer:
                raise SnmpBadAnswer(f"{self.target.host}:{self.target.port} answered a walk with no variable")
            lost = 0
            rows = [
                (oid[len(prefix) :], value)
                for oid, value in answer
                if value is not None and oid.startswith(prefix)
            ]
            check_increasing(after, [index for index, _ in rows])
            yield from rows
            if len(rows) < len(answer):
                return
            after = rows[-1][0]

    def _ask_next(self, oid: str, timeout_seconds: float, lost: int) -> list[Binding]:
        while True:
            try:
                return self._repeat(lambda: self._next_once(oid, self.pace.size, timeout_seconds), lost)
            except SnmpRefused as refusal:
                # RFC 3416, 4.2.3: an agent that cannot fit all rows should send fewer; some say tooBig.
                if refusal.status != "tooBig" or self.pace.size == 1:
                    raise
                self.pace.lost()

    def _repeat(self, ask: Callable[[], Answer], lost: int = 0) -> Answer:
        """Ask until an answer comes or the tries are spent; a smaller answer is asked for after each loss."""
        tries = self.target.tries
        failure: SnmpError = SnmpTimeout(self.target.host, self.target.port, tries)
        while lost < tries:
            if lost:
                self.pace.lost(last_try=lost == tries - 1)
            try:
                answer = ask()
            except SnmpTimeout:
                lost += 1
            except SnmpBadAnswer as bad:
                lost, failure = lost + 1, bad
            else:
                self.pace.answered()
                return answer
        raise failure
