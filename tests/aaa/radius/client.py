"""A NAS that speaks to the server under test: pyrad packets over a socket of an address of its own."""

import hashlib
import io
import itertools
import secrets
import socket
from dataclasses import dataclass, field
from typing import Any

from pyrad.dictionary import Dictionary
from pyrad.packet import AccessAccept, AccessReject, AcctPacket, AuthPacket, Packet

from aaa.radius.dictionary import FOLDER

MORE = """
VENDOR Microsoft 311
BEGIN-VENDOR Microsoft
ATTRIBUTE MS-CHAP-Challenge 11 octets
ATTRIBUTE MS-CHAP2-Response 25 octets
ATTRIBUTE MS-CHAP2-Success 26 octets
END-VENDOR Microsoft
"""
DICTIONARY = Dictionary(
    io.StringIO("\n".join([*(path.read_text() for path in sorted(FOLDER.iterdir())), MORE]))
)
KINDS = {"Start": 1, "Stop": 2, "Interim-Update": 3, "Accounting-On": 7, "Accounting-Off": 8}
MESSAGE_AUTHENTICATOR = 80
HEADER_BYTES = 20
# Linux answers on all of 127/8, so that every test has NASes which the server never saw before.
_addresses = (
    f"127.{a}.{b}.{c}" for a, b, c in itertools.product(range(9, 250), range(1, 250), range(1, 250))
)


def new_address() -> str:
    """Return a loopback address that no NAS of this run has had."""
    return next(_addresses)


@dataclass(frozen=True, slots=True)
class Answer:
    """A reply whose authenticator, and Message-Authenticator where there is one, are right."""

    code: int
    packet: Packet
    data: bytes

    @property
    def accepted(self) -> bool:
        return bool(self.code == AccessAccept)

    @property
    def rejected(self) -> bool:
        return bool(self.code == AccessReject)

    @property
    def is_signed_first(self) -> bool:
        """Whether Message-Authenticator is the first attribute, as RouterOS and others now want it."""
        return len(self.data) > HEADER_BYTES and self.data[HEADER_BYTES] == MESSAGE_AUTHENTICATOR

    @property
    def message(self) -> str:
        return str(self.get("Reply-Message") or "")

    def get(self, name: str) -> Any:
        """Return the only value of an attribute, None where it is absent."""
        values = self.all(name)
        assert len(values) < 2, f"{name} is there {len(values)} times"
        return values[0] if values else None

    def all(self, name: str) -> list[Any]:
        return list(self.packet.get(name) or [])


@dataclass(slots=True)
class NasClient:
    """One NAS: an address, a secret, and the server it asks."""

    secret: str
    auth_port: int
    acct_port: int
    address: str = field(default_factory=new_address)
    seconds: float = 5.0

    def log_in(
        self,
        username: str | bytes,
        password: str = "",
        *,
        chap: bool = False,
        signed: bool = True,
        **more: Any,
    ) -> Answer | None:
        """Send one Access-Request, PAP unless told otherwise; None when nothing valid comes back."""
        return self.ask(self.access_request(username, password, chap=chap, signed=signed, **more))

    def access_request(
        self,
        username: str | bytes,
        password: str = "",
        *,
        chap: bool = False,
        signed: bool = True,
        **more: Any,
    ) -> AuthPacket:
        packet = AuthPacket(
            id=secrets.randbelow(256),
            secret=self.secret.encode(),
            dict=DICTIONARY,
            message_authenticator=signed,
        )
        packet.authenticator = secrets.token_bytes(16)
        packet[1] = [username.encode() if isinstance(username, str) else username]
        if chap:
            challenge = secrets.token_bytes(16)
            packet[3] = [b"\x07" + hashlib.md5(b"\x07" + password.encode() + challenge).digest()]
            packet[60] = [challenge]
        elif password:
            packet["User-Password"] = packet.PwCrypt(password)
        # The same device each time: two nameless ones are two sessions.
        return _filled(packet, {"Calling_Station_Id": "02:00:00:00:00:01", **more})

    def account(self, kind: str, session_id: str = "", **more: Any) -> Answer | None:
        """Send one Accounting-Request."""
        return self.ask(self.accounting_request(kind, session_id, **more))

    def accounting_request(self, kind: str, session_id: str = "", **more: Any) -> AcctPacket:
        packet = AcctPacket(id=secrets.randbelow(256), secret=self.secret.encode(), dict=DICTIONARY)
        packet.AddAttribute("Acct-Status-Type", KINDS[kind])
        if session_id:
            packet.AddAttribute("Acct-Session-Id", session_id)
        return _filled(packet, more)

    def ask(self, packet: Packet) -> Answer | None:
        """Send one packet once and wait for its reply."""
        port = self.acct_port if isinstance(packet, AcctPacket) else self.auth_port
        with self.socket() as channel:
            channel.sendto(packet.RequestPacket(), ("127.0.0.1", port))
            return self.receive(channel, packet)

    def receive(self, channel: socket.socket, packet: Packet) -> Answer | None:
        """Wait for the reply to a packet that was sent."""
        try:
            data = channel.recv(4096)
        except TimeoutError:
            return None
        reply = packet.CreateReply(packet=data)
        assert packet.VerifyReply(reply, data), "the reply is not signed with the NAS' secret"
        return Answer(reply.code, reply, data)

    def socket(self) -> socket.socket:
        channel = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        channel.bind((self.address, 0))
        channel.settimeout(self.seconds)
        return channel


def _filled(packet: Packet, more: dict[str, Any]) -> Any:
    for name, value in more.items():
        packet.AddAttribute(name.replace("_", "-"), value)
    return packet
