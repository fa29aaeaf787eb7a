"""What comes back from the wire: only a signed answer counts, and no bytes break the reader."""

import hashlib
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyrad.packet import CoAPacket

from aaa.radius.channel import MOST_OUTSTANDING, SILENT_AFTER, first, read_reply
from aaa.radius.requests import Kind, Nas, Request, Session, UnsendableError, build
from aaa.radius.sending import send
from aaa.radius.verdicts import WORDS, Outcome, Result, Verdict, judge


def disconnect(nas: Nas, session_id: str) -> Request:
    return Request(session_id, Kind.DISCONNECT, nas, Session(session_id, "amal@demo.example"))


def verdict_of(request: Request, pace: tuple[float, ...]) -> Verdict:
    [[(_, verdict)]] = list(send([request], pace=pace))
    return verdict


Listen = Callable[[Callable[[bytes], list[bytes]]], int]


@pytest.fixture
def listen() -> Iterator[Listen]:
    """Answer datagrams on a free port with what a function makes of them."""
    sockets: list[socket.socket] = []

    def start(answer: Callable[[bytes], list[bytes]]) -> int:
        server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        server.bind(("127.0.0.1", 0))
        sockets.append(server)

        def serve() -> None:
            while True:
                try:
                    data, sender = server.recvfrom(4096)
                except OSError:
                    return
                if not data:
                    return
                for reply in answer(data):
                    server.sendto(reply, sender)

        threading.Thread(target=serve, daemon=True).start()
        return int(server.getsockname()[1])

    yield start
    for server in sockets:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as waker:
            waker.sendto(b"", server.getsockname())
        server.close()


def test_a_reply_signed_with_another_secret_says_so(listen: Listen) -> None:
    def answer(data: bytes) -> list[bytes]:
        reply = CoAPacket(packet=data, secret=b"theirs").CreateReply()
        return [bytes(reply.ReplyPacket())]

    nas = Nas("127.0.0.1", listen(answer), b"ours", "mikrotik")

    verdict = verdict_of(disconnect(nas, "x"), pace=(0.2,))

    assert (verdict.result, verdict.outcome) == (Result.RETRY, Outcome.BAD_REPLY)


def test_a_reply_whose_message_authenticator_is_wrong_is_none(listen: Listen) -> None:
    def answer(data: bytes) -> list[bytes]:
        reply = CoAPacket(packet=data, secret=b"ours").CreateReply()
        reply[80] = [bytes(16)]
        reply.message_authenticator = None
        return [bytes(reply.ReplyPacket())]

    nas = Nas("127.0.0.1", listen(answer), b"ours", "mikrotik")

    assert verdict_of(disconnect(nas, "x"), pace=(0.2,)).outcome is Outcome.BAD_REPLY


def test_an_answer_of_another_kind_is_no_success(listen: Listen) -> None:
    def answer(data: bytes) -> list[bytes]:
        reply = CoAPacket(packet=data, secret=b"ours").CreateReply()
        reply.code = 44  # CoA-ACK to a Disconnect-Request.
        return [bytes(reply.ReplyPacket())]

    nas = Nas("127.0.0.1", listen(answer), b"ours", "mikrotik")

    assert verdict_of(disconnect(nas, "x"), pace=(0.2,)).result is Result.ALERT


def test_noise_before_the_answer_changes_nothing(listen: Listen) -> None:
    def answer(data: bytes) -> list[bytes]:
        reply = bytes(CoAPacket(packet=data, secret=b"ours").CreateReply().ReplyPacket())
        return [b"\x00", reply[:19], reply[:4] + bytes(16) + reply[20:], reply, reply]

    nas = Nas("127.0.0.1", listen(answer), b"ours", "mikrotik")

    assert verdict_of(disconnect(nas, "x"), pace=(1.0,)).result is Result.DONE


def test_what_waits_for_a_nas_that_answers_nothing_is_not_sent(listen: Listen) -> None:
    seen: list[bytes] = []

    def answer(data: bytes) -> list[bytes]:
        seen.append(data)
        return []

    nas = Nas("127.0.0.1", listen(answer), b"ours", "mikrotik")
    requests = [disconnect(nas, f"{number}") for number in range(MOST_OUTSTANDING + 50)]

    answers = [answer for batch in send(requests, pace=(0.3,)) for answer in batch]

    outcomes = Counter(verdict.outcome for _, verdict in answers)
    # Those that were waiting take the places of the first that gave up, until SILENT_AFTER have.
    assert MOST_OUTSTANDING <= outcomes[Outcome.TIMEOUT] < MOST_OUTSTANDING + SILENT_AFTER
    assert outcomes[Outcome.SILENT] == len(requests) - outcomes[Outcome.TIMEOUT]
    assert len(set(seen)) == outcomes[Outcome.TIMEOUT]


