"""Start, recognise and end server processes on this machine."""

import contextlib
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

# Linux, include/uapi/linux/prctl.h.
PR_SET_PDEATHSIG = 1
LEAST_FREE_BYTES = 256 * 1024 * 1024


class EmbeddedError(Exception):
    """Something the operator has to act on; the message says what, where and how."""


@dataclass(frozen=True, slots=True)
class Account:
    """The operating system user a server runs as when the launcher is root."""

    name: str
    uid: int
    gid: int


def spawn(
    argv: Sequence[str],
    *,
    log: Path,
    account: Account | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    die_with_parent: signal.Signals | None = None,
) -> subprocess.Popen[bytes]:
    """Start a program in its own session with its output appended to `log`.

    The program writes to the file itself, so it neither blocks on nor dies with whoever reads the log.
    `die_with_parent` is the signal the kernel sends it when the calling *thread* ends (Linux only), so call
    this from a thread that lives as long as the program should.
    Raises EmbeddedError when the program cannot be started.
    """
    with log.open("ab") as output:
        try:
            # A preexec function is safe here: nothing in this process holds a lock across the fork.
            return subprocess.Popen(
                list(argv),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=cwd,
                env=dict(env) if env is not None else None,
                start_new_session=True,
                preexec_fn=_parent_watch(die_with_parent),
                user=account.uid if account else None,
                group=account.gid if account else None,
                extra_groups=[] if account else None,
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise EmbeddedError(f"Cannot start {argv[0]}: {error}.") from error


def run_as(account: Account | None, argv: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run a short command to its end as `account` and return its outcome with both outputs in stdout."""
    return subprocess.run(
        list(argv),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        cwd="/",
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
    )


def poll(process: subprocess.Popen[bytes]) -> int | None:
    """Return the exit status of a child process, None while it runs; never waits.

    For Popen.poll where the handler of a signal may raise: raised between two of that method's lines it leaves
    its lock taken, and Popen.wait then waits for the lock for ever.
    """
    if process.returncode is None:
        try:
            pid, status = os.waitpid(process.pid, os.WNOHANG)
        except ChildProcessError:
            # Collected by a call that a signal cut short; Popen, too, then takes 0 for what it was.
            process.returncode = 0
        else:
            if pid:
                process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode


def _parent_watch(sig: signal.Signals | None) -> Callable[[], None] | None:
    if sig is None or sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None)
    launcher = os.getpid()

    def arm() -> None:
        libc.prctl(PR_SET_PDEATHSIG, int(sig), 0, 0, 0)
        # The launcher may have died between the fork and the call above.
        if os.getppid() != launcher:
            os._exit(1)

    return arm


def is_alive(pid: int) -> bool:
    """Tell whether a process runs; a zombie that nobody collected does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    stat = _proc_stat(pid)
    return stat is None or stat[0] != "Z"


def start_mark(pid: int) -> str:
    """Return a text that differs between two processes which had the same pid; empty when unknown."""
    stat = _proc_stat(pid)
    if stat is not None:
        return stat[19]
    return _ps(pid, "lstart=")


def command_of(pid: int) -> list[str]:
    """Return the argument list of a process, empty when it is gone or hidden."""
    try:
        raw = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return _ps(pid, "command=").split(" ") if not Path("/proc/self").exists() else []
    return [part.decode(errors="replace") for part in raw.rstrip(b"\0").split(b"\0")]


def runs_on(pid: int, program: str, path: Path) -> bool:
    """Tell whether `pid` is `program` started with `path` among its arguments.

    The argument list is what every user may read; a process's working directory is hidden from root in a
    container without CAP_SYS_PTRACE.
    """
    if not is_alive(pid):
        return False
    command = command_of(pid)
    return bool(command) and Path(command[0]).name == program and str(path) in " ".join(command[1:])


def _proc_stat(pid: int) -> list[str] | None:
    """Return /proc/<pid>/stat from the state on; the command name before it may contain anything."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return None


def _ps(pid: int, column: str) -> str:
    if shutil.which("ps") is None:
        return ""
    result = subprocess.run(
        ["ps", "-ww", "-o", column, "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return result.stdout.strip()


def signal_and_wait(pid: int, sig: signal.Signals, *, own: subprocess.Popen[bytes] | None = None) -> None:
    """Send a signal and wait until the process is gone; `own` is its handle when this process started it.

    Waits without a limit: a database that is writing its last checkpoint must not be hurried.
    """
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, sig)
    while is_alive(pid):
        if own is not None:
            poll(own)
        time.sleep(0.02)
    if own is not None:
        own.wait()


def free_port(remembered: Path) -> int:
    """Return the port noted in a file when it is still free, else a new free one, and note it.

    Raises nothing: an unreadable note is replaced.
    """
    with contextlib.suppress(OSError, ValueError):
        port = int(remembered.read_text())
        if port_is_free("127.0.0.1", port):
            return port
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    remembered.write_text(f"{port}\n")
    return port


def port_is_free(host: str, port: int) -> bool:
    """Tell whether a server could listen on this TCP address now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def last_lines(log: Path, count: int = 12) -> str:
    """Return the end of a log file for an error message."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 8192))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return "(no log)"
    return "\n".join(f"    {line}" for line in lines[-count:]) or "    (empty log)"


def require_space(directory: Path) -> None:
    """Refuse to start on a nearly full disk, where a server would stop in the middle of a write.

    Raises EmbeddedError below 256 MiB.
    """
    free = shutil.disk_usage(directory).free
    if free < LEAST_FREE_BYTES:
        raise EmbeddedError(
            f"The disk that holds {directory} has only {free // 2**20} MiB left; "
            f"{LEAST_FREE_BYTES // 2**20} MiB are needed. Free some space, or set ISP_DATA_DIR to another "
            "disk."
        )
