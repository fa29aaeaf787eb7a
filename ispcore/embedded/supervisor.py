"""Run the Procfile's processes and see that none is left behind."""

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from ispcore.embedded.process import is_alive, poll, spawn, start_mark

# A worker finishes its running tasks on SIGTERM; what it does not finish is delivered again (acks_late).
PATIENCE_SECONDS = 10
KEEP_LOG_BYTES = 10 * 1024 * 1024
TROUBLE = re.compile(
    rb"\b(WARNING|ERROR|CRITICAL|FATAL|PANIC|Traceback)\b|\[(warning|error|critical) *\]"
    rb'|"level": ?"(warning|error|critical)"'
)
# granian's advice against more than two threads per core: ours mostly wait for jobs, not for a processor.
EXPECTED = re.compile(rb"Configuration allows spawning up to \d+ Python threads")


def parse_procfile(text: str) -> dict[str, str]:
    """Return the command of each process, in the order of the file."""
    lines = (line.partition(":") for line in text.splitlines() if not line.startswith("#"))
    return {name.strip(): command.strip() for name, colon, command in lines if colon}


@dataclass(slots=True)
class Child:
    """One started process, its log file and how far that was shown."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    shown: int


@dataclass(frozen=True, slots=True)
class Noted:
    """A process as the record file remembers it."""

    name: str
    pid: int
    mark: str

    def lives(self) -> bool:
        """Tell whether it still runs; another process with its pid has another start time."""
        return bool(self.mark) and start_mark(self.pid) == self.mark and is_alive(self.pid)


class Supervisor:
    """Starts processes, shows what they complain about, and ends all of them.

    The pids are noted in `record`, so that the next run can end what a killed supervisor left behind on
    systems where the kernel does not do it.
    """

    def __init__(self, *, logs: Path, record: Path, cwd: Path, verbose: bool) -> None:
        self.logs = logs
        self.record = record
        self.cwd = cwd
        self.verbose = verbose
        self.children: list[Child] = []
        self.hurry = False

    def start(self, name: str, command: str, env: Mapping[str, str]) -> Child:
        """Start one process; its command is a shell line, replaced by the program it names."""
        log = self.logs / f"{name}.log"
        if log.exists() and log.stat().st_size > KEEP_LOG_BYTES:
            log.replace(log.with_suffix(".log.1"))
        shown = log.stat().st_size if log.exists() else 0
        process = spawn(
            ["/bin/sh", "-c", f"exec {command}"],
            log=log,
            env=env,
            cwd=self.cwd,
            die_with_parent=signal.SIGTERM,
        )
        child = Child(name, process, log, shown)
        self.children.append(child)
        self._note()
        return child

    def wait_for(self, child: Child) -> int:
        """Wait for a process that ends by itself, forget it and return its exit status."""
        status = child.process.wait()
        self.children.remove(child)
        self._note()
        return status

    def find_dead(self) -> Child | None:
        """Return a process that has ended by itself, None while all run."""
        return next((child for child in self.children if poll(child.process) is not None), None)

    def show_trouble(self) -> None:
        """Print the warnings and errors logged since the last call, or everything when verbose."""
        for child in self.children:
            for line in _new_lines(child):
                if self.verbose or (TROUBLE.search(line) and not EXPECTED.search(line)):
                    print(f"{child.name:8} | {line.decode(errors='replace')}", flush=True)

    def stop_all(self) -> None:
        """End all processes: politely, then after PATIENCE_SECONDS (or at once when in a hurry) by force."""
        for child in self.children:
            _signal_group(child.process.pid, signal.SIGTERM, leader_only=True)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not self.hurry and time.monotonic() < deadline:
            if all(poll(child.process) is not None for child in self.children):
                break
            time.sleep(0.05)
        for child in self.children:
            # Also after a polite end: a leader may have left children of its own.
            _signal_group(child.process.pid, signal.SIGKILL)
            child.process.wait()
        self.children.clear()
        self.record.unlink(missing_ok=True)

    def end_leftovers(self) -> list[str]:
        """End processes that an earlier supervisor of this data directory left and return their names."""
        left = [noted for noted in self._read_note() if noted.lives()]
        for sig in (signal.SIGTERM, signal.SIGKILL):
            for noted in left:
                _signal_group(noted.pid, sig, leader_only=sig == signal.SIGTERM)
            _wait_for_end((noted.pid for noted in left), PATIENCE_SECONDS)
        self.record.unlink(missing_ok=True)
        return [noted.name for noted in left]

    def _note(self) -> None:
        note = [
            asdict(Noted(child.name, child.process.pid, start_mark(child.process.pid)))
            for child in self.children
        ]
        draft = self.record.with_suffix(".new")
        draft.write_text(json.dumps(note))
        draft.replace(self.record)

    def _read_note(self) -> list[Noted]:
        try:
            return [Noted(**item) for item in json.loads(self.record.read_text())]
        except (OSError, ValueError, TypeError):
            return []


def _new_lines(child: Child) -> list[bytes]:
    """Return the complete lines a process has logged since the last call."""
    with child.log.open("rb") as file:
        file.seek(child.shown)
        complete, newline, _ = file.read().rpartition(b"\n")
    child.shown += len(complete) + len(newline)
    return complete.splitlines()


def _signal_group(pid: int, sig: signal.Signals, *, leader_only: bool = False) -> None:
    """Signal a process, or everything in its session's group; silent when it is gone."""
    try:
        if leader_only:
            os.kill(pid, sig)
        else:
            os.killpg(pid, sig)
    except (ProcessLookupError, PermissionError):
        # PermissionError: macOS answers so for a group that consists of zombies.
        pass


def _wait_for_end(pids: Iterable[int], timeout_seconds: float) -> None:
    waiting = list(pids)
    deadline = time.monotonic() + timeout_seconds
    while any(is_alive(pid) for pid in waiting) and time.monotonic() < deadline:
        time.sleep(0.05)
