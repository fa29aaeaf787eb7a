"""One UDP socket towards one RADIUS peer: requests go out, only signed answers come back."""

import asyncio
import random
from collections.abc import Callable, Sequence
from typing import Any

from pyrad.packet import Packet, PacketError

# Seconds after each copy of a packet until the next, and after the last until we give up (RFC 5080 section 2.2.1
# doubles and spreads them by a tenth; it begins at 2 s, we at 1, because staff wait for the answer).
PACE = (1.0, 2.0, 4.0)
SPREAD = 0.1
# At 200, the default receive buffer of Linux (212,992 bytes) loses answers; at 100 it lost none (measured).
MOST_OUTSTANDING = 100
# After so many requests without one answer a peer counts as silent, and what waits is not sent.
SILENT_AFTER = 20
_HEADER = 20


class NoAnswerError(Exception):
    """No valid reply came. `bad_replies` tells how many invalid ones did; `refused` that the port is closed."""

    def __init__(self, *, sent: int, bad_replies: int = 0, refused: bool = False) -> None:
        super().__init__(f"no answer to {sent} packets")
        self.sent = sent
        self.bad_replies = bad_replies
        self.refused = refused


class _Waiting:
    """A request in flight: its bytes, who waits for the reply, and the timer of the next copy."""

    __slots__ = ("bad_replies", "data", "future", "packet", "timer")

    def __init__(self, packet: Packet, future: "asyncio.Future[Packet]") -> None:
        self.packet = packet
        self.data: bytes = packet.RequestPacket()
        self.future = future
        self.timer: asyncio.TimerHandle | None = None
        self.bad_replies = 0


class Channel(asyncio.DatagramProtocol):
    """At most MOST_OUTSTANDING requests to one peer at a time, each under an identifier of its own."""

    def __init__(self, pace: Sequence[float] = PACE) -> None:
        self.pace = pace
        self.refused = False
        self._transport: asyncio.DatagramTransport | None = None
        self._waiting: dict[int, _Waiting] = {}
        self._slots = asyncio.Semaphore(MOST_OUTSTANDING)
        self._last_id = random.SystemRandom().randrange(256)
        self._answered = False
        self._unanswered = 0

    @classmethod
    async def open(cls, address: str, port: int, pace: Sequence[float] = PACE, source: str = "") -> "Channel":
        """Return a channel whose socket takes datagrams of this peer only, and sends from `source` if given.

        Raises OSError.
        """
        loop = asyncio.get_running_loop()
        _, channel = await loop.create_datagram_endpoint(
            lambda: cls(pace), remote_addr=(address, port), local_addr=(source, 0) if source else None
        )
        return channel

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the socket to send on."""
        self._transport = transport  # type: ignore[assignment]

    def close(self) -> None:
        """Give the socket back."""
        if self._transport is not None:
            self._transport.close()

    def error_received(self, exc: Exception) -> None:
        """Remember that the peer's host says nobody listens; it may again at the next copy."""
        self.refused = self.refused or isinstance(exc, ConnectionRefusedError)

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        """Hand an answer to who waits for it, if it is signed; count it if it is not."""
        waiting = self._waiting.get(data[1]) if len(data) >= _HEADER else None
        if waiting is None or waiting.future.done():
            return
        reply = read_reply(waiting.packet, data)
        if reply is None:
            waiting.bad_replies += 1
        else:
            waiting.future.set_result(reply)

    async def ask(self, build: Callable[[int], Packet]) -> Packet:
        """Send a packet, copies of it while nobody answers, and return the reply.

        `build` makes the packet for an identifier at the moment it is sent. The copies are identical, so that the
        peer can tell them from new requests. What `build` raises is passed on. Raises NoAnswerError.
        """
        async with self._slots:
            if not self._answered and self._unanswered >= SILENT_AFTER:
                raise NoAnswerError(sent=0, refused=self.refused)
            identifier = self._free_id()
            waiting = _Waiting(build(identifier), asyncio.get_running_loop().create_future())
            self._waiting[identifier] = waiting
            self._send(waiting, 0)
            try:
                reply = await waiting.future
            finally:
                del self._waiting[identifier]
                if waiting.timer is not None:
                    waiting.timer.cancel()
            self._answered = True
            return reply

    def _send(self, waiting: _Waiting, copy: int) -> None:
        """Send a copy and arrange for the next; after the last, tell who waits that nothing came."""
        if waiting.future.done():
            return
        if copy == len(self.pace):
            self._unanswered += 1
            nothing = NoAnswerError(sent=copy, bad_replies=waiting.bad_replies, refused=self.refused)
            waiting.future.set_exception(nothing)
            return
        assert self._transport is not None
        self._transport.sendto(waiting.data)
        wait = self.pace[copy] * random.uniform(1 - SPREAD, 1 + SPREAD)  # noqa: S311
        waiting.timer = asyncio.get_running_loop().call_later(wait, self._send, waiting, copy + 1)

    def _free_id(self) -> int:
        """Return the identifier that was free for longest: a late answer to its last use finds nobody."""
        while True:
            self._last_id = (self._last_id + 1) % 256
            if self._last_id not in self._waiting:
                return self._last_id


def read_reply(request: Packet, data: bytes) -> Packet | None:
    """Return the reply to a request from the bytes of one datagram, None when it is malformed or not signed.

    The Response Authenticator must fit the request, and so must a Message-Authenticator where there is one.
    """
    try:
        reply = request.CreateReply(packet=data)
        return reply if request.VerifyReply(reply, data) else None
    except PacketError:
        return None


def first(packet: Packet, name: str) -> Any:
    """Return the first value of an attribute, None where it is absent or cannot be decoded."""
    try:
        values = packet.get(name)
    except (PacketError, ValueError):
        return None
    return values[0] if values else None
