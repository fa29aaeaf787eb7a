"""What each layer of an API request costs: CPU of the web process and of PostgreSQL, and how often that waited.

`make bench-api-layers`, two minutes. In one process without the web server, against the embedded PostgreSQL and
Valkey, with everything else on. PostgreSQL's process waits once per round trip, and in a POST for the disk as
well. CPU time is less at the mercy of other work on the machine than rates are; the cheapest round is shown.
"""

import argparse
import io
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import psycopg

from bench.discovery import prepare
from bench.subscribers import API, person
from ispcore.embedded import Servers, start_servers
from ispcore.embedded.servers import DATABASE
from tests.embedded.scratch import scratch_directory

SUBSCRIBERS = 10_000


@dataclass(frozen=True)
class Cost:
    """Of one request: milliseconds of CPU, and how often PostgreSQL's process waited for something."""

    web: float
    database: float
    waits: float


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m bench.api_layers",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--requests", type=int, default=200, help="per layer and round")
    parser.add_argument("--rounds", type=int, default=5, help="the cheapest of them counts")
    options = parser.parse_args()
    with scratch_directory() as directory, start_servers(directory / "data") as servers:
        (directory / "metrics").mkdir()
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(directory / "metrics")
        os.environ["RATE_LIMIT_PER_MINUTE"] = "60000000"
        prepare(servers)
        from bench.subscriber_data import fill, make_people

        tenant, wanted, user = make_people(SUBSCRIBERS)
        fill(servers.admin_url, DATABASE, wanted)
        measure_layers(servers, tenant, user, requests=options.requests, rounds=options.rounds)


def measure_layers(servers: Servers, tenant: Any, user: Any, *, requests: int, rounds: int) -> None:
    """Print what each layer and each kind of request costs."""
    layers = {**parts(tenant, user), **whole_requests(tenant, user)}
    best: dict[str, Cost] = {}
    for _ in range(rounds + 1):  # The first warms up.
        for name, act in layers.items():
            cost = measure(act, requests)
            best[name] = min(cost, best.get(name, cost), key=lambda cost: cost.web)
        best |= in_the_database(servers, tenant, requests)
    print(f"\nload {Path('/proc/loadavg').read_text(encoding='ascii').strip()}, {os.cpu_count()} cores\n")
    print("| | web cpu ms | db cpu ms | db waits |\n|---|---|---|---|")
    for name, cost in best.items():
        print(f"| {name} | {cost.web:.3f} | {cost.database:.3f} | {cost.waits:.1f} |")


def parts(tenant: Any, user: Any) -> dict[str, Callable[[], object]]:
    """Name what every request with a token passes, part by part."""
    from django.utils import timezone

    from ispcore.api.envelope import UTC, dump, wrap
    from ispcore.api.rows import reader_of
    from ispcore.api.throttles import GcraLimit, take_all
    from ispcore.api.views import etag
    from ispcore.auth import access_tokens
    from ispcore.auth.guard import authenticate_carefully
    from ispcore.tenants.context import tenant_context
    from ispcore.tenants.roles import allows
    from ispcore.tenants.selectors import find_member
    from subscribers.api.customers import SubscriberSerializer
    from subscribers.models import Subscriber

    token = access_tokens.mint(user_id=user.pk, at=timezone.now())
    limits = [("bench:caller", GcraLimit(60_000_000, 60)), ("bench:tenant", GcraLimit(300_000_000, 60))]

    def transaction() -> None:
        with tenant_context(tenant):
            pass

    reader = reader_of(SubscriberSerializer)
    assert reader is not None
    with tenant_context(tenant):
        one = Subscriber.objects.order_by("pk").first()
        page = reader.show_all(reader.select(Subscriber.objects.order_by("pk"))[:50])
    return {
        "guard, token, person and roles": lambda: authenticate_carefully(f"Bearer {token}", ip="127.0.0.1"),
        "token": lambda: access_tokens.verify(token),
        "person and roles": lambda: find_member(user.pk),
        "tenant's transaction": transaction,
        "may the role": lambda: allows("administrator", "subscribers", "view"),
        "limits": lambda: take_all(limits),
        "version tag of one": lambda: etag(one, page[0]),
        "envelope of 50, written": lambda: dump(wrap(page, request_id="bench"), zone=UTC, all_utc=True),
    }


