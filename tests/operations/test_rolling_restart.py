"""Web processes restarted one after another behind the delivered nginx: whoever asks meanwhile notices nothing."""

import contextlib
import itertools
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
import requests

from ispcore.embedded.supervisor import parse_procfile
from tests.api import installation
from tests.needs import require
from tests.operations import certificates, delivered
from tests.operations.production import PROJECT, SETTINGS

# Nothing here is timed: this ends what hangs, and no busy machine's slow run.
pytestmark = pytest.mark.timeout(900)

CLIENTS = 4
# Of each phase of a restart, so many requests are waited for.
AT_LEAST = 40
# Longer than anything takes here, however busy the machine is.
PATIENCE = 180
NAMES_OF_OLTS = """
from hardware.models import Olt
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant

with tenant_context(Tenant.objects.get().pk):
    print(*Olt.objects.values_list("name", flat=True), sep="\\n")
"""


def wait_until(true: Callable[[], object], *, what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, f"{what}: not in {PATIENCE} s"
        time.sleep(0.05)


@dataclass
class Web:
    """A web process as the Procfile starts it."""

    port: int
    environment: dict[str, str]
    log: Path
    running: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        command = parse_procfile((PROJECT / "Procfile").read_text())["web"]
        path = f"{Path(sys.executable).parent}{os.pathsep}{self.environment['PATH']}"
        own = self.environment | {"HOST": "127.0.0.1", "PORT": str(self.port), "PATH": path}
        with self.log.open("ab") as log:
            self.running = subprocess.Popen(
                ["/bin/sh", "-c", f"exec {command}"], cwd=PROJECT, env=own, stdout=log, stderr=log
            )

    def is_ready(self) -> bool:
        with contextlib.suppress(requests.ConnectionError):
            answer = requests.get(f"http://127.0.0.1:{self.port}/ready", timeout=PATIENCE)
            return answer.status_code == 200
        return False

    def terminate(self) -> None:
        """Tell it to stop; it may be told more than once."""
        if self.running:
            self.running.terminate()

    def wait(self) -> int:
        """Return the code with which it ended."""
        assert self.running
        return self.running.wait(PATIENCE)


@dataclass
class Behind:
    """Two web processes, and nginx before them."""

    installed: installation.Installation
    directory: Path
    certificate: Path
    secure: int
    webs: list[Web]

    @contextlib.contextmanager
    def without(self, web: Web) -> Iterator[None]:
        """Leave a process out for a block, as docs/upgrades.md says: `down`, reload, the old workers have ended."""
        upstream = self.directory / "upstream.conf"
        configured = upstream.read_text()
        server = f"    server 127.0.0.1:{web.port} "
        assert server in configured
        self.reload(upstream, configured.replace(server, f"{server}down "))
        yield
        self.reload(upstream, configured)

    def reload(self, upstream: Path, configuration: str) -> None:
        upstream.write_text(configuration)
        master = int((self.directory / "nginx.pid").read_text())
        before = workers_of(master)
        os.kill(master, signal.SIGHUP)
        wait_until(lambda: not before & workers_of(master), what="nginx works by the new configuration")

    def call(self, verb: str, path: str, **options: Any) -> requests.Response:
        """Ask once, over a connection of its own."""
        headers = {"Authorization": f"Bearer {self.installed.token}", **options.pop("headers", {})}
        url = f"https://127.0.0.1:{self.secure}/api/v1/{path}"
        return requests.request(
            verb, url, headers=headers, verify=str(self.certificate), timeout=PATIENCE, **options
        )

    def add_olt(self, name: str, ip: str) -> requests.Response:
        body = {"name": name, "vendor": "huawei", "ip": ip, "community": "c"}
        return self.call("POST", "hardware/olts", json=body, headers={"Idempotency-Key": str(uuid4())})

    def names(self) -> list[str]:
        return installation.python(
            self.installed.environment, "manage.py", "shell", "--no-imports", "-c", NAMES_OF_OLTS
        ).split()


@dataclass
class Load:
    """Clients that ask and add without a pause worth mentioning, and what became of it."""

    behind: Behind
    asked: list[int | str] = field(default_factory=list)
    added: dict[str, int | str] = field(default_factory=dict)
    ending: threading.Event = field(default_factory=threading.Event)

    def run(self, client: int) -> None:
        for number in itertools.count():
            name, ip = f"olt-{client}-{number}", f"10.{client}.{number // 250}.{number % 250 + 1}"
            self.asked.append(outcome(self.behind.call, "GET", "hardware/olts?page_size=1"))
            self.added[name] = outcome(self.behind.add_olt, name, ip)
            if self.ending.wait(0.02):
                return

    def wait_for_more(self) -> None:
        enough = len(self.asked) + AT_LEAST
        wait_until(lambda: len(self.asked) >= enough, what="requests under way")


def workers_of(master: int) -> set[str]:
    """Return the ids of nginx's workers, among them those that finish what they have begun."""
    return set(Path(f"/proc/{master}/task/{master}/children").read_text().split())


def outcome(call: Callable[..., requests.Response], *arguments: str) -> int | str:
    """Return the answer's status, or what came in the place of an answer and when."""
    began = time.monotonic()
    try:
        return call(*arguments).status_code
    except requests.RequestException as error:
        return f"{error!r} after {time.monotonic() - began:.1f} s"


@contextlib.contextmanager
def loaded(behind: Behind) -> Iterator[Load]:
    load = Load(behind)
    with ThreadPoolExecutor(CLIENTS) as clients:
        running = [clients.submit(load.run, client) for client in range(CLIENTS)]
        try:
            yield load
        finally:
            load.ending.set()
    for one in running:
        one.result()


@pytest.fixture(scope="module")
def directory() -> Iterator[Path]:
    # Not pytest's own, which only its account may enter.
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture(scope="module")
def installed(directory: Path) -> Iterator[installation.Installation]:
    require("nginx")
    (directory / "data").mkdir()
    with installation.install(directory / "data") as running:
        yield running


@pytest.fixture
def behind(directory: Path, installed: installation.Installation) -> Iterator[Behind]:
    (directory / "data/static").mkdir(exist_ok=True)
    environment = installed.environment | {
        name: SETTINGS[name] for name in ("PUBLIC_URL", "ALLOWED_HOSTS", "TRUSTED_PROXIES")
    }
    environment |= {"ISP_DATA_DIR": str(directory / "data"), "RATE_LIMIT_PER_MINUTE": "1000000"}
    webs = [
        Web(delivered.free_port(), environment, directory / f"{name}.log") for name in ("first", "second")
    ]
    certificate = certificates.write(directory)
    with contextlib.ExitStack() as stack:
        for web in webs:
            web.start()
            stack.callback(web.wait)
            stack.callback(web.terminate)
        for web in webs:
            wait_until(web.is_ready, what="ready")
        _, secure = stack.enter_context(delivered.nginx(directory, web_ports=[web.port for web in webs]))
        yield Behind(installed, directory, certificate, secure, webs)


def test_a_stop_finishes_what_was_begun(behind):
    with (
        psycopg.connect(behind.installed.environment["DATABASE_URL"]) as blocker,
        psycopg.connect(behind.installed.environment["DATABASE_URL"], autocommit=True) as watcher,
        ThreadPoolExecutor(CLIENTS) as clients,
    ):
        blocker.execute("LOCK TABLE hardware_olt IN SHARE MODE")
        begun = [clients.submit(behind.add_olt, f"begun-{n}", f"10.99.0.{n}") for n in range(CLIENTS)]
        waiting = "SELECT 1 FROM pg_locks WHERE NOT granted AND relation = 'hardware_olt'::regclass"
        wait_until(lambda: watcher.execute(waiting).rowcount == CLIENTS, what="all under way")
        for web in behind.webs:
            web.terminate()
        wait_until(
            lambda: not any(delivered.listens(web.port) for web in behind.webs), what="no new requests"
        )
        blocker.rollback()
        statuses = [one.result().status_code for one in begun]

    assert statuses == [201] * CLIENTS
    assert [web.wait() for web in behind.webs] == [0, 0]
    assert sorted(name for name in behind.names() if name.startswith("begun")) == [
        f"begun-{n}" for n in range(CLIENTS)
    ]


def test_a_rolling_restart_fails_no_request_and_does_nothing_twice(behind):
    codes = []
    with loaded(behind) as load:
        load.wait_for_more()
        for web in behind.webs:
            with behind.without(web):
                web.terminate()
                codes.append(web.wait())
                load.wait_for_more()
                web.start()
                wait_until(web.is_ready, what="ready")
            load.wait_for_more()

    assert codes == [0, 0]
    assert [one for one in load.asked if one != 200] == []
    assert {name: one for name, one in load.added.items() if one != 201} == {}
    assert sorted(name for name in behind.names() if name.startswith("olt-")) == sorted(load.added)
