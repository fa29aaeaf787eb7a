"""Each provider's year in a process of its own, beside servers that are there for it."""

import multiprocessing
import os
import sys
import time
from typing import Any
from urllib.parse import urlsplit

from ispcore.embedded import Servers

# Clocks go forward in one while they go back in the other; in the second one it is midnight that does not exist then.
ZONES = ("Europe/Lisbon", "America/Santiago")


def prepare(servers: Servers) -> None:
    """Make the tables as their owner, then work as the runtime role."""
    os.environ.update(servers.environment())
    set_up()
    from django.core.management import call_command
    from django.db import connection

    runtime = dict(connection.settings_dict)
    owner = urlsplit(servers.owner_url)
    connection.settings_dict.update(USER=owner.username, PASSWORD=owner.password)
    call_command("migrate", verbosity=0)
    connection.close()
    connection.settings_dict.update(USER=runtime["USER"], PASSWORD=runtime["PASSWORD"])


def set_up() -> None:
    """Let Django know its settings; e-mails stay in this process, where they are read."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ispcore.settings")
    os.environ["LOG_LEVEL"] = "ERROR"
    import django

    django.setup()
    from django.conf import settings

    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"


def walk_all(options: Any) -> bool:
    """Walk each provider's year in a process of its own, all at once; tell whether something differs."""
    zones = options.zone or list(ZONES)
    spawning = multiprocessing.get_context("spawn")
    processes = [
        spawning.Process(target=walk_one, args=(options, place, zone, len(zones)), daemon=True)
        for place, zone in enumerate(zones)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    return any(process.exitcode for process in processes)


def walk_one(options: Any, place: int, zone: str, of: int) -> None:
    """Walk through one provider's year; tell what it came to, and exit with 1 when something differs."""
    set_up()
    from demo.year import table, walk
    from ispcore.tenants.models import Tenant

    began, count = time.perf_counter(), options.subscribers // of + (place < options.subscribers % of)
    tenant = Tenant.objects.create(
        slug=f"year-{Tenant.objects.count() + 1}-{place}", name="A year", timezone=zone
    )
    year = walk.begin(
        tenant_id=tenant.pk, zone=zone, subscribers=count, start=options.start, seed=options.seed + place
    )
    print(f"{zone}: {count} customers made in {time.perf_counter() - began:.0f} s", flush=True)
    walk.walk(year, days=options.days, tell=lambda text: print(f"{zone}: {text}", flush=True))
    times = os.times()
    took = f"{time.perf_counter() - began:.0f} s, {times.user + times.system:.0f} s CPU without the servers'"
    print("\n".join((*table.lines_of(year), took)), flush=True)
    sys.exit(1 if year.findings or year.differences else 0)
