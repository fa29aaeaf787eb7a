"""An import's life around its two runs: the file comes, its columns are named, it is dropped."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import nullcontext
from datetime import datetime, timedelta
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from ispcore.errors import DomainError, NotRegistered
from ispcore.files import tables, tabular
from ispcore.files.models import StoredFile
from ispcore.files.services import open_file, store_upload
from ispcore.jobs import services as jobs
from ispcore.jobs.models import Job
from ispcore.tenants.context import current_tenant_id, tenant_context
from subscribers.models import CustomField, Import, ImportRowError, ImportStatus, OnDuplicate
from subscribers.services.imports import fields

CHECK, RUN = "subscribers.check_import", "subscribers.run_import"
SAMPLE_ROWS = 3
SAMPLE_CHARACTERS = 60
ERRORS_AT_ONCE = 1_000
FORGOTTEN_AFTER = timedelta(days=30)
OVER = (ImportStatus.IMPORTED, ImportStatus.DISCARDED)


class ImportNotFound(NotRegistered):
    message = "There is no such import."


class FileAlreadyImported(DomainError):
    code = "file_already_imported"
    message = "The same file was imported already, as “{name}” on {day}. Ask for it `again` if that is meant."
    field = "file"


class ImportIsRunning(DomainError):
    code = "import_is_running"
    message = "The file is being read. Wait for its end, or cancel the job."


class ImportIsOver(DomainError):
    code = "import_is_over"
    message = "This import is {status}. Upload the file again for another one."


class ImportHasBegun(DomainError):
    code = "import_has_begun"
    message = "Rows were taken in already: it can only go on as it began, or be discarded."


class ImportNotChecked(DomainError):
    code = "import_not_checked"
    message = "Check the file first: nothing is taken in before you have seen what would become of it."


@transaction.atomic
def upload_import(
    *,
    name: str,
    content: Iterable[bytes],
    mapping: Mapping[str, str] | None = None,
    on_duplicate: str = OnDuplicate.REFUSE,
    encoding: str = "",
    again: bool = False,
    user_id: UUID | None = None,
) -> Import:
    """Keep a file and read its header; the columns' fields are guessed where `mapping` does not name them.

    Safe to repeat: content that was imported, or is being imported, is refused unless `again`. Raises
    FileTooLarge, FileAlreadyImported, UnreadableFile, WrongColumns, WrongMapping.
    """
    file = store_upload(name=name, content=content, keep_for=None, user_id=user_id)
    _refuse_repeated(file.sha256, again=again)
    made = Import(
        name=name.strip()[-200:] or "import",
        file=file,
        sha256=file.sha256,
        size_bytes=file.size_bytes,
        on_duplicate=on_duplicate,
        created_by_id=user_id,
    )
    _read_shape(made, encoding=encoding)
    definitions = list(CustomField.objects.order_by("position", "key"))
    guessed = fields.guess_mapping(made.columns, definitions)
    if mapping is not None:
        guessed = fields.check_mapping(mapping, columns=made.columns, definitions=definitions)
    made.mapping = guessed
    _hide_secrets(made)
    made.save(force_insert=True)
    return made


@transaction.atomic
def change_import(
    *,
    import_id: UUID,
    mapping: Mapping[str, str] | None = None,
    on_duplicate: str | None = None,
    encoding: str | None = None,
) -> Import:
    """Change what an import does before its first row is taken in; it must then be checked again.

    Safe to repeat: what changes nothing keeps the check. With another encoding the header is read again, and
    columns that it no longer has are forgotten. Raises ImportNotFound, ImportIsRunning, ImportIsOver,
    ImportHasBegun, UnreadableFile, WrongColumns, WrongMapping.
    """
    found = _lock(import_id)
    _refuse_begun(found)
    before = (dict(found.mapping), found.on_duplicate, found.encoding)
    definitions = list(CustomField.objects.order_by("position", "key"))
    if encoding is not None and encoding != found.encoding and found.file_format == "csv":
        _read_shape(found, encoding=encoding)
        if not set(found.mapping) <= set(found.columns):
            found.mapping = fields.guess_mapping(found.columns, definitions)
    if on_duplicate is not None:
        found.on_duplicate = on_duplicate
    if mapping is not None:
        found.mapping = fields.check_mapping(mapping, columns=found.columns, definitions=definitions)
    _hide_secrets(found)
    if before != (found.mapping, found.on_duplicate, found.encoding):
        _forget_check(found)
        found.status = ImportStatus.UPLOADED
        found.save()
    return found


@transaction.atomic
def request_check(*, import_id: UUID, user_id: UUID | None = None) -> Job:
    """Start reading all rows without taking them in, or return the job that does so already.

    Raises ImportNotFound, ImportIsOver, ImportIsRunning, ImportHasBegun, WrongMapping.
    """
    found = _lock(import_id, allow=ImportStatus.CHECKING)
    if found.is_running:
        running: Job = found.job
        return running
    _refuse_begun(found)
    fields.require_what_is_needed(found.mapping, on_duplicate=found.on_duplicate)
    _forget_check(found)
    return _start(found, CHECK, ImportStatus.CHECKING, f"Check of {found.name}", user_id)


@transaction.atomic
def request_run(*, import_id: UUID, user_id: UUID | None = None) -> Job:
    """Start taking the rows in, go on where it stopped, or return the job that does so already.

    Raises ImportNotFound, ImportIsOver, ImportIsRunning, ImportNotChecked.
    """
    found = _lock(import_id, allow=ImportStatus.IMPORTING)
    if found.is_running:
        running: Job = found.job
        return running
    if found.began_at is None:
        if found.status != ImportStatus.CHECKED:
            raise ImportNotChecked
        _forget_check(found, keep_total=True)
        found.began_at = Now()
    return _start(found, RUN, ImportStatus.IMPORTING, f"Import of {found.name}", user_id)


@transaction.atomic
def discard_import(*, import_id: UUID) -> Import:
    """Drop a file that will not be imported, or not to its end. Safe to repeat.

    Rows that were taken in stay. Raises ImportNotFound, ImportIsRunning.
    """
    found = _find(import_id)
    if found.status == ImportStatus.DISCARDED:
        return found
    _refuse_running(found)
    if found.status != ImportStatus.IMPORTED:
        found.status = ImportStatus.DISCARDED
        found.finished_at = Now()
    drop_file(found)
    found.save()
    found.refresh_from_db()
    return found


def drop_file(of_import: Import) -> None:
    """Take the content away, which may hold secrets; the caller saves the import."""
    file = of_import.file
    of_import.file = None
    of_import.samples = []
    if file is not None:
        Import.objects.filter(pk=of_import.pk).update(file=None)
        StoredFile.objects.filter(pk=file.pk).delete()


def idle(*, at: datetime) -> Q:
    """Tell the imports nobody went on with: their files hold what should not lie about."""
    return Q(updated_at__lt=at - FORGOTTEN_AFTER) & ~Q(status__in=OVER)


def forget_old_imports(*, at: datetime) -> int:
    """Discard a batch of the bound tenant's idle imports; return how many."""
    keys = list(
        Import.objects.filter(idle(at=at)).order_by("pk").values_list("pk", flat=True)[:ERRORS_AT_ONCE]
    )
    for key in keys:
        discard_import(import_id=key)
    return len(keys)


