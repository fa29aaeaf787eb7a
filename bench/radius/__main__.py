"""What a log-in and an accounting packet cost beside FreeRADIUS' own SQL set-up. `make bench-radius`.

Both run on one embedded PostgreSQL, durable as in `make run`, and take turns, a phase each. What counts is the CPU time
of radiusd and PostgreSQL per request: rates depend on the neighbours, and the loader, whose time is not counted, shares
the machine. Ours decides with the session limit, tenancy and sealed passwords, and counts usage by hour and day.
"""

import argparse
import os
import random
import statistics
import time
from collections import defaultdict
from pathlib import Path

import psycopg

from bench.discovery import prepare
from bench.hardware import _database_cpu
from bench.radius import packets
from bench.radius.isp import Isp
from bench.radius.packets import Answers, send_all
from bench.radius.stock import Stock
from ispcore.embedded import start_servers
from tests.embedded.scratch import scratch_directory

AIMS = {"log-in": 0.65, "accounting": 0.9}
PHASES = ("pap", "chap", "start", "interim", "stop")
STATUS = {"start": 1, "interim": 3, "stop": 2}
Variant = Stock | Isp


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.radius", description=__doc__)
    parser.add_argument("--accounts", type=int, default=1_000_000)
    parser.add_argument("--sessions", type=int, default=100_000, help="open ones, of the first accounts")
    parser.add_argument("--requests", type=int, default=6_000, help="per phase")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=8)
    parser.add_argument("--window", type=int, default=64, help="requests in flight")
    parser.add_argument("--variants", default="stock,isp")
    options = parser.parse_args()
    with scratch_directory() as directory, start_servers(directory / "data") as servers:
        tenant = prepare(servers)
        with psycopg.connect(servers.admin_url, autocommit=True) as connection:
            # It would work for one variant while the other is measured.
            connection.execute("ALTER SYSTEM SET autovacuum = off")
            connection.execute("SELECT pg_reload_conf()")
        variants: list[Variant] = []
        if "stock" in options.variants.split(","):
            if reason := Stock.missing():
                print(f"stock is left out: {reason}")
            else:
                variants.append(Stock(servers, threads=options.threads, port=_free_ports()))
        if "isp" in options.variants.split(","):
            variants.append(
                Isp(servers, directory / "isp", tenant, threads=options.threads, port=_free_ports())
            )
        try:
            measure(variants, directory, options)
        finally:
            for variant in variants:
                variant.stop()


def measure(variants: list[Variant], directory: Path, options: argparse.Namespace) -> None:
    for variant in variants:
        began = time.monotonic()
        variant.load(accounts=options.accounts, sessions=options.sessions)
        print(f"{variant.name}: {options.accounts} accounts, {options.sessions} open sessions loaded in "
              f"{time.monotonic() - began:.0f} s", flush=True)  # fmt: skip
        variant.start()
    load = Path("/proc/loadavg").read_text(encoding="ascii").strip()
    print(f"load {load}, {os.cpu_count()} cores, {options.threads} threads, {options.window} in flight")
    costs: dict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
    for variant in variants:
        _run(variant, "pap", [random.randrange(options.accounts) for _ in range(500)], "warm", options.window)
    for turn in range(options.rounds):
        chosen = random.Random(turn).sample(range(options.accounts), options.requests)
        for phase in PHASES:
            for variant in variants if turn % 2 == 0 else variants[::-1]:
                radius, database = _cpu(variant.pid), _database_cpu(directory)
                answers = _run(variant, phase, chosen, f"{turn:02x}", options.window)
                radius, database = _cpu(variant.pid) - radius, _database_cpu(directory) - database
                _check(variant, phase, answers)
                each = 1000 / options.requests
                costs[phase, variant.name].append((radius * each, database * each))
                print(f"  round {turn + 1} {phase:8} {variant.name:6} {options.requests / answers.seconds:6.0f}/s  "
                      f"CPU ms {radius * each:.3f} radiusd + {database * each:.3f} PostgreSQL "
                      f"= {(radius + database) * each:.3f}", flush=True)  # fmt: skip
    _summarise(costs)


def _run(variant: Variant, phase: str, chosen: list[int], turn: str, window: int) -> Answers:
    if phase in STATUS:
        requests = [packets.accounting(number, f"8{turn}{number:08x}", STATUS[phase]) for number in chosen]
        return send_all(variant.port + 1, packets.ACCOUNTING_REQUEST, requests, window=window)
    requests = [packets.log_in(number, phase) for number in chosen]
    return send_all(variant.port, packets.ACCESS_REQUEST, requests, window=window)


def _check(variant: Variant, phase: str, answers: Answers) -> None:
    if answers.rejected or answers.lost:
        print(f"  {variant.name} {phase}: {answers.rejected} rejected, {answers.lost} lost")


def _summarise(costs: dict[tuple[str, str], list[tuple[float, float]]]) -> None:
    medians = {
        key: statistics.median(radius + database for radius, database in rounds)
        for key, rounds in costs.items()
    }
    print("\nmedian CPU ms per request, radiusd + PostgreSQL")
    for phase in PHASES:
        mine, stock = medians.get((phase, "isp")), medians.get((phase, "stock"))
        aim = AIMS["accounting" if phase in STATUS else "log-in"]
        words = [
            f"{name} {value:.3f}" for name, value in (("stock", stock), ("isp", mine)) if value is not None
        ]
        if mine is not None and stock is not None:
            words.append(
                f"{mine / stock:.2f} x stock (aim {aim}: {'met' if mine <= aim * stock else 'MISSED'})"
            )
        print(f"  {phase:8} {', '.join(words)}")


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _free_ports() -> int:
    """Return a UDP port of the loopback that is free, as the next one is."""
    import socket

    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
            one.bind(("127.0.0.1", 0))
            port: int = one.getsockname()[1]
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as two:
                try:
                    two.bind(("127.0.0.1", port + 1))
                except OSError:
                    continue
                return port


if __name__ == "__main__":
    main()
