"""Cut and kill every host of an installation in turn, under load, and see what is lost. `make drill`, as root.

An installation of twelve hosts in network namespaces of this machine: nginx, two web servers, two hosts of workers
with a beat each, two FreeRADIUS nodes, PostgreSQL with a replica that confirms commits, Valkey with a replica and
three sentinels, and a NAS that is also the client. Each fault lasts `--seconds`; payments, log-ins, accounting and
webhooks go on meanwhile and a billing run is started. Columns are seconds: the longest silence of each kind of
traffic, how long the billing run took until it was issued, and how long after the host's return all was as before.
"""

import argparse
import os
import re
import shutil
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

from bench.drill import checks, radius, report, stage, webs
from bench.drill.caches import Caches
from bench.drill.databases import Databases
from bench.drill.faults import Drill
from bench.drill.load import Load
from bench.drill.nas import Nas
from bench.drill.network import Host, Network
from bench.drill.settings import Installation, missing_programs, open_installation
from ispcore.embedded import roles
from ispcore.embedded.process import EmbeddedError

HOSTS = {
    "proxy": 10, "web1": 11, "web2": 12, "work1": 21, "work2": 22, "db1": 31, "db2": 32, "cache1": 41, "cache2": 42,
    "radius1": 51, "radius2": 52, "nas": 61,
}  # fmt: skip
CUSTOMERS = 200


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.drill", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument(
        "--only",
        default="",
        help="only faults whose name matches this, for example `kill` or `database|cache`",
    )
    parser.add_argument("--seconds", type=float, default=30, help="how long each fault lasts")
    parser.add_argument("--payments", type=float, default=5, help="a second")
    parser.add_argument("--lines", type=int, default=12, help="lines that dial in again and again")
    parser.add_argument("--keep", action="store_true", help="keep the directory with the logs")
    options = parser.parse_args()
    if refusal := refuse():
        print(refusal, file=sys.stderr)
        return 1
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # So that what was started is ended.
    directory = Path(tempfile.mkdtemp(prefix="isp-drill-"))
    directory.chmod(0o755)
    network = Network(directory)
    try:
        return run(network, options)
    except EmbeddedError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        network.close()
        if options.keep:
            print(f"logs: {network.logs}")
        else:
            shutil.rmtree(directory, ignore_errors=True)


def refuse() -> str:
    """Say why it cannot run here; empty when it can."""
    if os.geteuid() != 0:
        return "The drill makes network namespaces, which needs root: sudo make drill"
    if missing := missing_programs():
        return f"The drill needs {', '.join(missing)}: apt install iproute2 nginx freeradius freeradius-postgresql"
    return ""


def run(network: Network, options: argparse.Namespace) -> int:
    began = time.monotonic()
    for name, number in HOSTS.items():
        network.add(name, number)
    network.enter("nas")
    installation = open_installation(network.directory)
    drill = set_up(network, installation, options)
    threading.Thread(target=restart_for_ever, args=(network,), daemon=True).start()
    if trouble := drill.wait_until_healthy():
        print(f"It does not start: {trouble}. See {network.logs}.", file=sys.stderr)
        return 1
    drill.load.start(payers=6)
    first = drill.bill()
    time.sleep(20)
    print(
        f"ready after {time.monotonic() - began:.0f} s; the first billing run took {first.took or 0:.1f} s\n",
        flush=True,
    )
    return strike_all(drill, options)


def set_up(network: Network, installation: Installation, options: argparse.Namespace) -> Drill:
    hosts = network.hosts
    databases = Databases((hosts["db1"], hosts["db2"]), hosts["proxy"], installation)
    caches = Caches((hosts["cache1"], hosts["cache2"]), hosts["proxy"], installation)
    databases.set_up()
    caches.set_up()
    boot(hosts, "proxy", "db1", "cache1", "cache2")
    databases.wait_for_writes()
    databases.create()
    boot(hosts, "db2")
    installation.environment.update(
        DATABASE_URL=databases.url(roles.APP), DATABASE_PLATFORM_URL=databases.url(roles.PLATFORM),
        REDIS_URL=caches.url, WEBHOOK_NETWORKS="10.97.0.0/24",
    )  # fmt: skip
    stage.prepare(installation.application_environment(network.directory / "nas"), databases.url(roles.OWNER))
    nas = hosts["nas"].address
    made = stage.fill(databases.url(database="ispcore"), network.directory / "nas" / "isp", nas=nas,
                      customers=CUSTOMERS, lines=options.lines)  # fmt: skip
    for name in ("web1", "web2"):
        webs.set_up_web(installation, hosts[name])
    for name in ("work1", "work2"):
        webs.set_up_worker(installation, hosts[name])
    for name in ("radius1", "radius2"):
        radius.set_up(installation, databases, hosts[name])
    webs.set_up_proxy(installation, hosts["proxy"], [hosts["web1"], hosts["web2"]])
    boot(hosts, *hosts)
    load = Load(
        proxy=hosts["proxy"].address, tenant_id=made.tenant_id, token=made.token, subscribers=made.subscribers,
        nas=Nas([hosts["radius1"].address, hosts["radius2"].address]), receiver=nas, lines=options.lines,
        payments_per_second=options.payments,
    )  # fmt: skip
    return Drill(network, databases, caches, load)


def boot(hosts: dict[str, Host], *names: str) -> None:
    for name in names:
        hosts[name].boot()


def restart_for_ever(network: Network) -> None:
    while True:
        for host in network.hosts.values():
            host.start_again()
        time.sleep(0.5)


def strike_all(drill: Drill, options: argparse.Namespace) -> int:
    wrong: list[str] = []
    print(report.heads(), flush=True)
    for fault in drill.faults():
        if not re.search(options.only, f"{fault.how} {fault}"):
            continue
        outcome = drill.strike(fault, seconds=options.seconds)
        print(report.line(outcome), *report.details(outcome), sep="\n", flush=True)
        wrong += outcome.findings.wrong
        time.sleep(5)
    drill.load.stop()
    found = wait_for_rest(drill)
    print("", *report.totals(drill.load, found.invoices, drill.runs), *found.wrong, sep="\n", flush=True)
    print("nothing was lost" if not wrong + found.wrong else "SOMETHING WAS LOST", flush=True)
    return 1 if wrong + found.wrong else 0


def wait_for_rest(drill: Drill, seconds: float = 120) -> checks.Findings:
    """Compare exactly, once nothing is on its way any more."""
    deadline = time.monotonic() + seconds
    while True:
        found = checks.check(drill.databases.url(database="ispcore"), drill.load, at_rest=True)
        missing = len(set(drill.load.told.values()) - drill.load.received.keys())
        found.need(not missing, f"{missing} payments were not told by webhook")
        if not found.wrong or time.monotonic() > deadline:
            return found
        time.sleep(3)


if __name__ == "__main__":
    sys.exit(main())
