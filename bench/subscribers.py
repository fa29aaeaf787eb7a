"""What the API and the staff site cost with 10,000, 100,000 and 1,000,000 subscribers in one tenant.

`make bench-subscribers` (`python -m bench.subscribers --sizes 10000 --seconds 0.5` answers in a minute). The
embedded PostgreSQL and Valkey on a throwaway directory, durable as in `make run`; the web server as in the
Procfile; everything on: token, tenancy, row-level security, limits (raised), envelope, ETag, metrics. Beside
the tenant measured stand 100 tenants of 300. Client, server and PostgreSQL share the machine's cores, so the
rows `health` (no credential) and `me` (a credential, two rows of the database) are the ceilings to compare with.

`web cpu` and `db cpu` are what one request costs the web server and PostgreSQL at the most connections: on a
machine with other work they tell more than rates do. `sql` is how many statements one request sends; `db ms`
is what PostgreSQL itself needs for its reads (EXPLAIN ANALYZE). `--plans` names the parts of plans that read
many rows to throw them away.
"""

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import UUID

from bench import http_load
from bench.discovery import prepare
from ispcore.embedded import Servers, start_servers
from ispcore.embedded.process import free_port
from ispcore.embedded.servers import DATABASE
from ispcore.embedded.supervisor import parse_procfile
from tests.embedded.scratch import scratch_directory

PROJECT = Path(__file__).resolve().parents[1]
SIZES = (10_000, 100_000, 1_000_000)
NEIGHBOURS, NEIGHBOURS_HAVE = 100, 300
ROWS_WASTED = 5_000
API = "/api/v1"


@dataclass(frozen=True)
class Case:
    """One thing to ask for; several paths are asked in turn."""

    name: str
    paths: list[str]
    verb: str = "GET"
    staff: bool = False
    open: bool = False
    statuses: tuple[int, ...] = (200,)


