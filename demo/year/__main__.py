"""Walk through a provider's year on servers of its own; exit 1 when money does not add up."""

import argparse
import os
import signal
import sys
import tempfile
import time
from contextlib import ExitStack
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ispcore.embedded import Servers, start_servers


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # So that what was started is ended.
    parser = argparse.ArgumentParser(prog="python -m demo.year", description=__doc__)
    parser.add_argument("subscribers", type=int, nargs="?", default=1000)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--start", type=date.fromisoformat, default=date(2024, 2, 1))
    parser.add_argument("--zone", default="Europe/Lisbon")
    parser.add_argument(
        "--data", type=Path, help="keep the data in this directory, and add another year to it"
    )
    options = parser.parse_args()
    with ExitStack() as stack:
        directory = options.data or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="isp-year-")))
        directory.mkdir(exist_ok=True)
        directory.chmod(0o711)  # The servers' account passes through.
        prepare(stack.enter_context(start_servers(directory / "data", durable=False)))
        return walk(options)


def prepare(servers: Servers) -> None:
    """Make the tables as their owner, then work as the runtime role."""
    os.environ.update(servers.environment())
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ispcore.settings")
    os.environ["LOG_LEVEL"] = "ERROR"
    import django

    django.setup()
    from django.conf import settings
    from django.core.management import call_command
    from django.db import connection

    settings.EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
    runtime = dict(connection.settings_dict)
    owner = urlsplit(servers.owner_url)
    connection.settings_dict.update(USER=owner.username, PASSWORD=owner.password)
    call_command("migrate", verbosity=0)
    connection.close()
    connection.settings_dict.update(USER=runtime["USER"], PASSWORD=runtime["PASSWORD"])


def walk(options: Any) -> int:
    from demo.year import table
    from demo.year import walk as steps
    from ispcore.tenants.models import Tenant

    began = time.perf_counter()
    years = Tenant.objects.filter(slug__startswith="year-").count()
    tenant = Tenant.objects.create(slug=f"year-{years + 1}", name="A year", timezone=options.zone)
    year = steps.begin(
        tenant_id=tenant.pk,
        zone=options.zone,
        subscribers=options.subscribers,
        start=options.start,
        seed=options.seed,
    )
    print(f"{options.subscribers} customers made in {time.perf_counter() - began:.0f} s", flush=True)
    steps.walk(year, days=options.days, tell=lambda text: print(text, flush=True))
    for text in table.lines_of(year):
        print(text)
    print(f"{time.perf_counter() - began:.0f} s in all")
    return 1 if year.findings or year.differences else 0


if __name__ == "__main__":
    sys.exit(main())
