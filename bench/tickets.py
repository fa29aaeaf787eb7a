"""What each list, count and page of the helpdesk costs PostgreSQL with 500,000 tickets in one tenant.

`make bench-tickets` (`python -m bench.tickets --tickets 20000 --rounds 5` answers in a minute). The embedded PostgreSQL
on a throwaway directory; every page is asked for as its users ask, with credentials, through all middleware, as the
runtime role under row-level security. What it reads is then read again, round after round, and the server's own clock
(EXPLAIN ANALYZE: planning and execution) says what all the statements of one page took together.

95 % of the tickets are closed, five hundred and some are unresolved, the others resolved; 40,000 customers, 200 zones,
20 subjects, 25 members of staff, three comments each, one in a hundred merged into another. The row
`ceiling` is one ticket by its key, by the same clock in the same rounds; `× ceiling` is a page's median beside it.
`--plans` shows the dearest read of each page, and what parts of its plan read many rows.
"""

import argparse
import json
import re
import signal
import statistics
import sys
import time
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import UUID

from bench.discovery import prepare
from bench.subscribers import API, credential_of, cursor_at, wasteful_parts
from ispcore.embedded import Servers, start_servers
from ispcore.embedded.servers import DATABASE
from tests.embedded.scratch import scratch_directory

TICKETS, SUBSCRIBERS = 500_000, 40_000
ZONES, SUBJECTS, TEAMS, STAFF, COMMENTS = 200, 20, 5, 25, 3
AIM_MS = 50
TABLE, ADMIN = f"{API}/support/tickets", "/admin/support/ticket/"
UNRESOLVED = "n > {tickets} * 0.95 AND n % 50 = 0 OR n % 10000 = 7"


