"""`make run` from start to end, with a small project in the place of ISPCore."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ispcore.embedded import Servers
from ispcore.embedded.process import is_alive, start_mark
from ispcore.embedded.supervisor import TROUBLE, Supervisor, parse_procfile

ROOT = Path(__file__).resolve().parents[2]
LAUNCH = """
import sys
from pathlib import Path
from ispcore.embedded import runner
from ispcore.embedded.__main__ import main
runner.PROJECT = Path(sys.argv[1])
sys.exit(main(["run"]))
"""
MANAGE = """
import os, sys, psycopg
command = sys.argv[1]
with open("commands", "a") as file:
    print(*sys.argv[1:], os.environ["DATABASE_URL"].split(":")[1].strip("/"), file=file)
if os.path.exists(f"fail-{command}"):
    sys.exit(f"{command} is broken")
with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
    if sys.argv[1:] == ["migrate", "--noinput"]:
        connection.execute("CREATE TABLE IF NOT EXISTS loads (id serial)")
    if command == "load_demo":
        connection.execute("INSERT INTO loads DEFAULT VALUES")
"""
WEB = """
import http.server, json, os, signal, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/die":
            print("ERROR the web has had enough", flush=True)
            os._exit(7)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(dict(os.environ)).encode())
    def log_message(self, *arguments):
        print("GET", self.path, flush=True)
