"""What the API answers a second with 100,000 subscribers in one tenant, beside what bare Django answers.

`make bench-api`, five minutes. Granian as the Procfile starts it in production (two workers), the embedded
PostgreSQL and Valkey, durable as in `make run`; everything on: token, tenancy, row-level security, roles, limits
(raised), envelope, version tags, metrics, history. Every round asks for everything, the house's and the bare
ones in turn, so that a busy moment of the machine meets both. Client, servers and PostgreSQL share the cores:
`web cpu` and `db cpu` are what one request costs the web server and PostgreSQL, and `most` is how many of them
two cores could answer if all else were free.

After that, in one process: what checking a credential takes, and what each layer of a request costs.
"""

import argparse
import os
import signal
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from itertools import count, cycle
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson

from bench import api_layers, http_load
from bench.discovery import prepare
from bench.subscribers import API, cpu_seconds, credential_of, cursor_at, fill_neighbours, person, serving
from ispcore.embedded import Servers, start_servers
from ispcore.embedded.servers import DATABASE
from tests.auth import issuer
from tests.embedded.scratch import scratch_directory

CONNECTIONS = 8
CORES = 2
# Answers a second, and microseconds of a credential's check.
LIST_AIM, DETAIL_AIM, CREATE_AIM = 600, 1000, 250
TOKEN_AIM = 150
SOME = 500  # Records that are asked for one by one.


@dataclass(frozen=True)
class Case:
    """One thing to ask for, again and again."""

    name: str
    requests: Callable[[], Iterator[bytes]]
    bare: bool = False
    aim: int | None = None


