"""A process that works for two providers at once over a pooler, and says what it saw: run by test_behind_proxies.py."""

import json
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import django

django.setup()

from django.db import connection, connections, transaction  # noqa: E402

from hardware.models import Olt  # noqa: E402
from ispcore.tenants.context import tenant_context  # noqa: E402
from ispcore.tenants.models import Tenant  # noqa: E402

THREADS = 8
ROUNDS = 60


class Refused(Exception):
    pass


def work(tenant_ids: list[UUID], number: int) -> Counter[str]:
    """Go through the providers in turn, and count what is not as it has to be."""
    seen: Counter[str] = Counter()
    for turn in range(ROUNDS):
        tenant_id = tenant_ids[(turn + number) % len(tenant_ids)]
        with tenant_context(tenant_id):
            seen["foreign rows"] += sum(
                row != tenant_id for row in Olt.objects.values_list("tenant_id", flat=True)
            )
            seen["rows"] += Olt.objects.count()
            seen["streamed"] += sum(1 for _ in Olt.objects.iterator(chunk_size=1))
            seen["wrong tenant"] += setting() != str(tenant_id)
            backends.add(asked("SELECT pg_backend_pid()"))
        refuse(tenant_id, seen)
        look_without_a_tenant(seen)
    connections.close_all()
    return seen


def refuse(tenant_id: UUID, seen: Counter[str]) -> None:
    """Fail in the middle: what was written and who it was for are both gone."""
    try:
        with tenant_context(tenant_id):
            Olt.objects.filter(name__startswith="Second").update(name="never")
            raise Refused
    except Refused:
        seen["rolled back"] += 1


def look_without_a_tenant(seen: Counter[str]) -> None:
    """Outside of a provider's transaction nothing of one is left on whichever connection comes."""
    seen["left setting"] += setting() != ""
    seen["rows of nobody"] += asked("SELECT count(*) FROM hardware_olt")
    # Across providers, and without a transaction: a cursor of the server's would not be found again.
    found = list(
        Tenant.objects.using("platform")
        .order_by("slug")
        .values_list("slug", flat=True)
        .iterator(chunk_size=1)
    )
    seen["providers"] += len(found)
    with transaction.atomic():
        seen["left setting"] += setting() != ""


def setting() -> str:
    return asked("SELECT coalesce(current_setting('app.tenant_id', true), '')")


def asked(sql: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchone()[0]


backends: set[int] = set()

if __name__ == "__main__":
    ids = [UUID(value) for value in sys.argv[1:]]
    total: Counter[str] = Counter()
    with ThreadPoolExecutor(THREADS) as pool:
        for one in pool.map(lambda number: work(ids, number), range(THREADS)):
            total += one  # Adding counters leaves out what is zero.
    sys.stdout.write(json.dumps({"seen": total, "backends": sorted(backends)}))
