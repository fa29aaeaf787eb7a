"""What polling, storing and charting cost. `make bench-hardware`.

PostgreSQL and Valkey are the embedded ones on a throwaway directory, durable as in `make run`; the simulated OLTs
run in a process of their own, whose CPU is not counted. Ratios and shares are what to compare: machines differ.
"""

import argparse
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import psycopg

from bench import snmp_walk
from bench.discovery import prepare
from hardware.drivers import Driver, detect, read_system
from hardware.drivers.columns import Table
from hardware.snmp import Target, open_transport
from ispcore.embedded import start_servers
from tests.embedded.scratch import scratch_directory

if TYPE_CHECKING:
    from ispcore.tenants.models import Tenant

WINDOW_SECONDS = 300.0
WORKER_THREADS = 64  # As the Procfile's network worker.
INSERT_AIM = 20_000
CHART_AIM_MS = 50.0
READINGS_PER_MONTH = 30 * 48  # One each half hour: the optics pass.


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.hardware", description=__doc__)
    parser.add_argument("--onus", type=int, default=4096)
    parser.add_argument("--olts", type=int, default=200)
    parser.add_argument("--onus-each", type=int, default=512)
    parser.add_argument("--latency-ms", type=float, default=20)
    parser.add_argument("--readings", type=int, default=5_000_000)
    parser.add_argument("--only", default="columns,polling,inserts,chart")
    options = parser.parse_args()
    parts = options.only.split(",")
    with scratch_directory() as directory, start_servers(directory / "data") as servers:
        tenant = prepare(servers)
        load = Path("/proc/loadavg").read_text(encoding="ascii").strip()
        print(f"load {load}, {os.cpu_count()} cores")
        if "columns" in parts:
            measure_columns(onus=options.onus)
        if "polling" in parts:
            measure_polling(
                tenant, directory, olts=options.olts, onus=options.onus_each, latency_ms=options.latency_ms
            )
        if "inserts" in parts:
            measure_inserts(tenant, directory, onus=options.onus)
        if "chart" in parts:
            measure_chart(tenant, servers.owner_url, readings=options.readings)


def measure_columns(*, onus: int) -> None:
    """Read every column of each driver that has a simulated device, beside snmpbulkwalk of the same columns."""
    from demo.olt import VENDORS

    for vendor in VENDORS:
        with snmp_walk.serving(onus=onus, vendor=vendor) as (target,):
            with open_transport(target) as transport:
                system = read_system(transport)
                driver = detect(system.sys_object_id, system.sys_descr)
                assert driver is not None, vendor
                columns = driver.choose(transport, system).columns
            oids = tuple(dict.fromkeys(column.oid for column in columns))
            rows = onus * len({column.oid for column in columns if column.table == Table.ONU})

            def read(target: Target = target, driver: Driver = driver) -> int:
                with open_transport(target) as transport:
                    found = driver.discover(transport)
                assert len(found.onus) == onus, found.failures
                return len(found.onus)

            read()
            ours = snmp_walk.measure(f"{vendor}: read and decoded", read, rows=rows)
            peer = snmp_walk.measure(
                f"{vendor}: snmpbulkwalk",
                lambda target=target, oids=oids: snmp_walk.snmpbulkwalk(target, oids),  # type: ignore[misc]
                children=True,
                rows=rows,
            )
        print(ours)
        print(peer)
        print(f"{vendor}: {ours.wall_seconds / peer.wall_seconds:.2f} x snmpbulkwalk's wall time")


