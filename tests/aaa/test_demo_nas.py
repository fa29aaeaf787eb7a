"""Our sender against the demo's NAS, which is stricter in its grammar than a FreeRADIUS that plays one."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from aaa.radius.requests import Kind, Nas, Request, Session
from aaa.radius.sending import send
from aaa.radius.verdicts import Outcome, Result, Verdict
from aaa.rendering import Rate, coa_pairs, render

ROOT = Path(__file__).resolve().parents[2]
SECRET = "demo-secret"


@pytest.fixture(params=["lenient", "strict"])
def port(request: pytest.FixtureRequest) -> Iterator[int]:
    command = [sys.executable, "-m", "demo.nas", "--coa-port", "0", "--host", "127.0.0.1"]
    command += ["--strict"] if request.param == "strict" else []
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield int(json.loads(process.stdout.readline())["port"])
        process.terminate()
        process.communicate(timeout=10)


def ask(port: int, number: int, kind: Kind = Kind.DISCONNECT, rate: Rate | None = None) -> Verdict:
    """Ask about one of the demo's sessions, as its accounting named it."""
    nas = Nas("127.0.0.1", port, SECRET.encode(), "mikrotik", "127.0.0.1")
    session = Session(
        acct_session_id=f"8100{number:04x}",
        username=f"customer-{number:03}@demo.example",
        framed_ip=f"100.64.0.{number}",
        station=f"02:00:5E:00:00:{number:02X}",
        nas_port_id=f"<pppoe-{number:03}>",
    )
    attributes = tuple(coa_pairs("mikrotik", render("mikrotik", rate))) if rate else ()
    [[(_, verdict)]] = list(send([Request("x", kind, nas, session, attributes)], pace=(0.5, 0.5)))
    return verdict


def test_it_answers_as_a_router_would(port: int) -> None:
    whole = Rate(
        down_kbps=50_000,
        up_kbps=10_000,
        burst_down_kbps=100_000,
        burst_up_kbps=20_000,
        burst_seconds=10,
        priority=5,
        guaranteed_down_kbps=1_000,
        guaranteed_up_kbps=1_000,
        filter_id="guests",
    )

    assert ask(port, 1, Kind.COA, whole) == Verdict(Result.DONE, Outcome.ACK)
    assert ask(port, 1) == Verdict(Result.DONE, Outcome.ACK)
    assert ask(port, 1).result is Result.GONE
    assert ask(port, 30).result is Result.RETRY  # Busy.
    assert ask(port, 31).result is Result.ALERT  # Prohibited.
    assert ask(port, 32).outcome is Outcome.TIMEOUT  # Silent.
