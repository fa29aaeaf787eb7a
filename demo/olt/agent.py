"""One SNMP agent: a request datagram in, the answers out (RFC 3416, section 4.2; version 1 per RFC 1157)."""

import random
from collections.abc import Callable, Sequence
from itertools import zip_longest
from typing import Protocol

from demo.olt import ber
from demo.olt.faults import FAULT_OID, Fault, Reply, parse_fault
from demo.olt.mib import Mib

# What fits one Ethernet frame: 1500 - 20 (IP) - 8 (UDP). Real OLTs cut their answers there too.
LARGEST_ANSWER = 1472

TOO_BIG, NO_SUCH_NAME, GENERAL = 1, 2, 5
WRONG_TYPE, WRONG_LENGTH, WRONG_VALUE, NO_CREATION, INCONSISTENT = 7, 8, 10, 11, 12
NOT_WRITABLE = 17

Writes = list[tuple[str, int | bytes]]


class Device(Protocol):
    """The thing an agent speaks for."""

    mib: Mib

    def write(self, pairs: Writes) -> tuple[int, int]:
        """Apply all pairs or none; return error-status and the index of the bad pair from 1, or (0, 0)."""
        ...


class Agent:
    """Answer for one device under one community; anything under another community is dropped in silence."""

    def __init__(self, device: Device, *, community: str = "public", fault: str = "", seed: int = 1) -> None:
        self.device = device
        self.community = community.encode()
        self.requests = 0
        self._random = random.Random(seed)
        self._fault = Fault()
        self.fault = fault

    @property
    def fault(self) -> str:
        return self._fault.text

    @fault.setter
    def fault(self, text: str) -> None:
        """Misbehave as `text` says from the next request on; "" for an honest agent. Raises ValueError."""
        self._fault = parse_fault(text)

    def answer(self, datagram: bytes) -> Sequence[Reply]:
        """Return the datagrams to send back, with a delay in seconds before each."""
        try:
            request = ber.decode_request(datagram)
        except ber.BadMessageError:
            return ()
        if request.community != self.community or request.version not in (0, 1):
            return ()
        self.requests += 1
        if request.kind == ber.SET and request.keys == [ber.oid_key(FAULT_OID)]:
            return ((0.0, self._set_fault(request)),)
        if not self._fault.text:
            return ((0.0, self._respond(request)),)
        return self._fault.apply(request, self._respond, self.device.mib, self._random)

    def _set_fault(self, request: ber.Request) -> bytes:
        try:
            value = ber.decode_value(request.values[0])
            self.fault = value.decode() if isinstance(value, bytes) else ""
        except ValueError:
            return echo(request, WRONG_VALUE, 1)
        return echo(request, 0, 0)

    def _respond(self, request: ber.Request) -> bytes:
        if request.kind == ber.GET_BULK:
            return self._bulk(request)
        if request.kind == ber.GET:
            return self._single(request, self._get)
        if request.kind == ber.GET_NEXT:
            return self._single(request, self._next)
        return self._set(request)

    def _single(self, request: ber.Request, find: Callable[[bytes, bytes], tuple[bytes, bool]]) -> bytes:
        varbinds = []
        for position, (key, name) in enumerate(zip(request.keys, request.names, strict=True), start=1):
            varbind, found = find(key, name)
            if request.version == 0 and not found:
                return echo(request, NO_SUCH_NAME, position)
            varbinds.append(varbind)
        answer = respond(request, 0, 0, b"".join(varbinds))
        # RFC 3416, 4.2.1: a GET that does not fit is refused whole.
        return answer if len(answer) <= LARGEST_ANSWER else respond(request, TOO_BIG, 0, b"")

    def _get(self, key: bytes, name: bytes) -> tuple[bytes, bool]:
        varbind = self.device.mib.varbind(key)
        if varbind is not None:
            return varbind, True
        # An instance is missing where the column has others, an object where it has none (RFC 3416, 4.2.1).
        neighbour = self.device.mib.key(self.device.mib.first(key[:-4]))
        known = neighbour is not None and neighbour.startswith(key[:-4])
        return ber.encode(ber.SEQUENCE, name + (ber.NO_SUCH_INSTANCE if known else ber.NO_SUCH_OBJECT)), False

    def _next(self, key: bytes, name: bytes) -> tuple[bytes, bool]:
        rows = self.device.mib.rows(self.device.mib.after(key), 1)
        return (rows[0], True) if rows else (ber.encode(ber.SEQUENCE, name + ber.END_OF_MIB), False)

    def _bulk(self, request: ber.Request) -> bytes:
        single = max(0, min(request.first, len(request.keys)))
        varbinds = [
            self._next(key, name)[0]
            for key, name in zip(request.keys[:single], request.names[:single], strict=True)
        ]
        repeated = list(zip(request.keys[single:], request.names[single:], strict=True))
        columns = [self._rows(key, name, max(0, request.second)) for key, name in repeated]
        if len(columns) == 1:
            varbinds += columns[0]
        else:  # Row by row; a column that ended is filled up with its end.
            varbinds += [varbind for row in zip_longest(*columns) for varbind in _filled(row, columns)]
        return self._fit(request, varbinds)

    def _rows(self, key: bytes, name: bytes, count: int) -> list[bytes]:
        """Return up to `count` rows after `key`, closed by endOfMibView if the MIB ends within them."""
        rows = self.device.mib.rows(self.device.mib.after(key), count)
        if len(rows) < count:
            if rows:
                _, start, _ = ber.read_header(rows[-1], 0)
                _, _, end = ber.read_header(rows[-1], start)
                name = rows[-1][start:end]
            rows.append(ber.encode(ber.SEQUENCE, name + ber.END_OF_MIB))
        return rows

    def _fit(self, request: ber.Request, varbinds: list[bytes]) -> bytes:
        # RFC 3416, 4.2.3: a GETBULK answer is cut where it no longer fits.
        room = LARGEST_ANSWER - 40 - len(request.community)
        total = sum(map(len, varbinds))
        while total > room and varbinds:
            total -= len(varbinds.pop())
        return respond(request, 0, 0, b"".join(varbinds))

    def _set(self, request: ber.Request) -> bytes:
        pairs: Writes = []
        for position, (key, tagged) in enumerate(zip(request.keys, request.values, strict=True), start=1):
            value = ber.decode_value(tagged)
            if value is None:
                return echo(request, WRONG_TYPE, position)
            pairs.append((ber.key_text(key), value))
        return echo(request, *self.device.write(pairs))


def _filled(row: tuple[bytes | None, ...], columns: list[list[bytes]]) -> list[bytes]:
    return [cell or column[-1] for cell, column in zip(row, columns, strict=True)]


def echo(request: ber.Request, status: int, index: int) -> bytes:
    """Answer with the request's own variables, as a refusal or a SET does."""
    varbinds = (
        ber.encode(ber.SEQUENCE, name + value)
        for name, value in zip(request.names, request.values, strict=True)
    )
    return respond(request, status, index, b"".join(varbinds))


def respond(request: ber.Request, status: int, index: int, varbinds: bytes) -> bytes:
    """Wrap encoded variables into a response to `request`."""
    pdu = (
        request.request_id
        + ber.encode_integer(status)
        + ber.encode_integer(index)
        + ber.encode(ber.SEQUENCE, varbinds)
    )
    head = ber.encode_integer(request.version) + ber.encode(ber.OCTETS, request.community)
    return ber.encode(ber.SEQUENCE, head + ber.encode(ber.RESPONSE, pdu))
