"""The part of BER that an SNMP agent needs (ITU-T X.690; tags from RFC 3416 and RFC 2578).

Written here because an agent that serves 64 OLTs has to answer in microseconds, and pysnmp's decoder alone
takes about a quarter of a millisecond per message.
"""

from typing import NamedTuple

INTEGER, OCTETS, NULL, OID, SEQUENCE = 0x02, 0x04, 0x05, 0x06, 0x30
IP_ADDRESS, COUNTER32, GAUGE32, TICKS, OPAQUE, COUNTER64 = 0x40, 0x41, 0x42, 0x43, 0x44, 0x46
NO_SUCH_OBJECT, NO_SUCH_INSTANCE, END_OF_MIB = b"\x80\x00", b"\x81\x00", b"\x82\x00"
GET, GET_NEXT, RESPONSE, SET, GET_BULK = 0xA0, 0xA1, 0xA2, 0xA3, 0xA5

INTEGERS = frozenset({INTEGER, COUNTER32, GAUGE32, TICKS, COUNTER64})


class BadMessageError(ValueError):
    """The bytes are not the SNMP message they claim to be."""


class Request(NamedTuple):
    """A decoded request; `oids` are sort keys (see `oid_key`), `values` the raw tagged values beside them."""

    version: int
    community: bytes
    kind: int
    request_id: bytes
    first: int  # non-repeaters of a GETBULK, otherwise error-status
    second: int  # max-repetitions of a GETBULK, otherwise error-index
    keys: list[bytes]
    names: list[bytes]
    values: list[bytes]


def encode_length(length: int) -> bytes:
    if length < 0x80:
        return bytes((length,))
    octets = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes((0x80 | len(octets),)) + octets


def encode(tag: int, content: bytes) -> bytes:
    return bytes((tag,)) + encode_length(len(content)) + content


def encode_integer(value: int, tag: int = INTEGER) -> bytes:
    """Encode the shortest two's complement form; unsigned types get the leading zero they need."""
    return encode(tag, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def encode_oid(oid: str) -> bytes:
    """Encode dotted text, tag and length included."""
    arcs = [int(arc) for arc in oid.split(".")]
    content = bytearray(_base128(arcs[0] * 40 + arcs[1]))
    for arc in arcs[2:]:
        content += _base128(arc)
    return encode(OID, bytes(content))


def _base128(arc: int) -> bytes:
    octets = [arc & 0x7F]
    while arc := arc >> 7:
        octets.append(arc & 0x7F | 0x80)
    return bytes(reversed(octets))


def oid_key(oid: str) -> bytes:
    """Return bytes that sort as the OID does, four big-endian octets per arc; BER's own bytes do not."""
    return b"".join(int(arc).to_bytes(4, "big") for arc in oid.split("."))


def key_text(key: bytes) -> str:
    return ".".join(str(int.from_bytes(key[i : i + 4], "big")) for i in range(0, len(key), 4))


def read_header(data: bytes, at: int, tag: int | None = None) -> tuple[int, int, int]:
    """Return tag, start and end of the content at `at`. Raises BadMessageError."""
    try:
        found, length = data[at], data[at + 1]
        at += 2
        if length & 0x80:
            size = length & 0x7F
            length = int.from_bytes(data[at : at + size], "big")
            at += size
    except IndexError as error:
        raise BadMessageError("cut short") from error
    if (tag is not None and found != tag) or at + length > len(data):
        raise BadMessageError(f"tag {found:#x} at {at}")
    return found, at, at + length


def read_integer(data: bytes, at: int) -> tuple[int, int]:
    _, start, end = read_header(data, at, INTEGER)
    return int.from_bytes(data[start:end], "big", signed=True), end


def decode_request(data: bytes) -> Request:
    """Decode a GET, GETNEXT, GETBULK or SET of version 1 or 2c. Raises BadMessageError."""
    _, at, _ = read_header(data, 0, SEQUENCE)
    version, at = read_integer(data, at)
    _, start, at = read_header(data, at, OCTETS)
    community = data[start:at]
    kind, at, _ = read_header(data, at)
    if kind not in (GET, GET_NEXT, SET, GET_BULK):
        raise BadMessageError(f"PDU {kind:#x}")
    _, _, end = read_header(data, at, INTEGER)
    request_id, at = data[at:end], end
    first, at = read_integer(data, at)
    second, at = read_integer(data, at)
    _, at, stop = read_header(data, at, SEQUENCE)
    keys, names, values = [], [], []
    while at < stop:
        _, start, end = read_header(data, at, SEQUENCE)
        _, name_start, name_end = read_header(data, start, OID)
        keys.append(_decode_key(data[name_start:name_end]))
        names.append(data[start:name_end])
        values.append(data[name_end:end])
        at = end
    return Request(version, community, kind, request_id, first, second, keys, names, values)


def _decode_key(content: bytes) -> bytes:
    if not content:
        raise BadMessageError("empty OID")
    arcs: list[int] = []
    arc = 0
    for octet in content:
        arc = arc << 7 | octet & 0x7F
        if not octet & 0x80:
            arcs.append(arc)
            arc = 0
    if not arcs:
        raise BadMessageError("unfinished OID")
    top = min(arcs[0] // 40, 2)
    try:
        return b"".join(arc.to_bytes(4, "big") for arc in (top, arcs[0] - top * 40, *arcs[1:]))
    except OverflowError as error:
        raise BadMessageError("an arc above 32 bits") from error


def decode_value(tagged: bytes) -> int | bytes | None:
    """Decode what a SET carries; None for anything that is neither an integer nor an octet string."""
    tag, start, end = read_header(tagged, 0)
    if tag in INTEGERS:
        return int.from_bytes(tagged[start:end], "big", signed=True)
    return tagged[start:end] if tag == OCTETS else None
