"""Hosts: network namespaces on one bridge, whose programs are started, killed and started again.

Addresses exist only inside the namespaces. A host is cut by taking down the switch's end of its cable.
"""

import contextlib
import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ispcore.embedded.process import Account, is_alive, spawn

NETWORK = "10.97.0"
NETWORK_BITS = 24
CLONE_NEWNET = 0x40000000  # Linux, include/uapi/linux/sched.h.
RESTART_SECONDS = 2.0  # What a service manager waits before it starts a program again that has ended.


def ip(*words: str) -> str:
    """Run `ip`; raises CalledProcessError with what it said."""
    return subprocess.run(["ip", *words], check=True, capture_output=True, text=True).stdout


@dataclass
class Program:
    """How one program of a host is started, and the process that it is now."""

    name: str
    argv: Sequence[str]
    environment: Mapping[str, str]
    account: Account | None = None
    process: "subprocess.Popen[bytes] | None" = None
    ended_at: float = 0.0


@dataclass
class Host:
    """One namespace with a cable to the switch."""

    network: "Network"
    name: str
    address: str
    programs: list[Program] = field(default_factory=list)
    up: bool = False
    restarts: list[str] = field(default_factory=list)

    @property
    def namespace(self) -> str:
        return self.network.namespace(self.name)

    @property
    def directory(self) -> Path:
        return self.network.directory / self.name

    def add(
        self, name: str, argv: Sequence[str], environment: Mapping[str, str], account: Account | None = None
    ) -> None:
        self.programs.append(Program(name, argv, environment, account))

    def boot(self) -> None:
        """Start every program; repeated, those that do not run."""
        self.up = True
        for program in self.programs:
            if program.process is None or program.process.poll() is not None:
                self._start(program)

    def kill(self) -> None:
        """Kill everything that runs here, at once."""
        self.up = False
        for pid in self._pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for program in self.programs:
            if program.process is not None:
                program.process.wait()
                program.process = None
        while any(is_alive(pid) for pid in self._pids()):
            time.sleep(0.05)

    def cut(self) -> None:
        ip("-n", self.network.namespace("switch"), "link", "set", f"to-{self.name}", "down")

    def mend(self) -> None:
        ip("-n", self.network.namespace("switch"), "link", "set", f"to-{self.name}", "up")

    def start_again(self) -> None:
        """Do what a service manager does: start what has ended by itself."""
        for program in self.programs:
            if not self.up or program.process is None or program.process.poll() is None:
                continue
            if not program.ended_at:
                program.ended_at = time.monotonic()
            elif time.monotonic() - program.ended_at > RESTART_SECONDS:
                self.restarts.append(f"{self.name}/{program.name} ended with {program.process.returncode}")
                self._start(program)

    def run(self, argv: Sequence[str], **options: object) -> "subprocess.CompletedProcess[str]":
        """Run a command in this namespace to its end."""
        command = ["ip", "netns", "exec", self.namespace, *argv]
        return subprocess.run(command, capture_output=True, text=True, check=True, **options)  # type: ignore[call-overload,no-any-return]

    def _start(self, program: Program) -> None:
        as_account = []
        if program.account is not None:
            as_account = [
                "setpriv",
                f"--reuid={program.account.uid}",
                f"--regid={program.account.gid}",
                "--clear-groups",
            ]
        program.ended_at = 0.0
        program.process = spawn(
            ["ip", "netns", "exec", self.namespace, *as_account, *program.argv],
            log=self.network.logs / f"{self.name}-{program.name}.log", env=program.environment,
            cwd=Path(program.environment.get("DRILL_CWD", "/")), die_with_parent=signal.SIGKILL,
        )  # fmt: skip

    def _pids(self) -> list[int]:
        return [int(pid) for pid in ip("netns", "pids", self.namespace).split() if int(pid) != os.getpid()]


class Network:
    """The switch and its hosts; `close` leaves neither namespace nor process behind."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.logs = directory / "logs"
        self.logs.mkdir()
        self.hosts: dict[str, Host] = {}
        ip("netns", "add", self.namespace("switch"))
        ip("-n", self.namespace("switch"), "link", "add", "bridge0", "type", "bridge")
        ip("-n", self.namespace("switch"), "link", "set", "bridge0", "up")

    def namespace(self, name: str) -> str:
        return f"isp-drill-{os.getpid()}-{name}"

    def add(self, name: str, number: int) -> Host:
        """Make a host with the address NETWORK.number."""
        host = Host(self, name, f"{NETWORK}.{number}")
        host.directory.mkdir(mode=0o755)
        ip("netns", "add", host.namespace)
        self.hosts[name] = host
        switch = self.namespace("switch")
        ip(
            "-n",
            switch,
            "link",
            "add",
            f"to-{name}",
            "type",
            "veth",
            "peer",
            "name",
            "eth0",
            "netns",
            host.namespace,
        )
        ip("-n", switch, "link", "set", f"to-{name}", "master", "bridge0", "up")
        ip("-n", host.namespace, "address", "add", f"{host.address}/{NETWORK_BITS}", "dev", "eth0")
        for device in ("lo", "eth0"):
            ip("-n", host.namespace, "link", "set", device, "up")
        return host

    def enter(self, name: str) -> None:
        """Take this process into a host's namespace. Call it before the first thread is started."""
        with open(f"/run/netns/{self.namespace(name)}", "rb") as file:
            if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns failed")

    def restarts(self) -> list[str]:
        """Return, and forget, which programs ended by themselves and were started again."""
        found = [line for host in self.hosts.values() for line in host.restarts]
        for host in self.hosts.values():
            host.restarts.clear()
        return found

    def close(self) -> None:
        for host in self.hosts.values():
            host.kill()
        for name in [*self.hosts, "switch"]:
            subprocess.run(["ip", "netns", "delete", self.namespace(name)], capture_output=True, check=False)