signal.signal(signal.SIGTERM, lambda *arguments: sys.exit(0))
http.server.ThreadingHTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Handler).serve_forever()
"""


class Project:
    """The small project, and the runs of it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.data = path / ".run"
        self.runs: list[subprocess.Popen[str]] = []
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        path.mkdir()
        (path / "requirements.txt").write_text("nothing\n")
        (path / "manage.py").write_text(MANAGE)
        (path / "web.py").write_text(WEB)
        (path / "Procfile").write_text("# processes\nweb: python web.py\nidle: sleep 1000\n")

    def run(self, **environment: str) -> subprocess.Popen[str]:
        """Start a run and return at once."""
        kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG")}
        run = subprocess.Popen(
            [sys.executable, "-c", LAUNCH, str(self.path)],
            env={**kept, "PYTHONPATH": str(ROOT), "PORT": str(self.port), **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.runs.append(run)
        return run

    def run_until_ready(self, **environment: str) -> tuple[subprocess.Popen[str], str]:
        """Start a run and return with its screen when it says that it is ready."""
        run = self.run(**environment)
        assert run.stdout is not None
        screen = ""
        for line in run.stdout:
            screen += line
            if "Ctrl-C stops" in line:
                return run, screen
        pytest.fail(f"never ready: {screen}")

    def get(self, path: str = "/") -> bytes:
        """Ask the web process."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
            connection.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
            return b"".join(iter(lambda: connection.recv(65536), b""))

    def pids(self) -> list[int]:
        """Return the processes and servers that run now."""
        noted = [item["pid"] for item in json.loads((self.data / "processes.json").read_text())]
        postmaster = int((self.data / "postgres" / "postmaster.pid").read_text().split()[0])
        valkey = int((self.data / "valkey.running").read_text().split()[0])
        return [*noted, postmaster, valkey]

    def commands(self) -> list[str]:
        """Return the management commands that ran, each with the database role it had."""
        return (self.path / "commands").read_text().splitlines()


@pytest.fixture
def project(scratch: Path) -> Iterator[Project]:
    project = Project(scratch / "a project")
    yield project
    for run in project.runs:
        if run.poll() is None:
            run.terminate()
        run.communicate(timeout=30)


def _wait_for_end(pids: list[int]) -> None:
    deadline = time.monotonic() + 10
    while any(is_alive(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert [pid for pid in pids if is_alive(pid)] == []


@pytest.mark.parametrize("sig", [signal.SIGINT, signal.SIGTERM])
def test_run_shows_one_screen_and_leaves_nothing_behind(project: Project, sig: signal.Signals) -> None:
    run, screen = project.run_until_ready()
    pids = project.pids()

    run.send_signal(sig)
    rest, _ = run.communicate(timeout=30)

    url = f"http://127.0.0.1:{project.port}"
    said = [line.partition(" (")[0] for line in screen.splitlines()]
    assert said[:2] == ["Bringing the tables up to date", "Filling in the demo"]
    assert f"{url}/admin/" in screen
    assert (
        f"TOKEN=$(curl -s {url}/api/v1/auth/token -d username=admin@demo.example -d password=demo-admin "
        "| python3 -c 'import json,sys; print(json.load(sys.stdin)[\"access_token\"])')\n" in screen
    )
    assert (
        f'curl -X POST {url}/api/v1/hardware/olt/discover -H "Authorization: Bearer $TOKEN" '
        '-H "Content-Type: application/json" '
        '-d \'{"ip":"127.0.0.2","community":"public","vendor":"huawei"}\'\n' in screen
    )
    assert rest.endswith("Stopped.\n")
    assert run.returncode == 0
    assert len(pids) == 4
    assert [pid for pid in pids if is_alive(pid)] == []


def test_second_run_takes_up_the_same_data_and_skips_what_is_done(project: Project) -> None:
    for _ in range(2):
        run, _ = project.run_until_ready()
        run.terminate()
        run.communicate(timeout=30)

    assert sorted(project.commands()) == [
        "collectstatic --noinput isp_app",
        "load_demo isp_app",
        "load_demo isp_app",
        "migrate --noinput isp_owner",
        "migrate --noinput isp_owner",
    ]


def test_processes_get_their_own_role_and_no_other_secret(project: Project) -> None:
    project.run_until_ready(DATABASE_OWNER_URL="postgresql://leak")

    environment = json.loads(project.get().partition(b"\r\n\r\n")[2])

    keys = (project.data / "secrets.env").read_text()
    passwords = {line.split("=", 1)[0]: line.split("=", 1)[1] for line in keys.splitlines() if line[0] != "#"}
    assert environment["DATABASE_URL"].startswith("postgresql://isp_app:")
    assert environment["DATABASE_PLATFORM_URL"].startswith("postgresql://isp_platform:")
    assert environment["SECRET_KEY"] == passwords["SECRET_KEY"]
    assert environment["ISP_DATA_DIR"] == str(project.data)
    assert (environment["HOST"], environment["PORT"]) == ("127.0.0.1", str(project.port))
    assert environment["PUBLIC_URL"] == f"http://127.0.0.1:{project.port}"
    assert "http://localhost:3000" in environment["CORS_ALLOWED_ORIGINS"].split(",")
    assert environment["EMAIL_FILE_PATH"] == str(project.data / "mail")
    assert Path(environment["PROMETHEUS_MULTIPROC_DIR"]).is_dir()
    assert "leak" not in str(environment)
    assert passwords["ISP_OWNER_PASSWORD"] not in str(environment)
    assert passwords["POSTGRES_PASSWORD"] not in str(environment)


def test_dying_process_ends_everything_and_is_named(project: Project) -> None:
    run, _ = project.run_until_ready()
    pids = project.pids()

    project.get("/die")
    rest, _ = run.communicate(timeout=30)

    assert run.returncode == 1
    assert "web      | ERROR the web has had enough" in rest
    assert "The process `web` ended with status 7, so everything is stopped." in rest
    assert rest.rstrip().endswith("ERROR the web has had enough")
    assert [pid for pid in pids if is_alive(pid)] == []


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the next run ends what was left")
def test_killed_run_leaves_nothing_that_blocks_the_next(project: Project) -> None:
    run, _ = project.run_until_ready()
    pids = project.pids()

    run.kill()
    run.communicate()

    _wait_for_end(pids)
    _, screen = project.run_until_ready()
    assert "is ready" in screen


def test_two_runs_on_one_directory_are_refused(project: Project) -> None:
    first, _ = project.run_until_ready()

    second = project.run()
    output, _ = second.communicate(timeout=30)

    assert second.returncode == 1
    assert f"ISPCore already runs on {project.data}." in output
    assert first.poll() is None
    assert project.get().startswith(b"HTTP/1.0 200")


def test_taken_port_is_told_before_anything_starts(project: Project) -> None:
    with socket.socket() as squatter:
        squatter.bind(("127.0.0.1", project.port))
        squatter.listen()

        run = project.run()
        output, _ = run.communicate(timeout=30)

    assert run.returncode == 1
    assert f"Port {project.port} on 127.0.0.1 is taken by another program." in output
    assert f"PORT={project.port + 1} make run" in output
    assert not (project.data / "postgres").exists()


def test_failed_migration_is_shown_and_everything_stopped(project: Project) -> None:
    (project.path / "fail-migrate").touch()

    run = project.run()
    output, _ = run.communicate(timeout=30)

    assert run.returncode == 1
    assert "`manage.py migrate` failed with status 1." in output
    assert "migrate is broken" in output
    assert not (project.data / "postgres" / "postmaster.pid").exists()


def test_demo_passwords_are_not_opened_to_the_network(project: Project) -> None:
    (project.path / "fail-demo_credentials").touch()

    run = project.run(HOST="0.0.0.0")
    output, _ = run.communicate(timeout=30)

    assert run.returncode == 1
    assert "HOST=0.0.0.0 would open this installation to the network" in output
    assert not any(command.startswith("load_demo") for command in project.commands())


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("PORT", "http", "PORT=http is not a port number"),
        ("HOST", "example", "HOST=example is not an IP address"),
    ],
)
def test_nonsense_settings_are_named(project: Project, name: str, value: str, complaint: str) -> None:
    run = project.run(**{name: value})
    output, _ = run.communicate(timeout=30)

    assert run.returncode == 1
    assert complaint in output


def test_own_servers_are_used_and_none_started(project: Project, servers: Servers) -> None:
    project.run_until_ready(
        DATABASE_URL=servers.app_url, DATABASE_OWNER_URL=servers.owner_url, REDIS_URL=servers.redis_url
    )

    environment = json.loads(project.get().partition(b"\r\n\r\n")[2])

    assert environment["DATABASE_URL"] == servers.app_url
    assert environment["REDIS_URL"] == servers.redis_url
    assert "DATABASE_OWNER_URL" not in environment
    assert "migrate --noinput isp_owner" in project.commands()
    assert not (project.data / "postgres").exists()
    assert not (project.data / "valkey").exists()


def test_plain_role_without_owner_only_checks_the_migrations(project: Project, servers: Servers) -> None:
    (project.path / "fail-migrate").touch()

    run = project.run(DATABASE_URL=servers.app_url, REDIS_URL=servers.redis_url)
    output, _ = run.communicate(timeout=30)

    assert run.returncode == 1
    assert "Set DATABASE_OWNER_URL to the role that owns the tables." in output
    assert "migrate --check isp_app" in project.commands()


def test_taken_device_address_is_noted_and_skipped(project: Project) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as squatter:
        squatter.bind(("127.0.0.1", 0))
        port = squatter.getsockname()[1]
        with (project.path / "Procfile").open("a") as procfile:
            procfile.write(f"nas: python -m demo.nas --host 127.0.0.1 --coa-port {port}\n")

        _, screen = project.run_until_ready()

    assert f"nas: 127.0.0.1:{port} is already served by another program; not started." in screen
    assert len(project.pids()) == 4


@pytest.fixture
def supervise(tmp_path: Path) -> Callable[[], Supervisor]:
    return lambda: Supervisor(logs=tmp_path, record=tmp_path / "processes.json", cwd=tmp_path, verbose=False)


def test_leftovers_of_a_killed_run_are_ended(supervise: Callable[[], Supervisor]) -> None:
    killed = supervise()
    child = killed.start("left", "sleep 1000", os.environ)

    names = supervise().end_leftovers()

    assert names == ["left"]
    assert child.process.wait() == -signal.SIGTERM


def test_process_that_inherited_a_pid_is_not_touched(supervise: Callable[[], Supervisor]) -> None:
    supervisor = supervise()
    note = [{"name": "other", "pid": os.getpid(), "mark": start_mark(os.getpid()) + "0"}]
    supervisor.record.write_text(json.dumps(note))

    assert supervisor.end_leftovers() == []


def test_stubborn_process_is_killed_when_the_operator_hurries(supervise: Callable[[], Supervisor]) -> None:
    supervisor = supervise()
    child = supervisor.start(
        "stubborn", "sh -c 'trap \"\" TERM; echo up; while :; do sleep 1; done'", os.environ
    )
    while not child.log.read_bytes():
        time.sleep(0.01)
    supervisor.hurry = True

    supervisor.stop_all()

    assert child.process.returncode == -signal.SIGKILL


def test_procfile_is_read_in_order() -> None:
    assert parse_procfile("# a: b\nweb: run --url http://x\n\nbeat: tick\n") == {
        "web": "run --url http://x",
        "beat": "tick",
    }


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (b"[2026-11-21 21:00:00,000: WARNING/MainProcess] late", True),
        (b"2026-11-21T21:00:00Z [error    ] refused", True),
        (b'{"level": "error", "event": "x"}', True),
        (b"Traceback (most recent call last):", True),
        (b'127.0.0.1 "GET /api/v1/errors HTTP/1.1" 200', False),
        (b'{"level": "info", "event": "no warning here"}', False),
    ],
)
def test_only_trouble_reaches_the_console(line: bytes, shown: bool) -> None:
    assert bool(TROUBLE.search(line)) is shown
