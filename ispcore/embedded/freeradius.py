"""`make radius`: the FreeRADIUS of deploy/freeradius beside `make run`, on this machine's loopback.

FreeRADIUS is a program of the system; everything it writes is in the data directory.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from ispcore.embedded import roles
from ispcore.embedded.database import OF_THE_APPLICATION, own_database
from ispcore.embedded.home import Home, open_home
from ispcore.embedded.keys import parse_env
from ispcore.embedded.process import Account, EmbeddedError, last_lines, poll, signal_and_wait, spawn
from ispcore.embedded.runner import PROJECT, data_directory, read_settings
from ispcore.embedded.servers import DATABASE, hold, require_keys, role_passwords
from ispcore.embedded.supervisor import KEEP_LOG_BYTES

CONFIGURATION = PROJECT / "deploy" / "freeradius" / "raddb"
# Where Debian puts it; an ordinary user's PATH lacks it.
SEARCH_PATH = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/sbin"
POSTGRESQL_DRIVER = Path("/usr/lib/freeradius/rlm_sql_postgresql.so")
NOT_INSTALLED = """\
FreeRADIUS is not installed. On Debian and Ubuntu:
    sudo apt install --no-install-recommends freeradius freeradius-postgresql
    sudo systemctl disable --now freeradius      # the package's own service takes the same ports
Then run `make radius` again. ISPCore runs without it; nobody can log in."""
SCREEN = """
  FreeRADIUS answers on {host}, ports {port} (log-ins) and {next_port} (accounting); log in {log}

  It knows the NASes of ISPCore: Access > NASes in the admin. `make run` brings a simulated one, which dials in.
  Ctrl-C stops it. It may stay while `make run` is stopped and started. Errors follow.
"""
READY = b"Ready to process requests"
START_SECONDS = 30
# The number of a request, which makes the same message another one.
VARIES = re.compile(r"\(\d+\) ?")
SAY_AGAIN_SECONDS = 60.0
MOST_TOLD = 1000


class Stop(BaseException):
    """The operator asked for the end; not an Exception, so that nothing on the way swallows it."""


def find_freeradius() -> str:
    """Return the path of the server.

    Raises EmbeddedError with what to install.
    """
    program = shutil.which("freeradius", path=SEARCH_PATH) or shutil.which("radiusd", path=SEARCH_PATH)
    if program is None or not POSTGRESQL_DRIVER.exists():
        raise EmbeddedError(NOT_INSTALLED)
    return program


@dataclass(slots=True)
class FreeRadius:
    """One FreeRADIUS with a copy of the project's configuration, its spool and its run-time files."""

    directory: Path
    log: Path
    account: Account | None
    environment: Mapping[str, str] = field(repr=False)
    program: str = field(default_factory=find_freeradius)
    process: "subprocess.Popen[bytes] | None" = field(default=None, init=False)

    def start(self, *, die_with_parent: bool = True) -> None:
        """Copy the configuration and start the server on it; it starts while its database is down, too.

        Raises EmbeddedError with the end of the log when it gives up.
        """
        self._prepare()
        mark = self.log.stat().st_size if self.log.exists() else 0
        environment = {
            "PATH": os.defpath,
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
            **self.environment,
            "RADIUS_CONFIG": str(self.directory / "config"),
            "RADIUS_RUN": str(self.directory / "run"),
            "RADIUS_SPOOL": str(self.directory / "spool"),
        }
        self.process = spawn(
            [self.program, "-f", "-l", "stdout", "-d", str(self.directory / "config")],
            log=self.log,
            account=self.account,
            env=environment,
            cwd=Path("/"),
            die_with_parent=signal.SIGTERM if die_with_parent else None,
        )
        deadline = time.monotonic() + START_SECONDS
        while READY not in self._log_since(mark):
            if poll(self.process) is not None or time.monotonic() > deadline:
                self.stop()
                raise EmbeddedError(
                    f"FreeRADIUS did not start. The end of {self.log}:\n{last_lines(self.log)}"
                )
            time.sleep(0.02)

    def stop(self) -> None:
        """Stop the server if it runs."""
        if self.process is not None:
            signal_and_wait(self.process.pid, signal.SIGTERM, own=self.process)
            self.process = None

    def _prepare(self) -> None:
        # A copy: the project may lie where the server's account cannot go.
        shutil.rmtree(self.directory / "config", ignore_errors=True)
        self.directory.mkdir(mode=0o711, exist_ok=True)
        shutil.copytree(CONFIGURATION, self.directory / "config")
        for name in ("run", "spool"):
            (self.directory / name).mkdir(mode=0o700, exist_ok=True)
        if self.account is not None:
            for path in (self.directory / "run", self.directory / "spool"):
                os.chown(path, self.account.uid, self.account.gid)

    def _log_since(self, mark: int) -> bytes:
        with self.log.open("rb") as file:
            file.seek(mark)
            return file.read()


