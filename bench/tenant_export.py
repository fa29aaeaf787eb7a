"""What exporting and restoring a whole provider costs, beside plain COPY of the same tables.

`make bench-tenant-export` (`ARGS="--subscribers 10000"` for less). The embedded PostgreSQL on a throwaway directory,
durable as in production. Out: COPY of each table of the provider to nowhere, as its superuser; then the export, as the
runtime role, with JSON, checksums, totals and compression, into a file. In: COPY of the same rows into bare tables
without index, key or trigger; then the restore into another database, with all of them, and with reading all back
and comparing it. Rows are those of all tables; both of a pair run in this process, one after the other.
"""

import argparse
import io
import resource
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg

from bench.discovery import prepare
from bench.subscriber_data import fill
from ispcore.embedded import Servers, start_servers
from ispcore.embedded.servers import DATABASE
from tests.embedded.scratch import scratch_directory

SUBSCRIBERS = 100_000
ELSEWHERE = "elsewhere"


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # So that what was started is ended.
    parser = argparse.ArgumentParser(prog="python -m bench.tenant_export", description=__doc__)
    parser.add_argument("--subscribers", type=int, default=SUBSCRIBERS)
    options = parser.parse_args()
    with scratch_directory() as directory, start_servers(directory / "data") as servers:
        tenant = prepare(servers)
        _copy_empty_database(servers)
        fill(servers.admin_url, DATABASE, {tenant.pk: options.subscribers})
        measure(servers, tenant, directory / "all.zip")


def measure(servers: Servers, tenant: Any, path: Path) -> None:
    """Export and restore, each beside plain COPY, and print what it took."""
    from django.db import connection
    from django.utils import timezone

    from ispcore.files.tenant_export import contents, restoring, writing

    def export() -> dict[str, Any]:
        with path.open("wb") as stream:
            return writing.write(stream, tenant, at=timezone.now(), progress=lambda *told: None)

    names = [table.name for table in contents.tables()]
    copied: dict[str, bytes] = {}
    with psycopg.connect(_url(servers.admin_url, DATABASE), autocommit=True) as plain:
        plain.execute("VACUUM ANALYZE")
        plain_out = _took(lambda: copied.update(_copy_out(plain, names, tenant.pk)))
        made: list[dict[str, Any]] = []
        out = _took(lambda: made.append(export()))
        plain_in = _took(lambda: _copy_in(plain, copied))
    copied.clear()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    owner = urlsplit(servers.owner_url)
    connection.close()
    connection.settings_dict.update(NAME=ELSEWHERE, USER=owner.username, PASSWORD=owner.password)
    into = _took(lambda: restoring.restore(path, tell=lambda message: None))
    rows = sum(figures["rows"] for figures in made[0]["tables"].values())
    size = sum(figures["bytes"] for figures in made[0]["tables"].values())
    print(f"{rows} rows, {size / 1e6:.0f} MB of JSON, {path.stat().st_size / 1e6:.0f} MB as a file")
    print(f"{'':<28} {'seconds':>8} {'rows/s':>10}")
    for name, seconds in (
        ("COPY to nowhere", plain_out),
        ("export", out),
        ("COPY into bare tables", plain_in),
        ("restore, compared", into),
    ):
        print(f"{name:<28} {seconds:8.1f} {rows / seconds:10.0f}")
    print(f"at most {peak} MB of memory, with what plain COPY kept")


def _copy_out(plain: "psycopg.Connection[Any]", names: list[str], tenant_id: Any) -> dict[str, bytes]:
    kept = {}
    for name in names:
        target = io.BytesIO()
        with (
            plain.cursor() as cursor,
            cursor.copy(f"COPY (SELECT * FROM {name} WHERE tenant_id = '{tenant_id}') TO STDOUT") as copy,
        ):
            for piece in copy:
                target.write(piece)
        if target.tell():
            kept[name] = target.getvalue()
    return kept


def _copy_in(plain: "psycopg.Connection[Any]", copied: dict[str, bytes]) -> None:
    plain.execute("CREATE SCHEMA ceiling")
    with plain.transaction():
        for name, rows in copied.items():
            plain.execute(f"CREATE TABLE ceiling.{name} (LIKE {name})")
            with plain.cursor() as cursor, cursor.copy(f"COPY ceiling.{name} FROM STDIN") as copy:
                copy.write(rows)


def _copy_empty_database(servers: Servers) -> None:
    from django.db import connection

    from ispcore.tenants.models import Tenant

    connection.close()
    with psycopg.connect(_url(servers.admin_url, "postgres"), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {ELSEWHERE} TEMPLATE {DATABASE} OWNER isp_owner")
    with psycopg.connect(_url(servers.owner_url, ELSEWHERE), autocommit=True) as there:
        there.execute(f"DELETE FROM {Tenant._meta.db_table}")


def _took(call: Callable[[], Any]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def _url(url: str, database: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{database}"))


if __name__ == "__main__":
    main()