def test_never_more_in_flight_than_a_receive_buffer_holds(listen: Listen) -> None:
    in_flight, most = 0, 0

    def answer(data: bytes) -> list[bytes]:
        nonlocal in_flight, most
        in_flight += 1
        most = max(most, in_flight)
        if in_flight < MOST_OUTSTANDING:
            held.append(data)
            return []
        replies = [*held, data]
        held.clear()
        in_flight = 0
        return [
            bytes(CoAPacket(packet=request, secret=b"ours").CreateReply().ReplyPacket())
            for request in replies
        ]

    held: list[bytes] = []
    nas = Nas("127.0.0.1", listen(answer), b"ours", "mikrotik")
    requests = [disconnect(nas, f"{number}") for number in range(3 * MOST_OUTSTANDING)]

    answers = [answer for batch in send(requests, pace=(5.0,)) for answer in batch]

    assert most == MOST_OUTSTANDING
    assert Counter(verdict.result for _, verdict in answers) == {Result.DONE: 3 * MOST_OUTSTANDING}


def test_a_closed_port_says_so() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]

    verdict = verdict_of(disconnect(Nas("127.0.0.1", port, b"s", "mikrotik"), "x"), pace=(0.1,))

    assert (verdict.result, verdict.detail) == (Result.RETRY, "Nothing listens on this port of the NAS.")


def test_a_session_that_nothing_names_is_not_asked_for() -> None:
    nas = Nas("127.0.0.1", 3799, b"s", "cisco")
    request = Request("x", Kind.DISCONNECT, nas, Session("", "", "100.64.0.10"))

    with pytest.raises(UnsendableError, match="neither a session id nor a name"):
        build(request, packet_id=1, now=0)


@pytest.mark.parametrize(
    ("nas_ip", "identifier", "expected"),
    [
        ("192.0.2.7", "core-1", {"NAS-IP-Address": ["192.0.2.7"]}),
        ("2001:db8::7", "core-1", {"NAS-IPv6-Address": ["2001:db8::7"]}),
        ("", "core-1", {"NAS-Identifier": ["core-1"]}),
        ("", "", {}),
    ],
)
def test_a_nas_is_named_as_it_names_itself(
    nas_ip: str, identifier: str, expected: dict[str, list[str]]
) -> None:
    nas = Nas("127.0.0.1", 3799, b"s", "cisco", nas_ip, identifier)

    packet = build(disconnect(nas, "x"), packet_id=7, now=1_000_000_000)

    named = [name for name in list(packet.keys()) if name.startswith("NAS-")]
    assert {name: packet[name] for name in named} == expected


def test_a_secret_is_in_no_text() -> None:
    assert "hidden" not in repr(Nas("127.0.0.1", 3799, b"hidden", "cisco"))


def test_every_cause_has_words() -> None:
    for cause in WORDS:
        verdict = judge(Kind.COA, 45, cause)
        assert verdict is not None
        assert verdict.detail == WORDS[cause]


def _request() -> CoAPacket:
    nas = Nas("127.0.0.1", 3799, b"ours", "mikrotik")
    packet = build(disconnect(nas, "x"), packet_id=7, now=1_000_000_000)
    packet.RequestPacket()
    return packet


def _signed(packet: CoAPacket, code: int, attributes: bytes) -> bytes:
    head = bytes([code, packet.id]) + (20 + len(attributes)).to_bytes(2)
    return head + hashlib.md5(head + packet.authenticator + attributes + packet.secret).digest() + attributes


_ATTRIBUTE = st.builds(
    lambda kind, length, value: bytes([kind, length if length is not None else len(value) + 2]) + value,
    st.sampled_from([8, 18, 24, 26, 33, 55, 80, 97, 101, 123, 255]) | st.integers(0, 255),
    st.none() | st.integers(0, 255),
    st.binary(max_size=40),
)


@settings(max_examples=600, deadline=None)
@given(data=st.binary(max_size=200))
def test_no_bytes_are_taken_for_an_answer(data: bytes) -> None:
    assert read_reply(_request(), data) is None


@settings(max_examples=600, deadline=None)
@given(code=st.integers(0, 255), attributes=st.lists(_ATTRIBUTE, max_size=8).map(b"".join))
def test_no_signed_bytes_break_the_reader(code: int, attributes: bytes) -> None:
    packet = _request()

    reply = read_reply(packet, _signed(packet, code, attributes))

    if reply is not None:
        cause = first(reply, "Error-Cause")
        verdict = judge(Kind.DISCONNECT, reply.code, cause if isinstance(cause, int) else None)
        assert verdict is None or verdict.result in Result


@settings(max_examples=300, deadline=None)
@given(position=st.integers(0, 45), flip=st.integers(1, 255), cut=st.integers(0, 25))
def test_a_changed_or_cut_answer_is_none(position: int, flip: int, cut: int) -> None:
    packet = _request()
    good = _signed(packet, 42, bytes([101, 6, 0, 0, 1, 0xF7]))
    assert read_reply(packet, good) is not None
    bad = bytearray(good)
    bad[position % len(bad)] ^= flip

    assert read_reply(packet, bytes(bad)) is None
    assert cut == 0 or read_reply(packet, good[:-cut]) is None
