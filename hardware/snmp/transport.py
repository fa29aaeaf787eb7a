"""The one interface every driver reads through, whichever library carries it."""

import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Protocol, Self

from hardware.snmp.errors import SnmpError

# What a variable holds: int for every integer, counter, gauge and tick; bytes for every octet string,
# never decoded here; str for an OBJECT IDENTIFIER or an IpAddress, in dotted form without a leading dot.
Value = int | bytes | str
Binding = tuple[str, Value | None]


@dataclass(frozen=True, slots=True)
class Target:
    """Where an agent listens and how patient to be with it.

    `retries` come after the first try. `max_repetitions` is how many rows one answer may carry: 25 serials of
    36 bytes still fit one unfragmented datagram, and several OLTs lose or hang on more.
    """

    host: str
    port: int = 161
    community: str = field(default="public", repr=False)
    version: str = "2c"  # or "1"
    timeout_seconds: float = 5.0
    retries: int = 2
    max_repetitions: int = 25

    def __post_init__(self) -> None:
        # max-repetitions 0 asks for nothing (RFC 3416, 4.2.3) and is known to hang a ZTE C300.
        if self.max_repetitions < 1 or self.retries < 0 or self.timeout_seconds <= 0:
            raise ValueError("max_repetitions must be 1 or more, retries 0 or more, timeout_seconds above 0")
        if self.version not in ("1", "2c"):
            raise ValueError(f"SNMP version {self.version} is not spoken here, only 1 and 2c")

    @property
    def tries(self) -> int:
        """Count the first try too."""
        return self.retries + 1


class Transport(Protocol):
    """Read and write one agent; blocking, one request in flight, for use by one thread at a time."""

    target: Target

    def get(self, oids: Sequence[str]) -> dict[str, Value | None]:
        """Read single instances; one that does not exist is None.

        Raises SnmpTimeout, SnmpBadAnswer, SnmpRefused.
        """
        ...

    def walk(self, column: str, *, patience: float = 1.0) -> Iterator[tuple[str, Value]]:
        """Yield (index, value) of one column in order, in constant memory.

        The index is the part of the OID after `column`, as dotted text. The walk ends normally only where the
        device showed the end of the column; every other ending raises, after the rows that did arrive.
        `patience` multiplies the timeout, for columns the device itself must fetch from far away.

        Raises SnmpTimeout, SnmpBadAnswer, SnmpNonIncreasing, SnmpRefused.
        """
        ...

    def set(self, pairs: Sequence[tuple[str, Value]]) -> None:
        """Write all pairs in one PDU, which the device applies together or not at all.

        Sent once: a repeated createAndGo or reboot is not the same as one. After SnmpTimeout the outcome is
        unknown and has to be read back.

        Raises SnmpTimeout, SnmpBadAnswer, SnmpRefused.
        """
        ...

    def close(self) -> None:
        """Free the socket; safe to repeat."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def resolve(target: Target) -> tuple[socket.AddressFamily, str]:
    """Return the address family and numeric address of `target.host`.

    Raises SnmpError for a name that has no address.
    """
    try:
        found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError) as error:
        raise SnmpError(f"{target.host} has no address: {error}") from error
    family, _, _, _, address = found[0]
    return family, str(address[0])
