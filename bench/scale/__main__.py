"""What a provider of 1,000,000 subscribers costs beside one of 10,000 in the same database.

`make bench-scale` (`ARGS="--sizes 2000 20000 --keep DIR"` answers in some minutes; what DIR keeps is not made again).
The embedded PostgreSQL and Valkey, durable as in `make run`, PostgreSQL with the settings printed. Every page and
answer is asked for in this process, with its credential, through all middleware, as the runtime role under row-level
security; packets go to the functions that FreeRADIUS calls, as its role. Small and large providers are asked in turn,
so that a busy moment of the machine meets both; each time another line is asked about. "Nothing remembered" forgets
before each request what a process keeps for a while, such as estimated totals: one request a minute and process pays.

Of each: median and 95th percentile in milliseconds, and how many times the smallest provider's median the median is.
Nobody waits for the billing run: its figure is of one line of about 2,000 that are due, and its time is rolled back.
"""

import argparse
import gc
import os
import re
import signal
import statistics
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from bench.discovery import prepare
from ispcore.embedded import Servers, start_servers
from ispcore.embedded.servers import DATABASE
from tests.embedded.scratch import scratch_directory

if TYPE_CHECKING:
    from bench.scale.cases import Case, Provider

SIZES = (10_000, 1_000_000)
AIM = 1.3
ROUNDS, FEWER_ROUNDS = 40, 5
# What a server of this size would be given; the rest as it comes.
SETTINGS = {
    "shared_buffers": "2GB",
    "effective_cache_size": "8GB",
    "max_wal_size": "8GB",
    "random_page_cost": "1.1",
    "checkpoint_timeout": "30min",
}
PARTS: dict[str, tuple[str | tuple[str, ...], str]] = {
    "customers (with words and premises)": ("subscribers_", "subscribers_subscriber"),
    "sessions that ended": ("aaa_pastsession", "aaa_pastsession"),
    "log-ins": ("aaa_authattempt", "aaa_authattempt"),
    "accounts and running sessions": (("aaa_account", "aaa_session"), "aaa_account"),
    "readings": ("hardware_reading", "hardware_reading"),
    "ONUs": ("hardware_onu", "hardware_onu"),
    "addresses": ("ipam_address", "ipam_address"),
    "invoices (with items, payments, ledger)": ("billing_", "billing_invoice"),
    "tickets (with comments)": ("support_", "support_ticket"),
}


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # So that what was started is ended.
    parser = argparse.ArgumentParser(
        prog="python -m bench.scale",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="subscribers, the smallest first")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--only", default="", help="only what this expression is found in")
    parser.add_argument("--plans", action="store_true", help="also say what is read to be thrown away")
    parser.add_argument("--keep", type=Path, help="keep the data in this directory, for the next run")
    options = parser.parse_args()
    with nullcontext(options.keep) if options.keep else scratch_directory() as directory:
        with start_servers(directory / "data") as servers:
            set_up(servers)
        with start_servers(directory / "data") as servers:
            prepare(servers)
            run(servers, options)


def set_up(servers: Servers) -> None:
    """Write down PostgreSQL's settings for its next start."""
    with psycopg.connect(servers.admin_url, autocommit=True) as connection:
        for name, value in SETTINGS.items():
            connection.execute(f"ALTER SYSTEM SET {name} = '{value}'")


def run(servers: Servers, options: argparse.Namespace) -> None:
    from bench.scale.cases import cases, provider_of
    from bench.scale.data import fill_providers

    made = fill_providers(servers, list(options.sizes))
    providers = [provider_of(size, *made[size]) for size in options.sizes]
    print_machine(servers)
    print_sizes(servers)
    heads = " | ".join(f"{size:,}: median, 95 % (ms)" for size in options.sizes)
    print(f"\n| | {heads} | × | at most {AIM} |\n|---|{'---|' * len(options.sizes)}---|---|", flush=True)
    for case in cases(servers.radius_url):
        if not re.search(options.only, case.name):
            continue
        rounds = options.rounds if case.waited_for and not case.cold else min(FEWER_ROUNDS, options.rounds)
        taken = measure(case, providers, rounds)
        medians = [statistics.median(times) for times in taken]
        ratio = medians[-1] / medians[0]
        verdict = ("yes" if ratio <= AIM else "NO") if case.waited_for else "nobody waits"
        cells = " | ".join(f"{statistics.median(times):.2f}, {percentile_95(times):.2f}" for times in taken)
        print(f"| {case.name} | {cells} | {ratio:.2f} | {verdict} |", flush=True)
        if options.plans:
            print_plans(case, providers[-1])