def measure_polling(tenant: "Tenant", directory: Path, *, olts: int, onus: int, latency_ms: float) -> None:
    """Poll all OLTs once from the network worker's threads: the second round, as every later one is."""
    ports = -(-onus // 128)
    with (
        snmp_walk.serving(count=olts, onus=onus, pon_ports=ports, latency_ms=latency_ms) as targets,
        ThreadPoolExecutor(WORKER_THREADS) as pool,
    ):
        registered = [_register(tenant, target) for target in targets]
        for _ in range(2):
            _make_due(tenant)
            database, cost = _database_cpu(directory), _poll_all(tenant, registered, pool)
            database = _database_cpu(directory) - database
    print(cost)
    cpu = cost.cpu_seconds + database
    share = cpu / WINDOW_SECONDS / (os.cpu_count() or 1)
    print(
        f"{olts} OLTs of {onus} ONUs: {cost.wall_seconds:.1f} s of a {WINDOW_SECONDS:.0f} s window "
        f"({'met' if cost.wall_seconds <= WINDOW_SECONDS else 'MISSED'}); "
        f"CPU {cost.cpu_seconds:.1f} s worker + {database:.1f} s PostgreSQL = {share:.1%} of the window's cores; "
        f"{olts * WINDOW_SECONDS / cpu:.0f} such OLTs a core"
    )


def measure_inserts(tenant: "Tenant", directory: Path, *, onus: int) -> None:
    """Store whole polls of one OLT, and readings alone, by the statements that polls use."""
    from hardware.drivers.findings import OnuInfo, RunStatus
    from hardware.models import Olt, Onu
    from hardware.services import inventory
    from ispcore.tenants.context import tenant_context

    fields = frozenset(
        {"run_status", "rx_power_dbm", "olt_rx_power_dbm", "distance_m", "up_bytes", "down_bytes"}
    )
    listed = [
        OnuInfo(
            index=f"0/1/{n // 128}/{n % 128}", serial=f"HWTC{n:08X}", run_status=RunStatus.ONLINE,
            rx_power_dbm=-20.5, olt_rx_power_dbm=-22.5, distance_m=1200, up_bytes=n * 1000, down_bytes=n * 9000,
            read=fields,
        )
        for n in range(onus)
    ]  # fmt: skip
    at = datetime.now(UTC)
    with tenant_context(tenant.pk):
        olt = Olt.objects.create(name="Inserts", vendor="huawei", ip="192.0.2.1", community="public")
    rounds = 10

    def store(at: datetime) -> None:
        with tenant_context(tenant.pk):
            inventory.store_onus(olt=olt, onus=listed, complete=fields, lists_all=True, at=at)

    store(at)
    whole = _seconds(lambda n: store(at + timedelta(seconds=n + 1)), rounds)
    with tenant_context(tenant.pk):
        ids = list(Onu.objects.filter(olt=olt).values_list("pk", flat=True))
    busy = _database_cpu(directory)
    alone = _seconds(lambda n: _insert_readings(tenant, ids, at + timedelta(seconds=rounds + n + 1)), rounds)
    busy = _database_cpu(directory) - busy
    print(f"readings stored with their ONUs' update and events: {onus * rounds / whole:,.0f} rows/s")
    rate = onus * rounds / alone
    print(
        f"readings alone: {rate:,.0f} rows/s (aim {INSERT_AIM:,}) {'met' if rate >= INSERT_AIM else 'MISSED'}"
    )


def measure_chart(tenant: "Tenant", owner_url: str, *, readings: int) -> None:
    """Ask for a month of one ONU, among ever more readings.

    The method of scaling: rows lie in the order of time, as polls write them, so that an ONU's month is spread
    over as many pages as it has readings, whatever the table's size; of the size only the depth of the index
    depends (100 million rows: one level more than 5 million at most). The time at two sizes shows the growth.
    """
    from django.db import connection
    from django.utils import timezone

    from hardware import selectors
    from hardware.models import Onu
    from ispcore.tenants.context import tenant_context

    until = timezone.now()
    for size in (readings // 10, readings):
        onus = max(1, size // READINGS_PER_MONTH)
        with tenant_context(tenant.pk), connection.cursor() as cursor:
            _make_month(cursor, tenant.pk, onus=onus, until=until, name=f"Chart {size}")
            ids = list(Onu.objects.filter(olt__name=f"Chart {size}").order_by("?")[:50])
        with psycopg.connect(owner_url, autocommit=True) as owner:
            owner.execute("VACUUM (ANALYZE) hardware_reading")  # As autovacuum would have by then.
        times = []
        for onu in ids:
            with tenant_context(tenant.pk):
                began = time.perf_counter()
                found = selectors.measurements_of(onu, since=until - timedelta(days=30), until=until)
                times.append((time.perf_counter() - began) * 1000)
            assert len(found) >= READINGS_PER_MONTH - 2
        times.sort()
        median, worst = times[len(times) // 2], times[-1]
        print(
            f"a month of one ONU among {onus * READINGS_PER_MONTH:,} readings: median {median:.1f} ms, "
            f"worst of {len(times)} {worst:.1f} ms (aim {CHART_AIM_MS:g}) "
            f"{'met' if median <= CHART_AIM_MS else 'MISSED'}"
        )


def _make_month(cursor: Any, tenant_id: UUID, *, onus: int, until: datetime, name: str) -> None:
    """Insert `onus` ONUs with a reading each half hour of the last thirty days, in the order of time."""
    for back in (0, 31):
        cursor.execute("SELECT make_reading_partition(%s::date)", [until - timedelta(days=back)])
    given = {"tenant": tenant_id, "until": until, "onus": onus, "name": name}
    cursor.execute(
        """
        WITH olt AS (
            INSERT INTO hardware_olt (id, tenant_id, created_at, updated_at, name, vendor, ip, snmp_port,
                snmp_version, community, write_community, cli_protocol, cli_username, cli_password, cli_host_key,
                pon_class, is_polled, site, notes, sys_name, sys_descr, sys_object_id, model, dialect, cards,
                last_error)
            VALUES (uuidv7(), %(tenant)s, now(), now(), %(name)s, 'huawei', '192.0.2.2', 1 + %(onus)s %% 60000,
                '2c', '', '', 'none', '', '', '', 'B+', false, '', '', '', '', '', '', '', '[]', '')
            RETURNING id
        )
        INSERT INTO hardware_onu (id, tenant_id, olt_id, index, serial, description, model, line_profile,
            service_profile, admin_state, signal, status, last_down_cause, first_seen_at, last_seen_at,
            created_at, updated_at)
        SELECT uuidv7(), %(tenant)s, olt.id, n::text, 'CHRT' || n, '', '', '', '', '', 'good', 'online', '',
               now(), now(), now(), now()
        FROM olt, generate_series(1, %(onus)s) AS n
        """,
        given,
    )
    cursor.execute(
        """
        INSERT INTO hardware_reading (tenant_id, onu_id, at, is_online, rx_power_dbm, tx_power_dbm,
            olt_rx_power_dbm, temperature_c, distance_m, up_bytes, down_bytes)
        SELECT %(tenant)s, onu.id, moment, true, -20.5, 2.1, -22.5, 41, 1200, 123456789, 987654321
        FROM generate_series(%(until)s - interval '30 days', %(until)s - interval '1 minute',
                             interval '30 minutes') AS moment
        CROSS JOIN (
            SELECT onu.id FROM hardware_onu AS onu JOIN hardware_olt AS olt ON olt.id = onu.olt_id
            WHERE olt.name = %(name)s
        ) AS onu
        ORDER BY moment
        """,
        given,
    )


def _insert_readings(tenant: "Tenant", ids: list[UUID], at: datetime) -> None:
    from django.db import connection

    from ispcore.tenants.context import tenant_context

    with tenant_context(tenant.pk), connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO hardware_reading (tenant_id, onu_id, at, is_online, rx_power_dbm, olt_rx_power_dbm,
                                          distance_m, up_bytes, down_bytes)
            SELECT %s, id, %s, true, -20.5, -22.5, 1200, 123456789, 987654321 FROM unnest(%s::uuid[]) AS id
            """,
            [tenant.pk, at, ids],
        )


def _seconds(act: Callable[[int], None], rounds: int) -> float:
    began = time.perf_counter()
    for number in range(rounds):
        act(number)
    return time.perf_counter() - began


def _register(tenant: "Tenant", target: Target) -> UUID:
    from hardware.models import Olt
    from ispcore.tenants.context import tenant_context

    with tenant_context(tenant.pk):
        olt = Olt.objects.create(
            name=f"OLT {target.port}",
            vendor="huawei",
            ip=target.host,
            snmp_port=target.port,
            community=target.community,
        )
        return UUID(str(olt.pk))


def _make_due(tenant: "Tenant") -> None:
    """Let the status pass be due, with its share of the optics; the inventory is a day's matter."""
    from django.utils import timezone

    from hardware.models import OltPolling
    from ispcore.tenants.context import tenant_context

    with tenant_context(tenant.pk):
        OltPolling.objects.update(status_due_at=timezone.now())


def _poll_all(tenant: "Tenant", olts: list[UUID], pool: ThreadPoolExecutor) -> snmp_walk.Cost:
    from django.utils import timezone

    from hardware.services import polling

    def poll(olt_id: UUID) -> int:
        assert polling.poll_olt(tenant_id=tenant.pk, olt_id=olt_id, at=timezone.now())
        return 1

    return snmp_walk.measure(f"{len(olts)} OLTs polled", lambda: sum(pool.map(poll, olts)))


def _database_cpu(directory: Path) -> float:
    """Return the CPU seconds of the embedded PostgreSQL so far, its ended backends included."""
    lock = next(directory.glob("**/postmaster.pid"))
    postmaster = lock.read_text(encoding="utf-8").split()[0]
    ticks = sum(sum(map(int, fields[11:15])) for pid, fields in _stats() if pid == postmaster)
    ticks += sum(sum(map(int, fields[11:13])) for _, fields in _stats() if fields[1] == postmaster)
    return ticks / os.sysconf("SC_CLK_TCK")


def _stats() -> Iterator[tuple[str, list[str]]]:
    """Yield each process's id and the fields of its stat after the command's name, its state first."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            yield path.parent.name, path.read_text(encoding="utf-8").rpartition(") ")[2].split()
        except OSError:
            continue


if __name__ == "__main__":
    main()
