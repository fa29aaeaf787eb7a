"""How much slower two quiet providers become while a third, ten times as large, does its worst.

`make bench-fairness`, three minutes (`ARGS="--seconds 10 --subscribers 500"` for less). The embedded PostgreSQL and
Valkey, durable as in `make run`; web server and the workers `default` and `billing` as in the Procfile, with all limits
as they come. The quiet ones ask ten times a second together, each request at its time whether or not those before were
answered, so that waiting counts: a list of 50, one record, a new one; and every 3 s for an export of a few rows.

First they are alone. Then the third floods the API with 64 connections of its dearest requests, in a process of the
lowest priority, half of them waiting as `Retry-After` says and half not at all; it has asked for 200 exports of all its
subscribers before, and starts a billing run; `ARGS="--abuse flood"` (or `exports`, or `billing`) lets it do only that.
Clients, web, PostgreSQL and workers share the machine's cores.
"""

import argparse
import multiprocessing
import os
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from bench.discovery import prepare
from bench.fairness_load import Answer, Wanted, ask_on_time, flood_alone
from bench.subscribers import PROJECT, person, serving
from ispcore.embedded import Servers, start_servers
from ispcore.embedded.servers import DATABASE
from ispcore.embedded.supervisor import parse_procfile
from tests.embedded.scratch import scratch_directory

AIM = 2.0
SUBSCRIBERS, QUIET_SHARE = 20_000, 10
PER_SECOND = 10.0
EXPORT_EVERY = 30  # Requests: three seconds.
CONNECTIONS = 64
JOBS = 200
STAFF = 8  # Each credential has a limit of its own.
WARM_SECONDS = 5.0
WORKERS = ("worker", "billing")
ABUSES = ("flood", "exports", "billing")
REST_SECONDS = 60  # So long the quiet ones' last jobs may take to end.
OK = (200, 201, 202)
CITIES = ("lisboa", "porto", "braga", "faro", "evora")


@dataclass
class Provider:
    """One provider: its staff's credentials, and some of its subscribers."""

    tenant: UUID
    user: Any
    tokens: list[str]
    some: list[str]


@dataclass
class Phase:
    """What the quiet ones met, when it began and ended, and the machine's load then."""

    answers: list[Answer]
    began: datetime
    ended: datetime
    load: str


