"""Two or more whole providers of different sizes in one database: everything a line has, and thirty days of it.

All by INSERT … SELECT as the superuser, like `bench.subscriber_data`: no history rows, no foreign-key checks, indexes
after the rows where no foreign key needs them. What is measured afterwards has all of them.
"""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import psycopg

from ispcore.embedded import Servers
from ispcore.embedded.servers import DATABASE

DAYS = 30
SESSIONS_PER_LINE = 3  # Ended within the thirty days: one a day per ten lines. As many log-ins.
INVOICES_PER_LINE = 1
ONE_ONU_READS_IN = 200  # One ONU in two hundred has a reading an hour.
LINES_PER_TICKET = 12
BILLED = 2_000  # Lines that a billing run finds due, whatever the size.
ONUS_PER_PORT, PORTS_PER_OLT = 32, 16
ONUS_PER_OLT = ONUS_PER_PORT * PORTS_PER_OLT
NASES = 20
PASSWORD = "correct horse"
SCALE = (
    f"1.2 lines a subscriber; of each line {SESSIONS_PER_LINE} sessions and log-ins in {DAYS} days, "
    f"{INVOICES_PER_LINE} invoice with item, transfers and payment, an address, an account and an ONU; hourly "
    f"readings of one ONU in {ONE_ONU_READS_IN}; a ticket per {LINES_PER_TICKET} subscribers"
)

Part = tuple[str, Callable[..., None]]

# What the statements below need of each line; `n` is the line's number.
LINE_SQL = """
CREATE TEMP TABLE line AS
SELECT s.number AS n, s.id, s.subscriber_id, s.status, uuidv7() AS account_id, nas.id AS nas_id,
       now() - interval '1 day' - s.number % 1000 * interval '1 second' AS started_at
FROM subscribers_subscription AS s
JOIN aaa_nas AS nas ON nas.tenant_id = s.tenant_id AND nas.name = 'BNG ' || s.number % {nases}
WHERE s.tenant_id = '{tenant}'
"""
BILL_SQL = """
CREATE TEMP TABLE bill AS
SELECT uuidv7() AS id, uuidv7() AS payment_id, line.n, line.id AS subscription_id, line.subscriber_id, k,
       current_date - 30 * ({most} - k) - 15 AS issued_on, k = {most} AND line.n % 5 = 0 AS is_open
FROM line, generate_series(1, {most}) AS k ORDER BY k, line.n
"""


def fill_providers(servers: Servers, sizes: list[int]) -> dict[int, tuple[UUID, Any]]:
    """Make a provider of each size that is not there yet; return tenants and administrators by size."""
    from bench.subscriber_data import fill, loader, make_people

    found: dict[int, tuple[UUID, Any]] = {}
    wanted: dict[UUID, int] = {}
    for size in sizes:
        tenant, missing, user = make_people(size)
        found[size] = (tenant, user)
        wanted |= missing
    if not wanted:
        return found
    began = time.perf_counter()
    fill(servers.admin_url, DATABASE, wanted)
    _say("customers, words, premises, services", began)
    with loader(servers.admin_url, DATABASE) as connection:
        for month in range(2):
            connection.execute(
                "SELECT make_reading_partition((now() - %s * interval '1 month')::date)", [month]
            )
    for tenant, size in wanted.items():
        pool, desk = _make_settings(tenant, size, found[size][1])
        in_turn: tuple[list[Part], ...] = (
            [
                ("NASes, accounts, sessions, log-ins", _access),
                ("tickets", lambda lines, tenant, size, desk=desk: _tickets(lines, tenant, size, desk)),
            ],
            [
                ("addresses", lambda lines, tenant, size, pool=pool: _addresses(lines, tenant, pool)),
                ("OLTs, ONUs, readings", _network),
                ("invoices, payments, ledger", _money),
            ],
        )
        with ThreadPoolExecutor(len(in_turn)) as pool_of_two:
            list(pool_of_two.map(lambda parts, of=(tenant, size): _fill_parts(servers, parts, *of), in_turn))
    with loader(servers.admin_url, DATABASE) as connection:
        since = time.perf_counter()
        connection.execute("VACUUM (ANALYZE)")
        connection.execute("CHECKPOINT")
        _say("vacuum, checkpoint", since)
    print(f"made in {time.perf_counter() - began:.0f} s: {SCALE}", flush=True)
    return found


