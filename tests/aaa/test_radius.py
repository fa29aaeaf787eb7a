"""CoA and Disconnect against a real FreeRADIUS that plays the NAS, and what becomes of every answer."""

import time
from collections import Counter

import pytest

from aaa.radius.requests import Kind, Nas, Request, Session
from aaa.radius.sending import send
from aaa.radius.verdicts import Outcome, Result, Verdict
from tests.aaa.nas_peer import NasPeer

QUICK = (0.3, 1.5)
RATE = (("Mikrotik-Rate-Limit", "10M/50M"),)


def at(peer: NasPeer, nas_type: str = "mikrotik", *, strict: bool = False, secret: str = "") -> Nas:
    return Nas(
        address="127.0.0.1",
        port=peer.strict_port if strict else peer.port,
        secret=(secret or peer.secret).encode(),
        nas_type=nas_type,
        nas_ip="127.0.0.1",
    )


def session(session_id: str) -> Session:
    return Session(session_id, "amal@demo.example", "100.64.0.9", "02:00:5E:00:00:09", "ether1.9")


def disconnect(nas: Nas, session_id: str) -> Request:
    return Request(session_id, Kind.DISCONNECT, nas, session(session_id))


def coa(nas: Nas, session_id: str, attributes: tuple[tuple[str, str], ...] = RATE) -> Request:
    return Request(session_id, Kind.COA, nas, session(session_id), attributes)


def verdict_of(request: Request, pace: tuple[float, ...] = QUICK) -> Verdict:
    [[(answered, verdict)]] = list(send([request], pace=pace))
    assert answered is request
    return verdict


@pytest.mark.parametrize(
    ("session_id", "result", "cause"),
    [
        ("plain-1", Result.DONE, None),
        ("nak-401-1", Result.ALERT, 401),
        ("nak-402-1", Result.ALERT, 402),
        ("nak-403-1", Result.ALERT, 403),
        ("nak-404-1", Result.ALERT, 404),
        ("nak-405-1", Result.ALERT, 405),
        ("nak-406-1", Result.ALERT, 406),
        ("nak-407-1", Result.ALERT, 407),
        ("nak-501-1", Result.ALERT, 501),
        ("nak-502-1", Result.ALERT, 502),
        ("nak-503-1", Result.GONE, 503),
        ("nak-504-1", Result.ALERT, 504),
        ("nak-505-1", Result.ALERT, 505),
        ("nak-506-1", Result.RETRY, 506),
        ("nak-507-1", Result.DONE, 507),
        ("nak-508-1", Result.ALERT, 508),
        ("nak-999-1", Result.ALERT, 999),
        ("bare-1", Result.RETRY, None),
    ],
)
def test_every_answer_to_a_disconnect(
    peer: NasPeer, session_id: str, result: Result, cause: int | None
) -> None:
    verdict = verdict_of(disconnect(at(peer), session_id))

    assert (verdict.result, verdict.error_cause) == (result, cause)


@pytest.mark.parametrize(
    ("session_id", "result", "cause"),
    [
        ("plain-2", Result.DONE, None),
        *((f"nak-{cause}-2", Result.FALLBACK, cause) for cause in (401, 402, 404, 405, 406, 407, 999)),
        *((f"nak-{cause}-2", Result.ALERT, cause) for cause in (403, 501, 502, 504, 505, 508)),
        ("nak-503-2", Result.GONE, 503),
        ("nak-506-2", Result.RETRY, 506),
        ("nak-507-2", Result.DONE, 507),
        ("bare-2", Result.FALLBACK, None),
    ],
)
def test_every_answer_to_a_coa(peer: NasPeer, session_id: str, result: Result, cause: int | None) -> None:
    verdict = verdict_of(coa(at(peer), session_id))

    assert (verdict.result, verdict.error_cause) == (result, cause)


def test_the_nas_sees_what_is_documented(peer: NasPeer) -> None:
    verdict = verdict_of(coa(at(peer, strict=True), "seen"))

    assert verdict == Verdict(Result.DONE, Outcome.ACK)
    [entry] = peer.of("seen")
    assert entry["type"] == "CoA-Request"
    assert entry["rate"] == "10M/50M"
    assert (entry["user"], entry["ip"], entry["nas"]) == ("amal@demo.example", "100.64.0.9", "127.0.0.1")
    assert entry["ma"] != "none"
    assert abs(int(entry["ts"]) - time.time()) < 5


@pytest.mark.parametrize(
    ("nas_type", "user", "address"),
    [
        ("mikrotik", "amal@demo.example", "100.64.0.9"),
        ("cisco", "", ""),
        ("juniper", "", ""),
        ("huawei", "", ""),
        ("zte", "", ""),
        ("nokia", "", ""),
        ("accel_ppp", "", ""),
        ("wispr", "amal@demo.example", ""),
        ("other", "amal@demo.example", ""),
    ],
)
def test_each_type_gets_its_identification(peer: NasPeer, nas_type: str, user: str, address: str) -> None:
    verdict = verdict_of(disconnect(at(peer, nas_type), f"id-{nas_type}"))

    assert verdict.result is Result.DONE
    [entry] = peer.of(f"id-{nas_type}")
    assert (entry["user"], entry["ip"], entry["port"]) == (user, address, "")


