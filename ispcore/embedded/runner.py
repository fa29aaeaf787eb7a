"""`make run`: from an empty directory to a running installation on one screen, and back to nothing."""

import contextlib
import errno
import hashlib
import ipaddress
import os
import re
import shutil
import signal
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from ispcore.embedded.database import Backends, open_backends
from ispcore.embedded.home import Home, open_home
from ispcore.embedded.keys import parse_env
from ispcore.embedded.process import EmbeddedError, last_lines, port_is_free, spawn
from ispcore.embedded.servers import hold
from ispcore.embedded.supervisor import Child, Supervisor, parse_procfile
from ispcore.environment import SecretUnreadable, with_secrets

PROJECT = Path(__file__).resolve().parents[2]
READY_SECONDS = 120
# What is said while a command runs that takes a minute or two on its first time.
STEPS = {"migrate": "Bringing the tables up to date", "load_demo": "Filling in the demo"}
# Where a front end under development listens on the same machine; its pages may then call the demo.
DEMO_ORIGINS = (
    "http://localhost,http://localhost:3000,http://localhost:8080,http://localhost:8081,http://localhost:8082"
)
SCREEN = """
  ISPCore is ready after {seconds:.1f} s (data in {data_dir}, logs in {logs})

  Open      {url}/admin/
  Log in    admin@demo.example  / demo-admin    the demo provider
            admin@rival.example / demo-admin    a second provider, who sees nothing of the first
  Portal    {url}/portal/demo/
            customer1@example.org / demo-portal  one of the first's customers
  API docs  {url}/docs/
{notes}
  Find the ONUs of the simulated OLT:

  TOKEN=$(curl -s {url}/api/v1/auth/token -d username=admin@demo.example -d password=demo-admin \
| python3 -c 'import json,sys; print(json.load(sys.stdin)["access_token"])')

  curl -X POST {url}/api/v1/hardware/olt/discover -H "Authorization: Bearer $TOKEN" \
-H "Content-Type: application/json" -d '{{"ip":"127.0.0.2","community":"public","vendor":"huawei"}}'

  Ctrl-C stops everything. Warnings and errors of the processes follow (VERBOSE=1 shows all).
"""


class Stop(BaseException):
    """The operator asked for the end; not an Exception, so that nothing on the way swallows it."""


@dataclass(slots=True)
class Run:
    """One run of the installation: its settings, and what has to be said at the end of the start."""

    given: dict[str, str]
    home: Home
    host: str
    port: int
    supervisor: Supervisor
    started: float
    environment: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    stopping: bool = False

    @property
    def url(self) -> str:
        """Where this machine reaches the web server."""
        address = ipaddress.ip_address(self.host)
        if address.is_unspecified:
            return f"http://127.0.0.1:{self.port}"
        return (
            f"http://[{self.host}]:{self.port}" if address.version == 6 else f"http://{self.host}:{self.port}"
        )


def read_settings() -> dict[str, str]:
    """Return the environment, completed by the project's `.env`; the environment wins.

    Raises EmbeddedError for a secret whose file cannot be read.
    """
    path = PROJECT / ".env"
    from_file = parse_env(path.read_text(), source=str(path)) if path.exists() else {}
    try:
        return with_secrets({**from_file, **os.environ})
    except SecretUnreadable as error:
        raise EmbeddedError(str(error)) from error


def data_directory(given: Mapping[str, str]) -> Path:
    """Return ISP_DATA_DIR, by default `.run` in the project."""
    return Path(given.get("ISP_DATA_DIR") or PROJECT / ".run")


def run() -> int:
    """Start everything, stay until the operator or a dying process ends it, and leave no process behind.

    Returns the exit status: 0 after Ctrl-C or SIGTERM, 1 when a process died.
    Raises EmbeddedError with what to do when the start is impossible.
    """
    started = time.monotonic()
    given = read_settings()
    home = open_home(data_directory(given))
    host, port = _address(given)
    supervisor = Supervisor(
        logs=home.logs,
        record=home.data_dir / "processes.json",
        cwd=PROJECT,
        verbose=given.get("VERBOSE") == "1",
    )
    current = Run(given, home, host, port, supervisor, started)
    refusal = (
        f"ISPCore already runs on {home.data_dir}. Stop it with Ctrl-C where it was started, or set "
        "ISP_DATA_DIR "
        "and PORT to run a second one beside it."
    )
    with hold(home.data_dir / "run.lock", wait=False, refusal=refusal), _signals(current):
        try:
            return _run(current)
        except Stop:
            print("\nStopped.", flush=True)
            return 0


