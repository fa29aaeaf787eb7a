"""An address import's life around its two runs."""

from collections.abc import Iterable
from contextlib import nullcontext
from typing import IO
from uuid import UUID

from django.db import transaction

from ipam.models import BookFormat, BookImport, BookStatus, Vrf
from ipam.services.imports import entries, netbox
from ipam.services.imports.runs import reset
from ipam.services.space import VrfUnknown
from ispcore.errors import DomainError, NotRegistered
from ispcore.files import tables
from ispcore.files.models import StoredFile
from ispcore.files.services import open_file, store_upload
from ispcore.jobs import services as jobs
from ispcore.jobs.models import Job

CHECK, TAKE_IN = "ipam.check_book", "ipam.take_in_book"


class BookImportNotFound(NotRegistered):
    message = "There is no such import."


class BookImportIsRunning(DomainError):
    code = "import_is_running"
    message = "The file is being read. Wait for its end, or cancel the job."


class BookImportIsOver(DomainError):
    code = "import_is_over"
    message = "This import is over. Upload the file again for another one."


class BookImportNotChecked(DomainError):
    code = "import_not_checked"
    message = "Check the file first: nothing is taken in before you have seen what would become of it."


@transaction.atomic
def upload_book(
    *, name: str, content: Iterable[bytes], vrf_id: UUID | None = None, user_id: UUID | None = None
) -> BookImport:
    """Keep a file of addresses; whether it is a table or an export of NetBox is seen from its beginning.

    `vrf_id` is that of rows that name none. Nothing is taken in yet. Raises VrfUnknown, FileTooLarge,
    UnreadableFile, WrongColumns, TooManyRowsToImport.
    """
    if vrf_id is not None and not Vrf.objects.filter(pk=vrf_id).exists():
        raise VrfUnknown
    file = store_upload(name=name, content=content, user_id=user_id)
    with open_file(file, scope=nullcontext) as stream:
        file_format, rows_total = _look_at(stream)
    made: BookImport = BookImport.objects.create(
        name=name.strip()[-200:] or "import",
        file=file,
        file_format=file_format,
        vrf_id=vrf_id,
        rows_total=rows_total,
        created_by_id=user_id,
    )
    return made


@transaction.atomic
def request_check(*, import_id: UUID, user_id: UUID | None = None) -> Job:
    """Start reading all rows without taking them in, or return the job that does so already.

    Raises BookImportNotFound, BookImportIsRunning, BookImportIsOver.
    """
    found = _lock(import_id)
    if (running := _running(found, BookStatus.CHECKING)) is not None:
        return running
    reset(found)
    return _start(found, CHECK, BookStatus.CHECKING, f"Check of {found.name}", user_id)


@transaction.atomic
def request_run(*, import_id: UUID, user_id: UUID | None = None) -> Job:
    """Start taking the rows in, go on where it stopped, or return the job that does so already.

    Raises BookImportNotFound, BookImportIsRunning, BookImportIsOver, BookImportNotChecked.
    """
    found = _lock(import_id)
    if (running := _running(found, BookStatus.IMPORTING)) is not None:
        return running
    if found.status == BookStatus.CHECKED:
        reset(found)
    elif found.status != BookStatus.IMPORTING:
        raise BookImportNotChecked
    return _start(found, TAKE_IN, BookStatus.IMPORTING, f"Import of {found.name}", user_id)


@transaction.atomic
def remove_book_import(*, import_id: UUID) -> None:
    """Drop an import with its list of bad rows; what was taken in stays.

    Raises BookImportNotFound, BookImportIsRunning.
    """
    found = _find(import_id)
    if found.is_running:
        raise BookImportIsRunning
    file_id = found.file_id
    found.delete()
    StoredFile.objects.filter(pk=file_id).delete()


def _look_at(stream: IO[bytes]) -> tuple[str, int]:
    """Tell the form of a file and about how many rows it has. Raises what reading it raises."""
    start = stream.read(64).removeprefix(b"\xef\xbb\xbf").lstrip()
    if start[:1] in (b"{", b"["):
        return BookFormat.NETBOX, netbox.read_lookup(stream).objects
    shape = tables.find_shape(stream)
    entries.columns_of(shape)
    return BookFormat.CSV, shape.rows_about


def _find(import_id: UUID) -> BookImport:
    rows = BookImport.objects.select_for_update(of=("self",)).select_related("job", "file")
    found: BookImport | None = rows.filter(pk=import_id).first()
    if found is None:
        raise BookImportNotFound
    return found


def _lock(import_id: UUID) -> BookImport:
    found = _find(import_id)
    if found.status == BookStatus.IMPORTED or found.file is None:
        raise BookImportIsOver
    return found


def _running(found: BookImport, status: str) -> Job | None:
    """Return the job that does what is asked for. Raises BookImportIsRunning when it does something else."""
    if not found.is_running:
        return None
    if found.status != status:
        raise BookImportIsRunning
    job: Job = found.job
    return job


def _start(found: BookImport, kind: str, status: str, label: str, user_id: UUID | None) -> Job:
    job = jobs.enqueue(
        kind=kind,
        subject=f"book:{found.pk}",
        label=label[:200],
        params={"import_id": str(found.pk)},
        user_id=user_id,
    )
    found.job, found.status = job, status
    found.save()
    return job
