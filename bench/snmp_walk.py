"""What a discovery's SNMP costs beside snmpbulkwalk in the same run, and how 64 OLTs go in parallel.

The simulated OLTs run in a process of their own; CPU is the client's alone. `python -m bench.snmp_walk`.
"""

import argparse
import resource
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from hardware.drivers import DRIVERS
from hardware.snmp import Target, open_transport

HOST = "127.0.0.2"
COLUMNS = tuple(column.oid for column in DRIVERS["huawei"].columns)
ABSENT = ("1.3.6.1.4.1.32473.9",) * len(COLUMNS)


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds of the client's CPU and of the clock for reading `rows` variables."""

    what: str
    rows: int
    cpu_seconds: float
    wall_seconds: float

    def __str__(self) -> str:
        per_row = self.cpu_seconds / self.rows * 1e6 if self.rows else 0.0
        return (
            f"{self.what:<28} {self.rows:>8} rows  cpu {self.cpu_seconds:7.3f} s  "
            f"wall {self.wall_seconds:7.3f} s  {per_row:6.2f} us cpu/row"
        )


@contextmanager
def serving(
    *, count: int = 1, onus: int, pon_ports: int = 32, latency_ms: float = 0, vendor: str = "huawei"
) -> Iterator[list[Target]]:
    """Run simulated OLTs in another process and give their targets."""
    command = [sys.executable, "-m", "demo.olt", "--host", HOST, "--port", "0", "--count", str(count)]
    command += [
        "--vendor",
        vendor,
        "--onus",
        str(onus),
        "--pon-ports",
        str(pon_ports),
        "--latency-ms",
        str(latency_ms),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            ports = [int(process.stdout.readline().rpartition(":")[2]) for _ in range(count)]
            # A client that is starved of CPU must not look like a device that does not answer.
            yield [Target(HOST, port, timeout_seconds=10) for port in ports]
        finally:
            process.terminate()


def walk_columns(target: Target, backend: str = "gufo") -> int:
    """Walk what a Huawei discovery walks, and return how many variables there were."""
    rows = 0
    with open_transport(target, backend) as transport:
        for column in COLUMNS:
            for _ in transport.walk(column):
                rows += 1
    return rows


def discover(target: Target) -> int:
    """Run a whole discovery, decoding included; return the variables walked."""
    with open_transport(target) as transport:
        found = DRIVERS["huawei"].discover(transport)
    assert not found.failures, found.failures
    return len(found.onus) * 16 + len(found.ports) * 7


def snmpbulkwalk(target: Target, columns: tuple[str, ...] = COLUMNS) -> None:
    """Walk the same columns with net-snmp's client, one process per column as it wants it."""
    tool = shutil.which("snmpbulkwalk")
    if tool is None:
        raise SystemExit("snmpbulkwalk is missing: apt-get install snmp")
    command = [tool, "-v2c", "-c", target.community, "-Cr25", "-OQn", "-t10", f"{target.host}:{target.port}"]
    for column in columns:
        subprocess.run([*command, column], check=True, stdout=subprocess.DEVNULL)


def measure(what: str, act: Callable[[], int | None], *, children: bool = False, rows: int = 0) -> Cost:
    who = resource.RUSAGE_CHILDREN if children else resource.RUSAGE_SELF
    before, began = resource.getrusage(who), time.perf_counter()
    counted = act()
    wall, after = time.perf_counter() - began, resource.getrusage(who)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(what, rows or counted or 0, cpu, wall)


def compare_clients(*, onus: int, backends: list[str], rounds: int = 3) -> list[Cost]:
    """Measure each client `rounds` times, alternating, and keep its cheapest round."""
    best: dict[str, Cost] = {}

    def keep(cost: Cost) -> None:
        if cost.what not in best or cost.cpu_seconds < best[cost.what].cpu_seconds:
            best[cost.what] = cost

    with serving(onus=onus) as (target,):
        rows = walk_columns(target)  # Also loads what is loaded once.
        for _ in range(rounds):
            for backend in backends:
                keep(measure(f"walk with {backend}", lambda b=backend: walk_columns(target, b)))  # type: ignore[misc]
            keep(measure("whole discovery with gufo", lambda: discover(target)))
            keep(measure("snmpbulkwalk", lambda: snmpbulkwalk(target), children=True, rows=rows))
            # A column that is not there costs what starting the process costs.
            keep(measure("snmpbulkwalk, start only", lambda: snmpbulkwalk(target, ABSENT), children=True))
    return list(best.values())


def compare_parallel(*, olts: int, onus: int, latency_ms: float) -> tuple[Cost, Cost]:
    """Measure one OLT, then all at once in threads, under the same latency."""
    with serving(count=olts, onus=onus, pon_ports=4, latency_ms=latency_ms) as targets:
        one = measure("one OLT", lambda: discover(targets[0]))
        with ThreadPoolExecutor(olts) as pool:
            everything = measure(f"{olts} OLTs in threads", lambda: sum(pool.map(discover, targets)))
    return one, everything


def grown_kib(act: Callable[[], object], *, times: int) -> int:
    """Return how much the resident set grew over `times` calls, after ten to warm up."""
    for _ in range(10):
        act()
    before = resident_kib()
    for _ in range(times):
        act()
    return resident_kib() - before


def resident_kib() -> int:
    with open("/proc/self/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.snmp_walk", description=__doc__)
    parser.add_argument("--onus", type=int, default=4096)
    parser.add_argument("--olts", type=int, default=64)
    parser.add_argument("--onus-each", type=int, default=128)
    parser.add_argument("--latency-ms", type=float, default=20)
    parser.add_argument("--backends", default="gufo", help="comma-separated: gufo,pysnmp,easysnmp")
    options = parser.parse_args()

    with open("/proc/loadavg", encoding="ascii") as load:
        print(f"load {load.read().strip()}, {threading.active_count()} thread, {len(COLUMNS)} columns")
    costs = {
        cost.what: cost for cost in compare_clients(onus=options.onus, backends=options.backends.split(","))
    }
    for cost in costs.values():
        print(cost)
    peer, start = costs["snmpbulkwalk"].cpu_seconds, costs["snmpbulkwalk, start only"].cpu_seconds
    for what in ("walk with gufo", "whole discovery with gufo"):
        ours = costs[what].cpu_seconds
        print(f"{what}: {ours / peer:.2f} x snmpbulkwalk, {ours / (peer - start):.2f} x less its starts")

    one, everything = compare_parallel(
        olts=options.olts, onus=options.onus_each, latency_ms=options.latency_ms
    )
    print(one)
    print(everything)
    print(f"{options.olts} OLTs take {everything.wall_seconds / one.wall_seconds:.2f} x the time of one")
    print(f"resident set at the end {resident_kib() / 1024:.0f} MiB")


if __name__ == "__main__":
    main()