def _run(current: Run) -> int:
    for name in current.supervisor.end_leftovers():
        print(f"Ended the {name} process that a killed run had left.")
    if not port_is_free(current.host, current.port):
        raise EmbeddedError(
            f"Port {current.port} on {current.host} is taken by another program. "
            f"Choose another one: PORT={current.port + 1} make run"
        )
    if current.home.note:
        current.notes.append(current.home.note)
    with open_backends(current.home, current.given) as backends, _ending(current):
        current.environment = _environment(current, backends)
        preparing = _prepare_database(current, backends)
        for name, command in parse_procfile((PROJECT / "Procfile").read_text()).items():
            if _can_serve(current, name, command):
                current.supervisor.start(name, command, current.environment)
        for child in preparing:
            _finish(current, child)
        dead = _wait_until_ready(current) or _watch(current)
        current.supervisor.show_trouble()
        print(_obituary(dead), file=sys.stderr, flush=True)
    return 1


@contextlib.contextmanager
def _signals(current: Run) -> Iterator[None]:
    """Turn the first signal into Stop and let a later one only hurry the stop, which always completes."""

    def handle(_number: int, _frame: FrameType | None) -> None:
        if current.stopping:
            current.supervisor.hurry = True
            return
        current.stopping = True
        raise Stop

    names = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {name: signal.signal(name, handle) for name in names}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)


@contextlib.contextmanager
def _ending(current: Run) -> Iterator[None]:
    """End the processes before the servers they use, whatever ends the block."""
    try:
        yield
    finally:
        current.stopping = True
        current.supervisor.stop_all()


def _address(given: Mapping[str, str]) -> tuple[str, int]:
    host, port = given.get("HOST") or "127.0.0.1", given.get("PORT") or "8000"
    try:
        host = str(ipaddress.ip_address("127.0.0.1" if host == "localhost" else host.strip("[]")))
    except ValueError as error:
        raise EmbeddedError(f"HOST={host} is not an IP address; 127.0.0.1 is the default.") from error
    if not port.isdigit() or not 0 < int(port) < 65536:
        raise EmbeddedError(f"PORT={port} is not a port number (1 to 65535).")
    return host, int(port)


def _environment(current: Run, backends: Backends) -> dict[str, str]:
    """Return what the processes see: the operator's environment without the administrator's database URLs."""
    metrics = current.home.data_dir / "metrics"
    shutil.rmtree(metrics, ignore_errors=True)
    metrics.mkdir(mode=0o700)
    (current.home.data_dir / "static").mkdir(exist_ok=True)
    hidden = ("DATABASE_URL", "DATABASE_OWNER_URL", "DATABASE_PLATFORM_URL")
    environment = {name: value for name, value in current.given.items() if name not in hidden}
    # What links in e-mails and the way back from a payment begin with.
    environment["PUBLIC_URL"] = environment.get("PUBLIC_URL") or current.url
    if ipaddress.ip_address(current.host).is_loopback:
        environment.setdefault("CORS_ALLOWED_ORIGINS", DEMO_ORIGINS)
    if not environment.get("EMAIL_HOST"):
        environment["EMAIL_FILE_PATH"] = str(current.home.data_dir / "mail")
    return (
        environment
        | backends.environment
        | {
            "HOST": current.host,
            "PORT": str(current.port),
            "PROMETHEUS_MULTIPROC_DIR": str(metrics),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{current.given.get('PATH', os.defpath)}",
            "PYTHONUNBUFFERED": "1",
        }
    )


def _prepare_database(current: Run, backends: Backends) -> list[Child]:
    """Migrate, collect the static files beside it, and load the demo where there is no tenant yet.

    Returns what still loads: the processes start beside the demo, which saves a third of the start.
    """
    static = _start_collectstatic(current)
    if backends.owner_url is not None:
        _finish(current, _manage(current, "migrate", "--noinput", DATABASE_URL=backends.owner_url))
    else:
        _check_migrations(current)
    if static is not None:
        _finish(current, static[0])
        (current.home.data_dir / "static.stamp").write_text(static[1])
    if ipaddress.ip_address(current.host).is_loopback:
        return [_manage(current, "load_demo")]
    _refuse_demo_credentials(current)
    return []


def _manage(current: Run, *arguments: str, **environment: str) -> Child:
    """Start a management command of its own session, logged to its own file."""
    log = current.home.logs / f"{arguments[0]}.log"
    log.unlink(missing_ok=True)
    process = spawn(
        [sys.executable, "manage.py", *arguments],
        log=log,
        env={**current.environment, **environment},
        cwd=PROJECT,
        die_with_parent=signal.SIGTERM,
    )
    child = Child(arguments[0], process, log, 0)
    current.supervisor.children.append(child)
    return child


