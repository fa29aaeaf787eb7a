"""Simulate a NAS that can be told to change or end sessions: the server side of RFC 5176 over UDP.

It behaves like a RouterOS PPPoE server: rates come as Mikrotik-Rate-Limit, Message-Authenticator and
Event-Timestamp are optional but must be right, and NAKs carry an Error-Cause. `--strict` demands both.
"""

import argparse
import asyncio
import contextlib
import io
import ipaddress
import json
import re
import signal
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from pyrad.dictionary import Dictionary
from pyrad.packet import CoANAK, CoAPacket, CoARequest, DisconnectNAK, DisconnectRequest, PacketError

# Numbers: RFC 2865, 2866, 2869, 3576 (Error-Cause) and MikroTik's dictionary (vendor 14988).
DICTIONARY = """
ATTRIBUTE User-Name 1 string
ATTRIBUTE NAS-IP-Address 4 ipaddr
ATTRIBUTE NAS-Port 5 integer
ATTRIBUTE Framed-IP-Address 8 ipaddr
ATTRIBUTE Filter-Id 11 string
ATTRIBUTE Reply-Message 18 string
ATTRIBUTE State 24 octets
ATTRIBUTE Class 25 octets
ATTRIBUTE Session-Timeout 27 integer
ATTRIBUTE Idle-Timeout 28 integer
ATTRIBUTE Called-Station-Id 30 string
ATTRIBUTE Calling-Station-Id 31 string
ATTRIBUTE NAS-Identifier 32 string
ATTRIBUTE Proxy-State 33 octets
ATTRIBUTE Acct-Session-Id 44 string
ATTRIBUTE Acct-Terminate-Cause 49 integer
ATTRIBUTE Event-Timestamp 55 date
ATTRIBUTE Message-Authenticator 80 octets
ATTRIBUTE NAS-Port-Id 87 string
ATTRIBUTE Error-Cause 101 integer
VENDOR Mikrotik 14988
BEGIN-VENDOR Mikrotik
ATTRIBUTE Mikrotik-Rate-Limit 8 string
ATTRIBUTE Mikrotik-Address-List 19 string
END-VENDOR Mikrotik
"""
# RFC 5176 section 6.3 leaves the window to the server; 300 s is its recommendation.
CLOCK_TOLERANCE_SECONDS = 300
# A sender gives up after a few retransmissions a few seconds apart.
REMEMBER_REPLY_SECONDS = 30
_RATE = r"\d+[kMG]?(/\d+[kMG]?)?"
# RouterOS: rx[/tx], then burst, threshold, time, priority, minimum, each only after the one before it.
RATE_LIMIT = re.compile(rf"{_RATE}( {_RATE}( {_RATE}( \d+(/\d+)?( [1-8]( {_RATE})?)?)?)?)?", re.ASCII)
IDENTIFIERS = {
    "Acct-Session-Id": "session_id",
    "User-Name": "user_name",
    "Framed-IP-Address": "address",
    "Calling-Station-Id": "mac",
    "NAS-Port-Id": "port",
}
CHANGES = {
    "Mikrotik-Rate-Limit": "rate_limit",
    "Mikrotik-Address-List": "address_list",
    "Filter-Id": "filter_id",
    "Session-Timeout": "timeout_seconds",
    "Idle-Timeout": "idle_timeout_seconds",
}


class ErrorCause:
    """Error-Cause values of RFC 5176 section 3.6."""

    UNSUPPORTED_ATTRIBUTE = 401
    MISSING_ATTRIBUTE = 402
    NAS_IDENTIFICATION_MISMATCH = 403
    INVALID_REQUEST = 404
    INVALID_ATTRIBUTE_VALUE = 407
    ADMINISTRATIVELY_PROHIBITED = 501
    SESSION_CONTEXT_NOT_FOUND = 503
    RESOURCES_UNAVAILABLE = 506
    MULTIPLE_SESSION_SELECTION = 508


class Behaviour(StrEnum):
    """How a session answers; the demo shows staff what each failure looks like."""

    NORMAL = "normal"
    BUSY = "busy"
    PROHIBITED = "prohibited"
    SILENT = "silent"


@dataclass(slots=True)
class Session:
    """One subscriber's session as this NAS keeps it."""

    session_id: str
    user_name: str
    address: str
    mac: str
    port: str = "<pppoe-demo>"
    rate_limit: str = "10M/50M"
    address_list: str = ""
    filter_id: str = ""
    timeout_seconds: int = 0
    idle_timeout_seconds: int = 0
    behaviour: Behaviour = Behaviour.NORMAL


class RefusedError(Exception):
    """The request gets a NAK with this Error-Cause."""

    def __init__(self, cause: int) -> None:
        super().__init__(cause)
        self.cause = cause


class IgnoredError(Exception):
    """The request gets no answer; the text says why, for the log."""