def error_file(of_import: Import) -> Iterator[bytes]:
    """Yield the bad rows as a file like the one uploaded, with two more columns: `row` and `error`.

    Corrected, it can be uploaded as it is: columns of these names fill nothing. Secrets were not kept.
    """
    return tabular.pieces_of(_error_rows(of_import, current_tenant_id()), file_format=of_import.file_format)


def error_file_name(of_import: Import) -> str:
    stem = of_import.name.rpartition(".")[0] or of_import.name
    return f"{stem} - errors.{of_import.file_format}"


def template_file() -> Iterator[bytes]:
    """Yield a CSV file with every column and one example row."""
    known = [each for each in fields.FIELDS.values() if each.key not in fields.SECRET_FIELDS]
    return tabular.pieces_of(
        [[each.key for each in known], [each.example for each in known]], file_format="csv"
    )


def _error_rows(of_import: Import, tenant_id: UUID) -> Iterator[list[str]]:
    yield [*of_import.columns, "row", "error"]
    last = 0
    while True:
        with tenant_context(tenant_id):  # The answer is sent after the request's transaction.
            rows: QuerySet[ImportRowError] = ImportRowError.objects.filter(of_import=of_import)
            batch = list(rows.filter(row_number__gt=last).order_by("row_number")[:ERRORS_AT_ONCE])
        if not batch:
            return
        for each in batch:
            yield [*each.values, str(each.row_number), each.message]
        last = batch[-1].row_number


