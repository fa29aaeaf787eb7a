"""What a whole billing run costs beside plain SQL: plan, differences, taxes, hash, numbers, ledger.

`make bench-billing`. The embedded PostgreSQL on a throwaway directory, durable as in `make run`; everything on:
tenancy, row-level security, foreign keys, exactly-once keys, triggers, events. Each line is billed three items, its
plan and two add-ons, with one tax. The run is done by this process as a worker does it, in its batches and chunks.

The ceiling is one INSERT … SELECT each of as many invoices and items, written as they look when issued, into tables of
the same columns and indexes with the items' foreign key: no tenant's policy, no trigger, no ledger, nothing to compute.
"""

import argparse
import multiprocessing
import os
import resource
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import UUID

import psycopg

from bench.discovery import prepare
from ispcore.embedded import Servers, start_servers
from ispcore.embedded.servers import DATABASE
from tests.embedded.scratch import scratch_directory

AT = datetime(2026, 3, 1, 3, tzinfo=UTC)
ON = date(2026, 3, 1)

FILL_SQL = (
    """
    INSERT INTO subscribers_subscriber (id, tenant_id, created_at, updated_at, number, external_id, full_name, email,
        email_lower, phone, phone_e164, status, billing_profile_id, address_line1, address_line2, city, state,
        postal_code, country, document_type, document_number, document_normal, metadata, custom_fields, tags)
    SELECT uuidv7(), %(tenant)s, now(), now(), 'SUB-' || n, '', 'Subscriber ' || n, '', '', '', '', 'active',
           %(profile)s, '', '', '', '', '', '', '', '', '', '{}', '{}', '{}'
    FROM generate_series(1, %(lines)s) AS n
    """,
    """
    INSERT INTO subscribers_subscription (id, tenant_id, created_at, updated_at, number, subscriber_id, plan_id,
        premise_id, status, isp_reference, wifi_name, wifi_password, sales_agent, provisioned_at, changed_xid)
    SELECT uuidv7(), %(tenant)s, now(), now(), row_number() OVER (), id, %(plan)s, %(premise)s, 'active', '', '', '',
           '', '2025-06-01', 0
    FROM subscribers_subscriber WHERE tenant_id = %(tenant)s
    """,
    """
    INSERT INTO billing_addon (id, tenant_id, created_at, updated_at, subscription_id, name, price, currency, tax_class,
        starts_on)
    SELECT uuidv7(), %(tenant)s, now(), now(), line.id, added.name, added.price, 'EUR', '', '2025-06-01'
    FROM subscribers_subscription AS line, (VALUES ('Static address', 5), ('Television', 9.5)) AS added(name, price)
    WHERE line.tenant_id = %(tenant)s
    """,
)


