"""What is measured: pages and answers by the application, packets by FreeRADIUS' role, and a billing run."""

import hashlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from datetime import time as daytime
from typing import Any
from urllib.parse import quote
from uuid import UUID

import psycopg
from django.test import Client

from bench.scale.data import BILLED, PASSWORD
from bench.subscribers import API, credential_of, cursor_at

SAMPLES = 60
CHALLENGE = "00112233445566778899aabbccddeeff"


@dataclass(frozen=True)
class Provider:
    """One tenant, and lines of it that are asked about in turn."""

    size: int
    tenant: UUID
    user: Any
    lines: list[dict[str, Any]]
    offline: list[dict[str, Any]]


@dataclass(frozen=True)
class Case:
    """One thing to measure; `ask` does it once for the provider and returns the milliseconds it took."""

    name: str
    ask: Callable[[Provider, int], float]
    # Nobody waits for it: its ratio is told, and held against nothing.
    waited_for: bool = True
    # What processes remember for up to a minute is forgotten before each.
    cold: bool = False


def provider_of(size: int, tenant: UUID, user: Any) -> Provider:
    """Choose the lines asked about: spread over the whole provider, running ones online and offline."""
    from aaa.models import Account, Session
    from ispcore.tenants.context import tenant_context

    with tenant_context(tenant):
        accounts = Account.objects.filter(subscription__status="active").select_related(
            "subscription__subscriber"
        )
        step = max(1, size // (10 * SAMPLES))
        numbers = range(1, size, step)
        found = accounts.filter(subscription__number__in=list(numbers))
        sessions = dict(Session.objects.filter(account__in=found).values_list("account_id", "started_at"))
        states = {
            one.pk: one for one in Session.objects.filter(account__in=found).only("account_id", "nas_id")
        }
        nas_of = {one.account_id: one.nas_id for one in states.values()}
        if not nas_of:
            raise SystemExit(
                f"The provider of {size:,} was never finished: remove the directory that is kept."
            )
        spare = next(iter(nas_of.values()))
        rows = [
            {
                "line": account.subscription_id,
                "n": account.subscription.number,
                "customer": account.subscription.subscriber,
                "account": account.pk,
                "username": account.username,
                "station": account.calling_station_id,
                "nas": nas_of.get(account.pk, spare),
                "started_at": sessions.get(account.pk),
                "serial": f"HWTC{account.subscription.number:08X}",
            }
            for account in found
        ]
    return Provider(
        size=size,
        tenant=tenant,
        user=user,
        lines=[row for row in rows if row["started_at"]],
        offline=[row for row in rows if not row["started_at"]],
    )


def cases(radius_url: str) -> list[Case]:
    from aaa.models.sealing import connection_setting

    radius = psycopg.connect(radius_url, autocommit=True, options=f"-c isp.radius_key={connection_setting()}")
    people, services, admin = f"{API}/subscribers", f"{API}/services", "/admin/subscribers/subscriber/"

    def api(name: str, path: Callable[[dict[str, Any]], str], *, cold: bool = False) -> Case:
        return Case(name, _page(path, staff=False), cold=cold)

    def page(name: str, path: Callable[[dict[str, Any]], str], *, cold: bool = False) -> Case:
        return Case(name, _page(path, staff=True), cold=cold)

    return [
        api("API: list of 50", lambda one: people),
        api("API: list of 50, nothing remembered", lambda one: people, cold=True),
        api(
            "API: list by cursor, deep", lambda one: f"{people}?cursor={quote(cursor_at(one['customer'].pk))}"
        ),
        api("API: one customer", lambda one: f"{people}/{one['customer'].pk}"),
        api("API: services of a customer", lambda one: f"{services}?customer_id={one['customer'].pk}"),
        api("search: a rare word (number)", lambda one: f"{people}?search={one['customer'].number[4:]}"),
        api(
            "search: a rare and a common word",
            lambda one: f"{people}?search=rua+{one['customer'].number[4:]}",
        ),
        api("search: two common words", lambda one: f"{people}?search={_two_common(one)}"),
        api(
            "search: the same, nothing remembered",
            lambda one: f"{people}?search={_two_common(one)}",
            cold=True,
        ),
        api("search: a word of all", lambda one: f"{people}?search=rua"),
        api("by phone", lambda one: f"{people}?phone={quote(one['customer'].phone_e164)}"),
        api("by MAC", lambda one: f"{API}/aaa/accounts?calling_station_id={one['station']}"),
        api("by serial", lambda one: f"{API}/hardware/onus?serial={one['serial']}"),
        api("sessions that run, newest first", lambda one: f"{API}/aaa/sessions"),
        api(
            "sessions of a line, ended",
            lambda one: f"{API}/aaa/sessions?history=true&account_id={one['account']}",
        ),
        api(
            "invoices of a customer", lambda one: f"{API}/billing/invoices?subscriber_id={one['customer'].pk}"
        ),
        api("diagnosis of a line", lambda one: f"{API}/support/diagnosis/{one['line']}"),
        api("tickets: list of 50", lambda one: f"{API}/support/tickets"),
        api("tickets: open ones", lambda one: f"{API}/support/tickets?status=open"),
        page("admin: dashboard", lambda one: "/admin/"),
        page("admin: dashboard, nothing remembered", lambda one: "/admin/", cold=True),
        page("admin: list of customers", lambda one: admin),
        page("admin: list of customers, nothing remembered", lambda one: admin, cold=True),
        page("admin: search, two common words", lambda one: f"{admin}?q={_two_common(one)}"),
        page("admin: a customer's page", lambda one: f"{admin}{one['customer'].pk}/change/"),
        page("admin: a line's page", lambda one: f"/admin/subscribers/subscription/{one['line']}/change/"),
        page("admin: sessions that run", lambda one: "/admin/aaa/session/"),
        page("admin: tickets", lambda one: "/admin/support/ticket/"),
        page("admin: load and due times", lambda one: "/admin/support/ticket/load/"),
        page("admin: palette, a rare word", lambda one: f"/admin/search/?s={one['customer'].number[4:]}"),
        page("admin: palette, a common word", lambda one: "/admin/search/?s=silva"),
        Case("RADIUS: log-in accepted", lambda provider, n: _log_in(radius, provider, n)),
        Case("RADIUS: report of a session", lambda provider, n: _report(radius, provider, n)),
        Case("billing run, a line of it", lambda provider, n: _billing_run(provider), waited_for=False),
    ]


def _two_common(one: dict[str, Any]) -> str:
    """Return a first and a last name; each of them a twentieth and a fortieth of all customers have."""
    return str(one["customer"].full_name.lower().replace(" ", "+"))


def _page(path: Callable[[dict[str, Any]], str], *, staff: bool) -> Callable[[Provider, int], float]:
    browsers: dict[int, Client] = {}

    def ask(provider: Provider, n: int) -> float:
        browser = browsers.get(provider.size)
        if browser is None:
            headers = credential_of(provider.user, staff=staff)
            browser = browsers[provider.size] = Client(headers={**headers, "Host": "127.0.0.1"})
        address = path(provider.lines[n % len(provider.lines)])
        began = time.perf_counter()
        response = browser.get(address)
        took = (time.perf_counter() - began) * 1000
        assert response.status_code == 200, (address, response.status_code, response.content[:300])
        return took

    return ask


def _log_in(radius: "psycopg.Connection[Any]", provider: Provider, n: int) -> float:
    """Log a line in as FreeRADIUS does: the NAS' id, and a response by CHAP (RFC 1994)."""
    one = provider.offline[n % len(provider.offline)]
    proof = hashlib.md5(b"\x07" + PASSWORD.encode() + bytes.fromhex(CHALLENGE)).hexdigest()
    who = (str(one["nas"]), one["username"], one["station"])
    given = (*who, "", "Ethernet", "10.1.0.1", f"0x07{proof}", f"0x{CHALLENGE}")
    began = time.perf_counter()
    (answer,) = radius.execute("SELECT aaa_log_in(%s, %s, %s, %s, %s, %s, %s, %s)", given).fetchone() or ("",)
    took = (time.perf_counter() - began) * 1000
    assert answer.startswith("\x1f"), (one["username"], answer)
    return took


def _report(radius: "psycopg.Connection[Any]", provider: Provider, n: int) -> float:
    """Report on a running session, later and higher than ever before."""
    one = provider.lines[n % len(provider.lines)]
    now = datetime.now(UTC)
    seconds = int((now - one["started_at"]).total_seconds())
    given = (
        str(one["nas"]), "Interim-Update", f"8{one['n']}", "", one["username"], one["station"], "", "", "", "", "",
        str(seconds), str(seconds * 1000), str(seconds * 2000), "", "", "", "", "", "", "", "", "", "",
    )  # fmt: skip
    marks = ", ".join(["%s"] * len(given))
    began = time.perf_counter()
    (taken,) = radius.execute(f"SELECT aaa_accounting({marks})", given).fetchone() or (0,)
    took = (time.perf_counter() - began) * 1000
    assert taken == 1, one["username"]
    return took


class _UndoneError(Exception):
    """Takes back what was only done to be measured."""


def _billing_run(provider: Provider) -> float:
    """Plan and issue what is due that day, with the checks of a commit, and take it back; milliseconds a line."""
    from django.db import connection, transaction

    from bench.billing import whole_run
    from billing.models import BillingPosition
    from ispcore.tenants.context import tenant_context

    with tenant_context(provider.tenant):
        on: date = BillingPosition.objects.order_by("billed_until").values_list("billed_until", flat=True)[0]
    began = lines = 0.0
    try:
        with transaction.atomic():
            began = time.perf_counter()
            lines = sum(1 for _ in _due(provider, on))
            began = time.perf_counter()
            whole_run(provider.tenant, datetime.combine(on, daytime(12), UTC))
            with connection.cursor() as cursor:
                cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            took = time.perf_counter() - began
            raise _UndoneError
    except _UndoneError:
        pass
    assert 0 < lines <= BILLED
    return took * 1000 / lines


def _due(provider: Provider, on: date) -> Iterator[UUID]:
    from billing.models import BillingPosition
    from ispcore.tenants.context import tenant_context

    with tenant_context(provider.tenant):
        due = BillingPosition.objects.filter(billed_until=on, is_closed=False)
        yield from due.values_list("subscription_id", flat=True)