@dataclass
class Case:
    """One page, asked with several values; what it reads of the database, and what that took in each round."""

    name: str
    paths: list[str]
    body: dict[str, Any] | None = None
    reads: list[list[str]] = field(default_factory=list)
    milliseconds: list[float] = field(default_factory=list)
    dearest: tuple[float, str] = (0.0, "")


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # So that what was started is ended.
    parser = argparse.ArgumentParser(
        prog="python -m bench.tickets",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--tickets", type=int, default=TICKETS)
    parser.add_argument("--subscribers", type=int, default=SUBSCRIBERS)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--only", default="", help="only cases whose name matches this expression")
    parser.add_argument("--plans", action="store_true", help="also show the dearest reads")
    parser.add_argument("--data", type=Path, help="keep the data in this directory, for the next run")
    options = parser.parse_args()
    with (
        nullcontext(options.data) if options.data else scratch_directory() as directory,
        start_servers(directory / "data") as servers,
    ):
        prepare(servers)
        tenant, user = fill_desk(servers, options.subscribers, options.tickets)
        measured = [one for one in cases(tenant, user, options.tickets) if re.search(options.only, one.name)]
        for case in measured:
            capture(case, user)
        ceiling = measure(tenant, measured, options.rounds)
        print_table(measured, ceiling, plans=options.plans)


def fill_desk(servers: Servers, subscribers: int, tickets: int) -> tuple[UUID, Any]:
    """Make the customers, the desk and its tickets; what was kept from a run before is used again."""
    from bench.subscriber_data import fill, indexes_afterwards, insert, loader, make_people
    from support.models import Comment, Ticket

    began = time.perf_counter()
    tenant, wanted, user = make_people(subscribers)
    if wanted:
        fill(servers.admin_url, DATABASE, wanted)
        desk = make_desk(tenant, user, tickets)
        with loader(servers.admin_url, DATABASE) as connection:
            with indexes_afterwards(connection, Ticket, Comment):
                insert(
                    connection,
                    Ticket,
                    ticket_source(tenant, tickets),
                    **ticket_columns(tenant, desk, tickets),
                )
                connection.execute("CREATE INDEX made_by ON support_ticket (number)")
                connection.execute(
                    "UPDATE support_ticket AS one SET merged_into_id = other.id FROM support_ticket AS other "
                    "WHERE one.number LIKE '%17' AND one.status = 'closed' "
                    "AND other.number = 'TKT-' || lpad((right(one.number, 6)::int + 1)::text, 6, '0')"
                )
                connection.execute("DROP INDEX made_by")
                insert(
                    connection, Comment, f"support_ticket AS one, generate_series(1, {COMMENTS}) AS k",
                    tenant_id="one.tenant_id", id="uuidv7(one.created_at - now() + k * interval '1 hour')",
                    ticket_id="one.id", source="CASE k WHEN 1 THEN 'customer' ELSE 'staff' END",
                    author_id="CASE k WHEN 1 THEN NULL ELSE one.assignee_id END", author_name="'Somebody'",
                    body="repeat('It has been slow since the morning. ', 4)",
                    said_at="one.created_at + k * interval '1 hour'",
                )  # fmt: skip
            connection.execute("VACUUM (ANALYZE)")
            connection.execute("CHECKPOINT")
        print(f"made in {time.perf_counter() - began:.0f} s", flush=True)
    return tenant, user


def make_desk(tenant: UUID, user: Any, tickets: int, *, login: str = "desk") -> dict[str, list[UUID]]:
    from hardware.models import Olt, Outage
    from ispcore.tenants.context import tenant_context
    from ispcore.tenants.models import Membership, NumberSeries, User
    from subscribers.models import Zone
    from support.models import Subject, SupportSettings, Team, TeamMember

    staff = [user, *(User.objects.create(email=f"{login}-{n}@bench.example") for n in range(STAFF - 1))]
    with tenant_context(tenant):
        for one in staff[1:]:
            Membership.objects.create(tenant_id=tenant, user=one, role="support")
        teams = [Team.objects.create(name=f"Team {n}") for n in range(TEAMS)]
        for n, one in enumerate(staff):
            TeamMember.objects.create(team=teams[n % TEAMS], user=one)
        subjects = [
            Subject.objects.create(name=f"Subject {n}", team=teams[n % TEAMS]) for n in range(SUBJECTS)
        ]
        zones = [Zone.objects.create(name=f"Zone {n}") for n in range(ZONES)]
        NumberSeries.objects.create(kind="ticket", next_value=tickets + 1)
        SupportSettings.objects.create(zone_limit=1000)  # Each run opens a few in one zone.
        olt = Olt.objects.create(name="OLT", vendor="huawei", ip="10.0.0.1")
        outages = [
            Outage.objects.create(
                olt=olt,
                status="closed",
                started_at="2026-01-01T00:00:00Z",
                resolved_at="2026-01-01T01:00:00Z",
            )
            for _ in range(50)
        ]
        return {
            "staff": [one.pk for one in staff],
            "teams": [one.pk for one in teams],
            "subjects": [one.pk for one in subjects],
            "zones": [one.pk for one in zones],
            "outages": [one.pk for one in outages],
        }


def ticket_source(tenant: UUID, tickets: int) -> str:
    unresolved = UNRESOLVED.format(tickets=tickets)
    return f"""
        (SELECT n, now() - ({tickets} - n) * interval '3 years' / {tickets} AS at,
                CASE WHEN {unresolved}
                     THEN (ARRAY['open', 'in_progress', 'waiting'])[1 + (n / 50) % 3]
                     WHEN n > {tickets} * 0.95 THEN 'resolved' ELSE 'closed' END AS state
         FROM generate_series(1, {tickets}) AS n) AS made
        JOIN subscribers_subscription AS line ON line.tenant_id = '{tenant}' AND line.number =
             1 + (n * 7919::bigint) % (SELECT max(number) FROM subscribers_subscription WHERE tenant_id = '{tenant}')
    """


def ticket_columns(tenant: UUID, desk: dict[str, list[UUID]], tickets: int) -> dict[str, str]:
    def one_of(kind: str, number: str) -> str:
        ids = ", ".join(f"'{pk}'" for pk in desk[kind])
        return f"(ARRAY[{ids}]::uuid[])[1 + ({number}) % {len(desk[kind])}]"

    is_over = "state IN ('resolved', 'closed')"
    return {
        "tenant_id": f"'{tenant}'",
        "id": "uuidv7(at - now())",
        "created_at": "at",
        "updated_at": f"CASE WHEN {is_over} THEN at + interval '2 days' ELSE now() - n % 100 * interval '1 hour' END",
        "number": "'TKT-' || lpad(n::text, 6, '0')",
        "title": "'No connection since the storm'",
        "subject_id": one_of("subjects", "n"),
        "team_id": one_of("teams", "n"),
        "priority": "(ARRAY['low', 'normal', 'normal', 'normal', 'high', 'urgent'])[1 + n % 6]",
        "status": "state",
        "subscriber_id": "line.subscriber_id",
        "subscription_id": "line.id",
        "zone_id": one_of("zones", "n * 31"),
        "outage_id": f"CASE WHEN n % 50 = 3 THEN {one_of('outages', 'n / 50')} END",
        "assignee_id": f"CASE WHEN {is_over} OR n % 3 > 0 THEN {one_of('staff', 'n * 17')} END",
        "due_at": f"CASE WHEN {is_over} THEN at + interval '3 days' "
        "ELSE now() + (n / 50 % 9 - 2) * interval '9 hours' END",
        "first_response_due_at": "at + interval '8 hours'",
        "first_responded_at": "at + n % 12 * interval '1 hour'",
        "waiting_since": "CASE state WHEN 'waiting' THEN now() - interval '1 hour' END",
        "escalates_at": f"CASE WHEN {is_over} THEN NULL ELSE now() + interval '1 day' END",
        "resolved_at": f"CASE WHEN {is_over} THEN least(at + n % 5 * interval '1 day', now()) END",
        "closed_at": "CASE state WHEN 'closed' THEN at + interval '10 days' END",
    }


def cases(tenant: UUID, user: Any, tickets: int) -> list[Case]:
    from ispcore.tenants.context import tenant_context
    from support.models import Comment, Ticket

    with tenant_context(tenant):
        number = [f"TKT-{int(tickets * share):06d}" for share in (0.02, 0.3, 0.5, 0.8, 0.99)]
        some = list(Ticket.objects.filter(number__in=number))
        live = list(Ticket.objects.filter(status="open").select_related("subscriber")[:5])
        merged = list(Ticket.objects.filter(merged_into__isnull=False).order_by("-id")[:5])
        middle = Ticket.objects.get(number=number[2])
        assert Comment.objects.filter(ticket=middle).count() == COMMENTS
    assignees = [one.assignee_id for one in some if one.assignee_id]
    moments = [quote(f"{one.created_at:%Y-%m-%dT%H:%M:%S}Z") for one in some]
    nobody = UUID(int=1)

    def api(name: str, query: str, *values: Any) -> Case:
        return Case(f"list{name}", [f"{TABLE}{query.format(value)}" for value in values or ("",)])

    def admin(name: str, query: str, *values: Any) -> Case:
        return Case(f"admin{name}", [f"{ADMIN}{query.format(value)}" for value in values or ("",)])

    return [
        api(" of 50", ""),
        api(", page 200", "?page=200"),
        api(" by cursor, deep", "?cursor={}", *(quote(cursor_at(one.pk)) for one in some)),
        *(
            api(f", {status}", f"?status={status}")
            for status in ("open", "in_progress", "waiting", "resolved", "closed")
        ),
        api(", closed, by cursor, deep", "?status=closed&cursor={}", *(quote(cursor_at(one.pk)) for one in some)),
        api(", priority", "?priority={}", "urgent", "low"),
        api(", subject", "?subject_id={}", *(one.subject_id for one in some)),
        api(", customer", "?subscriber_id={}", *(one.subscriber_id for one in some)),
        api(", customer: nobody", f"?subscriber_id={nobody}"),
        api(", service", "?service_id={}", *(one.subscription_id for one in some)),
        api(", zone", "?zone_id={}", *(one.zone_id for one in some)),
        api(", zone, open", "?zone_id={}&status=open", *(one.zone_id for one in some)),
        api(", outage", "?outage_id={}", *(one.outage_id or nobody for one in some)),
        api(", assignee", "?assignee_id={}", *assignees),
        api(", assignee, open", "?assignee_id={}&status=open", *assignees),
        api(", assignee, closed", "?assignee_id={}&status=closed", *assignees),
        api(", team", "?team_id={}", *(one.team_id for one in some)),
        api(", team, waiting", "?team_id={}&status=waiting", *(one.team_id for one in some)),
        api(", subject, open", "?subject_id={}&status=open", *(one.subject_id for one in some)),
        api(", urgent, open", "?priority=urgent&status=open"),
        api(", assigned", "?is_assigned=true"),
        api(", unassigned", "?is_assigned=false"),
        api(", overdue", "?is_overdue=true"),
        api(", not overdue", "?is_overdue=false"),
        api(", overdue of one", "?is_overdue=true&assignee_id={}", *assignees),
        api(", number", "?number={}", *number),
        api(", numbers that begin", "?number={}*", *(one[:-2] for one in number)),
        api(", number: nobody", "?number=TKT-9999999"),
        api(", created since", "?created_at__gte={}", *moments),
        api(", created until", "?created_at__lte={}", *moments),
        api(", created: nobody", "?created_at__lte=2001-01-01T00:00:00Z"),
        api(", updated since", "?updated_at__gte={}", *moments),
        api(", updated until", "?updated_at__lte={}", *moments),
        api(", due until", "?due_at__lte={}", *moments),
        api(", due since", "?due_at__gte={}", *moments),
        api(", open, created until", "?status=open&created_at__lte={}", *moments),
        api(", closed, created until", "?status=closed&created_at__lte={}", *moments),
        *(
            api(f" by {sign}{name}", f"?ordering={sign}{name}")
            for name in ("created_at", "updated_at", "due_at")
            for sign in ("", "-")
        ),
        api(", open, by due_at", "?status=open&ordering=due_at"),
        api(", closed, by -due_at", "?status=closed&ordering=-due_at"),
        api(", team by due_at", "?team_id={}&ordering=due_at", *(one.team_id for one in some)),
        Case("one, by id", [f"{TABLE}/{one.pk}" for one in some]),
        Case("one, by number", [f"{TABLE}/{one.number}" for one in some]),
        Case("comments", [f"{TABLE}/{one.pk}/comments" for one in some]),
        Case(
            "comments, merged", [f"{TABLE}/{one.merged_into_id}/comments" for one in merged]
        ),
        Case("ready answers", [f"{TABLE}/{one.pk}/answers" for one in live]),
        Case("zone blocked", [f"{API}/support/zones/{one.zone_id}/blocked" for one in some]),
        Case("subjects", [f"{API}/support/subjects"]),
        Case(
            "open one",
            [TABLE],
            {"subject_id": str(middle.subject_id), "service_id": str(middle.subscription_id), "force": True},
        ),
        Case("comment on one", [f"{TABLE}/{one.pk}/comments" for one in live], {"body": "We look at it."}),
        admin(" list", ""),
        admin(" list, page 400", "?p=400"),
        *(
            admin(f" queue {name}", f"?queue={name}")
            for name in ("mine", "team", "unassigned", "overdue", "unresolved")
        ),
        admin(" queue unresolved by due", "?queue=unresolved&o=7"),
        admin(" list by due", "?o={}", "7", "-7"),
        admin(" list by opened", "?o={}", "8", "-8"),
        admin(" list, closed", "?status__exact=closed"),
        admin(" list, priority", "?priority__exact=urgent"),
        admin(" list, team", "?team__id__exact={}", *(one.team_id for one in some)),
        admin(" list, subject", "?subject__id__exact={}", *(one.subject_id for one in some)),
        admin(" search, number", "?q={}", *number),
        admin(" search, digits", "?q={}", *(one[4:].lstrip("0") for one in number)),
        admin(" search, customer", "?q={}", *(f"{one.subscriber.number}" for one in live)),
        admin(" search, two words", "?q=ana+silva"),
        admin(" search, common word", "?q=silva"),
        admin(" search, word of all", "?q=rua"),
        admin(" search, nobody", "?q=zzz"),
        admin(" ticket", "{}/change/", *(one.pk for one in some)),
        admin(" ticket, open", "{}/change/", *(one.pk for one in live)),
        admin(" ticket, of mine", "{}/change/?queue=mine", *(one.pk for one in live)),
        admin(" ticket, merged into", "{}/change/", *(one.merged_into_id for one in merged)),
        Case("admin load page", [f"{ADMIN}load/"]),
        Case("admin palette, number", [f"/admin/search/?s={one}" for one in number[:2]]),
        Case("admin dashboard", ["/admin/"] * 5),  # Some counts are remembered for a minute.
    ]  # fmt: skip


def capture(case: Case, user: Any) -> None:
    """Ask for each page of a case and keep what it read; the counts of lists are not remembered yet."""
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    headers = credential_of(user, staff=case.paths[0].startswith("/admin"))
    browser = Client(headers={**headers, "Host": "127.0.0.1"})
    for path in case.paths:
        with CaptureQueriesContext(connection) as captured:
            if case.body is None:
                response = browser.get(path)
            else:
                response = browser.post(path, json.dumps(case.body), content_type="application/json")
        assert response.status_code in (200, 201), (case.name, response.status_code, response.content[:500])
        asked = [query["sql"] for query in captured.captured_queries]
        case.reads.append([sql for sql in asked if sql.startswith("SELECT") and "set_config" not in sql])


def measure(tenant: UUID, measured: list[Case], rounds: int) -> list[float]:
    """Read everything round by round, so that a busy moment of the machine does not meet one page alone."""
    from django.db import connection

    from ispcore.tenants.context import tenant_context
    from support.models import Ticket

    with tenant_context(tenant):
        keys = list(Ticket.objects.order_by("title", "-number").values_list("pk", flat=True)[:1000])
    ceiling = []
    for number in range(rounds + 1):
        with tenant_context(tenant), connection.cursor() as cursor:
            one = f"SELECT * FROM support_ticket WHERE tenant_id = '{tenant}' AND id = '{keys[number * 7 % len(keys)]}'"
            taken, _ = _read(cursor, one)
            if number:
                ceiling.append(taken)
        for case in measured:
            # A transaction of its own: what a page locks is let go.
            with tenant_context(tenant), connection.cursor() as cursor:
                total = 0.0
                for sql in case.reads[number % len(case.reads)]:
                    taken, plan = _read(cursor, sql)
                    total += taken
                    if number:
                        case.dearest = max(
                            case.dearest, (taken, f"{'; '.join(wasteful_parts(plan))} in {sql}")
                        )
            if number:  # The first round fills the caches.
                case.milliseconds.append(total)
    return ceiling


def _read(cursor: Any, sql: str) -> tuple[float, dict[str, Any]]:
    cursor.execute("EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) " + sql.replace("%", "%%"), ())
    (found,) = cursor.fetchone()
    return found[0]["Planning Time"] + found[0]["Execution Time"], found[0]["Plan"]


def print_table(measured: list[Case], ceiling: list[float], *, plans: bool) -> None:
    load = " ".join(Path("/proc/loadavg").read_text(encoding="ascii").split()[:3])
    print(f"load {load}; aim: every page below {AIM_MS} ms\n")
    print("| | reads | p50 ms | p95 ms | worst ms | × ceiling | |")
    print("|---|---|---|---|---|---|---|")
    base = statistics.median(ceiling)
    rows = [("ceiling: one by its key", 1, ceiling)]
    rows += [(case.name, max(map(len, case.reads)), case.milliseconds) for case in measured]
    for name, reads, taken in rows:
        p95 = statistics.quantiles(taken, n=20)[-1]
        missed = "missed" if p95 > AIM_MS else ""
        print(
            f"| {name} | {reads} | {statistics.median(taken):.2f} | {p95:.2f} | {max(taken):.2f} | "
            f"{statistics.median(taken) / base:.1f} | {missed} |"
        )
    if plans:
        for case in sorted(measured, key=lambda each: -each.dearest[0]):
            print(f"\n{case.name}: {case.dearest[0]:.1f} ms {case.dearest[1]}")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