class Worker:
    """What a job is to a run, without the job: transactions of its own."""

    user_id: UUID | None = None

    def __init__(self, tenant_id: UUID) -> None:
        self._tenant_id = tenant_id

    def tenant(self) -> AbstractContextManager[None]:
        from ispcore.tenants.context import tenant_context

        return tenant_context(self._tenant_id)

    def progress(self, done: int, total: int, message: str = "") -> None:
        """Nobody looks."""

    def hold(self) -> None:
        """Nobody else is there."""


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # So that what was started is ended.
    parser = argparse.ArgumentParser(
        prog="python -m bench.billing",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    sizes = [int(size) for size in os.environ.get("SIZES", "10000 100000").split()]
    parser.add_argument(
        "--sizes", type=int, nargs="+", default=sizes, help="lines; each is billed three items"
    )
    parser.add_argument("--statements", action="store_true", help="also say which statements took the time")
    options = parser.parse_args()
    heads = ("lines", "plan", "issue", "whole run", "ceiling", "ratio", "re-run", "memory")
    print("{:>9} {:>8} {:>8} {:>12} {:>12} {:>6} {:>12} {:>9}".format(*heads))
    for size in options.sizes:
        # In a process of its own: Django keeps to the servers it was told first.
        process = multiprocessing.get_context("spawn").Process(
            target=measure_alone, args=(size, options.statements)
        )
        process.start()
        process.join()
        if process.exitcode:
            sys.exit(process.exitcode)


def measure_alone(lines: int, statements: bool) -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with scratch_directory() as directory, start_servers(directory / "data") as servers:
        measure(servers, lines, statements=statements)


def measure(servers: Servers, lines: int, *, statements: bool) -> None:
    tenant = prepare(servers)
    admin = urlunsplit(urlsplit(servers.admin_url)._replace(path=f"/{DATABASE}"))
    with psycopg.connect(admin, autocommit=True) as database:
        fill(database, tenant.pk, lines)
        with timed_statements(statements):
            plan, issue = whole_run(tenant.pk, AT)
        again = rerun(tenant.pk)
        best = min(ceiling(database) for _ in range(2))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    whole = lines / (plan + issue)
    print(
        f"{lines:>9,} {plan:>7.1f}s {issue:>7.1f}s {whole:>10,.0f}/s {lines / best:>10,.0f}/s "
        f"{whole * best / lines:>6.2f} {lines / again:>10,.0f}/s {memory:>6.0f} MB"
    )


def fill(database: "psycopg.Connection[Any]", tenant_id: UUID, lines: int) -> None:
    """Make the customers with the history triggers at rest: they are no part of what is measured."""
    from billing.models import BillingSettings, TaxRate
    from ispcore.tenants.context import tenant_context
    from subscribers.models import BillingProfile, Plan, Premise

    with tenant_context(tenant_id):
        BillingSettings.objects.create(bills_from=ON)
        TaxRate.objects.create(name="VAT 20 %", percent=20, starts_on=date(2020, 1, 1))
        profile = BillingProfile.objects.create(name="Monthly", cycle_day=1, currency="EUR")
        plan = Plan.objects.create(
            code="FIBRE", name="Fibre 100", down_kbps=1, up_kbps=1, price=30, currency="EUR"
        )
        premise = Premise.objects.create(address_line1="1 Harbour Road", city="Northport", country="PT")
    with database.transaction():
        database.execute("SET LOCAL session_replication_role = replica")
        for statement in FILL_SQL:
            database.execute(
                statement,
                {
                    "tenant": tenant_id,
                    "profile": profile.pk,
                    "plan": plan.pk,
                    "premise": premise.pk,
                    "lines": lines,
                },
            )
    database.execute("VACUUM (ANALYZE)")


def whole_run(tenant_id: UUID, at: datetime) -> tuple[float, float]:
    """Plan and issue a run; return the seconds of each."""
    from billing.models import Invoice
    from billing.services import runs
    from billing.services.runs import starting
    from ispcore.tenants.context import tenant_context

    work = Worker(tenant_id)
    began = time.perf_counter()
    with tenant_context(tenant_id):
        run = starting.open_run(on=None, at=at)
    runs.plan_run(work, run_id=run.pk, at=at)
    planned = time.perf_counter()
    with tenant_context(tenant_id):
        run.refresh_from_db()
        runs.approve_run(run_id=run.pk, plan_hash=run.plan_hash, at=at)
    runs.issue_run(work, run_id=run.pk, at=at)
    ended = time.perf_counter()
    with tenant_context(tenant_id):
        run.refresh_from_db()
        assert run.invoices_issued == Invoice.objects.filter(run=run).count() == run.invoices_planned
    return planned - began, ended - planned


def rerun(tenant_id: UUID) -> float:
    """Plan the same day again; nothing is due. Return the seconds."""
    from billing.services import runs
    from billing.services.runs import starting
    from ispcore.tenants.context import tenant_context

    began = time.perf_counter()
    with tenant_context(tenant_id):
        run = starting.open_run(on=None, at=AT)
    counts = runs.plan_run(Worker(tenant_id), run_id=run.pk, at=AT)
    assert counts["invoices_planned"] == 0
    return time.perf_counter() - began


def ceiling(database: "psycopg.Connection[Any]") -> float:
    """Write the same rows into tables with the same indexes, by plain SQL; return the seconds."""
    database.execute("DROP SCHEMA IF EXISTS ceiling CASCADE")
    database.execute("CREATE SCHEMA ceiling")
    for table in ("invoice", "invoiceline"):
        database.execute(
            f"CREATE TABLE ceiling.{table} (LIKE billing_{table} INCLUDING DEFAULTS INCLUDING INDEXES)"
        )
    database.execute(
        "ALTER TABLE ceiling.invoiceline ADD FOREIGN KEY (tenant_id, invoice_id) "
        "REFERENCES ceiling.invoice (tenant_id, id)"
    )
    database.execute("CHECKPOINT")
    began = time.perf_counter()
    with database.transaction():
        database.execute("INSERT INTO ceiling.invoice SELECT * FROM billing_invoice ORDER BY id")
        database.execute("INSERT INTO ceiling.invoiceline SELECT * FROM billing_invoiceline ORDER BY id")
    return time.perf_counter() - began


@contextmanager
def timed_statements(wanted: bool) -> Iterator[None]:
    """Add up the time of each statement of this process, and print the dearest."""
    from django.db import connection

    spent: dict[str, list[float]] = {}

    def clock(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        began = time.perf_counter()
        try:
            return execute(sql, params, many, context)
        finally:
            each = spent.setdefault(" ".join(sql.split())[:90], [0.0, 0.0])
            each[0] += time.perf_counter() - began
            each[1] += 1

    if not wanted:
        yield
        return
    began = time.perf_counter()
    with connection.execute_wrapper(clock):
        yield
    total = time.perf_counter() - began
    for sql, (seconds, calls) in sorted(spent.items(), key=lambda item: -item[1][0])[:25]:
        print(f"{seconds:8.2f} s {calls:6.0f}x  {sql}")
    print(
        f"{total - sum(each[0] for each in spent.values()):8.2f} s outside of statements, commits among them"
    )


if __name__ == "__main__":
    main()
