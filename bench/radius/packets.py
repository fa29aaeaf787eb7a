"""Packets of RFC 2865 and 2866, prepared before the clock runs, and a loader that keeps a window of them in flight."""

import hashlib
import hmac
import ipaddress
import os
import selectors
import socket
import struct
import time
from collections.abc import Iterable
from dataclasses import dataclass

SECRET = b"bench secret"
ACCESS_REQUEST, ACCESS_REJECT, ACCOUNTING_REQUEST = 1, 3, 4
USER_NAME, USER_PASSWORD, CHAP_PASSWORD, NAS_IP_ADDRESS, NAS_PORT, SERVICE_TYPE, FRAMED_PROTOCOL = (
    1,
    2,
    3,
    4,
    5,
    6,
    7,
)
FRAMED_IP_ADDRESS, CALLED_STATION_ID, CALLING_STATION_ID, NAS_IDENTIFIER = 8, 30, 31, 32
ACCT_STATUS_TYPE, ACCT_INPUT_OCTETS, ACCT_OUTPUT_OCTETS, ACCT_SESSION_ID, ACCT_AUTHENTIC = 40, 42, 43, 44, 45
ACCT_SESSION_TIME, ACCT_TERMINATE_CAUSE, ACCT_INPUT_GIGAWORDS, ACCT_OUTPUT_GIGAWORDS = 46, 49, 52, 53
NAS_PORT_TYPE, MESSAGE_AUTHENTICATOR, NAS_PORT_ID, DELEGATED_IPV6_PREFIX = 61, 80, 87, 123
IDENTIFIERS = 256
IN_FLIGHT_PER_SOCKET = 64
RESEND_SECONDS = 3.0
GIVE_UP_SECONDS = 60.0

Value = tuple[int, str | int | bytes]


def user(number: int) -> str:
    return f"user{number:07d}"


def password(number: int) -> str:
    return f"pw{number:07d}"


def station(number: int) -> str:
    return "02-00-" + "-".join(f"{byte:02X}" for byte in number.to_bytes(4, "big"))


def address(number: int) -> bytes:
    return (ipaddress.IPv4Address("10.64.0.0") + number).packed


def asker(number: int) -> list[Value]:
    """Return what a PPPoE server tells of the subscriber in every packet."""
    return [
        (USER_NAME, user(number)), (NAS_IP_ADDRESS, address(number % 8)), (NAS_IDENTIFIER, f"bng{number % 8}"),
        (NAS_PORT, number % 65000), (NAS_PORT_TYPE, 15), (NAS_PORT_ID, f"eth1.{number % 4000}"), (SERVICE_TYPE, 2),
        (FRAMED_PROTOCOL, 1), (CALLING_STATION_ID, station(number)), (CALLED_STATION_ID, f"pppoe-{number % 8}"),
    ]  # fmt: skip


def log_in(number: int, method: str) -> list[Value]:
    kind = USER_PASSWORD if method == "pap" else CHAP_PASSWORD
    return [*asker(number), (kind, password(number)), (MESSAGE_AUTHENTICATOR, b"")]


def accounting(number: int, session: str, status: int) -> list[Value]:
    """Return a Start (1), an Interim-Update (3) or a Stop (2) of a session."""
    values: list[Value] = [
        *asker(number), (ACCT_SESSION_ID, session), (ACCT_AUTHENTIC, 1), (FRAMED_IP_ADDRESS, address(number)),
        (DELEGATED_IPV6_PREFIX, bytes.fromhex("003020010db8") + struct.pack("!H", number % 65536)),
        (ACCT_STATUS_TYPE, status),
    ]  # fmt: skip
    if status != 1:
        part = 1 if status == 3 else 2
        values += [
            (ACCT_SESSION_TIME, 300 * part), (ACCT_INPUT_OCTETS, 123_456_789 * part),
            (ACCT_OUTPUT_OCTETS, 987_654_321 * part), (ACCT_INPUT_GIGAWORDS, 0), (ACCT_OUTPUT_GIGAWORDS, part),
        ]  # fmt: skip
    if status == 2:
        values.append((ACCT_TERMINATE_CAUSE, 1))
    return values


