"""What handing out an address costs, in a /16 that is 1 %, 50 % and 99 % full, and reading 1,000,000 of them.

`make bench-ipam`. The embedded PostgreSQL and Valkey on a throwaway directory, durable as in `make run`; the web
server as in the Procfile; everything on: token, tenancy, row-level security, limits (raised), envelope, events,
counts. Each request gives the next free address to another line. Client, server and PostgreSQL share the cores,
so on a machine with other work `web cpu` and `db cpu` of one request tell more than rates do.

The service function and the plain SQL are called in turn from one process: the plain SQL is one UPDATE with FOR
UPDATE SKIP LOCKED on a bare table of three columns, as its superuser: no tenant, no constraint, no history.
NetBox's figures are of NetBox 4.6.8 with gunicorn and 2 workers, on a machine of the same kind that did nothing
else; used contiguously from the start, as sequential allocation leaves it.
"""

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import UUID

import psycopg

from bench import http_load
from bench.discovery import prepare
from bench.subscribers import API, cpu_seconds, serving
from ispcore.embedded import Servers, start_servers
from ispcore.embedded.servers import DATABASE
from tests.embedded.scratch import scratch_directory

FILLS = {1: "10.1", 50: "10.2", 99: "10.3"}  # Percent full -> the /16.
NETBOX = {(1, 1): "43.5", (1, 8): "59.3", (50, 1): "3.7", (50, 8): "3.9"}  # Addresses per second.
HOSTS = 65_534
LIST_SIZE = 1_000_000
LINES = 10_000
IN_ONE_GO = 500  # Fewer than the 655 that are free at 99 %.

FILL_SQL = """
INSERT INTO ipam_address (id, tenant_id, created_at, updated_at, vrf_id, subnet_id, pool_id, address, state,
                          assigned_to, reserved_for, hostname, note, free_since, assigned_at)
SELECT uuidv7(), %(tenant)s, now(), now(), %(vrf)s, %(subnet)s, %(pool)s, %(first)s::inet + n,
       CASE WHEN n < %(used)s THEN 'assigned' ELSE 'free' END, CASE WHEN n < %(used)s THEN 'router ' || n ELSE '' END,
       '', '', '', CASE WHEN n < %(used)s THEN NULL ELSE now() END, CASE WHEN n < %(used)s THEN now() END
FROM generate_series(0, %(rows)s - 1) AS n
"""
BACK_SQL = """
UPDATE ipam_address SET state = 'free', free_since = created_at, assigned_at = NULL, subscription_id = NULL,
                        hostname = '', assigned_to = ''
WHERE pool_id = %s AND subscription_id IS NOT NULL
"""
CEILING_SQL = """
UPDATE ceiling.plain SET used = true WHERE id = (
    SELECT id FROM ceiling.plain WHERE NOT used ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED
) RETURNING address
"""


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # So that what was started is ended.
    parser = argparse.ArgumentParser(
        prog="python -m bench.ipam", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=1.0, help="per case, connections and round")
    parser.add_argument("--rounds", type=int, default=3, help="the best of them counts")
    parser.add_argument("--addresses", type=int, default=LIST_SIZE, help="in the list that is read")
    parser.add_argument("--data", type=Path, help="keep the data in this directory, for the next run")
    options = parser.parse_args()
    with (
        nullcontext(options.data) if options.data else scratch_directory() as directory,
        start_servers(directory / "data") as servers,
    ):
        prepare(servers)
        plan = make_plan(servers, options.addresses)
        postmaster = int((servers.home.root / "postgres" / "postmaster.pid").read_text().split()[0])
        with serving(servers, directory) as (address, web):
            allocations_over_http(plan, address, (web, postmaster), options)
            against_the_ceiling(plan, options)
            lists_over_http(plan, address, (web, postmaster), options)


class Plan:
    """The tenant measured: its administrator, pools by how full they are, and lines."""

    tenant: UUID
    user: Any
    pools: dict[int, UUID]
    lines: list[UUID]
    admin_url: str


