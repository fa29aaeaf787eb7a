"""Comparing the book with what was seen: all in one transaction, in a fixed number of statements and set by set."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import datetime, timedelta
from itertools import islice
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models.functions import Now

from ipam.models import Drift, Reconciliation, ReconciliationStatus, SeenIn, Vrf
from ipam.models.fields import BITS
from ipam.services import ranges
from ipam.services.imports.book import Book
from ipam.services.reconciliation import comparison
from ipam.services.reconciliation.seen import (
    MAX_SEEN_AS,
    SeenAddress,
    columns_of,
    seen_in_rows,
    seen_in_sessions,
)
from ipam.services.space import VrfUnknown, default_vrf
from ispcore.errors import DomainError
from ispcore.files import tables
from ispcore.files.models import StoredFile
from ispcore.files.services import open_file, store_upload
from ispcore.jobs import services as jobs
from ispcore.tenants.context import current_tenant_id
from subscribers.normal import line_number

KIND = "ipam.reconcile"
BATCH = 5_000
KEPT_FOR = timedelta(days=90)


class ListMissing(DomainError):
    code = "list_missing"
    message = "Give the list as a file."
    status = 422
    field = "file"


class ListNotWanted(DomainError):
    code = "list_not_wanted"
    message = "Live sessions are asked for, not read from a file."
    status = 422
    field = "file"


class NothingSeen(DomainError):
    code = "nothing_seen"
    message = "Nothing was seen in use, so nothing was compared: {why}"
    status = 422


@transaction.atomic
def request_reconciliation(
    *,
    seen_in: str,
    at: datetime,
    vrf_id: UUID | None = None,
    name: str = "",
    content: Iterable[bytes] | None = None,
    user_id: UUID | None = None,
) -> Reconciliation:
    """Start a comparison of a VRF, the default one when not given, with live sessions or a list.

    One with sessions that runs already is returned. Raises VrfUnknown, ListMissing, ListNotWanted, FileTooLarge,
    UnreadableFile, WrongColumns.
    """
    vrf = Vrf.objects.filter(pk=vrf_id).first() if vrf_id else default_vrf()
    if vrf is None:
        raise VrfUnknown
    file = None
    if seen_in == SeenIn.SESSIONS:
        if content is not None:
            raise ListNotWanted
        if (running := _running(vrf)) is not None:
            return running
    elif content is None:
        raise ListMissing
    else:
        file = store_upload(name=name, content=content, user_id=user_id)
        with open_file(file, scope=nullcontext) as stream:
            columns_of(tables.find_shape(stream))
    made: Reconciliation = Reconciliation.objects.create(
        vrf=vrf, seen_in=seen_in, file=file, created_by_id=user_id, started_at=at
    )
    made.job = jobs.enqueue(
        kind=KIND,
        subject=f"reconciliation:{made.pk}",
        label=f"Comparison of {vrf.name} with {made.get_seen_in_display().lower()}"[:200],
        params={"reconciliation_id": str(made.pk)},
        user_id=user_id,
    )
    made.save(update_fields=["job", "updated_at"])
    return made


def reconcile(run: jobs.Run, *, at: datetime) -> dict[str, Any]:
    """Compare, and store where book and network disagree. Returns the counts.

    Safe to repeat and to kill: all is stored in one transaction, or nothing. Raises NothingSeen, UnreadableFile.
    """
    try:
        with run.tenant():
            run.hold()
            found = _lock(UUID(run.params["reconciliation_id"]))
            if found.status == ReconciliationStatus.DONE:
                return _counts(found)
            _compare(found, run)
            found.status, found.finished_at = ReconciliationStatus.DONE, Now()
            file_id, found.file = found.file_id, None
            found.save()
            if file_id:
                StoredFile.objects.filter(pk=file_id).delete()
            return _counts(found)
    except DomainError as error:
        with run.tenant():
            run.hold()
            found = _lock(UUID(run.params["reconciliation_id"]))
            found.status, found.finished_at = ReconciliationStatus.FAILED, Now()
            found.message = str(error)[:500]
            found.save()
        raise


def reconcile_all(*, at: datetime) -> int:
    """Start the nightly comparison of each VRF of the bound tenant that has subnets, and forget old ones."""
    Reconciliation.objects.filter(started_at__lt=at - KEPT_FOR).delete()
    started = 0
    for vrf_id in (
        Vrf.objects.filter(subnets__isnull=False).order_by("pk").values_list("pk", flat=True).distinct()
    ):
        request_reconciliation(seen_in=SeenIn.SESSIONS, vrf_id=vrf_id, at=at)
        started += 1
    return started


def _running(vrf: Vrf) -> Reconciliation | None:
    rows = Reconciliation.objects.filter(
        vrf=vrf, seen_in=SeenIn.SESSIONS, status=ReconciliationStatus.RUNNING
    )
    newest: Reconciliation | None = rows.select_related("job").order_by("-started_at").first()
    return newest if newest is not None and newest.is_running else None


def _lock(pk: UUID) -> Reconciliation:
    found: Reconciliation = (
        Reconciliation.objects.select_related("file").select_for_update(of=("self",)).get(pk=pk)
    )
    return found


def _compare(found: Reconciliation, run: jobs.Run) -> None:
    book = Book(default_vrf_id=found.vrf_id)
    book.refresh()
    unreadable = 0
    with connection.cursor() as cursor, _seen_by(found) as rows:
        cursor.execute(comparison.MAKE_TABLE_SQL)
        while batch := list(islice(rows, BATCH)):
            unreadable += batch.count(None)
            _load(cursor, book, found.vrf_id, [each for each in batch if each is not None])
            run.progress(0, 0, "Reading what was seen")
        cursor.execute("SELECT count(*) FROM ipam_seen")
        (found.addresses_seen,) = cursor.fetchone()
        if not found.addresses_seen:
            why = "no row of the list holds an address." if unreadable else "the list is empty."
            raise NothingSeen(why=why if found.file_id else "no live session was told.")
        Drift.objects.filter(reconciliation=found).delete()
        comparison.compare(
            cursor,
            tenant_id=current_tenant_id(),
            vrf_id=found.vrf_id,
            reconciliation_id=found.pk,
            seen_in=found.seen_in,
        )
        cursor.execute("DROP TABLE ipam_seen")
    found.drifts_found = Drift.objects.filter(reconciliation=found).count()
    found.message = f"{unreadable} rows of the list hold no address." if unreadable else ""


@contextmanager
def _seen_by(found: Reconciliation) -> Iterator[Iterator[SeenAddress | None]]:
    if found.seen_in == SeenIn.SESSIONS:
        yield iter(seen_in_sessions(found.vrf_id))
        return
    if found.file is None:
        raise NothingSeen(why="the file is no longer kept. Upload it again.")
    with open_file(found.file, scope=nullcontext) as stream:
        shape = tables.find_shape(stream)
        with tables.read_rows(stream, shape) as rows:
            yield seen_in_rows(rows, shape)


def _load(cursor: Any, book: Book, vrf_id: UUID, batch: list[SeenAddress]) -> None:
    """Put a batch into the table of this transaction, each with the subnet it lies in; of two the later counts."""
    rows: dict[str, tuple[Any, ...]] = {}
    for each in batch:
        subnet = book.subnet_around(vrf_id, each.address)
        rows[each.address] = (
            each.address,
            subnet.pk if subnet else None,
            _is_kept(book, vrf_id, each.address),
            each.subscription_id,
            each.service,
            line_number(each.service),
            each.seen_as[:MAX_SEEN_AS],
            each.seen_at,
        )
    if rows:
        cursor.execute(comparison.LOAD_SQL, [list(column) for column in zip(*rows.values(), strict=True)])


def _is_kept(book: Book, vrf_id: UUID, address: str) -> bool:
    """Tell what is used and never free: gateways, and what a pool keeps back for routers."""
    subnet = book.subnet_around(vrf_id, address)
    if subnet is None or ranges.length_of(address) < BITS[ranges.family_of(address)]:
        return False
    part = book.range_around(vrf_id, address)
    return subnet.gateway == address or (part is not None and part.keeps_back(ranges.span_of(address)))


def _counts(found: Reconciliation) -> dict[str, Any]:
    return {
        "reconciliation_id": str(found.pk),
        "addresses_seen": found.addresses_seen,
        "drifts_found": found.drifts_found,
    }