def seed_sessions(count: int = 32) -> list[Session]:
    """Return the demo's sessions: customer-001@demo.example … on 100.64.0.1 …, the same at every start.

    The last three show a busy, a forbidding and a silent NAS.
    """
    odd = {count - 2: Behaviour.BUSY, count - 1: Behaviour.PROHIBITED, count: Behaviour.SILENT}
    first = ipaddress.IPv4Address("100.64.0.0")
    return [
        Session(
            session_id=f"8100{number:04x}",
            user_name=f"customer-{number:03}@demo.example",
            address=str(first + number),
            mac=f"02:00:5E:00:{number >> 8:02X}:{number & 255:02X}",
            port=f"<pppoe-{number:03}>",
            behaviour=odd.get(number, Behaviour.NORMAL),
        )
        for number in range(1, count + 1)
    ]


@dataclass(slots=True)
class Nas:
    """The sessions of one NAS and its answers; knows packets, not sockets.

    `now` is replaceable so that tests can move the clock.
    """

    secret: bytes
    address: str
    identifier: str = "demo-nas"
    strict: bool = False
    sessions: dict[str, Session] = field(default_factory=dict)
    dictionary: Any = field(default_factory=lambda: Dictionary(io.StringIO(DICTIONARY)), repr=False)
    now: Any = time.time
    _replies: dict[tuple[str, int, bytes], tuple[float, bytes]] = field(default_factory=dict, repr=False)

    def add(self, sessions: Iterable[Session]) -> None:
        """Put sessions on this NAS, replacing those with the same Acct-Session-Id."""
        self.sessions.update({session.session_id: session for session in sessions})

    def answer(self, data: bytes, sender: tuple[str, int]) -> bytes | None:
        """Return the reply to one datagram, None when RFC 5176 wants silence.

        A retransmission gets the very reply its first copy got and changes nothing.
        """
        key = (sender[0], sender[1], bytes(data[:20]))
        remembered = self._replies.get(key)
        if remembered is not None and remembered[0] > self.now():
            self._log("repeated", sender, {})
            return remembered[1]
        try:
            request = self._accept(data)
            reply = self._reply(request, sender)
        except IgnoredError as reason:
            self._log("ignored", sender, {"why": str(reason)})
            return None
        self._forget_old_replies()
        self._replies[key] = (self.now() + REMEMBER_REPLY_SECONDS, reply)
        return reply

    def _accept(self, data: bytes) -> Any:
        """Return the decoded request after the checks that RFC 5176 answers with silence (sections 3 and "
        "6)."""
        try:
            request = CoAPacket(packet=data, secret=self.secret, dict=self.dictionary)
        except PacketError as error:
            raise IgnoredError(f"not a RADIUS packet: {error}") from error
        if request.code not in (CoARequest, DisconnectRequest):
            raise IgnoredError(f"code {request.code} is not a request to a NAS")
        if not request.VerifyCoARequest():
            raise IgnoredError("wrong authenticator: another secret")
        if request.message_authenticator:
            if not request.verify_message_authenticator():
                raise IgnoredError("wrong Message-Authenticator")
        elif self.strict:
            raise IgnoredError("no Message-Authenticator")
        self._check_time(request)
        return request

    def _check_time(self, request: Any) -> None:
        stamp = _first(request, "Event-Timestamp")
        if stamp is None:
            if self.strict:
                raise IgnoredError("no Event-Timestamp")
        elif abs(self.now() - stamp) > CLOCK_TOLERANCE_SECONDS:
            raise IgnoredError("Event-Timestamp is more than 300 s away")

    def _reply(self, request: Any, sender: tuple[str, int]) -> bytes:
        disconnect = request.code == DisconnectRequest
        reply = request.CreateReply()
        # Who signs its request wants the answer signed; RouterOS does the same.
        if request.message_authenticator:
            reply.add_message_authenticator()
        kind = "disconnect" if disconnect else "coa"
        try:
            session = self._find(request)
            (self._disconnect if disconnect else self._change)(session, request)
            self._log(f"{kind}-ack", sender, {"session": session.session_id, "rate": session.rate_limit})
        except RefusedError as refused:
            reply.code = DisconnectNAK if disconnect else CoANAK
            reply.AddAttribute("Error-Cause", refused.cause)
            self._log(f"{kind}-nak", sender, {"cause": refused.cause})
        return bytes(reply.ReplyPacket())

    def _find(self, request: Any) -> Session:
        """Return the one session that all identifying attributes of the request match."""
        with _invalid_as(ErrorCause.INVALID_REQUEST):
            if _first(request, "NAS-IP-Address") not in (None, self.address):
                raise RefusedError(ErrorCause.NAS_IDENTIFICATION_MISMATCH)
            if _first(request, "NAS-Identifier") not in (None, self.identifier):
                raise RefusedError(ErrorCause.NAS_IDENTIFICATION_MISMATCH)
            wanted = {name: _first(request, name) for name in IDENTIFIERS}
        wanted = {name: value for name, value in wanted.items() if value is not None}
        if "Acct-Session-Id" not in wanted and not {"User-Name", "Framed-IP-Address"} <= wanted.keys():
            raise RefusedError(ErrorCause.MISSING_ATTRIBUTE)
        found = [
            session
            for session in self.sessions.values()
            if all(getattr(session, IDENTIFIERS[name]) == value for name, value in wanted.items())
        ]
        if not found:
            raise RefusedError(ErrorCause.SESSION_CONTEXT_NOT_FOUND)
        if len(found) > 1:
            raise RefusedError(ErrorCause.MULTIPLE_SESSION_SELECTION)
        return _willing(found[0])

    def _disconnect(self, session: Session, request: Any) -> None:
        if any(_first(request, name) is not None for name in CHANGES):
            # RFC 5176 section 3.6: a Disconnect-Request identifies and changes nothing.
            raise RefusedError(ErrorCause.UNSUPPORTED_ATTRIBUTE)
        del self.sessions[session.session_id]

    def _change(self, session: Session, request: Any) -> None:
        """Apply all changes of the request, or none."""
        with _invalid_as(ErrorCause.INVALID_ATTRIBUTE_VALUE):
            given = {name: _first(request, name) for name in CHANGES}
        changes = {name: value for name, value in given.items() if value is not None}
        if not changes:
            raise RefusedError(ErrorCause.MISSING_ATTRIBUTE)
        if not RATE_LIMIT.fullmatch(changes.get("Mikrotik-Rate-Limit", "1M")):
            raise RefusedError(ErrorCause.INVALID_ATTRIBUTE_VALUE)
        for name, value in changes.items():
            setattr(session, CHANGES[name], value)

    def _forget_old_replies(self) -> None:
        now = self.now()
        self._replies = {key: item for key, item in self._replies.items() if item[0] > now}

    @staticmethod
    def _log(verdict: str, sender: tuple[str, int], details: dict[str, Any]) -> None:
        print(json.dumps({"verdict": verdict, "from": f"{sender[0]}:{sender[1]}", **details}), flush=True)


