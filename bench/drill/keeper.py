"""Who is PostgreSQL's primary: an arbiter on a third host, and an agent beside each server.

In production Patroni or an operator does this; here it is small enough to be read. The agent asks the arbiter every
second. A primary that gets no answer for FENCE_SECONDS stops itself; the arbiter names another after LOST_SECONDS,
which is longer, and only a replica that confirmed every commit up to the loss. Without a replica the primary is let
commit alone after ALONE_SECONDS; from then on until the replica has caught up the arbiter names nobody else.
"""

import argparse
import contextlib
import json
import os
import shutil
import socket
import socketserver
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import psycopg

from ispcore.embedded.process import runs_on

PORT = 7000
FENCE_SECONDS, LOST_SECONDS, ALONE_SECONDS, FRESH_SECONDS = 4.0, 8.0, 5.0, 3.0
REWIND_TRIES = 3


def say(*words: object) -> None:
    print(time.strftime("%H:%M:%S"), *words, flush=True)


class Arbiter:
    """Which server leads, whether it has to wait for its replica, and what is known of both."""

    def __init__(self, primary: str) -> None:
        self.primary = primary
        self.wait_for_replica = False
        self.confirmed = False  # The replica has every commit that was answered.
        self.leader_seen = self.replica_seen = self.streaming_seen = time.monotonic()
        self.replica = ""
        self._lock = threading.Lock()

    def answer(self, report: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            now = time.monotonic()
            if report["name"] == self.primary:
                self._hear_leader(report, now)
            else:
                self.replica = report["name"]
                if report["role"] == "replica":
                    self.replica_seen = now
                self._replace_leader(now)
            return {
                "primary": self.primary, "wait": self.wait_for_replica, "confirmed": self.confirmed,
                "replica": self.replica,
            }  # fmt: skip

    def _hear_leader(self, report: dict[str, Any], now: float) -> None:
        if report["role"] != "primary":
            return
        self.leader_seen = now
        if report["streaming"]:
            self.streaming_seen = now
            self.wait_for_replica = True
            if report["waits"] and not self.confirmed:
                self.confirmed = True
                say("commits are confirmed by", self.replica)
        elif now - self.streaming_seen > ALONE_SECONDS and self.wait_for_replica:
            self.wait_for_replica = self.confirmed = False
            say(self.primary, "commits alone")

    def _replace_leader(self, now: float) -> None:
        lost = now - self.leader_seen > LOST_SECONDS
        if lost and self.confirmed and now - self.replica_seen < FRESH_SECONDS:
            say(self.primary, "is lost;", self.replica, "leads")
            self.primary, self.replica = self.replica, self.primary
            self.confirmed = self.wait_for_replica = False
            self.leader_seen = self.streaming_seen = now


def arbitrate(address: str, primary: str) -> None:
    arbiter = Arbiter(primary)

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            answer = arbiter.answer(json.loads(self.rfile.readline()))
            self.wfile.write(json.dumps(answer).encode() + b"\n")

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True

    Server((address, PORT), Handler).serve_forever()


def ask(arbiter: str, report: dict[str, Any]) -> dict[str, Any]:
    """Raises OSError when the arbiter does not answer within a second."""
    with socket.create_connection((arbiter, PORT), timeout=1) as connection:
        connection.sendall(json.dumps(report).encode() + b"\n")
        answer: dict[str, Any] = json.loads(connection.makefile().readline() or "null")
    if answer is None:
        raise OSError("no answer")
    return answer


def open_account(text: str) -> tuple[int, int]:
    uid, _, gid = text.partition(":")
    return int(uid), int(gid)


class Agent:
    """One host's PostgreSQL: started, stopped, promoted or made a replica as the arbiter says."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.name: str = options.name
        self.address: str = options.address
        self.arbiter: str = options.arbiter
        self.other: str = options.other
        self.binaries = Path(options.binaries)
        self.data = Path(options.data)
        self.hba = self.data.with_name("pg_hba.conf")
        self.account = open_account(options.account)
        self.password = os.environ["PGPASSWORD"]
        self.heard = time.monotonic()
        self.tries = 0

    def run(self) -> None:
        while True:
            role, streaming, waits = self._look()
            report = {"name": self.name, "role": role, "streaming": streaming, "waits": waits}
            try:
                answer = ask(self.arbiter, report)
            except (OSError, ValueError):
                if role == "primary" and time.monotonic() - self.heard > FENCE_SECONDS:
                    say("nobody answers: this primary stops itself")
                    self._control("stop", "-m", "immediate", "-W")
            else:
                self.heard = time.monotonic()
                with contextlib.suppress(subprocess.CalledProcessError, psycopg.Error):
                    self._obey(answer, role, waits)
            time.sleep(1)

    def _obey(self, answer: dict[str, Any], role: str, waits: bool) -> None:
        if answer["primary"] == self.name:
            if role == "stopped":
                self._start_as_primary()
            elif role == "replica":
                say("promoted")
                self._control("promote", "-W")
            elif bool(answer["wait"]) != waits:
                self._wait_for(answer["replica"] if answer["wait"] else "")
        elif role == "primary":
            say("another leads")
            self._control("stop", "-m", "immediate", "-W")
        elif role == "stopped":
            self._start_as_replica()

    def _look(self) -> tuple[str, bool, bool]:
        """Return primary, replica, starting or stopped; whether a replica streams; whether commits wait for it."""
        if not self._runs():
            return "stopped", False, False
        try:
            with self._connect("127.0.0.1") as connection:
                row = connection.execute(
                    "SELECT pg_is_in_recovery(), current_setting('synchronous_standby_names') <> '', "
                    "(SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming')"
                ).fetchone()
        except psycopg.Error:
            return "starting", False, False
        assert row is not None
        return ("replica" if row[0] else "primary"), bool(row[2]), bool(row[1])

    def _connect(self, host: str) -> "psycopg.Connection[Any]":
        return psycopg.connect(
            host=host, user="postgres", password=self.password, dbname="postgres", connect_timeout=2, autocommit=True,
            options="-c synchronous_commit=local",
        )  # fmt: skip

    def _wait_for(self, replica: str) -> None:
        """Let commits wait for the replica, or for nobody when its name is empty."""
        names = f'ANY 1 ("{replica}")' if replica else ""
        say("commits wait for", replica or "nobody")
        with self._connect("127.0.0.1") as connection:
            connection.execute(f"ALTER SYSTEM SET synchronous_standby_names = '{names}'")
            connection.execute("SELECT pg_reload_conf()")

    def _start_as_primary(self) -> None:
        if not (self.data / "PG_VERSION").exists():
            password = self.data.with_name("password")
            password.write_text(self.password)
            shutil.chown(password, *self.account)
            self._program(
                "initdb", "-D", self.data, "-U", "postgres", "--pwfile", password, "--auth", "scram-sha-256",
                "--data-checksums", "--encoding", "UTF8", "--locale-provider", "builtin", "--locale", "C.UTF-8",
                "--lc-collate", "C", "--lc-ctype", "C", "--lc-messages", "C", "--no-instructions",
            )  # fmt: skip
            password.unlink()
        self._start()

    def _start_as_replica(self) -> None:
        """Follow the other server: as we are, after a rewind, or from a copy of it."""
        signal = self.data / "standby.signal"
        if not (self.data / "PG_VERSION").exists() or self.tries >= REWIND_TRIES:
            say("copies the primary")
            shutil.rmtree(self.data, ignore_errors=True)
            self._program(
                "pg_basebackup",
                "-D",
                self.data,
                "-h",
                self.other,
                "-U",
                "postgres",
                "-X",
                "stream",
                "-c",
                "fast",
            )
        elif not signal.exists():
            self.tries += 1
            source = (
                f"host={self.other} user=postgres password={self.password} dbname=postgres connect_timeout=2"
            )
            self._program("pg_rewind", "-D", self.data, "--source-server", source)
            say("rewound")
        self.tries = 0
        signal.touch()
        shutil.chown(signal, *self.account)
        follow = (
            f"host={self.other} user=postgres password={self.password} application_name={self.name} "
            "connect_timeout=2 tcp_user_timeout=5000"
        )
        with (self.data / "postgresql.auto.conf").open("a") as file:
            file.write(f"primary_conninfo = '{follow}'\nsynchronous_standby_names = ''\n")
        self._start()

    def _start(self) -> None:
        settings: dict[str, object] = {
            "listen_addresses": "*", "unix_socket_directories": "", "hba_file": self.hba, "max_connections": 300,
            "timezone": "UTC", "wal_keep_size": "1GB", "wal_receiver_timeout": "5s", "wal_sender_timeout": "5s",
            "wal_retrieve_retry_interval": "1s", "tcp_keepalives_idle": 5, "tcp_keepalives_interval": 2,
            "tcp_keepalives_count": 3, "tcp_user_timeout": 6000, "log_line_prefix": "%m [%p] %q%u@%d ",
        }  # fmt: skip
        options = [f"--{name}={value}" for name, value in settings.items()]
        (self.data / "postmaster.pid").unlink(missing_ok=True)  # Of a server that does not run any more.
        subprocess.Popen(
            [*self._as_account(), str(self.binaries / "postgres"), "-D", str(self.data), *options]
        )
        time.sleep(1)

    def _runs(self) -> bool:
        try:
            pid = int((self.data / "postmaster.pid").read_text().split()[0])
        except (OSError, ValueError, IndexError):
            return False
        return runs_on(pid, "postgres", self.data)

    def _as_account(self) -> list[str]:
        uid, gid = self.account
        return ["setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups"]

    def _control(self, *words: str) -> None:
        self._program("pg_ctl", "-D", self.data, *words)

    def _program(self, name: str, *words: object) -> None:
        command = [*self._as_account(), str(self.binaries / name), *map(str, words)]
        environment = {**os.environ, "PGCONNECT_TIMEOUT": "2"}
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=environment, check=False
        )
        if done.returncode:
            say(name, "failed:", done.stderr.strip() or done.stdout.strip())
            done.check_returncode()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.drill.keeper", description=__doc__)
    roles = parser.add_subparsers(dest="role", required=True)
    arbiter = roles.add_parser("arbiter")
    arbiter.add_argument("--address", required=True)
    arbiter.add_argument("--primary", required=True)
    agent = roles.add_parser("agent")
    for name in ("name", "address", "arbiter", "other", "binaries", "data", "account"):
        agent.add_argument(f"--{name}", required=True)
    options = parser.parse_args()
    if options.role == "arbiter":
        arbitrate(options.address, options.primary)
    Agent(options).run()


if __name__ == "__main__":
    main()