def test_a_disconnect_carries_no_rate(peer: NasPeer) -> None:
    request = Request("bare", Kind.DISCONNECT, at(peer), session("no-rate"), RATE)

    assert verdict_of(request).result is Result.DONE
    assert peer.of("no-rate")[0]["rate"] == ""


def test_two_matching_sessions_are_told_apart_by_all_that_is_known(peer: NasPeer) -> None:
    verdict = verdict_of(disconnect(at(peer, "cisco"), "twice-1"))

    assert verdict.result is Result.DONE
    assert [entry["port"] for entry in peer.of("twice-1")] == ["", "ether1.9"]
    assert len({entry["id"] for entry in peer.of("twice-1")}) == 2


def test_a_session_without_id_is_named_by_user_and_address(peer: NasPeer) -> None:
    request = Request("x", Kind.DISCONNECT, at(peer, "cisco"), Session("", "nameless", "100.64.0.10"))

    assert verdict_of(request).result is Result.DONE


def test_a_lost_packet_is_sent_again_unchanged(peer: NasPeer) -> None:
    # FreeRADIUS forgets a request that it was told to ignore after a second.
    verdict = verdict_of(disconnect(at(peer), "flaky-1"), pace=(1.3, 2.0))

    assert verdict.result is Result.DONE
    first_copy, second_copy = peer.of("flaky-1")
    assert first_copy == second_copy


def test_a_second_disconnect_finds_the_session_gone(peer: NasPeer) -> None:
    verdicts = [verdict_of(disconnect(at(peer), "once")) for _ in range(2)]

    assert [verdict.result for verdict in verdicts] == [Result.DONE, Result.GONE]


def test_a_silent_nas_is_tried_again_later(peer: NasPeer) -> None:
    verdict = verdict_of(disconnect(at(peer), "drop-1"), pace=(0.1, 0.1))

    assert (verdict.result, verdict.outcome) == (Result.RETRY, Outcome.TIMEOUT)


def test_another_secret_is_no_answer(peer: NasPeer) -> None:
    verdict = verdict_of(disconnect(at(peer, secret="another"), "secret-1"), pace=(0.1, 0.1))

    assert (verdict.result, verdict.outcome) == (Result.RETRY, Outcome.TIMEOUT)
    assert peer.of("secret-1") == []


def test_an_old_clock_is_no_answer_from_a_strict_nas(peer: NasPeer) -> None:
    request = disconnect(at(peer, strict=True), "old-1")

    [[(_, verdict)]] = list(send([request], pace=(0.1, 0.1), clock=lambda: time.time() - 600))

    assert verdict.outcome is Outcome.TIMEOUT


def test_a_silent_nas_keeps_no_other_waiting(peer: NasPeer) -> None:
    nobody = Nas("127.0.0.1", peer.port, b"another", "mikrotik")
    requests = [disconnect(nobody, f"far-{number}") for number in range(5)]
    requests += [disconnect(at(peer), f"near-{number}") for number in range(5)]

    batches = list(send(requests, pace=(1.0,)))

    assert {str(request.key)[:4] for request, _ in batches[0]} == {"near"}
    assert sum(len(batch) for batch in batches) == 10


def test_two_thousand_at_once_are_answered_once_each(peer: NasPeer) -> None:
    requests = [disconnect(at(peer), f"many-{number}") for number in range(2000)]

    answers = [answer for batch in send(requests) for answer in batch]

    # A NAS that was too busy to answer in time is asked again, and by then may have ended the session.
    results = Counter(verdict.result for _, verdict in answers)
    assert results[Result.DONE] + results[Result.GONE] == len(answers) == 2000
    assert {request.key for request, _ in answers} == {request.key for request in requests}


def test_a_caller_that_stops_listening_leaves_no_socket(peer: NasPeer) -> None:
    answers = send([disconnect(at(peer), "left-1"), disconnect(at(peer), "drop-left")], pace=(5.0,))

    next(answers)
    before = time.monotonic()
    answers.close()  # type: ignore[attr-defined]

    # ResourceWarning is an error in these tests.
    assert time.monotonic() - before < 1


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ((), "nothing that a CoA could change"),
        ((("Nobody-Knows", "1"),), "not in our RADIUS dictionary"),
        ((("Huawei-Input-Average-Rate", "fast"),), "Huawei-Input-Average-Rate cannot be 'fast'"),
        ((("Huawei-Input-Average-Rate", str(2**32)),), "cannot be"),
        ((("Filter-Id", "x" * 254),), "Filter-Id cannot be"),
    ],
)
def test_what_fits_no_packet_falls_back(
    peer: NasPeer, attributes: tuple[tuple[str, str], ...], message: str
) -> None:
    verdict = verdict_of(coa(at(peer), "unsendable", attributes))

    assert (verdict.result, verdict.outcome) == (Result.FALLBACK, Outcome.UNSENDABLE)
    assert message in verdict.detail
    assert peer.of("unsendable") == []
