"""Child processes, and signals whose handler raises."""

import subprocess
import sys
from pathlib import Path

from ispcore.embedded.process import poll, spawn

# Interrupts `poll` at 2,000 moments; Popen.poll then leaves a lock taken, on which the last line hangs.
INTERRUPTED = """
import random, signal, subprocess
from ispcore.embedded.process import poll
class Stop(BaseException):
    pass
def stop(number, frame):
    raise Stop
signal.signal(signal.SIGALRM, stop)
child = subprocess.Popen(["sleep", "1000"])
for _ in range(2000):
    try:
        signal.setitimer(signal.ITIMER_REAL, random.uniform(1e-5, 2e-4))
        while True:
            poll(child)
    except Stop:
        pass
child.kill()
print(child.wait())
"""


def test_a_signal_in_the_middle_of_a_poll_leaves_nothing_that_a_wait_hangs_on() -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED], capture_output=True, text=True, check=False, timeout=120
    )

    assert (done.stdout, done.stderr) == ("-9\n", "")


def test_poll_tells_how_a_process_ended(scratch: Path) -> None:
    failed = spawn(["/bin/sh", "-c", "exit 3"], log=scratch / "failed.log")
    lives = spawn(["sleep", "1000"], log=scratch / "lives.log")
    while poll(failed) is None:
        pass

    assert (poll(failed), failed.wait(), poll(lives)) == (3, 3, None)
    lives.kill()
    assert lives.wait() == -9
    assert poll(lives) == -9
