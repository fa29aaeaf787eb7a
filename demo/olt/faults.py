"""The ways a simulated OLT can misbehave, each seen on real devices or fit to break a careless client."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from demo.olt import ber
from demo.olt.mib import Mib

Reply = tuple[float, bytes]
Respond = Callable[[ber.Request], bytes]

# SET a fault's name here, or "" for none. 32473 is the enterprise number kept for examples (RFC 5612).
FAULT_OID = "1.3.6.1.4.1.32473.1.1.0"


@dataclass(slots=True)
class Fault:
    """One fault and its number, such as drop=0.1."""

    name: str = ""
    amount: float = 0.0
    answered: int = 0

    @property
    def text(self) -> str:
        return f"{self.name}={self.amount:g}" if self.amount else self.name

    def apply(
        self, request: ber.Request, respond: Respond, mib: Mib, chance: random.Random
    ) -> Sequence[Reply]:
        """Return what a device with this fault sends for `request`."""
        return FAULTS[self.name][0](Case(self, request, respond, mib, chance))


class Case(NamedTuple):
    """One request to a faulty device, and what it takes to answer it."""

    fault: Fault
    request: ber.Request
    respond: Respond
    mib: Mib
    chance: random.Random

    def honest(self) -> Sequence[Reply]:
        return ((0.0, self.respond(self.request)),)

    def in_second_half(self) -> bool:
        return any(self.mib.after(key) > len(self.mib) // 2 for key in self.request.keys)


def parse_fault(text: str) -> Fault:
    """Read `name` or `name=number`. Raises ValueError for a fault that is not listed in `FAULTS`."""
    name, _, amount = text.strip().partition("=")
    if not name:
        return Fault()
    if name not in FAULTS:
        raise ValueError(f"unknown fault {name}; there are {', '.join(sorted(FAULTS))}")
    return Fault(name, float(amount) if amount else FAULTS[name][1])


def _silent(case: Case) -> Sequence[Reply]:
    return ()


def _half_then_stop(case: Case) -> Sequence[Reply]:
    """Answer for the first half of the variables and never for the second: repeating does not help."""
    if case.in_second_half():
        return ()
    return case.honest()


def _stop_after(case: Case) -> Sequence[Reply]:
    case.fault.answered += 1
    return case.honest() if case.fault.answered <= case.fault.amount else ()


def _wrong_request_id(case: Case) -> Sequence[Reply]:
    return ((0.0, case.respond(_with_other_id(case.request))),)


def _duplicate(case: Case) -> Sequence[Reply]:
    """Send the answer to some earlier request before the right one, as after a repeated request."""
    return ((0.0, case.respond(_with_other_id(case.request))), (0.0, case.respond(case.request)))


def _non_increasing(case: Case) -> Sequence[Reply]:
    """Go a few rows back in the middle of a column: a client that trusts the device walks for ever."""
    request = case.request
    if request.kind in (ber.GET_NEXT, ber.GET_BULK):
        asked = request.keys[0]
        back = case.mib.key(case.mib.after(asked) - 4)
        if back and back[:-8] == asked[:-8]:  # The same column of an index of two numbers.
            request = request._replace(keys=[back, *request.keys[1:]])
    return ((0.0, case.respond(request)),)


def _garbage(case: Case) -> Sequence[Reply]:
    return ((0.0, case.chance.randbytes(case.chance.randrange(1, 200))),)


def _wrong_types(case: Case) -> Sequence[Reply]:
    """Send text where numbers belong and numbers where text belongs, outside the standard MIBs."""
    return ((0.0, _swap_types(case.respond(case.request))),)


def _slow(case: Case) -> Sequence[Reply]:
    return ((case.fault.amount, case.respond(case.request)),)


def _too_big(case: Case) -> Sequence[Reply]:
    """Refuse a GETBULK of more than `amount` rows with an error-status and no variables."""
    if case.request.kind == ber.GET_BULK and case.request.second > case.fault.amount:
        return ((0.0, _error(case.request, 1)),)
    return case.honest()


def _gen_err(case: Case) -> Sequence[Reply]:
    """Fail with genErr in the second half of the variables; to a careless client that looks like the end."""
    if case.in_second_half():
        return ((0.0, _error(case.request, 5)),)
    return case.honest()


def _drop(case: Case) -> Sequence[Reply]:
    return () if case.chance.random() < case.fault.amount else case.honest()


def _drop_above(case: Case) -> Sequence[Reply]:
    """Never answer a GETBULK of more than `amount` rows, as devices that lose fragments do."""
    if case.request.kind == ber.GET_BULK and case.request.second > case.fault.amount:
        return ()
    return case.honest()


Behaviour = Callable[[Case], Sequence[Reply]]

# Name to behaviour and the number it takes when none is given.
FAULTS: dict[str, tuple[Behaviour, float]] = {
    "silent": (_silent, 0),
    "half-then-stop": (_half_then_stop, 0),
    "stop-after": (_stop_after, 50),
    "wrong-request-id": (_wrong_request_id, 0),
    "duplicate": (_duplicate, 0),
    "non-increasing": (_non_increasing, 0),
    "garbage": (_garbage, 0),
    "wrong-types": (_wrong_types, 0),
    "slow": (_slow, 1.0),
    "tooBig": (_too_big, 10),
    "genErr": (_gen_err, 0),
    "drop": (_drop, 0.1),
    "drop-above": (_drop_above, 16),
}


def _with_other_id(request: ber.Request) -> ber.Request:
    number, _ = ber.read_integer(request.request_id, 0)
    return request._replace(request_id=ber.encode_integer(number ^ 1))


def _error(request: ber.Request, status: int) -> bytes:
    pdu = (
        request.request_id
        + ber.encode_integer(status)
        + ber.encode_integer(0)
        + ber.encode(ber.SEQUENCE, b"")
    )
    head = ber.encode_integer(request.version) + ber.encode(ber.OCTETS, request.community)
    return ber.encode(ber.SEQUENCE, head + ber.encode(ber.RESPONSE, pdu))


def _swap_types(message: bytes) -> bytes:
    _, at, _ = ber.read_header(message, 0, ber.SEQUENCE)
    _, at = ber.read_integer(message, at)
    _, _, at = ber.read_header(message, at, ber.OCTETS)
    head = message[ber.read_header(message, 0)[1] : at]
    _, start, _ = ber.read_header(message, at, ber.RESPONSE)
    at = start
    for _ in range(3):
        _, at = ber.read_integer(message, at)
    fields = message[start:at]
    _, at, stop = ber.read_header(message, at, ber.SEQUENCE)
    varbinds = []
    while at < stop:
        _, start, end = ber.read_header(message, at, ber.SEQUENCE)
        varbinds.append(_swap_type(message[start:end]))
        at = end
    pdu = ber.encode(ber.RESPONSE, fields + ber.encode(ber.SEQUENCE, b"".join(varbinds)))
    return ber.encode(ber.SEQUENCE, head + pdu)


def _swap_type(varbind: bytes) -> bytes:
    _, _, end = ber.read_header(varbind, 0, ber.OID)
    name, value = varbind[:end], varbind[end:]
    if name[2:7] == b"\x2b\x06\x01\x04\x01":  # 1.3.6.1.4.1, enterprises
        if value[0] in ber.INTEGERS:
            value = ber.encode(ber.OCTETS, b"not a number")
        elif value[0] == ber.OCTETS:
            value = ber.encode_integer(-7)
    return ber.encode(ber.SEQUENCE, name + value)
