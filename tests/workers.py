"""A real Celery worker in a process of its own."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path


@contextmanager
def celery_worker(
    log: Path, *, queues: str = "network", threads: int = 4, app: str = "ispcore"
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a worker for a block; it is killed at the end, if not before."""
    command = [
        sys.executable, "-m", "celery", "-A", app, "worker", "--queues", queues, "--pool", "threads",
        "--concurrency", str(threads), "--without-gossip", "--without-mingle", "--loglevel", "INFO",
    ]  # fmt: skip
    with ExitStack() as stack:
        output = stack.enter_context(log.open("wb"))
        process = subprocess.Popen(command, stdout=output, stderr=output, env=os.environ)
        stack.callback(process.wait)
        stack.callback(process.kill)
        yield process


def wait_for(worker: "subprocess.Popen[bytes]", condition: Callable[[], bool], log: Path) -> None:
    """Wait until it has come so far, however long that takes on a busy machine; a worker that ends fails the test."""
    while not condition():
        assert worker.poll() is None, log.read_text()[-3000:]
        time.sleep(0.02)


def wait_until(condition: Callable[[], bool], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