def whole_requests(tenant: Any, user: Any) -> dict[str, Callable[[], object]]:
    """Name whole requests, from the WSGI call to the last byte."""
    from django.utils import timezone

    from ispcore.auth import access_tokens
    from ispcore.tenants.context import tenant_context
    from subscribers.models import Subscriber

    with tenant_context(tenant):
        somebody = Subscriber.objects.order_by("pk").first()
    assert somebody is not None
    serial = count(time.time_ns())
    caller = {"HTTP_AUTHORIZATION": f"Bearer {access_tokens.mint(user_id=user.pk, at=timezone.now())}"}

    def create(**headers: str) -> None:
        body = json.dumps(person(next(serial))).encode()
        call("POST", f"{API}/subscribers", body, **caller, **headers)

    return {
        "GET /health, no credential": lambda: call("GET", "/health"),
        "GET /me": lambda: call("GET", f"{API}/me", **caller),
        "GET one": lambda: call("GET", f"{API}/subscribers/{somebody.pk}", **caller),
        "GET list of 50": lambda: call("GET", f"{API}/subscribers", **caller),
        "POST": create,
        "POST with a key": lambda: create(HTTP_IDEMPOTENCY_KEY=f"bench-{next(serial)}"),
    }


def call(verb: str, path: str, body: bytes = b"", /, **headers: str) -> None:
    """Ask the application as the web server does."""
    from ispcore.wsgi import application

    environ = {
        "REQUEST_METHOD": verb, "PATH_INFO": path, "QUERY_STRING": "", "SCRIPT_NAME": "",
        "SERVER_NAME": "127.0.0.1", "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1", "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": "127.0.0.1", "HTTP_ACCEPT": "*/*", "wsgi.url_scheme": "http", "wsgi.input": io.BytesIO(body),
        "CONTENT_TYPE": "application/json", "CONTENT_LENGTH": str(len(body)), **headers,
    }  # fmt: skip
    statuses: list[str] = []
    response = application(environ, lambda status, headers: statuses.append(status))
    answer = b"".join(response)
    response.close()
    if not statuses[0].startswith("2"):
        raise SystemExit(f"{verb} {path} answered {statuses[0]}: {answer[:300]!r}")


def in_the_database(servers: Servers, tenant: Any, times: int) -> dict[str, Cost]:
    """Measure what row-level security and history add there: the same statements with them and without."""
    page = "SELECT * FROM subscribers_subscriber WHERE tenant_id = %(tenant)s ORDER BY id DESC LIMIT 50"
    copy = """
        INSERT INTO subscribers_subscriber
        SELECT (jsonb_populate_record(one.whole, jsonb_build_object(
            'id', uuidv7(), 'number', 'C' || right(%(serial)s, 15), 'external_id', ''))).*
        FROM (SELECT kept AS whole FROM subscribers_subscriber AS kept
              WHERE tenant_id = %(tenant)s ORDER BY id LIMIT 1) AS one
    """
    owner = servers.admin_url.rsplit("/", 1)[0] + f"/{DATABASE}"
    serial = count(time.time_ns())
    costs = {}
    for name, url, setting, statement in (
        ("50 rows read, no row-level security", owner, "", page),
        ("50 rows read", servers.environment()["DATABASE_URL"], "", page),
        ("a row written, no history, no keys checked", owner, "SET session_replication_role = replica", copy),
        ("a row written", owner, "", copy),
    ):
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("SELECT set_config('app.tenant_id', %s, false)", [str(tenant)])
            if setting:
                connection.execute(setting)

            def act(connection: Any = connection, statement: str = statement) -> None:
                connection.execute(statement, {"tenant": tenant, "serial": str(next(serial))})

            costs[name] = measure(act, times, connection)
    return costs


def measure(act: Callable[[], object], times: int, session: Any = None) -> Cost:
    """Return the mean cost of `act` over so many times, once it has run, in Django's session unless told."""
    from django.db import connection

    act()
    if session is None:
        connection.ensure_connection()
        session = connection.connection
    before, cpu = _server(session), time.process_time()
    for _ in range(times):
        act()
    cpu = time.process_time() - cpu
    after = _server(session)
    return Cost(cpu / times * 1000, (after[0] - before[0]) / times / 1e6, (after[1] - before[1]) / times)


def _server(connection: Any) -> tuple[int, int]:
    """Return the nanoseconds of CPU that the session's server process used, and how often it has waited."""
    process = Path(f"/proc/{connection.info.backend_pid}")
    nanoseconds = int((process / "schedstat").read_text(encoding="ascii").split()[0])
    status = dict(
        line.split(":", 1) for line in (process / "status").read_text(encoding="utf-8").splitlines()
    )
    return nanoseconds, int(status["voluntary_ctxt_switches"])


if __name__ == "__main__":
    main()