def measure(case: "Case", providers: list["Provider"], rounds: int) -> list[list[float]]:
    """Ask each provider in turn; the first rounds load code and fill caches."""
    taken: list[list[float]] = [[] for _ in providers]
    warm = min(3, rounds)
    gc.collect()
    gc.freeze()
    for n in range(-warm, rounds):
        # Who comes first changes: what one request leaves in the processor's caches, the next one finds.
        order = list(enumerate(providers))
        for place, provider in order if n % 2 else reversed(order):
            if case.cold:
                forget()
            milliseconds = case.ask(provider, n + warm)
            if n >= 0:
                taken[place].append(milliseconds)
    return taken


def forget() -> None:
    from ispcore.totals import Remembered

    for found in gc.get_objects():
        if isinstance(found, Remembered):
            found._kept.clear()


def percentile_95(times: list[float]) -> float:
    return statistics.quantiles(times, n=20, method="inclusive")[-1] if len(times) > 1 else times[0]


def print_plans(case: "Case", provider: "Provider") -> None:
    """Read again what the largest provider's page reads, and say what of it read many rows."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from bench.subscribers import wasteful_parts
    from ispcore.tenants.context import tenant_context

    if case.cold:
        forget()
    with CaptureQueriesContext(connection) as captured:
        case.ask(provider, 1)
    with tenant_context(provider.tenant), connection.cursor() as cursor:
        for query in captured.captured_queries:
            if not query["sql"].startswith("SELECT") or "set_config" in query["sql"]:
                continue
            cursor.execute("EXPLAIN (ANALYZE, FORMAT JSON) " + query["sql"].replace("%", "%%"), ())
            (plan,) = cursor.fetchone()
            milliseconds = plan[0]["Planning Time"] + plan[0]["Execution Time"]
            waste = "; ".join(wasteful_parts(plan[0]["Plan"]))
            if waste or milliseconds > 2:
                print(f"    {milliseconds:7.1f} ms {waste or '-'}\n        {query['sql'][:600]}", flush=True)


def print_machine(servers: Servers) -> None:
    load = " ".join(Path("/proc/loadavg").read_text(encoding="ascii").split()[:3])
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    )
    with psycopg.connect(servers.admin_url, dbname=DATABASE) as connection:
        version = connection.info.parameter_status("server_version")
        settings = connection.execute(
            "SELECT name, current_setting(name) FROM pg_settings WHERE name = ANY(%s) ORDER BY name",
            [[*SETTINGS, "work_mem", "max_connections", "synchronous_commit", "fsync"]],
        ).fetchall()
    print(
        f"\n{time.strftime('%Y-%m-%d %H:%M')}, {os.cpu_count()} cores, load {load}, commit {commit.stdout.strip()}, "
        f"Python {sys.version.split()[0]}, PostgreSQL {version}: "
        + ", ".join(f"{name} {value}" for name, value in settings)
    )


def print_sizes(servers: Servers) -> None:
    """Say what the tables take with their indexes, and what one of a kind does."""
    with psycopg.connect(servers.admin_url, dbname=DATABASE) as connection:
        tables = {
            str(name): (int(size), max(int(rows), 0))
            for name, size, rows in connection.execute(
                """
                SELECT coalesce(parent.relname, own.relname), sum(pg_total_relation_size(own.oid)), sum(own.reltuples)
                FROM pg_class own LEFT JOIN pg_inherits i ON i.inhrelid = own.oid
                LEFT JOIN pg_class parent ON parent.oid = i.inhparent
                WHERE own.relnamespace = 'public'::regnamespace AND own.relkind = 'r' GROUP BY 1
                """
            )
        }
        (whole,) = connection.execute("SELECT pg_database_size(current_database())").fetchone() or (0,)
    print(
        f"\nThe database: {whole / 2**30:.1f} GiB.\n\n| | rows | GiB with indexes | bytes each |\n|---|---|---|---|"
    )
    for name, (of, counted) in PARTS.items():
        size = sum(size for table, (size, _) in tables.items() if table.startswith(of))
        rows = tables[counted][1]
        print(f"| {name} | {rows:,} | {size / 2**30:.2f} | {size / max(rows, 1):,.0f} |")


if __name__ == "__main__":
    main()