def shape_of(of_import: Import) -> tables.Shape:
    """Return how the import's file is read."""
    return tables.Shape(
        of_import.file_format,
        of_import.encoding,
        of_import.delimiter,
        tuple(of_import.columns),
        of_import.rows_total,
    )


def _refuse_repeated(digest: str, *, again: bool) -> None:
    """Of two uploads of one file at once the second sees the first: they take turns."""
    key = int.from_bytes(bytes.fromhex(digest)[:8], "big", signed=True)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [key])
    earlier = Import.objects.filter(sha256=digest, began_at__isnull=False).order_by("-created_at").first()
    if earlier is not None and not again:
        raise FileAlreadyImported(name=earlier.name, day=earlier.began_at.date())


def _read_shape(of_import: Import, *, encoding: str) -> None:
    with open_file(of_import.file, scope=nullcontext) as stream:
        shape = tables.find_shape(stream, encoding=encoding)
        of_import.file_format, of_import.encoding = shape.file_format, shape.encoding
        of_import.delimiter, of_import.rows_total = shape.delimiter, shape.rows_about
        of_import.columns = list(shape.columns)
        of_import.samples = []
        with tables.read_rows(stream, shape) as rows:
            for _, row in zip(range(SAMPLE_ROWS), rows, strict=False):
                of_import.samples.append([cell[:SAMPLE_CHARACTERS] for cell in row.cells])


def _hide_secrets(of_import: Import) -> None:
    secret = [fields.is_secret(name, of_import.mapping.get(name, "")) for name in of_import.columns]
    of_import.samples = [
        ["" if hidden else cell for cell, hidden in zip(row, secret, strict=False)]
        for row in of_import.samples
    ]


def _find(import_id: UUID) -> Import:
    found: Import | None = (
        Import.objects.select_for_update(of=("self",))
        .select_related("job", "file")
        .filter(pk=import_id)
        .first()
    )
    if found is None:
        raise ImportNotFound
    return found


def _lock(import_id: UUID, *, allow: str = "") -> Import:
    found = _find(import_id)
    if found.status in OVER:
        raise ImportIsOver(status=found.get_status_display().lower())
    if found.status != allow:
        _refuse_running(found)
    return found


def _refuse_running(found: Import) -> None:
    if found.is_running:
        raise ImportIsRunning


def _refuse_begun(found: Import) -> None:
    if found.began_at is not None:
        raise ImportHasBegun


def _forget_check(found: Import, *, keep_total: bool = False) -> None:
    ImportRowError.objects.filter(of_import=found).delete()
    found.rows_done = found.rows_created = found.rows_updated = found.rows_skipped = found.rows_bad = 0
    if not keep_total:
        found.preview = []
    found.message = ""


def _start(found: Import, kind: str, status: str, label: str, user_id: UUID | None) -> Job:
    job = jobs.enqueue(
        kind=kind,
        subject=f"import:{found.pk}",
        label=label[:200],
        params={"import_id": str(found.pk)},
        user_id=user_id,
    )
    found.job, found.status, found.finished_at, found.message = job, status, None, ""
    found.save()
    return job


__all__ = [
    "ERRORS_AT_ONCE", "FileAlreadyImported", "ImportHasBegun", "ImportIsOver", "ImportIsRunning", "ImportNotChecked",
    "ImportNotFound", "change_import", "discard_import", "error_file", "error_file_name", "forget_old_imports",
    "request_check", "request_run", "template_file", "upload_import",
]  # fmt: skip
