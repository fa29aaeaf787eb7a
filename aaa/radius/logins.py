"""Log in as a NAS would: one real Access-Request, for staff who test what a subscriber gets."""

import asyncio
import hashlib
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from pyrad.packet import AccessAccept, AccessChallenge, AccessReject, AuthPacket, PacketError

from aaa.radius.channel import Channel, NoAnswerError
from aaa.radius.dictionary import dictionary
from aaa.radius.requests import Pair, UnsendableError, add

# A RADIUS server answers a reject after a second (reject_delay); a NAS repeats after about that.
LOGIN_PACE = (2.0, 3.0)


class Method(StrEnum):
    """How the password is shown to the server."""

    PAP = "pap"
    CHAP = "chap"


class Reply(StrEnum):
    """What the server said."""

    ACCEPT = "accept"
    REJECT = "reject"
    CHALLENGE = "challenge"
    NONE = "none"
    BAD_REPLY = "bad_reply"


REPLIES = {AccessAccept: Reply.ACCEPT, AccessReject: Reply.REJECT, AccessChallenge: Reply.CHALLENGE}


@dataclass(frozen=True, slots=True)
class LoginAnswer:
    """What came back. `signed` tells whether the reply carried a Message-Authenticator (which then was right)."""

    reply: Reply
    attributes: tuple[Pair, ...] = ()
    signed: bool = False
    milliseconds: float = 0


def log_in(
    *,
    server: str,
    port: int,
    secret: bytes,
    username: str,
    password: str,
    method: Method,
    attributes: Sequence[Pair] = (),
    pace: Sequence[float] = LOGIN_PACE,
    source: str = "",
) -> LoginAnswer:
    """Send one Access-Request with a Message-Authenticator and return the verdict and its attributes.

    `source` is the address of this machine to send from. The password appears in no attribute, log or exception.
    Raises UnsendableError for a name, password or attribute that fits no packet, OSError where there is no way to the
    server.
    """

    def build(packet_id: int) -> AuthPacket:
        return _request(packet_id, secret, username, password, method, attributes)

    started = time.monotonic()
    try:
        packet = asyncio.run(_ask(server, port, build, pace, source))
    except NoAnswerError as nothing:
        return LoginAnswer(Reply.BAD_REPLY if nothing.bad_replies else Reply.NONE)
    return LoginAnswer(
        reply=REPLIES.get(packet.code, Reply.BAD_REPLY),
        attributes=tuple(_readable(packet)),
        signed=bool(packet.message_authenticator),
        milliseconds=(time.monotonic() - started) * 1000,
    )


async def _ask(
    server: str, port: int, build: Callable[[int], AuthPacket], pace: Sequence[float], source: str
) -> AuthPacket:
    channel = await Channel.open(server, port, pace, source)
    try:
        return await channel.ask(build)
    finally:
        channel.close()


def _request(
    packet_id: int, secret: bytes, username: str, password: str, method: Method, attributes: Sequence[Pair]
) -> AuthPacket:
    packet = AuthPacket(id=packet_id, secret=secret, dict=dictionary(), message_authenticator=True)
    packet.authenticator = secrets.token_bytes(16)
    add(packet, "User-Name", username)
    if method is Method.PAP:
        try:
            packet["User-Password"] = packet.PwCrypt(password)
        except ValueError as error:
            raise UnsendableError("A password is at most 128 bytes long.") from error
    else:
        identifier, challenge = secrets.token_bytes(1), secrets.token_bytes(16)
        # RFC 2865 section 5.3 prescribes MD5.
        digest = hashlib.md5(identifier + password.encode() + challenge).digest()  # noqa: S324
        packet[3] = [identifier + digest]
        packet[60] = [challenge]
    for name, value in attributes:
        add(packet, name, value)
    return packet


def _readable(packet: AuthPacket) -> list[Pair]:
    """Return name and text of every attribute; one that we do not know by its number, bytes as hexadecimal."""
    pairs = []
    # keys() gives names where we know them, iterating gives numbers.
    for key in list(packet.keys()):
        if key in (80, "Message-Authenticator"):
            continue
        name = key if isinstance(key, str) else _numbered(key)
        try:
            values = packet[key]
        except (PacketError, ValueError):
            values = packet.get(key, []) if not isinstance(key, str) else [b"?"]
        pairs += [(name, _text(value)) for value in values]
    return pairs


def _numbered(key: int | tuple[int, int]) -> str:
    return f"Vendor-{key[0]}-Attr-{key[1]}" if isinstance(key, tuple) else f"Attr-{key}"


def _text(value: object) -> str:
    return f"0x{value.hex()}" if isinstance(value, bytes) else str(value)