def _willing(session: Session) -> Session:
    if session.behaviour is Behaviour.SILENT:
        raise IgnoredError(f"session {session.session_id} never answers")
    if session.behaviour is Behaviour.BUSY:
        raise RefusedError(ErrorCause.RESOURCES_UNAVAILABLE)
    if session.behaviour is Behaviour.PROHIBITED:
        raise RefusedError(ErrorCause.ADMINISTRATIVELY_PROHIBITED)
    return session


def _first(request: Any, name: str) -> Any:
    values = request.get(name)
    return values[0] if values else None


@contextlib.contextmanager
def _invalid_as(cause: int) -> Iterator[None]:
    """Turn a value that pyrad cannot decode (wrong length, not UTF-8) into a refusal."""
    try:
        yield
    except RefusedError:
        raise
    except Exception as error:
        raise RefusedError(cause) from error


class Listener(asyncio.DatagramProtocol):
    """Hands each datagram to the NAS and its reply to the sender."""

    def __init__(self, nas: Nas) -> None:
        self.nas = nas
        self.transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the socket to answer on."""
        self.transport = transport  # type: ignore[assignment]

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Answer one request."""
        reply = self.nas.answer(data, addr)
        if reply is not None and self.transport is not None:
            self.transport.sendto(reply, addr)


async def serve(nas: Nas, port: int) -> None:
    """Answer requests until SIGINT or SIGTERM; port 0 takes a free one, which is printed."""
    loop = asyncio.get_running_loop()
    end = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, end.set)
    transport, _ = await loop.create_datagram_endpoint(lambda: Listener(nas), local_addr=(nas.address, port))
    bound = transport.get_extra_info("sockname")[1]
    print(json.dumps({"listening": nas.address, "port": bound, "sessions": len(nas.sessions)}), flush=True)
    try:
        await end.wait()
    finally:
        transport.close()


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(prog="python -m demo.nas", description=__doc__)
    parser.add_argument("--host", default="127.0.0.4", help="address to listen on, also its NAS-IP-Address")
    parser.add_argument("--coa-port", type=int, default=13799)
    parser.add_argument("--secret", default="demo-secret")
    parser.add_argument("--identifier", default="demo-nas", help="its NAS-Identifier")
    parser.add_argument("--sessions", type=int, default=32)
    parser.add_argument(
        "--strict", action="store_true", help="demand Message-Authenticator and Event-Timestamp"
    )
    chosen = parser.parse_args()
    nas = Nas(chosen.secret.encode(), chosen.host, chosen.identifier, chosen.strict)
    nas.add(seed_sessions(chosen.sessions))
    asyncio.run(serve(nas, chosen.coa_port))


if __name__ == "__main__":
    main()
