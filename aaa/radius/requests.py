"""What a CoA-Request or Disconnect-Request says: which session on which NAS, and what shall change (RFC 5176)."""

import ipaddress
from collections.abc import Hashable
from dataclasses import dataclass, field
from enum import StrEnum

from pyrad.packet import CoAPacket, CoARequest, DisconnectRequest

from aaa.radius.dictionary import dictionary

Pair = tuple[str, str]


class Kind(StrEnum):
    """What is asked of the NAS."""

    COA = "coa"
    DISCONNECT = "disconnect"


CODES = {Kind.COA: CoARequest, Kind.DISCONNECT: DisconnectRequest}

_ID, _NAME, _ADDRESS = "Acct-Session-Id", "User-Name", "Framed-IP-Address"
# Cisco, Juniper, Huawei, ZTE and Nokia take one way to name a session, and the session id is the one that names one.
# RouterOS answers by name and address too, and older versions want them. accel-ppp: all that is given must match.
IDENTIFICATION = {
    "mikrotik": (_ID, _NAME, _ADDRESS),
    "wispr": (_ID, _NAME),
    "other": (_ID, _NAME),
}
ONLY_SESSION_ID = (_ID,)
# Where accounting never told a session id.
WITHOUT_SESSION_ID = (_NAME, _ADDRESS)
EVERYTHING = (_ID, _NAME, _ADDRESS, "Calling-Station-Id", "NAS-Port-Id")


class UnsendableError(ValueError):
    """A request cannot be put into a packet; the text says why, in words for staff."""


@dataclass(frozen=True, slots=True)
class Nas:
    """Where requests go, and as what this NAS reports itself in its own packets."""

    address: str
    port: int
    secret: bytes = field(repr=False)
    nas_type: str
    nas_ip: str = ""
    nas_identifier: str = ""


@dataclass(frozen=True, slots=True)
class Session:
    """A live session as its accounting named it, to the letter."""

    acct_session_id: str
    username: str
    framed_ip: str = ""
    station: str = ""
    nas_port_id: str = ""


@dataclass(frozen=True, slots=True)
class Request:
    """One thing to ask of one NAS. `key` is the caller's and comes back with the answer."""

    key: Hashable
    kind: Kind
    nas: Nas
    session: Session
    attributes: tuple[Pair, ...] = ()


def build(request: Request, *, packet_id: int, now: int, complete: bool = False) -> CoAPacket:
    """Return the packet of a request; `complete` names the session by all that is known of it.

    A Disconnect carries no attributes of the request: a NAS refuses them (RFC 5176 section 3.6, Error-Cause 401).
    Message-Authenticator and Event-Timestamp are always there, against replays (sections 3.3 and 6.3).
    Raises UnsendableError.
    """
    packet = CoAPacket(
        code=CODES[request.kind],
        id=packet_id,
        secret=request.nas.secret,
        dict=dictionary(),
        message_authenticator=True,
    )
    pairs = [*_nas(request.nas), *_identification(request, complete)]
    if request.kind is Kind.COA:
        if not request.attributes:
            raise UnsendableError("This policy says nothing that a CoA could change on this type of NAS.")
        pairs += request.attributes
    for name, value in pairs:
        add(packet, name, value)
    packet.AddAttribute("Event-Timestamp", now)
    return packet


def add(packet: CoAPacket, name: str, value: str) -> None:
    """Append one attribute from text. Raises UnsendableError."""
    attribute = dictionary().attributes.get(name)
    if attribute is None:
        raise UnsendableError(f"{name} is not in our RADIUS dictionary.")
    try:
        number = attribute.type == "integer" and not attribute.values.HasForward(value)
        packet.AddAttribute(name, int(value) if number else value)
    except (ValueError, TypeError, OverflowError) as error:
        raise UnsendableError(f"{name} cannot be {value[:64]!r}: {error}") from error


def _nas(nas: Nas) -> tuple[Pair, ...]:
    """Name the NAS as it names itself; nothing where it never reported itself (RFC 5176 section 3)."""
    if nas.nas_ip:
        try:
            version = ipaddress.ip_address(nas.nas_ip).version
        except ValueError as error:
            raise UnsendableError(f"{nas.nas_ip[:64]!r} is no address of a NAS.") from error
        return (("NAS-IP-Address" if version == 4 else "NAS-IPv6-Address", nas.nas_ip),)
    return (("NAS-Identifier", nas.nas_identifier),) if nas.nas_identifier else ()


def _identification(request: Request, complete: bool) -> list[Pair]:
    session = request.session
    known = {
        _ID: session.acct_session_id,
        _NAME: session.username,
        _ADDRESS: session.framed_ip,
        "Calling-Station-Id": session.station,
        "NAS-Port-Id": session.nas_port_id,
    }
    names: tuple[str, ...] = WITHOUT_SESSION_ID
    if complete:
        names = EVERYTHING
    elif session.acct_session_id:
        names = IDENTIFICATION.get(request.nas.nas_type, ONLY_SESSION_ID)
    pairs = [(name, known[name]) for name in names if known[name]]
    if not session.acct_session_id and not (session.username and session.framed_ip):
        raise UnsendableError("This session has neither a session id nor a name with an address.")
    return pairs
