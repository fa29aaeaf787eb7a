"""The simulated NAS, driven by radclient: a sender that nobody here wrote."""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from demo.nas import RATE_LIMIT, ErrorCause, Nas, seed_sessions
from tests.needs import require

SECRET = "demo-secret"
ROOT = Path(__file__).resolve().parents[2]
Send = Callable[..., str]


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "nas.log"


def _run_nas(journal: Path, *options: str) -> Iterator[int]:
    with journal.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "demo.nas", "--coa-port", "0", "--host", "127.0.0.1", *options],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=output,
            text=True,
        )
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, journal.read_text()
        yield json.loads(line)["port"]
        process.terminate()
        journal.write_text(process.communicate(timeout=10)[0])
        assert process.returncode == 0


@pytest.fixture
def port(journal: Path) -> Iterator[int]:
    yield from _run_nas(journal)


@pytest.fixture
def strict_port(journal: Path) -> Iterator[int]:
    yield from _run_nas(journal, "--strict")


@pytest.fixture
def send() -> Send:
    """Send one request with radclient and return what it saw, as `CoA-NAK 402`."""
    [radclient] = require("radclient")

    def run(port: int, kind: str, *attributes: str, secret: str = SECRET, wait: str = "3") -> str:
        result = subprocess.run(
            [radclient, "-x", "-r", "1", "-t", wait, f"127.0.0.1:{port}", kind, secret],
            input="\n".join(attributes) + "\n",
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
        output = result.stdout + result.stderr
        code = re.search(r"Received ((?:CoA|Disconnect)-(?:ACK|NAK))", output)
        if code is None:
            assert "No reply" in output, output
            return "no reply"
        cause = re.search(r"Error-Cause = (\S+)", output)
        return f"{code[1]} {cause[1]}" if cause else code[1]

    return run


FIRST = 'Acct-Session-Id = "81000001"'
RATE = 'Mikrotik-Rate-Limit = "10M/50M 20M/100M 8M/40M 10/10 8 1M/1M"'


@pytest.mark.parametrize(
    ("kind", "attributes", "expected"),
    [
        ("coa", [FIRST, RATE, "NAS-IP-Address = 127.0.0.1"], "CoA-ACK"),
        ("coa", [FIRST, "Session-Timeout = 60", 'NAS-Identifier = "demo-nas"'], "CoA-ACK"),
        (
            "coa",
            [
                'User-Name = "customer-002@demo.example"',
                "Framed-IP-Address = 100.64.0.2",
                'Filter-Id = "slow"',
            ],
            "CoA-ACK",
        ),
        ("coa", [FIRST, 'Mikrotik-Rate-Limit = "fast"'], "CoA-NAK Invalid-Attribute-Value"),
        ("coa", [FIRST], "CoA-NAK Missing-Attribute"),
        ("coa", ['User-Name = "customer-002@demo.example"', RATE], "CoA-NAK Missing-Attribute"),
        ("coa", ['Acct-Session-Id = "nobody"', RATE], "CoA-NAK Session-Context-Not-Found"),
        (
            "coa",
            [FIRST, 'User-Name = "customer-002@demo.example"', RATE],
            "CoA-NAK Session-Context-Not-Found",
        ),
        ("coa", [FIRST, RATE, "NAS-IP-Address = 192.0.2.1"], "CoA-NAK NAS-Identification-Mismatch"),
        ("coa", [FIRST, RATE, 'NAS-Identifier = "other"'], "CoA-NAK NAS-Identification-Mismatch"),
        ("disconnect", [FIRST], "Disconnect-ACK"),
        ("disconnect", [FIRST, RATE], "Disconnect-NAK Unsupported-Attribute"),
        ("disconnect", ['Acct-Session-Id = "8100001e"'], "Disconnect-NAK Resources-Unavailable"),
        ("disconnect", ['Acct-Session-Id = "8100001f"'], "Disconnect-NAK Administratively-Prohibited"),
        ("disconnect", ['Acct-Session-Id = "81000020"'], "no reply"),
    ],
)
def test_nas_answers_as_rfc_5176_says(
    port: int, send: Send, kind: str, attributes: list[str], expected: str
) -> None:
    assert send(port, kind, *attributes, wait="0.4" if expected == "no reply" else "3") == expected


def test_disconnected_session_is_gone(port: int, send: Send) -> None:
    assert send(port, "disconnect", FIRST) == "Disconnect-ACK"

    assert send(port, "disconnect", FIRST) == "Disconnect-NAK Session-Context-Not-Found"
    assert send(port, "coa", FIRST, RATE) == "CoA-NAK Session-Context-Not-Found"


def test_wrong_secret_is_dropped_and_changes_nothing(port: int, send: Send) -> None:
    assert send(port, "disconnect", FIRST, secret="wrong", wait="0.4") == "no reply"

    assert send(port, "disconnect", FIRST) == "Disconnect-ACK"


def test_signed_request_gets_a_signed_answer_that_radclient_accepts(port: int, send: Send) -> None:
    assert send(port, "coa", FIRST, RATE, "Message-Authenticator = 0x00") == "CoA-ACK"


def test_old_event_timestamp_is_dropped(port: int, send: Send) -> None:
    assert (
        send(port, "coa", FIRST, RATE, 'Event-Timestamp = "Jan  1 2024 00:00:00 UTC"', wait="0.4")
        == "no reply"
    )


def test_strict_nas_demands_both_replay_protections(strict_port: int, send: Send) -> None:
    now = subprocess.run(["date", "-u", "+%b %e %Y %H:%M:%S UTC"], capture_output=True, text=True, check=True)
    stamp = f'Event-Timestamp = "{now.stdout.strip()}"'

    assert send(strict_port, "coa", FIRST, RATE, wait="0.4") == "no reply"
    assert send(strict_port, "coa", FIRST, RATE, "Message-Authenticator = 0x00", wait="0.4") == "no reply"
    assert send(strict_port, "coa", FIRST, RATE, stamp, wait="0.4") == "no reply"
    assert send(strict_port, "coa", FIRST, RATE, stamp, "Message-Authenticator = 0x00") == "CoA-ACK"


def _disconnect_request(session_id: str) -> bytes:
    from pyrad.packet import CoAPacket, DisconnectRequest

    nas = Nas(SECRET.encode(), "127.0.0.1")
    request = CoAPacket(DisconnectRequest, 7, SECRET.encode(), dict=nas.dictionary)
    request.AddAttribute("Acct-Session-Id", session_id)
    return bytes(request.RequestPacket())


def test_retransmission_gets_the_same_answer_until_it_is_forgotten() -> None:
    clock = [1000.0]
    nas = Nas(SECRET.encode(), "127.0.0.1", now=lambda: clock[0])
    nas.add(seed_sessions())
    packet = _disconnect_request("81000001")

    first = nas.answer(packet, ("127.0.0.1", 4000))

    assert first is not None
    assert first[0] == 41
    assert nas.answer(packet, ("127.0.0.1", 4000)) == first
    clock[0] += 31
    late = nas.answer(packet, ("127.0.0.1", 4000))
    assert late is not None
    assert late[0] == 42


def test_same_packet_of_another_sender_is_no_retransmission() -> None:
    nas = Nas(SECRET.encode(), "127.0.0.1")
    nas.add(seed_sessions())
    packet = _disconnect_request("81000001")
    nas.answer(packet, ("127.0.0.1", 4000))

    second = nas.answer(packet, ("127.0.0.1", 4001))

    assert second is not None
    assert second[0] == 42
    assert second[-4:] == ErrorCause.SESSION_CONTEXT_NOT_FOUND.to_bytes(4, "big")


@pytest.mark.parametrize(
    "junk", [b"", b"\x28", b"\x28\x01\x00\x14" + 16 * b"\0", 200 * b"\xff", b"\x28\x01\x00\x06ab"]
)
def test_junk_is_ignored(junk: bytes) -> None:
    nas = Nas(SECRET.encode(), "127.0.0.1")
    nas.add(seed_sessions())

    assert nas.answer(junk, ("127.0.0.1", 4000)) is None
    assert len(nas.sessions) == 32


@pytest.mark.parametrize("rate", ["1M", "10M/50M", "10k/1G 20M", "1M/1M 2M/2M 1M/1M 10/10 8 1M/1M"])
def test_rate_that_routeros_parses(rate: str) -> None:
    assert RATE_LIMIT.fullmatch(rate)


@pytest.mark.parametrize("rate", ["", "fast", "10M/", "1M 2M 3M 4 9", "1M  2M", "-1M", "1M/1M/1M"])
def test_rate_that_routeros_refuses(rate: str) -> None:
    assert not RATE_LIMIT.fullmatch(rate)
