"""What one diagnosis costs at a provider of 100,000 lines, all of whose tables are full.

`make bench-diagnosis` (`python -m bench.diagnosis --subscribers 5000 --rounds 100` answers in a minute). The embedded
PostgreSQL on a throwaway directory; the service function in one process, as the runtime role under row-level
security, in a transaction of its own as a request has it. No device is asked. Each line has an account, an address,
ten past sessions and five log-ins of the last months, an ONU and twelve invoices; four of five are online; some are
held, owe, or are in an outage.

Of each diagnosis: the wall time, the process' own CPU time, the time from asking the database to its answer, and
the number of queries; of lines online and offline, in turn. The ceiling is as many look-ups of one line by its key, by
the same ORM in the same rounds: nobody who asks so often is faster.
"""

import argparse
import random
import signal
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg

from bench.discovery import prepare
from ispcore.embedded import Servers, start_servers
from ispcore.embedded.servers import DATABASE
from tests.embedded.scratch import scratch_directory

SUBSCRIBERS = 84_000  # 100,000 lines.
PAST_SESSIONS, ATTEMPTS, INVOICES = 10, 5, 12  # Of each line; invoices of each customer.
QUERIES = 14
AIM_MS = 150
WARM = 20
ONUS_PER_PORT, PORTS_PER_OLT = 32, 16
NUMBERED = (
    "(SELECT *, row_number() OVER (ORDER BY id) AS n FROM {table} WHERE tenant_id = '{tenant}') AS {name}"
)
LINES = NUMBERED.replace("{table}", "subscribers_subscription").replace("{name}", "line")


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # So that what was started is ended.
    parser = argparse.ArgumentParser(
        prog="python -m bench.diagnosis",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--subscribers", type=int, default=SUBSCRIBERS, help="1.2 lines each")
    parser.add_argument("--rounds", type=int, default=400, help="diagnoses measured")
    parser.add_argument("--data", type=Path, help="keep the data in this directory, for the next run")
    options = parser.parse_args()
    with (
        nullcontext(options.data) if options.data else scratch_directory() as directory,
        start_servers(directory / "data") as servers,
    ):
        prepare(servers)
        tenant = fill_everything(servers, options.subscribers)
        measure(tenant, options.rounds)


def fill_everything(servers: Servers, subscribers: int) -> UUID:
    """Give every line an account, log-ins, sessions, an address, an ONU and invoices; some are held, some offline."""
    from bench.subscriber_data import fill, loader, make_people

    began = time.perf_counter()
    tenant, wanted, _ = make_people(subscribers)
    if wanted:
        fill(servers.admin_url, DATABASE, wanted)
        pool = _make_pool(tenant)
        with loader(servers.admin_url, DATABASE) as connection:
            _access(connection, str(tenant))
            _addresses(connection, str(tenant), pool)
            _network(connection, str(tenant))
            _money(connection, str(tenant))
            connection.execute("VACUUM (ANALYZE)")
            connection.execute("CHECKPOINT")
        print(f"made in {time.perf_counter() - began:.0f} s", flush=True)
    return tenant


def _make_pool(tenant: UUID) -> Any:
    from ipam.models import Pool
    from ipam.services import pools, space
    from ispcore.tenants.context import tenant_context
    from subscribers.models import Plan

    with tenant_context(tenant):
        vrf = space.default_vrf()
        space.create_subnet(vrf_id=vrf.pk, network="100.64.0.0/10")
        given = [pools.RangeFields(first="100.64.0.0", last="100.127.255.255")]
        pool: Pool = pools.create_pool(vrf_id=vrf.pk, name="homes", ranges_given=given)
        Plan.objects.update(pool_hint="homes")
    return pool


def _addresses(connection: psycopg.Connection[Any], tenant: str, pool: Any) -> None:
    from bench.subscriber_data import insert
    from ipam.models import Address

    insert(
        connection, Address, f"{LINES.format(tenant=tenant)}, ipam_poolrange AS range", tenant_id=f"'{tenant}'",
        vrf_id=f"'{pool.vrf_id}'", subnet_id="range.subnet_id", pool_id=f"'{pool.pk}'", state="'assigned'",
        address="'100.64.0.0'::inet + n", subscription_id="line.id", assigned_at="now()", free_since="NULL",
    )  # fmt: skip
    connection.execute(
        "UPDATE ipam_poolusage SET assigned = (SELECT count(*) FROM ipam_address) WHERE pool_id = %s",
        [pool.pk],
    )


def _access(connection: psycopg.Connection[Any], tenant: str) -> None:
    from aaa.models import Account, AccountState, AuthAttempt, Nas, PastSession, ServiceProfile, Session
    from bench.subscriber_data import insert

    own = {"tenant_id": f"'{tenant}'"}
    insert(connection, ServiceProfile, "(SELECT) AS one", **own, name="'PPPoE'")
    insert(
        connection, Nas, "generate_series(1, 20) AS n", **own, name="'BNG ' || n", address="'10.1.0.0'::inet + n",
        nas_type="'mikrotik'", last_auth_at="now()", last_acct_at="now()", coa_port="3799",
    )  # fmt: skip
    insert(
        connection, Account, LINES.format(tenant=tenant), **own, username="'user' || n", username_key="'user' || n",
        service_profile_id="(SELECT id FROM aaa_serviceprofile)", subscription_id="line.id",
        blocked_reason="CASE status WHEN 'active' THEN '' WHEN 'suspended' THEN 'non_payment' ELSE status END",
    )  # fmt: skip
    accounts = "(SELECT *, row_number() OVER (ORDER BY id) AS n FROM aaa_account) AS account"
    nas = "(SELECT id FROM aaa_nas WHERE name = 'BNG ' || 1 + n % 20)"
    insert(connection, AccountState, accounts, **own, account_id="account.id")
    session = {
        **own, "id": "uuidv7()", "account_id": "account.id", "nas_id": nas, "unique_key": "gen_random_uuid()",
        "acct_session_id": "'8' || n", "username": "account.username", "started_at": "now() - interval '1 day'",
        "last_event_at": "now()", "last_seen_at": "now()", "counted_at": "now()", "framed_ip": "'100.64.0.0'::inet + n",
    }  # fmt: skip
    insert(connection, Session, f"{accounts} WHERE n % 5 <> 0 AND blocked_reason = ''", **session)
    over = {"ended_by": "'stop'", "terminate_cause": "'User-Request'"}
    insert(
        connection,
        Session,
        f"{accounts} WHERE n % 25 = 0",
        **session,
        **over,
        stopped_at="now() - interval '5 min'",
    )
    # The months there are partitions for.
    past = "now() - k * interval '11 days' - n % 1000 * interval '1 minute'"
    session["started_at"] = f"{past} - interval '10 days'"
    insert(
        connection, PastSession, f"{accounts}, generate_series(1, {PAST_SESSIONS}) AS k", **session, **over,
        stopped_at=past,
    )  # fmt: skip
    insert(
        connection, AuthAttempt, f"{accounts}, generate_series(1, {ATTEMPTS}) AS k", **own, id="uuidv7()",
        at=past, last_at=past,
        account_id="account.id", nas_id=nas, username="account.username", username_key="account.username_key",
        accepted="k % 3 <> 0", reason="CASE WHEN k % 3 = 0 THEN 'password' ELSE '' END",
    )  # fmt: skip


def _network(connection: psycopg.Connection[Any], tenant: str) -> None:
    from bench.subscriber_data import insert
    from hardware.models import Olt, Onu, Outage, OutageOnu, PonPort

    own = {"tenant_id": f"'{tenant}'"}
    lines = LINES.format(tenant=tenant)
    per_olt = ONUS_PER_PORT * PORTS_PER_OLT
    insert(
        connection, Olt, f"(SELECT generate_series(0, max(n) / {per_olt}) AS o FROM {lines}) AS made", **own,
        name="'OLT ' || o", vendor="'huawei'", ip="'10.2.0.0'::inet + o", last_answer_at="now()",
    )  # fmt: skip
    insert(
        connection, PonPort, f"hardware_olt AS olt, generate_series(0, {PORTS_PER_OLT - 1}) AS p", **own,
        olt_id="olt.id", index="'0/1/' || p", last_seen_at="now()", is_up="true",
    )  # fmt: skip
    insert(
        connection, Onu,
        f"{lines} JOIN hardware_olt AS olt ON olt.name = 'OLT ' || (n / {per_olt}) "
        f"JOIN hardware_ponport AS port ON port.olt_id = olt.id "
        f"AND port.index = '0/1/' || (n / {ONUS_PER_PORT}) % {PORTS_PER_OLT}",
        **own, olt_id="olt.id", pon_port_id="port.id", subscription_id="line.id", index="'0/1/0/' || n",
        serial="'HWTC' || lpad(to_hex(n), 8, '0')", status="CASE WHEN n % 40 = 0 THEN 'offline' ELSE 'online' END",
        signal="'good'", rx_power_dbm="-19.5", first_seen_at="now()", last_seen_at="now()", observed_at="now()",
        measured_at="now()", status_changed_at="now() - interval '1 hour'",
    )  # fmt: skip
    insert(
        connection, Outage, "hardware_ponport AS port WHERE random() < 0.02", **own, olt_id="port.olt_id",
        pon_port_id="port.id", status="'confirmed'", started_at="now() - interval '1 hour'", confirmed_at="now()",
    )  # fmt: skip
    insert(
        connection, OutageOnu, "hardware_outage AS outage JOIN hardware_onu AS onu USING (pon_port_id)",
        **own, outage_id="outage.id", onu_id="onu.id", down_at="outage.started_at",
    )  # fmt: skip


def _money(connection: psycopg.Connection[Any], tenant: str) -> None:
    from bench.subscriber_data import insert
    from billing.models import Invoice, SubscriberBalance
    from subscribers.models import Hold

    own = {"tenant_id": f"'{tenant}'"}
    is_open = f"k = {INVOICES} AND n % 5 = 0"
    owing = NUMBERED.format(table="subscribers_subscriber", tenant=tenant, name="who")
    insert(
        connection, Invoice, f"{owing}, generate_series(1, {INVOICES}) AS k", **own, subscriber_id="who.id",
        currency="'EUR'", number="'INV-' || n || '-' || k", net="30", total="30",
        status=f"CASE WHEN {is_open} THEN 'issued' ELSE 'paid' END",
        open_amount=f"CASE WHEN {is_open} THEN 30 ELSE 0 END",
        issued_on="current_date - 30 * (13 - k)", due_on="current_date - 30 * (13 - k) + 10", issued_at="now()",
    )  # fmt: skip
    insert(
        connection, SubscriberBalance, owing, **own, subscriber_id="who.id", currency="'EUR'",
        balance="CASE WHEN n % 5 = 0 THEN 30 ELSE 0 END",
    )  # fmt: skip
    held = f"{LINES.format(tenant=tenant)} WHERE line.status = 'suspended'"
    insert(
        connection, Hold, held, **own, subscription_id="line.id", reason="'non_payment'",
        opened_at="now() - interval '9 days'",
    )  # fmt: skip


def measure(tenant: UUID, rounds: int) -> None:
    """Diagnose one line after the other, and look as many rows up by their keys."""
    from django.db import connection
    from django.utils import timezone

    from aaa.models import Session
    from ispcore.tenants.context import tenant_context
    from subscribers.models import Subscription
    from support.services.diagnosis import diagnose

    asked: list[float] = []

    def timed(execute: Callable[..., Any], *args: Any) -> Any:
        began = time.perf_counter()
        try:
            return execute(*args)
        finally:
            asked.append(time.perf_counter() - began)

    def one_by_one(line: UUID) -> None:
        for _ in range(QUERIES):
            Subscription.objects.get(pk=line)

    with tenant_context(tenant):
        online = list(
            Session.objects.filter(stopped_at=None).values_list("account__subscription_id", flat=True)
        )
        offline = sorted(set(Subscription.objects.values_list("pk", flat=True)) - set(online))
    draw = random.Random(7)
    half = rounds // 2 + WARM
    chosen = [
        line
        for both in zip(draw.sample(online, half), draw.sample(offline, half), strict=True)
        for line in both
    ]
    taken: dict[str, list[float]] = {"wall": [], "process": [], "database": [], "ceiling": []}
    counts, verdicts = [], Counter[str]()
    for number, line in enumerate(chosen):
        with tenant_context(tenant), connection.execute_wrapper(timed):
            asked.clear()
            began, cpu = time.perf_counter(), time.process_time()
            found = diagnose(subscription_id=line, at=timezone.now(), with_amounts=True)
            wall, spent, waited = time.perf_counter() - began, time.process_time() - cpu, sum(asked)
            queries = len(asked)
            began = time.perf_counter()
            one_by_one(line)
            ceiling = time.perf_counter() - began
        if number < 2 * WARM:  # The first ones load code and fill caches.
            continue
        for name, seconds in (("wall", wall), ("process", spent), ("database", waited), ("ceiling", ceiling)):
            taken[name].append(seconds * 1000)
        counts.append(queries)
        verdicts[str(found.verdict_code)] += 1
    load = " ".join(Path("/proc/loadavg").read_text(encoding="ascii").split()[:3])
    print(f"{len(online) + len(offline):,} lines, {rounds} diagnoses, load {load}; aim: below {AIM_MS} ms\n")
    print("| | p50 ms | p95 ms | worst ms |\n|---|---|---|---|")
    for name, values in taken.items():
        p95 = statistics.quantiles(values, n=20)[-1]
        print(f"| {name} | {statistics.median(values):.1f} | {p95:.1f} | {max(values):.1f} |")
    ratio = statistics.median(taken["wall"]) / statistics.median(taken["ceiling"])
    print(f"\n{min(counts)} to {max(counts)} queries; {ratio:.1f} times {QUERIES} look-ups by key")
    print("verdicts:", ", ".join(f"{code} {n}" for code, n in verdicts.most_common()))


if __name__ == "__main__":
    main()