@dataclass
class Row:
    """The figures of a case: the round that answered most, and the cheapest a request was."""

    case: Case
    load: http_load.Load | None = None
    web_ms: float = float("inf")
    db_ms: float = float("inf")
    rates: list[float] = field(default_factory=list)


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # So that what was started is ended.
    parser = argparse.ArgumentParser(
        prog="python -m bench.api", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--subscribers", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=2.0, help="per case and round")
    parser.add_argument("--rounds", type=int, default=4, help="the best of them counts")
    parser.add_argument("--only", default="", help="only cases whose name begins so")
    parser.add_argument("--no-layers", action="store_true", help="leave out what is measured in one process")
    parser.add_argument("--data", type=Path, help="keep the data in this directory, for the next run")
    options = parser.parse_args()
    with (
        nullcontext(options.data) if options.data else scratch_directory() as directory,
        start_servers(directory / "data") as servers,
    ):
        (directory / "metrics").mkdir(exist_ok=True)
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(directory / "metrics")
        os.environ["RATE_LIMIT_PER_MINUTE"] = "60000000"
        prepare(servers)
        fill_neighbours(servers)
        tenant, user = people(servers, options.subscribers)
        with (
            serving(servers, directory) as house,
            serving(
                servers,
                directory,
                application="bench.api_ceilings",
                known_by="/nothing",
                BENCH_TENANT=str(tenant),
                DATABASE_URL=servers.admin_url.rsplit("/", 1)[0] + f"/{DATABASE}",
            ) as bare,
        ):
            rows = [Row(case) for case in cases(tenant, user, house[0], bare[0])]
            rows = [row for row in rows if row.case.name.startswith(options.only)]
            measure(rows, house, bare, postmaster_of(servers), options)
        print_rates(rows, options.subscribers)
        if not options.no_layers:
            measure_tokens(tenant, user)
            api_layers.measure_layers(servers, tenant, user, requests=100, rounds=3)


def people(servers: Servers, size: int) -> tuple[UUID, Any]:
    from django.db import connection

    from bench.subscriber_data import fill, make_people

    tenant, wanted, user = make_people(size)
    if wanted:
        fill(servers.admin_url, DATABASE, wanted)
    connection.close()
    return tenant, user


def postmaster_of(servers: Servers) -> int:
    return int((servers.home.root / "postgres" / "postmaster.pid").read_text().split()[0])


def cases(tenant: UUID, user: Any, house: tuple[str, int], bare: tuple[str, int]) -> list[Case]:
    from django.utils import timezone

    from ispcore.auth.services import create_api_key
    from ispcore.tenants.context import tenant_context
    from subscribers.models import Subscriber

    with tenant_context(tenant):
        some = [
            str(pk) for pk in Subscriber.objects.order_by("phone_e164").values_list("pk", flat=True)[:SOME]
        ]
        _, key = create_api_key(name="Bench", role="administrator", created_by=user, at=timezone.now())
    token, by_key = credential_of(user, staff=False), {"Authorization": f"Bearer {key}"}
    people, serial = f"{API}/subscribers", count(time.time_ns())

    def ask(*paths: str, by: dict[str, str], at: tuple[str, int] = house) -> Callable[[], Iterator[bytes]]:
        written = [http_load.request_bytes(path, host=f"{at[0]}:{at[1]}", headers=by) for path in paths]
        return lambda: iter(written)

    def make(
        path: str,
        body: Callable[[int], dict[str, Any]],
        at: tuple[str, int],
        *,
        by: dict[str, str],
        repeatable: bool = False,
    ) -> Callable[[], Iterator[bytes]]:
        def requests() -> Iterator[bytes]:
            for number in serial:
                key = {"Idempotency-Key": f"bench-{number}"} if repeatable else {}
                yield http_load.request_bytes(
                    path,
                    host=f"{at[0]}:{at[1]}",
                    headers=by | key,
                    verb="POST",
                    body=orjson.dumps(body(number)),
                )

        return requests

    return [
        Case("no credential, no database (/health)", ask("/health", by={})),
        Case("who am I (/me)", ask(f"{API}/me", by=token)),
        Case("list of 50", ask(people, by=token), aim=LIST_AIM),
        Case("list of 50, by API key", ask(people, by=by_key)),
        Case("list of 50, by cursor, deep", ask(f"{people}?cursor={cursor_at(UUID(some[0]))}", by=token)),
        Case("detail", ask(*(f"{people}/{pk}" for pk in some), by=token), aim=DETAIL_AIM),
        Case("create", make(people, person, house, by=token), aim=CREATE_AIM),
        Case("create with an idempotency key", make(people, person, house, by=token, repeatable=True)),
        Case("a view that does nothing", ask("/nothing", by={}, at=bare), bare=True),
        Case("list: ModelSerializer, page and COUNT", ask("/counted", by={}, at=bare), bare=True),
        Case("list: ModelSerializer, cursor", ask("/walked", by={}, at=bare), bare=True),
        Case("list: values() and orjson", ask("/values", by={}, at=bare), bare=True),
        Case("list: JSON written by SQL", ask("/sql", by={}, at=bare), bare=True),
        Case("detail: ModelSerializer", ask(*(f"/one/{pk}" for pk in some), by={}, at=bare), bare=True),
        Case(
            "detail: values() and orjson",
            ask(*(f"/one-values/{pk}" for pk in some), by={}, at=bare),
            bare=True,
        ),
        Case(
            "create: ModelSerializer, one row",
            make("/created", bare_person, bare, by={}),
            bare=True,
        ),
    ]


def bare_person(number: int) -> dict[str, Any]:
    """Return the same person as columns."""
    return {
        "external_id": f"BARE{number}",
        "full_name": "Maria Gomes Nova",
        "status": "prospect",
        "email": f"maria{number}@example.net",
        "phone": f"+3519{number % 100_000_000:08d}",
        "address_line1": "Rua Nova 1",
        "city": "Lisboa",
        "postal_code": "1000-001",
        "country": "PT",
        "document_type": "tax_id",
        "document_number": f"PT{number}",
        "tags": ["new"],
    }


def measure(
    rows: list[Row],
    house: tuple[tuple[str, int], int],
    bare: tuple[tuple[str, int], int],
    postmaster: int,
    options: argparse.Namespace,
) -> None:
    for number in range(options.rounds + 1):  # The first warms up.
        for row in rows:
            address, web = bare if row.case.bare else house
            before = cpu_seconds((web, postmaster))
            load = http_load.run(
                address,
                row.case.requests(),
                connections=CONNECTIONS,
                seconds=options.seconds if number else min(options.seconds, 1.0),
            )
            used = [now - then for now, then in zip(cpu_seconds((web, postmaster)), before, strict=True)]
            wrong = {status: times for status, times in load.statuses.items() if status not in (200, 201)}
            if wrong:
                raise SystemExit(f"{row.case.name} answered {wrong}")
            if not number:
                continue
            row.rates.append(load.per_second)
            if row.load is None or load.per_second > row.load.per_second:
                row.load = load
            row.web_ms = min(row.web_ms, used[0] / load.statuses.total() * 1000)
            row.db_ms = min(row.db_ms, used[1] / load.statuses.total() * 1000)


def print_rates(rows: list[Row], subscribers: int) -> None:
    print(f"\n### {subscribers:,} subscribers, {CONNECTIONS} connections, {machine()}\n")
    ceiling = next(
        (row.load.per_second for row in rows if row.case.name == "a view that does nothing" and row.load), 0
    )
    figures = [
        "best /s",
        "median /s",
        "aim",
        "p50 ms",
        "p99 ms",
        "web cpu ms",
        "db cpu ms",
        "client ms",
        "most /s",
    ]
    print(f"| | {' | '.join([*figures, 'KiB', 'x nothing'])} |\n|---|" + "---|" * 11)
    for row in rows:
        load = row.load
        assert load is not None
        cells = [
            f"{load.per_second:,.0f}",
            f"{statistics.median(row.rates):,.0f}",
            str(row.case.aim or ""),
            f"{load.p50:.1f}",
            f"{load.p99:.1f}",
            f"{row.web_ms:.2f}",
            f"{row.db_ms:.2f}",
            f"{load.client_us / 1000:.2f}",
            f"{CORES * 1000 / (row.web_ms + row.db_ms):,.0f}",
            f"{load.body_bytes / 1024:.1f}",
            f"{load.per_second / ceiling if ceiling else 0:.3f}",
        ]
        print(f"| {'* ' if row.case.bare else ''}{row.case.name} | {' | '.join(cells)} |")
    print("\n`*` bare Django beside the house: ceilings.")
    sys.stdout.flush()


def machine() -> str:
    load = " ".join(Path("/proc/loadavg").read_text(encoding="ascii").split()[:3])
    return f"{os.cpu_count()} cores, load {load}"


def measure_tokens(tenant: UUID, user: Any) -> None:
    """Check each kind of credential as a request does: the guard, the credential, the person or key, the roles.

    `own` leaves out what is read from the database for each request, so that what is withdrawn is refused at once.
    """
    from django.conf import settings
    from django.utils import timezone

    from ispcore.auth import access_tokens
    from ispcore.auth.guard import authenticate_carefully
    from ispcore.auth.models import ExternalIdentity
    from ispcore.auth.services import create_api_key
    from ispcore.tenants.context import tenant_context

    with tenant_context(tenant):
        _, key = create_api_key(name="Tokens", role="administrator", created_by=user, at=timezone.now())
    ExternalIdentity.objects.get_or_create(issuer=issuer.ISSUER, subject="alice-7f3", user=user)
    with serving_keys() as server:
        settings.OIDC_ISSUER, settings.OIDC_JWKS_URL = issuer.ISSUER, server.url
        settings.OIDC_API_AUDIENCE = issuer.AUDIENCE
        ours = access_tokens.mint(user_id=user.pk, at=timezone.now())
        theirs = issuer.token()
        # More than are remembered.
        fresh = [issuer.token(jti=f"t-{n}") for n in range(1500)]
        mine = [access_tokens.mint(user_id=user.pk, at=timezone.now()) for _ in range(1500)]

        def whole(*tokens: str) -> Callable[[], object]:
            turn = cycle(tokens)
            return lambda: authenticate_carefully(f"Bearer {next(turn)}", ip="127.0.0.1")

        checks: dict[str, Callable[[], object]] = {
            "access token, seen before": whole(ours),
            "access token, its signature alone": lambda: access_tokens.verify(ours),
            "OpenID Connect token, seen before": whole(theirs),
            "OpenID Connect token, its signature alone": lambda: access_tokens.verify(theirs),
            "API key": whole(key),
            "access token, never seen": whole(*mine),
            "OpenID Connect token, never seen": whole(*fresh),
        }
        print(f"\nMicroseconds to check a credential (aim {TOKEN_AIM}), {machine()}:\n")
        print("| | web cpu | db cpu | wall | round trips |\n|---|---|---|---|---|")
        for name, check in checks.items():
            check()
            costs = [timed(check, 200) for _ in range(5)]
            cpu, wall = min(cost[0].web for cost in costs), min(cost[1] for cost in costs)
            database = min(cost[0].database for cost in costs)
            print(
                f"| {name} | {cpu * 1000:.0f} | {database * 1000:.0f} | {wall * 1000:.0f} "
                f"| {costs[0][0].waits:.1f} |"
            )
    sys.stdout.flush()


def timed(act: Callable[[], object], times: int) -> tuple[api_layers.Cost, float]:
    began = time.perf_counter()
    cost = api_layers.measure(act, times)
    return cost, (time.perf_counter() - began) / (times + 1) * 1000


@contextmanager
def serving_keys() -> Iterator[issuer.KeyServer]:
    from ispcore.auth.issuer_keys import issuer_keys

    issuer_keys.cache_clear()
    with issuer.serve_keys() as server:
        yield server
    issuer_keys.cache_clear()


if __name__ == "__main__":
    main()
