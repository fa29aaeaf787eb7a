"""The subscribers behind the simulated NAS: they dial in, use their lines, hang up and dial again.

Real Access-Requests (CHAP) and accounting towards a real FreeRADIUS. While none answers, one packet now and then
is all that is sent.
"""

import argparse
import asyncio
import contextlib
import hashlib
import json
import random
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from pyrad.packet import AccessAccept, AcctPacket, AuthPacket, Packet

from aaa.radius.channel import Channel, NoAnswerError, first
from aaa.radius.dictionary import dictionary
from demo.nas import Nas, Session, seed_sessions, serve

LINES = 32
# Whoever it is dials with an old password, so that there are rejects to look at.
FORGETFUL = 29
# Seconds between copies of a request, and until the next attempt after none was answered.
PACE = (2.0, 4.0)
SILENT_SECONDS = 20.0
AFTER_REJECT_SECONDS = 180.0
REDIAL_SECONDS = 12.0
LONGEST_SESSION_SECONDS = 8 * 3600.0
INTERIM_SECONDS, LEAST_INTERIM_SECONDS = 300, 60
# How often a session looks whether a Disconnect has ended it.
GLANCE_SECONDS = 1.0
AT_ONCE = 4
# Bytes a second that a household takes, between an idle one and a busy one.
LEAST_RATE, MOST_RATE = 2_000, 1_500_000
GIGAWORD = 1 << 32

START, STOP, INTERIM, ON, OFF = 1, 2, 3, 7, 8
USER_REQUEST, SESSION_TIMEOUT, ADMIN_RESET = 1, 5, 6
PPP, PPPOE = 1, 32


def user_name(number: int) -> str:
    """Return the user name of a demo line, 1 for the first."""
    return f"customer-{number:03}@demo.example"


def password(number: int) -> str:
    """Return the password of a demo line; as public as the demo's."""
    return f"demo-{number:03}"


@dataclass(slots=True)
class Server:
    """The RADIUS server as the NAS reaches it; knows when it is not there."""

    address: str
    auth_port: int
    acct_port: int
    secret: bytes
    source: str
    silent_until: float = 0.0
    _slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE), repr=False)

    async def ask(self, port: int, build: Callable[[int], Packet], *, patient: bool = True) -> Packet | None:
        """Return the reply, None when there was none; a patient one first lets a known silence pass."""
        async with self._slots:
            while patient and (wait := self.silent_until - time.monotonic()) > 0:
                await asyncio.sleep(wait)
            try:
                return await self._ask(port, build)
            except (NoAnswerError, OSError):
                self.silent_until = time.monotonic() + SILENT_SECONDS
                return None

    async def _ask(self, port: int, build: Callable[[int], Packet]) -> Packet:
        loop = asyncio.get_running_loop()
        _, channel = await loop.create_datagram_endpoint(
            lambda: Channel(PACE), local_addr=(self.source, 0), remote_addr=(self.address, port)
        )
        try:
            return await channel.ask(build)
        finally:
            channel.close()