@dataclass
class Abuse:
    """What became of what the third one did."""

    outcomes: Counter[str] = field(default_factory=Counter)
    most_running: Counter[str] = field(default_factory=Counter)
    run: str = "not started"


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # So that what was started is ended.
    parser = argparse.ArgumentParser(
        prog="python -m bench.fairness",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seconds", type=float, default=60.0, help="alone, and as long beside the flood")
    parser.add_argument(
        "--subscribers", type=int, default=SUBSCRIBERS, help="of the large one; the others have a tenth"
    )
    parser.add_argument(
        "--abuse", nargs="+", choices=ABUSES, default=ABUSES, help="what the third one does; all of it"
    )
    options = parser.parse_args()
    with scratch_directory() as directory, start_servers(directory / "data") as servers:
        prepare(servers)
        third, *quiet = make_providers(servers, options.subscribers)
        print("the providers are made", flush=True)
        with (
            serving(servers, directory, RATE_LIMIT_PER_MINUTE="1200") as (address, _),
            working(servers, directory),
        ):
            measure(address, third, quiet, options.seconds, options.abuse)


def measure(
    address: tuple[str, int],
    third: Provider,
    quiet: list[Provider],
    seconds: float,
    abuses: Sequence[str],
) -> None:
    ask_quietly(address, quiet, min(seconds, WARM_SECONDS))
    alone = ask_quietly(address, quiet, seconds)
    print("the quiet ones were alone", flush=True)
    abuse = Abuse()
    if "exports" in abuses:
        enqueue_many(third)
    with (
        flooding(address, third, abuse) if "flood" in abuses else nullcontext(),
        billing(third, abuse) if "billing" in abuses else nullcontext(),
    ):
        beside = ask_quietly(address, quiet, seconds)
        left = count_jobs(third)
    print("the abuse has ended: " + ", ".join(abuses), flush=True)
    wait_for_jobs(quiet)
    print_machine()
    print_times(alone, beside)
    print_jobs(quiet, alone, beside)
    print_abuse(abuse, left, beside)


def make_providers(servers: Servers, subscribers: int) -> list[Provider]:
    """Make the third one with so many subscribers that are due today, and two with a tenth of them."""
    from django.db import connection
    from django.utils import timezone

    from bench.subscriber_data import fill, loader
    from billing.models import BillingSettings, TaxRate
    from ispcore.tenants.context import tenant_context
    from ispcore.tenants.models import Tenant
    from subscribers.models import BillingProfile

    sizes = {
        "third": subscribers,
        "quiet-1": subscribers // QUIET_SHARE,
        "quiet-2": subscribers // QUIET_SHARE,
    }
    tenants = {slug: Tenant.objects.create(slug=slug, name=slug.title()) for slug in sizes}
    fill(servers.admin_url, DATABASE, {tenants[slug].pk: size for slug, size in sizes.items()})
    today = timezone.now().date()
    with tenant_context(tenants["third"].pk):
        BillingSettings.objects.create(bills_from=today - timedelta(days=60))
        TaxRate.objects.create(name="VAT 20 %", percent=20, starts_on=date(2020, 1, 1))
        profile = BillingProfile.objects.create(name="Monthly", cycle_day=min(today.day, 28), currency="EUR")
    with loader(servers.admin_url, DATABASE) as database:
        database.execute(
            "UPDATE subscribers_subscriber SET billing_profile_id = %s WHERE tenant_id = %s",
            [profile.pk, tenants["third"].pk],
        )
        database.execute("VACUUM (ANALYZE) subscribers_subscriber")
    made = [provider_of(tenant.pk, slug) for slug, tenant in tenants.items()]
    connection.close()
    return made


def provider_of(tenant: UUID, name: str) -> Provider:
    from django.utils import timezone

    from ispcore.auth import access_tokens
    from ispcore.tenants.context import tenant_context
    from ispcore.tenants.models import Membership, User
    from subscribers.models import Subscriber

    users = [User.objects.create(email=f"{name}-{n}@bench.example") for n in range(STAFF)]
    with tenant_context(tenant):
        for user in users:
            Membership.objects.create(tenant_id=tenant, user=user, role="administrator")
        some = [
            str(pk) for pk in Subscriber.objects.order_by("phone_e164").values_list("pk", flat=True)[:500]
        ]
    tokens = [access_tokens.mint(user_id=user.pk, at=timezone.now()) for user in users]
    return Provider(tenant, users[0], tokens, some)


@contextmanager
def working(servers: Servers, directory: Path) -> Iterator[None]:
    """Run the Procfile's workers; they are ended with what they do, which is thrown away."""
    environment = os.environ | servers.environment()
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    commands = parse_procfile((PROJECT / "Procfile").read_text())
    with ExitStack() as stack:
        for name in WORKERS:
            log = stack.enter_context((directory / f"{name}.log").open("wb"))
            process = subprocess.Popen(
                ["/bin/sh", "-c", f"exec {commands[name]}"], cwd=PROJECT, env=environment, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
            stack.callback(process.wait)
            stack.callback(os.killpg, process.pid, signal.SIGKILL)
        yield


def ask_quietly(address: tuple[str, int], quiet: list[Provider], seconds: float) -> Phase:
    """Let the quiet ones ask in turn; exports that are asked for at once differ, or they would be one."""
    from django.utils import timezone

    serial = time.time_ns()

    def wanted(number: int) -> Wanted:
        provider = quiet[number % len(quiet)]
        token = provider.tokens[number % STAFF]
        if number % EXPORT_EVERY == EXPORT_EVERY - 1 - number // EXPORT_EVERY % len(quiet):
            town = CITIES[number // EXPORT_EVERY % len(CITIES)]
            body = {"list": "subscribers", "format": "csv", "filters": {"status": "prospect"}, "search": town}
            return Wanted(token, "asking for an export", "POST", "/exports", body)
        if number % 3 == 0:
            return Wanted(token, "list of 50", "GET", "/subscribers")
        if number % 3 == 1:
            return Wanted(
                token, "one record", "GET", f"/subscribers/{provider.some[number % len(provider.some)]}"
            )
        return Wanted(token, "a new one", "POST", "/subscribers", person(serial + number))

    began = timezone.now()
    answers = ask_on_time(address, wanted, per_second=PER_SECOND, seconds=seconds)
    return Phase(answers, began, timezone.now(), load_now())


def enqueue_many(third: Provider) -> None:
    """Ask for many different exports of everything, as its programs could within a minute."""
    from ispcore.files import exports
    from ispcore.tenants.context import tenant_context

    for number in range(JOBS):
        since = f"2001-01-01T00:{number // 60:02d}:{number % 60:02d}Z"
        with tenant_context(third.tenant):
            exports.request_export(
                export=exports.find("subscribers"), file_format="xlsx", bom=False, rows_from="list",
                asked={"filters": {"created_at__gte": since}, "search": ""}, role="administrator",
                user_id=third.user.pk, ip=None, request_id="",
            )  # fmt: skip


@contextmanager
def flooding(address: tuple[str, int], third: Provider, abuse: Abuse) -> Iterator[None]:
    """Flood for a block, from a process that knows no more than this."""
    tag = {"action": "add_tags", "tags": ["flood"], "ids": third.some, "dry_run": True}
    rows = [{"operation": "update", "id": pk, "data": {"tags": ["flood"]}} for pk in third.some[:100]]
    dear = (
        ("GET", "/subscribers?search=rua&page_size=200", None),
        ("GET", "/subscribers?search=an+sil&page_size=200&ordering=-created_at", None),
        ("GET", "/subscribers?page_size=200&page=40", None),
        ("GET", "/services?page_size=200", None),
        ("POST", "/subscribers/bulk-actions", tag),
        ("POST", "/subscribers/bulk", {"mode": "per_row", "items": rows}),
    )
    wanted = [Wanted(token, "flood", *each) for token in third.tokens for each in dear]
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=flood_alone, args=(there, address, wanted, CONNECTIONS), daemon=True)
    process.start()
    try:
        here.recv()
        yield
        here.send("end")
        abuse.outcomes = here.recv()
    finally:
        process.terminate()
        process.join()


@contextmanager
def billing(third: Provider, abuse: Abuse) -> Iterator[None]:
    """Bill for a block: plan and approve as a person would, and look how many jobs run at once."""
    ending = threading.Event()
    thread = threading.Thread(target=bill, args=(third, abuse, ending))
    thread.start()
    try:
        yield
    finally:
        ending.set()
        thread.join()


def bill(third: Provider, abuse: Abuse, ending: threading.Event) -> None:
    from django.db import connection
    from django.utils import timezone

    from billing.services import runs
    from ispcore.jobs.models import Job, JobStatus
    from ispcore.tenants.context import tenant_context

    with tenant_context(third.tenant):
        run = runs.start_run(at=timezone.now())
    while not ending.wait(0.5):
        with tenant_context(third.tenant):
            run.refresh_from_db()
            if run.status == "planned":
                runs.approve_run(run_id=run.pk, plan_hash=run.plan_hash, at=timezone.now())
            running = Counter(Job.objects.filter(status=JobStatus.RUNNING).values_list("queue", flat=True))
        abuse.most_running |= running
        abuse.run = f"{run.status}, {run.invoices_issued:,} of {run.invoices_planned:,} invoices issued"
    connection.close()


def count_jobs(third: Provider) -> Counter[str]:
    from ispcore.files import exports
    from ispcore.jobs.models import Job
    from ispcore.tenants.context import tenant_context

    with tenant_context(third.tenant):
        return Counter(Job.objects.filter(kind=exports.KIND).values_list("status", flat=True))


def wait_for_jobs(quiet: list[Provider]) -> None:
    from ispcore.jobs.models import ACTIVE, Job
    from ispcore.tenants.context import tenant_context

    deadline = time.monotonic() + REST_SECONDS
    for provider in quiet:
        while time.monotonic() < deadline:
            with tenant_context(provider.tenant):
                if not Job.objects.filter(status__in=ACTIVE).exists():
                    break
            time.sleep(0.2)


def print_machine() -> None:
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    print(
        f"\n{time.strftime('%Y-%m-%d %H:%M')}, {os.cpu_count()} cores, Python {sys.version.split()[0]}, "
        f"commit {commit.stdout.strip()}\n"
    )


def print_times(alone: Phase, beside: Phase) -> None:
    """Print a line for each kind of request, and one for all."""
    print("| the quiet ones' requests | alone: p50, p95, p99 (ms) | beside: p50, p95, p99 (ms) | p99 × |")
    print("|---|---|---|---|")
    for kind in [*dict.fromkeys(answer.kind for answer in alone.answers), "all"]:
        before, after = (
            cuts([a.seconds for a in phase.answers if kind in (a.kind, "all")]) for phase in (alone, beside)
        )
        cells = [", ".join(f"{milliseconds:.0f}" for milliseconds in each) for each in (before, after)]
        print(f"| {kind} | {cells[0]} | {cells[1]} | {after[2] / before[2]:.1f} |")
    print(f"\naim: at most {AIM:.0f} × in the last line")
    for name, phase in (("alone", alone), ("beside", beside)):
        statuses = Counter(answer.status for answer in phase.answers)
        wrong = {status: n for status, n in statuses.items() if status not in OK}
        print(
            f"{name}: {statuses.total()} requests, not answered as wanted: {wrong or 'none'}; load {phase.load}"
        )


def cuts(seconds: list[float]) -> tuple[float, float, float]:
    """Return the median and the 95th and 99th percentile in milliseconds."""
    found = statistics.quantiles(seconds, n=100, method="inclusive") if len(seconds) > 1 else seconds * 99
    return found[49] * 1000, found[94] * 1000, found[98] * 1000


def print_jobs(quiet: list[Provider], alone: Phase, beside: Phase) -> None:
    from ispcore.jobs.models import Job
    from ispcore.tenants.context import tenant_context

    for name, phase in (("alone", alone), ("beside", beside)):
        jobs: list[Job] = []
        for provider in quiet:
            with tenant_context(provider.tenant):
                jobs += Job.objects.filter(created_at__gte=phase.began, created_at__lte=phase.ended)
        waits = sorted((job.started_at - job.created_at).total_seconds() for job in jobs if job.started_at)
        ends = sorted((job.finished_at - job.created_at).total_seconds() for job in jobs if job.finished_at)
        print(
            f"{name}: {len(jobs)} exports of theirs waited {described(waits)} and ended after {described(ends)}; "
            f"{len(jobs) - len(ends)} did not end"
        )


def described(seconds: list[float]) -> str:
    return f"{statistics.median(seconds):.2f} s (at most {seconds[-1]:.2f})" if seconds else "nothing"


def print_abuse(abuse: Abuse, left: Counter[str], beside: Phase) -> None:
    seconds = (beside.ended - beside.began).total_seconds()
    answers = ", ".join(f"{name}: {n:,}" for name, n in sorted(abuse.outcomes.items()))
    running = ", ".join(f"{queue} {n}" for queue, n in sorted(abuse.most_running.items()))
    exports = ", ".join(f"{status} {n}" for status, n in sorted(left.items()))
    print(f"the third one was answered {abuse.outcomes.total() / seconds:,.0f} times a second: {answers}")
    print(f"its exports at the end: {exports}; most jobs at once: {running}; its billing run: {abuse.run}")


def load_now() -> str:
    return " ".join(Path("/proc/loadavg").read_text(encoding="ascii").split()[:3])


if __name__ == "__main__":
    main()