def run_radius() -> int:
    """Run FreeRADIUS until the operator ends it; returns the exit status.

    Raises EmbeddedError with what to do when it cannot run.
    """
    find_freeradius()
    given = read_settings()
    home = open_home(data_directory(given))
    host, port = given.get("RADIUS_HOST") or "127.0.0.1", given.get("RADIUS_PORT") or "1812"
    if not port.isdigit() or not 0 < int(port) < 65535:
        raise EmbeddedError(
            f"RADIUS_PORT={port} is not a port number (1 to 65534; accounting takes the next)."
        )
    refusal = f"FreeRADIUS already runs on {home.data_dir}. Stop it with Ctrl-C where it was started."
    before = {name: signal.signal(name, _stop) for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        with hold(home.data_dir / "radius.lock", wait=False, refusal=refusal):
            for number in (int(port), int(port) + 1):
                _require_free(host, number)
            return _serve(home, given, host, int(port))
    except Stop:
        print("\nStopped.", flush=True)
        return 0
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise Stop


def _serve(home: Home, given: Mapping[str, str], host: str, port: int) -> int:
    log = home.logs / "freeradius.log"
    if log.exists() and log.stat().st_size > KEEP_LOG_BYTES:
        log.replace(log.with_suffix(".log.1"))
    url = _database_url(home, given)
    server = FreeRadius(home.root / "freeradius", log, home.account, {})
    try:
        server.environment = _environment(home, given, url, host, port)
        server.start()
        print(SCREEN.format(host=host, port=port, next_port=port + 1, log=log), flush=True)
        shown = log.stat().st_size
        told: dict[str, float] = {}
        while server.process is not None and poll(server.process) is None:
            time.sleep(0.5)
            shown = _show_errors(log, shown, told)
            # `make run` may have had to take another port for its database.
            if not _is_own_database(given) and (now := _database_url(home, given)) != url:
                url = now
                server.stop()
                server.environment = _environment(home, given, url, host, port)
                server.start()
        print(f"FreeRADIUS ended. The end of {log}:\n{last_lines(log)}", file=sys.stderr)
        return 1
    finally:
        server.stop()


def _require_free(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((host, port))
        except OSError as error:
            raise EmbeddedError(
                f"UDP port {port} on {host} is taken ({error.strerror}): perhaps by the service of the "
                "freeradius package (sudo systemctl disable --now freeradius). "
                "Another port: RADIUS_PORT=11812 make radius, and the same for make run."
            ) from error


def _is_own_database(given: Mapping[str, str]) -> bool:
    return bool(given.get("RADIUS_DATABASE_URL") or given.get("DATABASE_URL"))


def _database_url(home: Home, given: Mapping[str, str]) -> str:
    """Return the URL of isp_radius: the operator's database, else the embedded one, which need not run."""
    if given.get("RADIUS_DATABASE_URL"):
        return given["RADIUS_DATABASE_URL"]
    keys = require_keys(home)
    if given.get("DATABASE_URL"):
        url = own_database(given, role_passwords(keys)).get(roles.RADIUS)
        if url is None:
            raise EmbeddedError(
                "DATABASE_URL is a database of your own: set RADIUS_DATABASE_URL to its role isp_radius."
            )
        return url
    try:
        port = int((home.data_dir / "postgres.port").read_text())
    except (OSError, ValueError) as error:
        raise EmbeddedError(f"There is no database in {home.data_dir} yet: run `make run` first.") from error
    return roles.url_for(
        f"postgresql://{roles.RADIUS}@127.0.0.1:{port}/{DATABASE}",
        role=roles.RADIUS,
        password=keys["ISP_RADIUS_PASSWORD"],
    )


def _environment(home: Home, given: Mapping[str, str], url: str, host: str, port: int) -> dict[str, str]:
    """Ask `manage.py radius_env`, which writes the same file for a host of FreeRADIUS."""
    keys = require_keys(home)
    secrets = {name: given.get(name) or keys[name] for name in OF_THE_APPLICATION}
    result = subprocess.run(
        [sys.executable, "manage.py", "radius_env", "--address", host, "--auth-port", str(port),
         "--acct-port", str(port + 1)],
        env={**given, **secrets, "ISP_DATA_DIR": str(home.data_dir), "RADIUS_DATABASE_URL": url,
             "DATABASE_URL": url, "REDIS_URL": given.get("REDIS_URL") or "redis://127.0.0.1:1/0"},
        cwd=PROJECT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if result.returncode != 0:
        raise EmbeddedError(f"`manage.py radius_env` failed:\n{result.stderr.strip()}")
    return parse_env(result.stdout, source="manage.py radius_env")


def _show_errors(log: Path, shown: int, told: dict[str, float]) -> int:
    """Print the complete lines of errors since `shown` and return how far that was.

    What `told` remembers from the last minute is not said again: without a database every packet is an error.
    """
    with log.open("rb") as file:
        file.seek(shown)
        complete, newline, _ = file.read().rpartition(b"\n")
    for line in complete.splitlines():
        when, error, text = line.decode(errors="replace").partition(" : E")
        text = VARIES.sub("", text)
        if not error or text[:4].lower() != "rror":
            continue
        if time.monotonic() - told.get(text, -SAY_AGAIN_SECONDS) >= SAY_AGAIN_SECONDS:
            print(f"{when} E{text}", flush=True)
            told[text] = time.monotonic()
    if len(told) > MOST_TOLD:
        told.clear()
    return shown + len(complete) + len(newline)
