"""What clients were told, compared with what is in the tables."""

import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

import psycopg

from bench.drill.load import Load

BILLED_TWICE = """
SELECT count(*) FROM (
    SELECT FROM billing_invoiceline WHERE subscription_id IS NOT NULL
    GROUP BY tenant_id, subscription_id, kind, source, period_start HAVING count(*) > 1
) AS twice
"""
INCOMPLETE_RUNS = """
SELECT count(*) FROM billing_billingrun AS run WHERE status = 'issued' AND (
    invoices_planned <> invoices_issued
    OR invoices_planned <> (SELECT count(*) FROM billing_invoice WHERE run_id = run.id AND number <> '')
)
"""
# One that ended lately is in both tables.
SESSIONS = """
SELECT acct_session_id, count(DISTINCT unique_key), max(in4_bytes), max(out4_bytes)
FROM (SELECT acct_session_id, unique_key, in4_bytes, out4_bytes FROM aaa_session
      UNION ALL SELECT acct_session_id, unique_key, in4_bytes, out4_bytes FROM aaa_pastsession) AS each GROUP BY 1
"""


@dataclass
class Findings:
    """Counts, and in words everything that is wrong."""

    payments: int = 0
    invoices: int = 0
    sessions: int = 0
    wrong: list[str] = field(default_factory=list)

    def need(self, fine: bool, words: str) -> None:
        if not fine:
            self.wrong.append(words)


def check(url: str, load: Load, *, at_rest: bool) -> Findings:
    """Compare; while the load goes on, sessions may be further than what was acknowledged a moment ago."""
    told, acknowledged = dict(load.told), dict(load.acknowledged)
    found = Findings()
    with psycopg.connect(url, connect_timeout=5) as database:
        _check_payments(database, told, found)
        _check_invoices(database, found)
        _check_sessions(database, acknowledged, found, at_rest=at_rest)
    _check_ledger(load, found)
    return found


def _check_payments(database: "psycopg.Connection[Any]", told: dict[str, str], found: Findings) -> None:
    rows: dict[str, list[str]] = defaultdict(list)
    for note, pk in database.execute("SELECT note, id::text FROM billing_payment"):
        rows[note].append(pk)
    found.payments = len(told)
    lost = [key for key, pk in told.items() if pk not in rows[key]]
    twice = [key for key, pks in rows.items() if len(pks) > 1]
    found.need(not lost, f"{len(lost)} payments lost: {lost[:3]}")
    found.need(not twice, f"{len(twice)} payments booked twice: {twice[:3]}")


def _check_invoices(database: "psycopg.Connection[Any]", found: Findings) -> None:
    for statement, words in (
        (BILLED_TWICE, "items billed twice"),
        (INCOMPLETE_RUNS, "runs with missing invoices"),
    ):
        (count,) = database.execute(statement).fetchone() or (0,)
        found.need(count == 0, f"{count} {words}")
    numbers: Counter[str] = Counter()
    highest: dict[str, int] = {}
    for (number,) in database.execute("SELECT number FROM billing_invoice WHERE number <> ''"):
        series, digits = re.fullmatch(r"(.*?)(\d+)", number).groups()  # type: ignore[union-attr]
        numbers[series] += 1
        highest[series] = max(highest.get(series, 0), int(digits))
    found.invoices = numbers.total()
    gaps = [series for series, count in numbers.items() if highest[series] != count]
    found.need(not gaps, f"gaps in the numbers of {gaps}")


def _check_sessions(
    database: "psycopg.Connection[Any]",
    acknowledged: dict[str, tuple[int, int]],
    found: Findings,
    *,
    at_rest: bool,
) -> None:
    rows = {
        name: (count, (octets_in, octets_out))
        for name, count, octets_in, octets_out in database.execute(SESSIONS)
    }
    found.sessions = len(acknowledged)
    lost, twice, other = [], [], []
    for name, octets in acknowledged.items():
        if name not in rows:
            lost.append(name)
            continue
        count, counted = rows[name]
        if count > 1:
            twice.append(name)
        elif counted != octets and (at_rest or counted < octets):
            other.append(f"{name} {counted} for {octets}")
    found.need(not lost, f"{len(lost)} sessions lost: {lost[:3]}")
    found.need(not twice, f"{len(twice)} sessions stored twice: {twice[:3]}")
    found.need(not other, f"{len(other)} sessions with other octets: {other[:3]}")


def _check_ledger(load: Load, found: Findings) -> None:
    from django.db import connection

    from billing.services import ledger
    from ispcore.tenants.context import tenant_context

    connection.close()  # Its server may have died since the last time.
    with tenant_context(load.tenant_id):
        wrong = ledger.recount()
    connection.close()
    found.need(not wrong, f"the ledger: {wrong[:3]}")