@dataclass(slots=True)
class Exchange:
    """All the lines of one NAS."""

    nas: Nas
    server: Server
    lines: int = LINES
    dice: random.Random = field(default_factory=random.Random)
    boot: int = field(default_factory=lambda: int(time.time()) & 0xFFFF)
    _calls: int = 0

    async def run(self) -> None:
        """Dial in all lines, and keep them in, until cancelled; then say that the NAS goes down."""
        with contextlib.suppress(asyncio.CancelledError):
            await self._tell_of_restart()
            async with asyncio.TaskGroup() as group:
                for seed in seed_sessions(self.lines):
                    group.create_task(self._keep_in(seed))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1):
                await self._account(None, OFF, patient=False)

    async def _tell_of_restart(self) -> None:
        while await self._account(None, ON) is None:
            pass

    async def _keep_in(self, line: Session) -> None:
        number = int(line.user_name[9:12])
        await asyncio.sleep(self.dice.uniform(0, self.lines / 8))
        while True:
            reply = await self._dial(line, number)
            if reply is None:
                continue
            if reply.code == AccessAccept:
                await self._stay(line, number, reply)
                await asyncio.sleep(REDIAL_SECONDS * self.dice.uniform(0.5, 1.5))
            else:
                await asyncio.sleep(AFTER_REJECT_SECONDS * self.dice.uniform(0.8, 1.2))

    async def _dial(self, line: Session, number: int) -> Packet | None:
        def build(packet_id: int) -> AuthPacket:
            packet = AuthPacket(
                id=packet_id, secret=self.server.secret, dict=dictionary(), message_authenticator=True
            )
            packet.authenticator = secrets.token_bytes(16)
            identifier, challenge = secrets.token_bytes(1), secrets.token_bytes(16)
            given = password(number) if number != FORGETFUL else "forgotten"
            # RFC 2865 section 5.3 prescribes MD5.
            digest = hashlib.md5(identifier + given.encode() + challenge).digest()  # noqa: S324
            packet[3] = [identifier + digest]
            packet[60] = [challenge]
            self._describe(packet, line)
            return packet

        reply = await self.server.ask(self.server.auth_port, build)
        if reply is not None:
            self._log(
                "accept" if reply.code == AccessAccept else "reject", line, first(reply, "Reply-Message")
            )
        return reply

    async def _stay(self, line: Session, number: int, reply: Packet) -> None:
        """Hold one session from its Start to its Stop."""
        session = self._session(line, reply)
        call = _Call(session, first(reply, "Class"), self._habit(number), time.monotonic(), self.dice)
        timeout = first(reply, "Session-Timeout") or LONGEST_SESSION_SECONDS
        ends = call.since + min(timeout, self.dice.uniform(0.3, 1) * LONGEST_SESSION_SECONDS)
        interim = max(first(reply, "Acct-Interim-Interval") or INTERIM_SECONDS, LEAST_INTERIM_SECONDS)
        self.nas.add([session])
        cause = USER_REQUEST
        try:
            await self._account(call, START)
            due = call.since + interim
            while (now := time.monotonic()) < ends:
                if session.session_id not in self.nas.sessions:
                    cause = ADMIN_RESET
                    break
                if now >= due:
                    await self._account(call, INTERIM)
                    due += interim * max(1, int((time.monotonic() - due) // interim) + 1)
                await asyncio.sleep(GLANCE_SECONDS)
            else:
                cause = SESSION_TIMEOUT if timeout <= ends - call.since else USER_REQUEST
        finally:
            self.nas.sessions.pop(session.session_id, None)
        await self._account(call, STOP, cause)

    def _session(self, line: Session, reply: Packet) -> Session:
        self._calls += 1
        return Session(
            session_id=f"81{self.boot:04x}{self._calls:04x}",
            user_name=line.user_name,
            address=str(first(reply, "Framed-IP-Address") or line.address),
            mac=line.mac,
            port=line.port,
            rate_limit=first(reply, "Mikrotik-Rate-Limit") or "",
            address_list=first(reply, "Mikrotik-Address-List") or "",
            filter_id=first(reply, "Filter-Id") or "",
            timeout_seconds=first(reply, "Session-Timeout") or 0,
            behaviour=line.behaviour,
        )

    @staticmethod
    def _habit(number: int) -> float:
        """Return the bytes a second this household takes on average, the same at every start."""
        return float(LEAST_RATE * (MOST_RATE / LEAST_RATE) ** random.Random(number).random())

    async def _account(
        self, call: "_Call | None", kind: int, cause: int | None = None, *, patient: bool = True
    ) -> Packet | None:
        if call is not None:
            call.use(time.monotonic())

        def build(packet_id: int) -> AcctPacket:
            packet = AcctPacket(id=packet_id, secret=self.server.secret, dict=dictionary())
            packet.AddAttribute("Acct-Status-Type", kind)
            packet.AddAttribute("Event-Timestamp", int(time.time()))
            if call is None:
                packet.AddAttribute("Acct-Session-Id", f"81{self.boot:04x}0000")
                self._name_nas(packet)
                return packet
            self._describe(packet, call.session)
            call.describe(packet, cause)
            return packet

        return await self.server.ask(self.server.acct_port, build, patient=patient)

    def _describe(self, packet: Packet, session: Session) -> None:
        self._name_nas(packet)
        for name, value in (
            ("User-Name", session.user_name),
            ("Calling-Station-Id", session.mac),
            ("Called-Station-Id", "pppoe-demo"),
            ("NAS-Port-Id", session.port),
            ("NAS-Port-Type", PPPOE),
            ("Framed-Protocol", PPP),
        ):
            packet.AddAttribute(name, value)

    def _name_nas(self, packet: Packet) -> None:
        packet.AddAttribute("NAS-IP-Address", self.nas.address)
        packet.AddAttribute("NAS-Identifier", self.nas.identifier)

    @staticmethod
    def _log(verdict: str, line: Session, message: str | None) -> None:
        print(json.dumps({"verdict": verdict, "user": line.user_name, "message": message or ""}), flush=True)


@dataclass(slots=True)
class _Call:
    """What one session has used so far."""

    session: Session
    token: bytes | None
    habit: float
    since: float
    dice: random.Random
    until: float = 0.0
    received: int = 0
    sent: int = 0

    def use(self, now: float) -> None:
        """Let the household use the line since it was asked last."""
        elapsed = now - (self.until or self.since)
        self.until = now
        took = int(elapsed * self.habit * self.dice.uniform(0.3, 1.7))
        self.received += took // 12
        self.sent += took

    def describe(self, packet: Packet, cause: int | None) -> None:
        """Add what accounting says of it (RFC 2866, 2869): input is what the subscriber sent."""
        packet.AddAttribute("Acct-Session-Id", self.session.session_id)
        packet.AddAttribute("Framed-IP-Address", self.session.address)
        packet.AddAttribute("Acct-Session-Time", int(self.until - self.since))
        for name, octets in (("Input", self.received), ("Output", self.sent)):
            packet.AddAttribute(f"Acct-{name}-Octets", octets % GIGAWORD)
            packet.AddAttribute(f"Acct-{name}-Gigawords", octets // GIGAWORD)
        if self.token is not None:
            packet.AddAttribute("Class", self.token)
        if cause is not None:
            packet.AddAttribute("Acct-Terminate-Cause", cause)


async def run(nas: Nas, coa_port: int, exchange: Exchange) -> None:
    """Answer CoA and Disconnect, and dial, until SIGINT or SIGTERM."""
    dialling = asyncio.create_task(exchange.run())
    try:
        await serve(nas, coa_port)
    finally:
        dialling.cancel()
        await dialling


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m demo.dialler", description=__doc__)
    parser.add_argument("--host", default="127.0.0.4", help="the NAS' address, also its NAS-IP-Address")
    parser.add_argument("--coa-port", type=int, default=13799)
    parser.add_argument("--secret", default="demo-secret")
    parser.add_argument("--identifier", default="demo-nas", help="its NAS-Identifier")
    parser.add_argument("--radius", default="127.0.0.1:1812", help="HOST:PORT; accounting is the next port")
    parser.add_argument("--lines", type=int, default=LINES)
    chosen = parser.parse_args()
    nas = Nas(chosen.secret.encode(), chosen.host, chosen.identifier)
    address, _, port = chosen.radius.rpartition(":")
    server = Server(address, int(port), int(port) + 1, nas.secret, nas.address)
    asyncio.run(run(nas, chosen.coa_port, Exchange(nas, server, chosen.lines)))


if __name__ == "__main__":
    main()