def encode(code: int, identifier: int, values: Iterable[Value]) -> bytes:
    authenticator = os.urandom(16) if code == ACCESS_REQUEST else bytes(16)
    attributes = bytearray()
    signature = 0
    for kind, value in values:
        if kind == MESSAGE_AUTHENTICATOR:
            signature = 20 + len(attributes) + 2
            octets = bytes(16)
        elif kind == USER_PASSWORD:
            octets = _hidden(str(value).encode(), authenticator)
        elif kind == CHAP_PASSWORD:
            octets = b"\x07" + hashlib.md5(b"\x07" + str(value).encode() + authenticator).digest()
        elif isinstance(value, int):
            octets = struct.pack("!I", value)
        else:
            octets = value.encode() if isinstance(value, str) else value
        attributes += bytes((kind, len(octets) + 2)) + octets
    packet = bytearray(
        struct.pack("!BBH", code, identifier, 20 + len(attributes)) + authenticator + attributes
    )
    if signature:
        packet[signature : signature + 16] = hmac.new(SECRET, packet, "md5").digest()
    if code == ACCOUNTING_REQUEST:
        packet[4:20] = hashlib.md5(packet + SECRET).digest()
    return bytes(packet)


def _hidden(clear: bytes, authenticator: bytes) -> bytes:
    """Hide a password as RFC 2865 section 5.2 does."""
    clear += bytes(-len(clear) % 16)
    hidden, last = b"", authenticator
    for start in range(0, len(clear), 16):
        key = hashlib.md5(SECRET + last).digest()
        last = bytes(a ^ b for a, b in zip(clear[start : start + 16], key, strict=True))
        hidden += last
    return hidden


@dataclass(frozen=True, slots=True)
class Answers:
    accepted: int
    rejected: int
    lost: int
    seconds: float


@dataclass(slots=True)
class _Flight:
    packet: bytes
    sent_at: float


def send_all(port: int, code: int, requests: list[list[Value]], *, window: int) -> Answers:
    """Send all, `window` unanswered at a time, and wait for their answers; a packet is repeated as a NAS would."""
    count = max(1, window // IN_FLIGHT_PER_SOCKET)
    waiting = [
        [encode(code, number // count % IDENTIFIERS, values) for number, values in enumerate(requests)
         if number % count == which][::-1]
        for which in range(count)
    ]  # fmt: skip
    flights: list[dict[int, _Flight]] = [{} for _ in range(count)]
    selector = selectors.DefaultSelector()
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(count)]
    for which, one in enumerate(sockets):
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        one.connect(("127.0.0.1", port))
        one.setblocking(False)
        selector.register(one, selectors.EVENT_READ, which)
    accepted = rejected = 0
    began = checked = time.perf_counter()
    while any(waiting) or any(flights):
        now = time.perf_counter()
        if now - began > GIVE_UP_SECONDS:
            break
        for which, one in enumerate(sockets):
            queue, flight = waiting[which], flights[which]
            while queue and len(flight) < IN_FLIGHT_PER_SOCKET and queue[-1][1] not in flight:
                packet = queue.pop()
                flight[packet[1]] = _Flight(packet, now)
                one.send(packet)
        for key, _ in selector.select(0.1):
            accepted, rejected = _receive(sockets[key.data], flights[key.data], accepted, rejected)
        if now - checked > 0.5:
            checked = now
            _resend(sockets, flights, now)
    for one in sockets:
        one.close()
    return Answers(accepted, rejected, len(requests) - accepted - rejected, time.perf_counter() - began)


def _resend(sockets: list[socket.socket], flights: list[dict[int, _Flight]], now: float) -> None:
    for one, flight in zip(sockets, flights, strict=True):
        for each in [each for each in flight.values() if now - each.sent_at > RESEND_SECONDS]:
            each.sent_at = now
            one.send(each.packet)


def _receive(one: socket.socket, flight: dict[int, _Flight], accepted: int, rejected: int) -> tuple[int, int]:
    while True:
        try:
            answer = one.recv(4096)
        except (BlockingIOError, ConnectionRefusedError):
            return accepted, rejected
        if flight.pop(answer[1], None) is not None:
            rejected += answer[0] == ACCESS_REJECT
            accepted += answer[0] != ACCESS_REJECT
