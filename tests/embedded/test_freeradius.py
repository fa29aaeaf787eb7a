"""`make radius`: what it says when it cannot run, and that it starts, follows the database and stops."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ispcore.embedded import freeradius
from ispcore.embedded.keys import load_keys
from ispcore.embedded.process import EmbeddedError, is_alive, runs_on
from tests.embedded.scratch import scratch_directory
from tests.needs import require
from tests.workers import wait_until

ROOT = Path(__file__).resolve().parents[2]
OWN = (
    "DATABASE_URL",
    "DATABASE_PLATFORM_URL",
    "REDIS_URL",
    "SECRET_KEY",
    "FIELD_ENCRYPTION_KEYS",
    "RADIUS_SECRET_KEY",
)


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """A data directory as `make run` leaves it, without a running database."""
    with scratch_directory() as directory:
        path = directory / "data"
        path.mkdir()
        path.chmod(0o711)
        load_keys(path)
        (path / "postgres.port").write_text("9\n")
        yield path


def _free_pair() -> int:
    for port in range(20_000 + os.getpid() % 5000, 60_000, 2):
        with (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as two,
        ):
            try:
                one.bind(("127.0.0.1", port))
                two.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            return port
    raise AssertionError("no two free ports")


def _environment(data_dir: Path, port: int) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in OWN}
    return {**kept, "ISP_DATA_DIR": str(data_dir), "RADIUS_PORT": str(port), "PYTHONUNBUFFERED": "1"}


def _run(data_dir: Path, port: int) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "ispcore.embedded", "radius"], cwd=ROOT, env=_environment(data_dir, port),
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


@contextmanager
def _running(data_dir: Path, port: int, output: Path) -> "Iterator[subprocess.Popen[bytes]]":
    with output.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "ispcore.embedded", "radius"], cwd=ROOT, env=_environment(data_dir, port),
            stdout=file, stderr=file,
        )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _server_pids(data_dir: Path) -> list[int]:
    """In the foreground FreeRADIUS writes no pid file; its arguments name the directory."""
    config = data_dir.resolve() / "freeradius" / "config"
    pids = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
    return [pid for pid in pids if runs_on(pid, "freeradius", config)]


def test_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(freeradius, "SEARCH_PATH", "/nowhere")

    with pytest.raises(EmbeddedError, match="sudo apt install --no-install-recommends freeradius"):
        freeradius.find_freeradius()


def test_it_asks_for_a_database_first(data_dir: Path) -> None:
    require("freeradius", "rlm_sql_postgresql")
    (data_dir / "postgres.port").unlink()

    result = _run(data_dir, _free_pair())

    assert result.returncode == 1
    assert "There is no database in" in result.stderr
    assert "run `make run` first" in result.stderr


def test_it_names_a_port_that_is_taken_and_another_way(data_dir: Path) -> None:
    require("freeradius", "rlm_sql_postgresql")
    port = _free_pair()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", port + 1))

        result = _run(data_dir, port)

    assert result.returncode == 1
    assert f"UDP port {port + 1} on 127.0.0.1 is taken" in result.stderr
    assert "RADIUS_PORT=11812 make radius" in result.stderr


def test_it_starts_without_the_database_follows_it_to_another_port_and_stops(
    data_dir: Path, tmp_path: Path
) -> None:
    require("freeradius", "rlm_sql_postgresql")
    output = tmp_path / "output"
    with _running(data_dir, _free_pair(), output) as process:
        wait_until(lambda: "FreeRADIUS answers on 127.0.0.1" in output.read_text(), 90)
        [first] = _server_pids(data_dir)

        (data_dir / "postgres.port").write_text("19\n")
        wait_until(lambda: any(pid != first for pid in _server_pids(data_dir)), 60)
        [second] = _server_pids(data_dir)
        assert not is_alive(first)
        # Its start is waited for, so that the end of the log is not that of a failed start.
        time.sleep(2)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0

    assert output.read_text().endswith("\nStopped.\n")
    assert not is_alive(second)


def test_the_server_goes_with_a_killed_launcher(data_dir: Path, tmp_path: Path) -> None:
    require("freeradius", "rlm_sql_postgresql")
    if sys.platform != "linux":
        pytest.skip("only Linux tells a child that its parent died")
    output = tmp_path / "output"
    with _running(data_dir, _free_pair(), output) as process:
        wait_until(lambda: "FreeRADIUS answers on 127.0.0.1" in output.read_text(), 90)
        [pid] = _server_pids(data_dir)

        process.kill()
        process.wait()

    wait_until(lambda: not is_alive(pid), 20)
