"""What an answer, or none, means for the action that asked (RFC 5176 section 3.6)."""

from dataclasses import dataclass
from enum import StrEnum

from pyrad.packet import CoAACK, CoANAK, DisconnectACK, DisconnectNAK

from aaa.radius.requests import Kind


class Result(StrEnum):
    """What the asker does next."""

    DONE = "done"
    GONE = "gone"  # The NAS has no such session: the goal of a Disconnect, and a stale row for a CoA.
    FALLBACK = "fallback"  # This NAS cannot do this CoA: disconnect, so that the next log-in brings it.
    RETRY = "retry"
    ALERT = "alert"  # Trying again changes nothing; somebody has to look.
    PER_SESSION = "per_session"  # More than one session matched: name it by all that is known.


class Outcome(StrEnum):
    """What happened on the wire."""

    ACK = "ack"
    NAK = "nak"
    TIMEOUT = "timeout"
    BAD_REPLY = "bad_reply"  # Somebody answered, never with a valid signature: most often another secret.
    SILENT = "silent"  # Not sent, because this NAS answered nothing else just now.
    UNSENDABLE = "unsendable"


@dataclass(frozen=True, slots=True)
class Verdict:
    """How one request ended. `detail` is for staff."""

    result: Result
    outcome: Outcome
    error_cause: int | None = None
    detail: str = ""


ACKS = {Kind.COA: CoAACK, Kind.DISCONNECT: DisconnectACK}
NAKS = {Kind.COA: CoANAK, Kind.DISCONNECT: DisconnectNAK}

SESSION_CONTEXT_NOT_FOUND = 503
RESOURCES_UNAVAILABLE = 506
REQUEST_INITIATED = 507
MULTIPLE_SESSION_SELECTION = 508

WORDS = {
    201: "The session had ended already; what was left of it is removed.",
    401: "The NAS does not know an attribute of the request.",
    402: "The NAS misses an attribute in the request.",
    403: "The NAS says the request is for another NAS: check the address and name it reports itself with.",
    404: "The NAS finds the request malformed.",
    405: "The NAS does not offer this service.",
    406: "The NAS does not know an extension of the request.",
    407: "The NAS refuses the value of an attribute.",
    501: "The NAS forbids the request: it is not enabled there, or the session has too many hosts.",
    502: "A RADIUS proxy on the way cannot route the request.",
    503: "The NAS has no such session.",
    504: "The NAS cannot remove this session.",
    505: "A RADIUS proxy on the way could not process the request.",
    506: "The NAS is busy.",
    507: "The NAS asks for the subscriber's authorization again.",
    508: "More than one session of the NAS matches.",
}
_RESULTS = {
    SESSION_CONTEXT_NOT_FOUND: Result.GONE,
    RESOURCES_UNAVAILABLE: Result.RETRY,
    REQUEST_INITIATED: Result.DONE,
    MULTIPLE_SESSION_SELECTION: Result.PER_SESSION,
    **dict.fromkeys((403, 501, 502, 504, 505), Result.ALERT),
}


def judge(kind: Kind, code: int, error_cause: int | None) -> Verdict | None:
    """Return what a signed reply means; None when its code does not answer this kind of request.

    A NAK without a cause (accel-ppp sends them), or with one that nobody defined, says only "no": a CoA falls back
    to a Disconnect, which is tried again where it got no cause.
    """
    if code == ACKS[kind]:
        return Verdict(Result.DONE, Outcome.ACK, error_cause, WORDS.get(error_cause or 0, ""))
    if code != NAKS[kind]:
        return None
    result = _RESULTS.get(error_cause or 0)
    if result is None and kind is Kind.COA:
        result = Result.FALLBACK
    elif result is None:
        result = Result.RETRY if error_cause is None else Result.ALERT
    detail = WORDS.get(error_cause or 0) or (
        "The NAS refuses and gives no reason." if error_cause is None else f"The NAS refuses: {error_cause}."
    )
    return Verdict(result, Outcome.NAK, error_cause, detail)