def make_plan(servers: Servers, addresses: int) -> Plan:
    """Fill three pools to their percentages, and a fourth with the addresses that are listed."""
    from bench.subscriber_data import fill, loader, make_people
    from ipam.models import Pool
    from ispcore.tenants.context import tenant_context
    from subscribers.models import Subscription

    plan = Plan()
    plan.admin_url = servers.admin_url
    plan.tenant, wanted, plan.user = make_people(LINES)
    if wanted:
        fill(servers.admin_url, DATABASE, wanted)
    with tenant_context(plan.tenant):
        plan.lines = list(Subscription.objects.filter(status="active").values_list("pk", flat=True)[:6000])
        is_new = not Pool.objects.exists()
        made = _make_pools() if is_new else []
        plan.pools = {percent: Pool.objects.get(name=f"{percent} % full").pk for percent in FILLS}
    if is_new:
        with loader(servers.admin_url, DATABASE) as connection:
            for percent, pool, first in made:
                used = addresses if percent is None else HOSTS * percent // 100
                rows = used if percent is None else min(-(-used // 1024) * 1024, HOSTS)
                _fill(connection, plan.tenant, pool, first, used, rows)
            connection.execute("VACUUM ANALYZE ipam_address")
            connection.execute("CREATE SCHEMA ceiling")
            connection.execute(
                "CREATE TABLE ceiling.plain (id serial PRIMARY KEY, address inet, used boolean) WITH (fillfactor = 80)"
            )
            connection.execute("CREATE INDEX ON ceiling.plain (id) WHERE NOT used")
    return plan


def _make_pools() -> list[tuple[int | None, Any, str]]:
    from ipam.services import pools, space

    vrf = space.default_vrf()
    space.create_subnet(vrf_id=vrf.pk, network="10.0.0.0/8")
    made: list[tuple[int | None, Any, str]] = []
    for percent, block in FILLS.items():
        space.create_subnet(vrf_id=vrf.pk, network=f"{block}.0.0/16")
        given = [pools.RangeFields(first=f"{block}.0.1", last=f"{block}.255.254")]
        pool = pools.create_pool(vrf_id=vrf.pk, name=f"{percent} % full", ranges_given=given)
        made.append((percent, pool, f"{block}.0.1"))
    given = [pools.RangeFields(first="10.64.0.0", last="10.127.255.255")]
    listed = pools.create_pool(vrf_id=vrf.pk, name="listed", ranges_given=given)
    return [*made, (None, listed, "10.64.0.0")]


def _fill(
    connection: psycopg.Connection[Any], tenant: UUID, pool: Any, first: str, used: int, rows: int
) -> None:
    subnet = connection.execute(
        "SELECT subnet_id FROM ipam_poolrange WHERE pool_id = %s", [pool.pk]
    ).fetchone()
    assert subnet is not None
    connection.execute(
        FILL_SQL,
        {"tenant": tenant, "vrf": pool.vrf_id, "subnet": subnet[0], "pool": pool.pk, "first": first, "used": used,
         "rows": rows},
    )  # fmt: skip
    connection.execute(
        "UPDATE ipam_poolrange SET next_address = CASE WHEN %s >= %s THEN NULL ELSE first + %s END WHERE pool_id = %s",
        [rows, HOSTS if rows <= HOSTS else rows + 1, rows, pool.pk],
    )
    connection.execute("UPDATE ipam_poolusage SET assigned = %s WHERE pool_id = %s", [used, pool.pk])


def give_back(plan: Plan) -> None:
    """Make the pools as full as they were, with the free rows in their first order."""
    with _superuser(plan) as connection:
        for pool in plan.pools.values():
            connection.execute(BACK_SQL, [pool])
        connection.execute("DELETE FROM events_event; DELETE FROM ipam_usagedelta")
        connection.execute("VACUUM ipam_address, events_event, ipam_usagedelta")


def _superuser(plan: Plan) -> psycopg.Connection[Any]:
    connection = psycopg.connect(
        urlunsplit(urlsplit(plan.admin_url)._replace(path=f"/{DATABASE}")), autocommit=True
    )
    connection.execute("SET session_replication_role = replica")
    return connection


def allocations_over_http(plan: Plan, address: tuple[str, int], pids: tuple[int, int], options: Any) -> None:
    best: dict[tuple[int, int], tuple[http_load.Load, float, float]] = {}
    for number in range(options.rounds + 1):
        for percent in FILLS:
            for clients in (1, 8):
                give_back(plan)
                measured = _ask(
                    address, pids, _allocations(plan, percent, address), clients, options.seconds, 201
                )
                kept = best.get((percent, clients))
                # The first round only warms the workers up.
                if number and (kept is None or measured[0].per_second > kept[0].per_second):
                    best[percent, clients] = measured
    print(f"\n### POST {API}/ipam/allocate in a /16, one address to one line ({_load()})\n")
    print("| full | clients | allocations/s | p50 ms | p99 ms | web cpu ms | db cpu ms | NetBox /s |")
    print("|---|---|---|---|---|---|---|---|")
    for (percent, clients), (load, web, database) in best.items():
        print(
            f"| {percent} % | {clients} | {load.per_second:,.0f} | {load.p50:.1f} | {load.p99:.1f} | {web:.2f} | "
            f"{database:.2f} | {NETBOX.get((percent, clients), '-')} |"
        )
    for clients in (1, 8):
        ratio = best[99, clients][0].per_second / best[1, clients][0].per_second
        print(f"\n99 % against 1 %, {clients} clients: {ratio:.2f} (wanted: 0.8)")
    sys.stdout.flush()


def _ask(
    address: tuple[str, int],
    pids: tuple[int, int],
    requests: Iterator[bytes],
    clients: int,
    seconds: float,
    status: int,
) -> tuple[http_load.Load, float, float]:
    """Run one load and return it with the CPU of web and database for a request, ms."""
    before = cpu_seconds(pids)
    load = http_load.run(address, requests, connections=clients, seconds=seconds)
    web, database = (now - then for now, then in zip(cpu_seconds(pids), before, strict=True))
    if set(load.statuses) != {status}:
        raise SystemExit(f"answered {dict(load.statuses)}")
    count = load.statuses.total()
    return load, web / count * 1000, database / count * 1000


def _allocations(plan: Plan, percent: int, address: tuple[str, int]) -> Iterator[bytes]:
    host, headers = f"{address[0]}:{address[1]}", _credential(plan)
    for line in plan.lines:
        body = json.dumps({"pool_id": str(plan.pools[percent]), "service_id": str(line)}).encode()
        yield http_load.request_bytes(
            f"{API}/ipam/allocate", host=host, headers=headers, verb="POST", body=body
        )


def _credential(plan: Plan) -> dict[str, str]:
    from django.utils import timezone

    from ispcore.auth import access_tokens

    return {"Authorization": f"Bearer {access_tokens.mint(user_id=plan.user.pk, at=timezone.now())}"}


def against_the_ceiling(plan: Plan, options: Any) -> None:
    """Call the service function and the plain SQL in turn, each for its own transaction and commit."""
    from django.db import connection as django_connection
    from django.utils import timezone

    from ipam.services import allocation
    from ispcore.tenants.context import tenant_context

    print(f"\n### One process, one connection, one transaction each ({_load()})\n")
    print("| full | service function /s | plain SQL /s | ratio (wanted: 0.4) |")
    print("|---|---|---|---|")
    for percent, pool in plan.pools.items():
        ours = ceiling = 0.0
        for _ in range(options.rounds):
            give_back(plan)
            lines = iter(plan.lines)

            def by_service(pool: UUID = pool, lines: Iterator[UUID] = lines) -> None:
                with tenant_context(plan.tenant):
                    allocation.allocate(at=timezone.now(), pool_id=pool, subscription_id=next(lines))

            ours = max(ours, _rate(by_service))
            with _superuser(plan) as plain:
                plain.execute("TRUNCATE ceiling.plain RESTART IDENTITY")
                plain.execute(
                    "INSERT INTO ceiling.plain (address, used) SELECT '10.0.0.1'::inet + n, n < %s "
                    "FROM generate_series(0, %s) AS n",
                    [HOSTS * percent // 100, HOSTS - 1],
                )
                plain.execute("VACUUM ANALYZE ceiling.plain")
                ceiling = max(ceiling, _rate(lambda plain=plain: plain.execute(CEILING_SQL).fetchone()))  # type: ignore[misc]
        print(f"| {percent} % | {ours:,.0f} | {ceiling:,.0f} | {ours / ceiling:.2f} |")
    django_connection.close()
    sys.stdout.flush()


def _rate(call: Callable[[], object]) -> float:
    for _ in range(20):
        call()
    began = time.perf_counter()
    for _ in range(IN_ONE_GO):
        call()
    return IN_ONE_GO / (time.perf_counter() - began)


def lists_over_http(plan: Plan, address: tuple[str, int], pids: tuple[int, int], options: Any) -> None:
    from ipam.models import Address, Pool
    from ispcore.tenants.context import tenant_context

    with tenant_context(plan.tenant):
        listed = Pool.objects.get(name="listed")
        keys = list(Address.objects.filter(pool=listed).values_list("pk", flat=True)[:500])
        count = Address.objects.count()
    path = f"{API}/ipam/addresses"
    cases = {
        "list of 50": [path],
        "list, page 1000": [f"{path}?page=1000"],
        "list by cursor": [f"{path}?cursor="],
        "list of a pool": [f"{path}?pool_id={listed.pk}"],
        "list, reserved": [f"{path}?state=reserved"],
        "list, free": [f"{path}?state=free"],
        "list, network": [f"{path}?network=10.64.8.0/24"],
        "search 10.64.9.": [f"{path}?search=10.64.9."],
        "detail": [f"{path}/{key}" for key in keys],
        "pools": [f"{API}/ipam/pools"],
    }
    host, headers = f"{address[0]}:{address[1]}", _credential(plan)
    print(
        f"\n### Reading {count:,} addresses ({_load()}; NetBox, 100,000: list 15 and 27, detail 29 and 62)\n"
    )
    print("| | 1 client /s | 8 clients /s | p50 ms | p99 ms | web cpu ms | db cpu ms |")
    print("|---|---|---|---|---|---|---|")
    for name, paths in cases.items():
        requests = [http_load.request_bytes(each, host=host, headers=headers) for each in paths]
        rates = []
        for clients in (1, 8):
            best: tuple[http_load.Load, float, float] | None = None
            for _ in range(options.rounds):
                measured = _ask(address, pids, iter(requests), clients, options.seconds, 200)
                if best is None or measured[0].per_second > best[0].per_second:
                    best = measured
            assert best is not None
            rates.append(best)
        load, web, database = rates[1]
        print(
            f"| {name} | {rates[0][0].per_second:,.0f} | {load.per_second:,.0f} | {load.p50:.1f} | {load.p99:.1f} | "
            f"{web:.2f} | {database:.2f} |"
        )
        sys.stdout.flush()


def _load() -> str:
    load = " ".join(Path("/proc/loadavg").read_text(encoding="ascii").split()[:3])
    return f"load {load}, {os.cpu_count()} cores"


if __name__ == "__main__":
    main()
