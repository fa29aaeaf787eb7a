"""What a whole discovery costs, database included, beside snmpbulkwalk of the same columns in the same run.

`make bench-discovery`. PostgreSQL and Valkey are the embedded ones on a throwaway directory, durable as in
`make run`; the simulated OLTs run in a process of their own. Ratios are what to compare: machines differ.
"""

import argparse
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from bench import snmp_walk
from hardware.snmp import Target
from ispcore.embedded import Servers, start_servers
from tests.embedded.scratch import scratch_directory

if TYPE_CHECKING:
    from ispcore.tenants.models import Tenant

SNMP_AIM = 0.7  # x snmpbulkwalk's client CPU
WALL_AIM = 3.0  # x snmpbulkwalk's wall time, database write included
PARALLEL_AIM = 1.3  # x the time of one OLT
ROUNDS = 3


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.discovery", description=__doc__)
    parser.add_argument("--onus", type=int, default=4096)
    parser.add_argument("--olts", type=int, default=64)
    parser.add_argument("--onus-each", type=int, default=1024)
    parser.add_argument("--latency-ms", type=float, default=20)
    options = parser.parse_args()
    with (
        scratch_directory() as directory,
        start_servers(directory / "data") as servers,
    ):
        tenant = prepare(servers)
        load = Path("/proc/loadavg").read_text(encoding="ascii").strip()
        print(f"load {load}, {os.cpu_count()} cores, {len(snmp_walk.COLUMNS)} columns")
        measure_one(tenant, onus=options.onus)
        measure_parallel(tenant, olts=options.olts, onus=options.onus_each, latency_ms=options.latency_ms)


def prepare(servers: Servers) -> "Tenant":
    """Make the tables as their owner, then work as the runtime role."""
    os.environ.update(servers.environment())
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ispcore.settings")
    os.environ["LOG_LEVEL"] = "ERROR"
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection

    from ispcore.tenants.models import Tenant

    runtime = dict(connection.settings_dict)
    owner = urlsplit(servers.owner_url)
    connection.settings_dict.update(USER=owner.username, PASSWORD=owner.password)
    call_command("migrate", verbosity=0)
    connection.close()
    connection.settings_dict.update(USER=runtime["USER"], PASSWORD=runtime["PASSWORD"])

    tenant, _ = Tenant.objects.get_or_create(slug="bench", defaults={"name": "Bench"})
    return tenant


def measure_one(tenant: "Tenant", *, onus: int) -> None:
    """Alternate the peer, our SNMP part and the whole discovery; keep each one's cheapest round."""
    best: dict[str, snmp_walk.Cost] = {}

    def keep(cost: snmp_walk.Cost, key: str) -> None:
        if key not in best or cost.wall_seconds < best[key].wall_seconds:
            best[key] = cost

    with snmp_walk.serving(onus=onus) as (target,):
        rows = snmp_walk.walk_columns(target)
        discover(tenant, target)  # The first one inserts; the rounds below update, as every later one does.
        for _ in range(ROUNDS):
            keep(
                snmp_walk.measure(
                    "snmpbulkwalk", lambda: snmp_walk.snmpbulkwalk(target), children=True, rows=rows
                ),
                "peer",
            )
            keep(snmp_walk.measure("our walk", lambda: snmp_walk.walk_columns(target)), "walk")
            keep(
                snmp_walk.measure("whole discovery, stored", lambda: discover(tenant, target), rows=rows),
                "whole",
            )
    for cost in best.values():
        print(cost)
    report("SNMP part, client CPU", best["walk"].cpu_seconds / best["peer"].cpu_seconds, SNMP_AIM)
    report("whole discovery, wall time", best["whole"].wall_seconds / best["peer"].wall_seconds, WALL_AIM)


def measure_parallel(tenant: "Tenant", *, olts: int, onus: int, latency_ms: float) -> None:
    """Discover one OLT, then all of them at once in threads, as the network worker does."""
    with (
        snmp_walk.serving(count=olts, onus=onus, pon_ports=-(-onus // 128), latency_ms=latency_ms) as targets,
        ThreadPoolExecutor(olts, initializer=_connect) as pool,
    ):
        # The first time inserts, every later one updates: that is what is measured, on warm connections.
        list(pool.map(lambda target: discover(tenant, target), targets))
        job = request(tenant, targets[0])
        one = snmp_walk.measure(f"one OLT of {onus} ONUs, {latency_ms:g} ms", lambda: perform(tenant, job))
        before = snmp_walk.resident_kib()
        waiting = [request(tenant, target) for target in targets]
        together = snmp_walk.measure(
            f"{olts} such OLTs", lambda: sum(pool.map(lambda job: perform(tenant, job), waiting))
        )
        grown = snmp_walk.resident_kib() - before
    print(one)
    print(together)
    report(f"{olts} OLTs at once", together.wall_seconds / one.wall_seconds, PARALLEL_AIM)
    print(f"resident set grew by {grown / 1024:.1f} MiB, {grown / olts:.0f} KiB per OLT")


def request(tenant: "Tenant", target: Target) -> str:
    """Ask for a discovery as the API does and return the job's id; the OLT is registered if it is not."""
    from hardware import services
    from hardware.models import Olt
    from ispcore.tenants.context import tenant_context

    with tenant_context(tenant.pk):
        olt, _ = Olt.objects.get_or_create(
            ip=target.host,
            snmp_port=target.port,
            defaults={"name": f"OLT {target.port}", "vendor": "huawei", "community": target.community},
        )
        return str(services.request_discovery(olt_id=olt.pk, user_id=None).pk)


def perform(tenant: "Tenant", job_id: str) -> int:
    """Do a discovery job as a worker does and return the ONUs seen."""
    from django.utils import timezone

    from hardware import services
    from ispcore.jobs import services as jobs
    from ispcore.jobs.models import Job
    from ispcore.tenants.context import tenant_context

    jobs.perform(
        tenant_id=str(tenant.pk),
        job_id=job_id,
        work=lambda run: services.discover_olt(run, at=timezone.now()),
    )
    with tenant_context(tenant.pk):
        ended = Job.objects.get(pk=job_id)
    assert ended.result, ended.error_message
    assert ended.result["status"] == "success", ended.result
    return int(ended.result["seen"])


def discover(tenant: "Tenant", target: Target) -> int:
    return perform(tenant, request(tenant, target))


def report(what: str, ratio: float, aim: float) -> None:
    print(f"{what}: {ratio:.2f} x (aim: at most {aim}) {'met' if ratio <= aim else 'MISSED'}")


def _connect() -> None:
    from django.db import connection

    connection.ensure_connection()


if __name__ == "__main__":
    main()