@dataclass
class Row:
    """The figures of a case: by connections, and what one request does in the database."""

    case: Case
    loads: dict[int, http_load.Load] = field(default_factory=dict)
    statements: int = 0
    database_ms: float = 0.0
    cpu_ms: dict[int, tuple[float, float]] = field(default_factory=dict)


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # So that what was started is ended.
    parser = argparse.ArgumentParser(
        prog="python -m bench.subscribers",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--seconds", type=float, default=2.0, help="per case, connections and round")
    parser.add_argument("--rounds", type=int, default=2, help="the best of them counts")
    parser.add_argument("--connections", type=int, nargs="+", default=(1, 8))
    parser.add_argument("--only", default="", help="only cases whose name matches this expression")
    parser.add_argument("--plans", action="store_true", help="only read plans, measure no time")
    parser.add_argument("--data", type=Path, help="keep the data in this directory, for the next run")
    options = parser.parse_args()
    with (
        nullcontext(options.data) if options.data else scratch_directory() as directory,
        start_servers(directory / "data") as servers,
    ):
        prepare(servers)
        fill_neighbours(servers)
        postmaster = int((servers.home.root / "postgres" / "postmaster.pid").read_text().split()[0])
        with serving(servers, directory) as (address, web):
            for size in options.sizes:
                measure_size(servers, address, (web, postmaster), size, options)


@contextmanager
def serving(
    servers: Servers,
    directory: Path,
    *,
    application: str = "ispcore.wsgi",
    known_by: str = "/health",
    **more: str,
) -> Iterator[tuple[tuple[str, int], int]]:
    """Run the web server of the Procfile and give its address and process.

    It serves another `application` with the same settings, when told so; `more` goes to its environment.
    """
    port = free_port(directory / f"{application}.port")
    metrics = directory / f"{application}.metrics"
    metrics.mkdir(exist_ok=True)
    static = servers.home.data_dir / "static"
    static.mkdir(exist_ok=True)
    environment = os.environ | servers.environment()
    environment |= {
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "RATE_LIMIT_PER_MINUTE": "60000000",
        "LOG_LEVEL": "INFO",
        "PROMETHEUS_MULTIPROC_DIR": str(metrics),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
    } | more
    command = parse_procfile((PROJECT / "Procfile").read_text())["web"]
    command = "exec " + command.replace("ispcore.wsgi:", f"{application}:")
    with (directory / f"{application}.log").open("wb") as log:
        web = subprocess.Popen(
            ["/bin/sh", "-c", command], cwd=PROJECT, env=environment, stdout=log, stderr=log
        )
        try:
            wait_for(f"http://127.0.0.1:{port}{known_by}", web)
            yield ("127.0.0.1", port), web.pid
        finally:
            web.terminate()
            web.wait()


def wait_for(url: str, web: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except OSError as error:
            if web.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"the web server does not answer: {error}") from error
            time.sleep(0.1)
        else:
            return


def fill_neighbours(servers: Servers) -> None:
    from bench.subscriber_data import fill
    from ispcore.tenants.models import Tenant

    if Tenant.objects.filter(slug="small-0").exists():
        return
    small = [
        Tenant.objects.create(slug=f"small-{n}", name=f"Small provider {n}").pk for n in range(NEIGHBOURS)
    ]
    fill(servers.admin_url, DATABASE, dict.fromkeys(small, NEIGHBOURS_HAVE))


def measure_size(
    servers: Servers, address: tuple[str, int], pids: tuple[int, int], size: int, options: Any
) -> None:
    from django.db import connection

    from bench.subscriber_data import fill, make_people

    began = time.perf_counter()
    tenant, wanted, user = make_people(size)
    if wanted:
        fill(servers.admin_url, DATABASE, wanted)
    connection.close()
    print(f"\n### {size:,} subscribers (made in {time.perf_counter() - began:.0f} s)\n")
    rows = [Row(case) for case in cases(tenant, size) if re.search(options.only, case.name)]
    for row in rows:
        row.statements, row.database_ms, waste = in_database(tenant, user, row.case)
        if options.plans:
            print(
                f"{row.case.name}: {row.statements} statements, {row.database_ms:.1f} ms {'; '.join(waste)}"
            )
    if not options.plans:
        measure(rows, address, pids, user, options)
        print_table(rows, options.connections)


def cases(tenant: UUID, size: int) -> list[Case]:
    from ispcore.tenants.context import tenant_context
    from subscribers.models import Plan, Subscriber, Subscription

    with tenant_context(tenant):
        middle = Subscriber.objects.get(number=f"SUB-{size // 2:06d}")
        some = list(Subscriber.objects.order_by("phone_e164")[:500].values_list("pk", "number"))
        line = Subscription.objects.get(number=size // 2)
        lines = list(Subscription.objects.order_by("-isp_reference")[:500].values_list("pk", flat=True))
        plan = Plan.objects.get(code="FIBRE-1")
    cursor = quote(cursor_at(middle.pk))
    people, services, admin = f"{API}/subscribers", f"{API}/services", "/admin/subscribers"
    since = quote(f"{middle.created_at:%Y-%m-%dT%H:%M:%S}Z")
    until = quote(f"{middle.created_at.replace(microsecond=0):%Y-%m-%dT23:59:59}Z")
    nobody = "created_at__lte=2001-01-01"
    one = {
        "health: no credential": "/health",
        "me": f"{API}/me",
        "list of 50": people,
        "list, page 20": f"{people}?page=20",
        "list by cursor, deep": f"{people}?cursor={cursor}",
        "list, status": f"{people}?status=suspended",
        "list, phone": f"{people}?phone={quote(middle.phone_e164)}",
        "list, phone prefix": f"{people}?phone={quote(middle.phone_e164[:-1])}*",
        "list, e-mail": f"{people}?email={quote(middle.email)}",
        "list, created one day": f"{people}?created_at__gte={since}&created_at__lte={until}",
        "list, created since half": f"{people}?created_at__gte={since}",
        "list, created: nobody": f"{people}?{nobody}",
        "list, common tag": f"{people}?tag=business",
        "list, rare tag": f"{people}?tag=vip",
        "list, tag of nobody": f"{people}?tag=nobody",
        "list, external id": f"{people}?external_id={middle.external_id}",
        "list, external id prefix": f"{people}?external_id={middle.external_id}*",
        "list, full name": f"{people}?full_name={quote(middle.full_name)}",
        "list, full name prefix": f"{people}?full_name=Vera*",
        "list, full name of nobody": f"{people}?full_name=Nobody*",
        "list, city": f"{people}?city=Faro",
        "list, city of nobody": f"{people}?city=Nowhere",
        "list by -created_at": f"{people}?ordering=-created_at",
        "list by updated_at": f"{people}?ordering=updated_at",
        "list by full_name": f"{people}?ordering=full_name",
        "list by number": f"{people}?ordering=-number",
        "list, status by full_name": f"{people}?status=suspended&ordering=full_name",
        "search, rare number": f"{people}?search={middle.number[4:]}",
        "search, two words": f"{people}?search=ana+silva",
        "search, two prefixes": f"{people}?search=an+sil",
        "search, common prefix": f"{people}?search=a",
        "search, word of all": f"{people}?search=rua",
        "search, nobody": f"{people}?search=zzz",
        "search, common + rare": f"{people}?search=rua+{middle.number[4:]}",
        "search, common + nobody": f"{people}?search=rua+zzz",
        "services: list of 50": services,
        "services, status": f"{services}?status=suspended",
        "services of a customer": f"{services}?customer_id={middle.pk}",
        "services of a plan": f"{services}?plan_id={plan.pk}",
        "services, reference": f"{services}?isp_reference={line.isp_reference}",
        "services, reference prefix": f"{services}?isp_reference={line.isp_reference}*",
        "services, created since half": f"{services}?created_at__gte={since}",
        "services, created: nobody": f"{services}?{nobody}",
        "services by -number": f"{services}?ordering=-number",
        "services by updated_at": f"{services}?ordering=updated_at",
        "services by -created_at": f"{services}?ordering=-created_at",
        "premises: list of 50": f"{API}/premises",
        "premises, city": f"{API}/premises?city=Faro",
        "premises, city of nobody": f"{API}/premises?city=Nowhere",
        "premises, street": f"{API}/premises?address_line1=Rua+Silva+7",
        "premises by city": f"{API}/premises?ordering=city",
        "premises by address_line1": f"{API}/premises?ordering=address_line1",
        "premises by postal_code": f"{API}/premises?ordering=postal_code",
        "premises, search": f"{API}/premises?search=silva+7",
        "premises, search: nobody": f"{API}/premises?search=zzz",
        "plans: list": f"{API}/internet-plans",
        "admin dashboard": "/admin/",
        "admin list": f"{admin}/subscriber/",
        "admin list, status": f"{admin}/subscriber/?status__exact=suspended",
        "admin list, tag": f"{admin}/subscriber/?tag=vip",
        "admin list, search": f"{admin}/subscriber/?q=ana+silva",
        "admin list, common search": f"{admin}/subscriber/?q=rua",
        "admin subscriber": f"{admin}/subscriber/{middle.pk}/change/",
        "admin services": f"{admin}/subscription/",
        "admin services, search": f"{admin}/subscription/?q=ana+silva",
        "admin premises": f"{admin}/premise/",
        "admin premises, search": f"{admin}/premise/?q=silva",
        "admin zones": f"{admin}/zone/",
        "admin plans": f"{admin}/plan/",
    }
    found = [
        Case(name, [path], staff=path.startswith("/admin"), open=path == "/health")
        for name, path in one.items()
    ]
    return [
        *found,
        Case("detail by id", [f"{people}/{pk}" for pk, _ in some]),
        Case("detail by number", [f"{people}/{number}" for _, number in some]),
        Case("service by id", [f"{services}/{pk}" for pk in lines]),
        Case("create", [people], verb="POST", statuses=(201,)),
    ]


def cursor_at(pk: UUID) -> str:
    from base64 import b64encode

    return b64encode(f"p={pk}".encode()).decode()


def measure(
    rows: list[Row], address: tuple[str, int], pids: tuple[int, int], user: Any, options: Any
) -> None:
    """Ask for everything round by round, so that a busy moment of the machine does not meet one case alone."""
    serial = count(time.time_ns())
    for number in range(options.rounds + 1):
        for row in rows:
            for connections in options.connections:
                requests = _requests(row.case, address, user, serial)
                seconds = options.seconds if number else min(options.seconds, 0.5)
                before = cpu_seconds(pids)
                load = http_load.run(address, requests, connections=connections, seconds=seconds)
                used = [now - then for now, then in zip(cpu_seconds(pids), before, strict=True)]
                wrong = {status: n for status, n in load.statuses.items() if status not in row.case.statuses}
                if wrong:
                    raise SystemExit(f"{row.case.name} answered {wrong}")
                # The first round only warms the workers up.
                best = row.loads.get(connections)
                if number and (best is None or load.per_second > best.per_second):
                    row.loads[connections] = load
                    row.cpu_ms[connections] = (
                        used[0] / load.statuses.total() * 1000,
                        used[1] / load.statuses.total() * 1000,
                    )


def cpu_seconds(pids: tuple[int, int]) -> list[float]:
    """Return the CPU time that two processes, with all their children, have used."""
    used: dict[int, float] = {}
    parent: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            values = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # It has just ended.
        pid = int(path.parent.name)
        parent[pid] = int(values[1])
        used[pid] = (int(values[11]) + int(values[12])) / os.sysconf("SC_CLK_TCK")
    totals = []
    for root in pids:
        family = {root}
        while more := {pid for pid, above in parent.items() if above in family} - family:
            family |= more
        totals.append(sum(used[pid] for pid in family))
    return totals


def _requests(case: Case, address: tuple[str, int], user: Any, serial: "count[int]") -> Iterator[bytes]:
    host = f"{address[0]}:{address[1]}"
    headers = {} if case.open else credential_of(user, staff=case.staff)
    if case.verb == "POST":
        for number in serial:
            body = json.dumps(person(number)).encode()
            yield http_load.request_bytes(case.paths[0], host=host, headers=headers, verb="POST", body=body)
    while True:
        yield from [http_load.request_bytes(path, host=host, headers=headers) for path in case.paths]


def person(number: int) -> dict[str, Any]:
    return {
        "full_name": "Maria Gomes Nova",
        "status": "prospect",
        "phone": f"+3519{number % 100_000_000:08d}",
        "email": f"maria{number}@example.net",
        "external_id": f"NEW{number}",
        "address": {"line1": "Rua Nova 1", "city": "Lisboa", "postal_code": "1000-001", "country": "PT"},
        "document": {"type": "tax_id", "number": f"PT{number}"},
        "tags": ["new"],
    }


def credential_of(user: Any, *, staff: bool) -> dict[str, str]:
    """Return the headers of a session with the staff site, or of a token."""
    from django.test import Client
    from django.utils import timezone

    from ispcore.auth import access_tokens

    if staff:
        browser = Client()
        browser.force_login(user)
        return {"Cookie": f"sessionid={browser.cookies['sessionid'].value}", "Accept-Encoding": "gzip"}
    return {"Authorization": f"Bearer {access_tokens.mint(user_id=user.pk, at=timezone.now())}"}


def in_database(tenant: UUID, user: Any, case: Case) -> tuple[int, float, list[str]]:
    """Return one request's statements, the milliseconds of its reads, and what its plans throw away."""
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    from ispcore.tenants.context import tenant_context

    headers = {} if case.open else credential_of(user, staff=case.staff)
    browser = Client(headers={**headers, "Host": "127.0.0.1"})
    browser.generic(
        case.verb, case.paths[0], json.dumps(person(time.time_ns())), content_type="application/json"
    )
    with CaptureQueriesContext(connection) as captured:
        response = browser.generic(
            case.verb, case.paths[0], json.dumps(person(time.time_ns())), content_type="application/json"
        )
    assert response.status_code in case.statuses, (case.name, response.content[:500])
    milliseconds, waste = 0.0, []
    with tenant_context(tenant), connection.cursor() as cursor:
        for query in captured.captured_queries:
            if not query["sql"].startswith("SELECT") or "set_config" in query["sql"]:
                continue
            cursor.execute("EXPLAIN (ANALYZE, FORMAT JSON) " + query["sql"].replace("%", "%%"), ())
            (plan,) = cursor.fetchone()
            milliseconds += plan[0]["Planning Time"] + plan[0]["Execution Time"]
            waste += [f"{part} in {query['sql'][:140]}" for part in wasteful_parts(plan[0]["Plan"])]
    return len(captured), milliseconds, waste


def wasteful_parts(plan: dict[str, Any]) -> Iterator[str]:
    thrown = plan.get("Rows Removed by Filter", 0) * plan["Actual Loops"]
    read = plan["Actual Rows"] * plan["Actual Loops"]
    if thrown > ROWS_WASTED or read > ROWS_WASTED:
        where = plan.get("Index Name") or plan.get("Relation Name") or ""
        yield f"{plan['Node Type']} {where}: {read:.0f} rows, {thrown:.0f} thrown away"
    for part in plan.get("Plans", []):
        yield from wasteful_parts(part)


def print_table(rows: list[Row], connections: list[int]) -> None:
    load = Path("/proc/loadavg").read_text(encoding="ascii").split()[:3]
    client = [load.client_us for row in rows for load in row.loads.values()]
    print(
        f"load {' '.join(load)}, {os.cpu_count()} cores, client {min(client):.0f} to {max(client):.0f} us/request\n"
    )
    heads = [f"{n} conn: /s | p50 ms | p99 ms" for n in connections]
    print(f"| | {' | '.join(heads)} | web cpu ms | db cpu ms | KiB | sql | db ms |")
    print("|---|" + "---|" * (3 * len(connections) + 5))
    for row in rows:
        cells = [
            f"{row.loads[n].per_second:,.0f} | {row.loads[n].p50:.1f} | {row.loads[n].p99:.1f}"
            for n in connections
        ]
        size = next(iter(row.loads.values())).body_bytes / 1024
        web, database = row.cpu_ms[max(connections)]
        print(
            f"| {row.case.name} | {' | '.join(cells)} | {web:.2f} | {database:.2f} | {size:.1f} | "
            f"{row.statements} | {row.database_ms:.1f} |"
        )
    sys.stdout.flush()


if __name__ == "__main__":
    main()