def _finish(current: Run, child: Child) -> None:
    """Wait for a management command; raises EmbeddedError with the end of its output when it failed."""
    if child.name in STEPS:
        print(f"{STEPS[child.name]} (a minute or two on the first start) …", flush=True)
    status = current.supervisor.wait_for(child)
    if status != 0:
        raise EmbeddedError(
            f"`manage.py {child.name}` failed with status {status}. The end of "
            f"{child.log}:\n{last_lines(child.log, 25)}"
        )


def _check_migrations(current: Run) -> None:
    child = _manage(current, "migrate", "--check")
    if current.supervisor.wait_for(child) != 0:
        raise EmbeddedError(
            "The database in DATABASE_URL is not migrated, or cannot be read by its role, which may not "
            "migrate it. "
            "Set DATABASE_OWNER_URL to the role that owns the tables. The end of "
            f"{child.log}:\n{last_lines(child.log)}"
        )


def _refuse_demo_credentials(current: Run) -> None:
    child = _manage(current, "demo_credentials", "--check")
    if current.supervisor.wait_for(child) != 0:
        raise EmbeddedError(
            f"HOST={current.host} would open this installation to the network while a demo password still "
            "works. Change the "
            "demo users' passwords or remove the demo tenants, or leave HOST at "
            f"127.0.0.1.\n{last_lines(child.log)}"
        )


def _start_collectstatic(current: Run) -> tuple[Child, str] | None:
    """Start collecting static files when a package or a file has changed since the last time."""
    digest = hashlib.sha256((PROJECT / "requirements.txt").read_bytes())
    for path in sorted(
        path for app in PROJECT.glob("*/**/static") for path in app.rglob("*") if path.is_file()
    ):
        if not path.relative_to(PROJECT).parts[0].startswith("."):
            digest.update(f"{path} {path.stat().st_mtime_ns}\n".encode())
    stamp = current.home.data_dir / "static.stamp"
    if stamp.exists() and stamp.read_text() == digest.hexdigest():
        return None
    return _manage(current, "collectstatic", "--noinput"), digest.hexdigest()


def _can_serve(current: Run, name: str, command: str) -> bool:
    """Tell whether a simulated device can have its UDP address; another installation may already serve it."""
    address = re.search(r"--host (127\.\S+) --(?:coa-)?port (\d+)", command)
    if address is None:
        return True
    host, port = address[1], int(address[2])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                current.notes.append(
                    f"{name}: {host}:{port} is already served by another program; not started."
                )
            else:
                current.notes.append(
                    f"{name}: this system has no address {host} (macOS: sudo ifconfig lo0 alias {host} "
                    "up); not started."
                )
            return False
    return True


def _wait_until_ready(current: Run) -> Child | None:
    """Wait for /ready and print the screen; returns a process that died instead.

    Raises EmbeddedError after READY_SECONDS with what /ready answered last.
    """
    deadline = time.monotonic() + READY_SECONDS
    while (answer := _ask_ready(current.url)) != "ready":
        current.supervisor.show_trouble()
        dead = current.supervisor.find_dead()
        if dead is not None:
            return dead
        if time.monotonic() > deadline:
            raise EmbeddedError(f"{current.url}/ready did not become ready in {READY_SECONDS} s: {answer}")
        time.sleep(0.1)
    notes = "".join(f"  Note      {note}\n" for note in current.notes)
    print(
        SCREEN.format(
            seconds=time.monotonic() - current.started,
            data_dir=current.home.data_dir,
            logs=current.home.logs,
            url=current.url,
            notes=notes,
        ),
        flush=True,
    )
    return None


def _ask_ready(url: str) -> str:
    """Return "ready", or what stands in the way."""
    # An HTTP proxy in the environment must not be asked for our own address.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"{url}/ready", timeout=5) as response:
            return "ready" if response.status == 200 else f"status {response.status}"
    except urllib.error.HTTPError as error:
        with error:
            return f"status {error.code}: {error.read(500).decode(errors='replace')}"
    except OSError as error:
        return str(error)


def _watch(current: Run) -> Child:
    """Show trouble until a process dies, and return that process."""
    while True:
        current.supervisor.show_trouble()
        dead = current.supervisor.find_dead()
        if dead is not None:
            return dead
        time.sleep(0.3)


def _obituary(dead: Child) -> str:
    status = dead.process.returncode
    how = f"signal {signal.Signals(-status).name}" if status < 0 else f"status {status}"
    return (
        f"\nThe process `{dead.name}` ended with {how}, so everything is stopped. "
        f"The end of {dead.log}:\n{last_lines(dead.log, 20)}"
    )
