"""Changes of the rows of a big table, made by workers in batches while the installation is in use.

Apps name theirs in a module `data_changes`; `manage.py change_data` starts them. What is left to do is read from the
rows themselves, so there is no position to keep: a worker that dies, or a second start, goes on with what is left.
docs/upgrades.md says how a release uses them.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet
from django.utils.module_loading import autodiscover_modules

from ispcore.errors import DomainError
from ispcore.jobs import services as jobs
from ispcore.jobs.models import Job

KIND = "ispcore.operations.change_data"
COME_BACK_SECONDS = 10  # Where another provider's batch is at work.


class UnknownDataChange(DomainError):
    code = "unknown_data_change"
    message = "This release has no data change {name}."


@dataclass(frozen=True, slots=True)
class DataChange:
    """What is wanted of one table's rows."""

    name: str  # Begins with the app's: subscribers.fill_zone_code. At most 80 letters.
    left: Callable[[], QuerySet[Any]]  # The bound tenant's rows still to change, told by their own columns.
    change: Callable[[QuerySet[Any]], object]  # Changes these rows, after which they are not among `left`.
    size: int = 1000  # Rows in a batch, which should take about a second: their writers wait for so long.


_changes: dict[str, DataChange] = {}


def add(change: DataChange) -> None:
    _changes[change.name] = change


def all_changes() -> list[DataChange]:
    """Return the data changes of all apps, in the order of their names."""
    autodiscover_modules("data_changes")
    return [_changes[name] for name in sorted(_changes)]


def find_change(name: str) -> DataChange:
    """Raises UnknownDataChange."""
    for change in all_changes():
        if change.name == name:
            return change
    raise UnknownDataChange(name=name)


def start(change: DataChange) -> Job:
    """Start a data change for the bound tenant; where it runs already, that job is returned."""
    return jobs.enqueue(
        kind=KIND,
        subject=change.name,
        params={"change": change.name},
        label=f"Change of data: {change.name}"[:200],
    )


def change_rows(run: jobs.Run) -> dict[str, Any]:
    """Change what is left in batches by key, each in a transaction of its own, and rest as long as each took.

    A pass goes over the table once: rows that `change` leaves among `left` do not make it go on for ever.
    """
    change = find_change(run.params["change"])
    with run.tenant():
        total = change.left().count()
    done, after = 0, None
    while True:
        began = time.monotonic()
        keys = _change_batch(run, change, after)
        done += len(keys)
        if len(keys) < change.size:
            return {"changed": done}
        after = keys[-1]
        run.progress(done, total)
        time.sleep(time.monotonic() - began)


def _change_batch(run: jobs.Run, change: DataChange, after: UUID | None) -> list[UUID]:
    """Change the rows next after a key and return their keys, none when there are no more.

    A row that somebody else has changed meanwhile is looked at again once it is locked, and left out. Raises JobLost,
    and NotYet while a batch of another provider is at work.
    """
    with run.tenant():
        run.hold()
        if not _is_alone():
            raise jobs.NotYet(COME_BACK_SECONDS)
        left = change.left() if after is None else change.left().filter(pk__gt=after)
        locked = left.select_for_update(of=("self",), no_key=True).order_by("pk").only("pk")
        keys = [row.pk for row in locked[: change.size]]
        if keys:
            change.change(left.model.objects.filter(pk__in=keys))
    return keys


def _is_alone() -> bool:
    """Tell whether no other batch is at work in the installation, until the transaction ends.

    Started for hundreds of providers at once, the jobs would otherwise keep all workers and the disks to themselves.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(hashtextextended('ispcore.data_changes', 0))")
        return bool(cursor.fetchone()[0])
