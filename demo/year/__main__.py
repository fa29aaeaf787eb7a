"""Walk through a year of two providers on servers of its own; exit 1 when money does not add up."""

import argparse
import signal
import sys
import tempfile
import time
from contextlib import ExitStack
from datetime import date
from pathlib import Path

from demo.year import processes
from ispcore.embedded import start_servers


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # So that what was started is ended.
    parser = argparse.ArgumentParser(prog="python -m demo.year", description=__doc__)
    parser.add_argument("subscribers", type=int, nargs="?", default=1000, help="of all providers together")
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--start", type=date.fromisoformat, default=date(2024, 2, 1))
    parser.add_argument("--zone", action="append", help="of a provider; give it again for another")
    parser.add_argument(
        "--data", type=Path, help="keep the data in this directory, and add another year to it"
    )
    options = parser.parse_args()
    began = time.perf_counter()
    with ExitStack() as stack:
        directory = options.data or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="isp-year-")))
        directory.mkdir(exist_ok=True)
        directory.chmod(0o711)  # The servers' account passes through.
        processes.prepare(stack.enter_context(start_servers(directory / "data", durable=False)))
        differs = processes.walk_all(options)
    print(f"{time.perf_counter() - began:.0f} s in all")
    return int(differs)


if __name__ == "__main__":
    sys.exit(main())