def _fill_parts(servers: Servers, parts: list[Part], tenant: UUID, size: int) -> None:
    from bench.subscriber_data import loader

    with loader(servers.admin_url, DATABASE) as connection:
        connection.execute(LINE_SQL.format(tenant=tenant, nases=NASES))
        connection.execute("ANALYZE line")
        for what, part in parts:
            since = time.perf_counter()
            part(connection, tenant, size)
            _say(f"{size:,}: {what}", since)


def _say(what: str, since: float) -> None:
    print(f"  {time.perf_counter() - since:6.1f} s  {what}", flush=True)


def _make_settings(tenant: UUID, size: int, user: Any) -> tuple[Any, dict[str, list[UUID]]]:
    """Make what a provider has a few of through the application: pool, tax, policies, the desk."""
    from django.utils import timezone

    from aaa.models import Nas, ServiceProfile
    from aaa.services.policies import create_policy
    from bench.tickets import make_desk
    from billing.models import BillingSettings, TaxRate
    from ipam.models import Pool
    from ipam.services import pools, space
    from ispcore.tenants.context import tenant_context
    from ispcore.tenants.models import Tenant
    from subscribers.models import BillingProfile, Plan

    today = timezone.now().date()

    with tenant_context(tenant):
        vrf = space.default_vrf()
        space.create_subnet(vrf_id=vrf.pk, network="100.64.0.0/10")
        given = [pools.RangeFields(first="100.64.0.0", last="100.127.255.255")]
        pool: Pool = pools.create_pool(vrf_id=vrf.pk, name="homes", ranges_given=given)
        Plan.objects.update(pool_hint="homes")
        ServiceProfile.objects.create(name="PPPoE", idle_timeout=900, max_sessions=1)
        create_policy(name="100 Mbit/s", down_kbps=100_000, up_kbps=50_000)
        # The address of a NAS says whose it is, in the whole installation.
        place = Tenant.objects.filter(pk__lte=tenant).count()
        for n in range(NASES):
            Nas.objects.create(
                name=f"BNG {n}", address=f"10.{place}.0.{n + 1}", secret="x" * 16, nas_type="mikrotik",
                last_auth_at=timezone.now(), last_acct_at=timezone.now(),
            )  # fmt: skip
        BillingSettings.objects.create(bills_from=today - timedelta(days=90))
        TaxRate.objects.create(name="VAT 20 %", percent=20, starts_on=date(2020, 1, 1))
        BillingProfile.objects.create(name="Monthly", cycle_day=today.day, currency="EUR")
    return pool, make_desk(tenant, user, size // LINES_PER_TICKET, login=f"desk-{size}")


def _access(connection: psycopg.Connection[Any], tenant: UUID, size: int) -> None:
    from aaa.models import Account, AccountState, AuthAttempt, PastSession, Session
    from aaa.models.sealing import seal
    from bench.subscriber_data import indexes_afterwards, insert

    own = {"tenant_id": f"'{tenant}'"}
    name, station = f"'u' || n || '@{size}'", "lpad(to_hex(140000000000000 + n), 12, '0')"
    session = {
        **own, "id": "uuidv7()", "account_id": "account_id", "nas_id": "nas_id", "acct_session_id": "'8' || n",
        "unique_key": "md5(nas_id || '|8' || n || '|')::uuid", "username": name, "station": station,
        "station_key": station, "started_at": "started_at", "last_event_at": "now()", "last_seen_at": "now()",
        "counted_at": "started_at", "framed_ip": "'100.64.0.0'::inet + n",
    }  # fmt: skip
    with indexes_afterwards(connection, Account, Session, PastSession, AuthAttempt):
        insert(
            connection, Account, "line ORDER BY n", **own, id="account_id", username=name, username_key=name,
            password=f"'{seal(PASSWORD, bound_to=f'aaa_account.password:{tenant}')}'",
            service_profile_id=f"(SELECT id FROM aaa_serviceprofile WHERE tenant_id = '{tenant}')",
            policy_id=f"(SELECT id FROM aaa_policy WHERE tenant_id = '{tenant}')", subscription_id="line.id",
            calling_station_id=station, calling_station_key=station,
            blocked_reason="CASE status WHEN 'active' THEN '' WHEN 'suspended' THEN 'non_payment' ELSE status END",
        )  # fmt: skip
        insert(connection, AccountState, "line ORDER BY n", **own, account_id="account_id")
        insert(connection, Session, "line WHERE n % 5 <> 0 AND status = 'active' ORDER BY n", **session)
        ended = f"now() - (k - 0.5) * interval '{DAYS // SESSIONS_PER_LINE} days' - n % 8640 * interval '20 seconds'"
        many = f"line, generate_series(1, {SESSIONS_PER_LINE}) AS k"
        many = f"(SELECT *, {ended} AS ended FROM {many} ORDER BY ended) AS past"
        insert(
            connection, PastSession, many,
            **session | {"unique_key": "uuidv7()", "started_at": "ended - interval '9 days'"},
            stopped_at="ended", ended_by="'stop'", terminate_cause="'User-Request'",
        )  # fmt: skip
        insert(
            connection, AuthAttempt, many, **own, id="uuidv7()", at="ended - interval '1 hour'", last_at="ended",
            account_id="account_id", nas_id="nas_id", username=name, username_key=name, station=station,
            accepted="k % 3 <> 0", reason="CASE WHEN k % 3 = 0 THEN 'password' ELSE '' END",
        )  # fmt: skip


def _addresses(connection: psycopg.Connection[Any], tenant: UUID, pool: Any) -> None:
    from bench.subscriber_data import indexes_afterwards, insert
    from ipam.models import Address

    with indexes_afterwards(connection, Address):
        insert(
            connection, Address, f"line, ipam_poolrange AS range WHERE range.pool_id = '{pool.pk}' ORDER BY n",
            tenant_id=f"'{tenant}'", vrf_id=f"'{pool.vrf_id}'", subnet_id="range.subnet_id", pool_id=f"'{pool.pk}'",
            state="'assigned'", address="'100.64.0.0'::inet + n", subscription_id="line.id", assigned_at="now()",
            free_since="NULL",
        )  # fmt: skip
    connection.execute(
        "UPDATE ipam_poolusage SET assigned = (SELECT count(*) FROM ipam_address WHERE pool_id = %(pool)s) "
        "WHERE pool_id = %(pool)s",
        {"pool": pool.pk},
    )


def _network(connection: psycopg.Connection[Any], tenant: UUID, size: int) -> None:
    from bench.subscriber_data import indexes_afterwards, insert
    from hardware.models import Olt, Onu, PonPort, Reading

    own = {"tenant_id": f"'{tenant}'"}
    insert(
        connection, Olt, f"(SELECT generate_series(0, max(n) / {ONUS_PER_OLT}) AS o FROM line) AS made", **own,
        name="'OLT ' || o", vendor="'huawei'", ip="'10.2.0.0'::inet + o", last_answer_at="now()",
    )  # fmt: skip
    insert(
        connection, PonPort,
        f"hardware_olt AS olt, generate_series(0, {PORTS_PER_OLT - 1}) AS p WHERE olt.tenant_id = '{tenant}'", **own,
        olt_id="olt.id", index="'0/1/' || p", last_seen_at="now()", is_up="true",
    )  # fmt: skip
    with indexes_afterwards(connection, Onu):
        insert(
            connection, Onu,
            f"line JOIN hardware_olt AS olt ON olt.tenant_id = '{tenant}' AND olt.name = 'OLT ' || n / {ONUS_PER_OLT} "
            f"JOIN hardware_ponport AS port ON port.tenant_id = '{tenant}' AND port.olt_id = olt.id "
            f"AND port.index = '0/1/' || n / {ONUS_PER_PORT} % {PORTS_PER_OLT}",
            **own, olt_id="olt.id", pon_port_id="port.id", subscription_id="line.id", index="'0/1/0/' || n",
            serial="'HWTC' || upper(lpad(to_hex(n), 8, '0'))",
            status="CASE WHEN n % 40 = 0 THEN 'offline' ELSE 'online' END",
            signal="'good'", rx_power_dbm="-19.5", first_seen_at="now()", last_seen_at="now()", observed_at="now()",
            measured_at="now()", status_changed_at="now() - interval '1 hour'",
        )  # fmt: skip
    insert(
        connection, Reading,
        f"generate_series({DAYS} * 24, 1, -1) AS hour, (SELECT onu.id, line.n FROM line JOIN hardware_onu AS onu "
        f"ON onu.tenant_id = '{tenant}' AND onu.subscription_id = line.id WHERE line.n % {ONE_ONU_READS_IN} = 1) "
        f"AS one ORDER BY hour DESC",
        **own, onu_id="one.id", at="now() - hour * interval '1 hour'", is_online="true",
        rx_power_dbm="-19 - (n + hour) % 20 * 0.1", tx_power_dbm="2.1", olt_rx_power_dbm="-21.5", distance_m="1200",
        temperature_c="41", up_bytes="(720 - hour) * 1000000::bigint", down_bytes="(720 - hour) * 9000000::bigint",
    )  # fmt: skip


def _money(connection: psycopg.Connection[Any], tenant: UUID, size: int) -> None:
    from bench.subscriber_data import indexes_afterwards, insert
    from billing.models import BillingPosition, Invoice, InvoiceLine, Payment, SubscriberBalance, Transfer

    own = {"tenant_id": f"'{tenant}'"}
    connection.execute(BILL_SQL.format(most=INVOICES_PER_LINE))
    connection.execute("ANALYZE bill")
    moved = {
        **own, "id": "uuidv7()", "subscriber_id": "subscriber_id", "booked_on": "issued_on", "amount": "30",
        "currency": "'EUR'", "created_at": "issued_on",
    }  # fmt: skip
    with indexes_afterwards(connection, Invoice, InvoiceLine, Payment, Transfer):
        insert(
            connection, Invoice, "bill", **own, id="bill.id", subscriber_id="subscriber_id", currency="'EUR'",
            number=f"'INV-' || n + (k - 1) * {2 * size}", net="25", tax="5", total="30", issued_on="issued_on",
            due_on="issued_on + 10", issued_at="issued_on", open_amount="CASE WHEN is_open THEN 30 ELSE 0 END",
            status="CASE WHEN is_open THEN 'issued' ELSE 'paid' END",
        )  # fmt: skip
        insert(
            connection, InvoiceLine, "bill", **own, invoice_id="bill.id", subscription_id="subscription_id",
            position="1", kind="'plan'", source="subscription_id", description="'Fibre 100'", period_start="issued_on",
            period_end="issued_on + 30", unit_price="25", net="25", tax="5",
        )  # fmt: skip
        insert(
            connection, Payment, "bill WHERE NOT is_open", **own, id="payment_id", subscriber_id="subscriber_id",
            amount="30", currency="'EUR'", method="'bank'", received_at="issued_on + 5", allocated="30",
        )  # fmt: skip
        insert(
            connection, Transfer, "bill", **moved, entry="bill.id", kind="'invoice'", debit="'receivable'",
            credit="'revenue'", invoice_id="bill.id",
        )  # fmt: skip
        insert(
            connection, Transfer, "bill WHERE NOT is_open", **moved, entry="payment_id", kind="'payment'",
            debit="'bank'", credit="'receivable'", payment_id="payment_id",
        )  # fmt: skip
    insert(
        connection, SubscriberBalance,
        "(SELECT subscriber_id, sum(CASE WHEN is_open THEN 30 ELSE 0 END) AS owed FROM bill GROUP BY 1) AS one", **own,
        subscriber_id="subscriber_id", currency="'EUR'", balance="owed",
    )  # fmt: skip
    insert(
        connection, BillingPosition, "line WHERE status IN ('active', 'suspended', 'terminated')", **own,
        subscription_id="line.id", settled_at="now() - interval '1 day'", is_closed="status = 'terminated'",
        billed_until=f"CASE WHEN n <= {BILLED} THEN current_date ELSE current_date + 14 END",
    )  # fmt: skip
    connection.execute(
        "UPDATE subscribers_subscriber SET billing_profile_id = (SELECT id FROM subscribers_billingprofile "
        "WHERE tenant_id = %(tenant)s) WHERE tenant_id = %(tenant)s "
        "AND id IN (SELECT subscriber_id FROM line WHERE n <= %(billed)s)",
        {"tenant": tenant, "billed": BILLED},
    )


def _tickets(
    connection: psycopg.Connection[Any], tenant: UUID, size: int, desk: dict[str, list[UUID]]
) -> None:
    from bench.subscriber_data import indexes_afterwards, insert
    from bench.tickets import ticket_columns, ticket_source
    from support.models import Comment, Ticket

    tickets = size // LINES_PER_TICKET
    with indexes_afterwards(connection, Ticket, Comment):
        insert(connection, Ticket, ticket_source(tenant, tickets), **ticket_columns(tenant, desk, tickets))
        insert(
            connection, Comment, f"support_ticket AS one, generate_series(1, 2) AS k WHERE one.tenant_id = '{tenant}'",
            tenant_id="one.tenant_id", id="uuidv7(one.created_at - now() + k * interval '1 hour')", ticket_id="one.id",
            source="'customer'", author_name="'Somebody'", body="repeat('It has been slow since the morning. ', 4)",
            said_at="one.created_at + k * interval '1 hour'",
        )  # fmt: skip
