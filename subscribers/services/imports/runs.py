"""The two runs of an import: the check, which takes nothing in, and the import itself."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from datetime import datetime
from itertools import islice
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models.functions import Now

from ispcore.errors import DomainError
from ispcore.files import tables
from ispcore.files.seen import SeenClaims
from ispcore.files.services import open_file
from ispcore.files.tables import RawRow
from ispcore.jobs import services as jobs
from subscribers.models import Import, ImportRowError, ImportStatus, OnDuplicate
from subscribers.services.imports import fields
from subscribers.services.imports.references import References
from subscribers.services.imports.rows import Row, RowReader
from subscribers.services.imports.taking_in import (
    BAD,
    CREATED,
    FIELD_OF,
    SKIPPED,
    UPDATED,
    Batch,
    Decision,
    apart,
    claims_of,
    problems_in_words,
    said,
)
from subscribers.services.imports.uploads import OVER, drop_file, shape_of

BATCH = 500
PREVIEW_ROWS = 20
SHOWN = 80
MASK = "••••••••"
OUTCOMES = (CREATED, UPDATED, SKIPPED, BAD)


def check_import(run: jobs.Run, *, at: datetime) -> dict[str, Any]:
    """Read every row, say what would become of it, and take nothing in. Returns the counts.

    Safe to repeat: it begins anew. Raises UnreadableFile, WrongColumns, TooManyRowsToImport.
    """
    return _Check(run, at).perform()


def run_import(run: jobs.Run, *, at: datetime) -> dict[str, Any]:
    """Take the rows in, a batch per transaction together with how far it is. Returns the counts.

    Safe to repeat and to kill: it goes on after the last batch that was committed, and no row is done twice.
    Raises UnreadableFile, WrongColumns, TooManyRowsToImport; what was taken in until then stays.
    """
    return _Import(run, at).perform()


class _Read(NamedTuple):
    """Rows of the file, and what their cells were taken to name."""

    raw: Sequence[RawRow]
    rows: list[Row]
    references: References


class _Run(ABC):
    """What both have in common: the file is opened once and read forward only.

    While the database works at a batch, a thread reads the cells of the next one. It has nothing to do with the
    database: what cells name was read for the batch before, and is compared with what is there now.
    """

    ends_as: str
    references: References

    def __init__(self, run: jobs.Run, at: datetime) -> None:
        self.run, self.at = run, at
        self.import_id = UUID(run.params["import_id"])

    def perform(self) -> dict[str, Any]:
        with self.run.tenant():
            of_import = self.mine()
            if of_import.status in OVER:  # The message came again after the end.
                return _counts(of_import)
            self.begin(of_import)
            assert of_import.file is not None  # It goes with the end, which was looked for above.
        try:
            self.read(of_import)
        except DomainError as error:
            with self.run.tenant():
                of_import = self.mine()
                of_import.status, of_import.message = ImportStatus.FAILED, str(error)[:500]
                of_import.finished_at = Now()
                of_import.save()
            raise
        with self.run.tenant():
            of_import = self.mine()
            self.end(of_import)
            of_import.rows_total = of_import.rows_done
            of_import.status, of_import.finished_at = self.ends_as, Now()
            of_import.save()
            return _counts(of_import)

    def mine(self) -> Import:
        """Return the import, locked, while this worker holds the job."""
        self.run.hold()
        found: Import = Import.objects.select_for_update(of=("self",)).get(pk=self.import_id)
        return found

    def read(self, of_import: Import) -> None:
        done = of_import.rows_done
        with (
            open_file(of_import.file, scope=self.run.tenant) as stream,
            tables.read_rows(stream, shape_of(of_import)) as rows,
        ):
            for _ in islice(rows, done):
                self.run.progress(0, of_import.rows_total, "Looking for where it stopped")
            with self.run.tenant():
                self.references = References.read(now=self.at)
            for batch in self.batches(of_import, rows):
                with self.run.tenant():
                    self.take(self.mine(), batch)
                done += len(batch.raw)
                self.run.progress(done, max(done, of_import.rows_total), self.message)

    def batches(self, of_import: Import, rows: Iterator[RawRow]) -> Iterator[_Read]:
        """Give batch after batch, one read ahead; what is wrong with the file is raised in its turn."""
        with ThreadPoolExecutor(max_workers=1) as thread:

            def begin() -> Future[_Read]:
                try:
                    raw = list(islice(rows, BATCH))
                except DomainError as error:
                    refused: Future[_Read] = Future()
                    refused.set_exception(error)
                    return refused
                return thread.submit(_read, raw, of_import, self.references)

            coming = begin()
            while (batch := coming.result()).raw:
                coming = begin()
                yield batch

    def rows_of(self, of_import: Import, batch: _Read) -> tuple[list[Row], References]:
        """Return a batch's rows as they are meant now, inside the transaction that takes them in."""
        self.references = References.read(now=self.at)
        if self.references.meaning != batch.references.meaning:
            batch = _read(batch.raw, of_import, self.references)
        return batch.rows, self.references

    def store(self, of_import: Import, decisions: Sequence[Decision]) -> None:
        """Count a batch and keep why its bad rows are bad; in the transaction that took in the others."""
        secret = {
            place
            for place, name in enumerate(of_import.columns)
            if fields.is_secret(name, of_import.mapping.get(name, ""))
        }
        bad = [each.row for each in decisions if each.outcome == BAD]
        ImportRowError.objects.bulk_create(_error_of(row, of_import, secret) for row in bad)
        for outcome in OUTCOMES:
            count = sum(each.outcome == outcome for each in decisions)
            setattr(of_import, f"rows_{outcome}", getattr(of_import, f"rows_{outcome}") + count)
        of_import.rows_done += len(decisions)
        of_import.save()

    message: str

    @abstractmethod
    def begin(self, of_import: Import) -> None:
        """Get ready, in a transaction of its own."""

    @abstractmethod
    def take(self, of_import: Import, batch: _Read) -> None:
        """Do a batch, and store how far it is; in one transaction."""

    @abstractmethod
    def end(self, of_import: Import) -> None:
        """Clear up after the last batch."""


class _Check(_Run):
    ends_as = ImportStatus.CHECKED
    message = "Checking rows"

    def perform(self) -> dict[str, Any]:
        with closing(SeenClaims()) as self.seen:
            return super().perform()

    def begin(self, of_import: Import) -> None:
        ImportRowError.objects.filter(of_import=of_import).delete()
        for name in ("done", *OUTCOMES):
            setattr(of_import, f"rows_{name}", 0)
        of_import.preview = []
        of_import.save()

    def take(self, of_import: Import, batch: _Read) -> None:
        rows, references = self.rows_of(of_import, batch)
        decisions = Batch(
            rows, on_duplicate=of_import.on_duplicate, references=references, user_id=self.run.user_id
        ).decide()
        for each in decisions:
            if each.outcome in (CREATED, UPDATED):
                self._compare_with_earlier(each, of_import, references)
        missing = PREVIEW_ROWS - len(of_import.preview)
        of_import.preview += [_preview(each, of_import) for each in decisions[:missing]]
        self.store(of_import, decisions)

    def end(self, of_import: Import) -> None:
        """Nothing is left to do: the file stays for the import."""

    def _compare_with_earlier(self, each: Decision, of_import: Import, references: References) -> None:
        """Treat what an earlier row of the file claims as if that row had been taken in."""
        claims = claims_of(each.row, references)
        found = self.seen.first_of(claims)
        if found is not None:
            column, number = found
            if of_import.on_duplicate == OnDuplicate.REFUSE:
                each.refuse(FIELD_OF[column], f"Row {number} of this file has the same {said(column)}.")
            else:
                each.outcome = SKIPPED if of_import.on_duplicate == OnDuplicate.SKIP else UPDATED
        if each.outcome != BAD:
            self.seen.add(claims, each.row.raw.number)


class _Import(_Run):
    ends_as = ImportStatus.IMPORTED
    message = "Importing rows"

    def begin(self, of_import: Import) -> None:
        """Nothing to clear: it goes on after `rows_done`."""

    def take(self, of_import: Import, batch: _Read) -> None:
        rows, references = self.rows_of(of_import, batch)
        decisions: list[Decision] = []
        for run in apart(rows, references):
            decisions += Batch(
                run, on_duplicate=of_import.on_duplicate, references=references, user_id=self.run.user_id
            ).take_in()
        self.store(of_import, decisions)

    def end(self, of_import: Import) -> None:
        drop_file(of_import)


def _read(raw: Sequence[RawRow], of_import: Import, references: References) -> _Read:
    reader = RowReader(of_import.columns, of_import.mapping, references)
    rows = [reader.read(each) for each in raw]
    for row in rows:
        claims_of(row, references)
    return _Read(raw, rows, references)


def _error_of(row: Row, of_import: Import, secret: set[int]) -> ImportRowError:
    field, message = problems_in_words(row.problems)
    values = ["" if place in secret else cell for place, cell in enumerate(row.raw.cells)]
    return ImportRowError(
        of_import=of_import, row_number=row.raw.number, field=field, message=message, values=values
    )


def _preview(each: Decision, of_import: Import) -> dict[str, Any]:
    """Show a row as it would be taken in: phone numbers and codes in the form they get."""
    raw = each.row.raw
    shown = {}
    for cell, name in zip(raw.cells, of_import.columns, strict=False):
        field = of_import.mapping.get(name, "")
        if field and cell.strip():
            hidden = fields.is_secret(name, field)
            shown[field] = MASK if hidden else _shown(each.row, field, cell)[:SHOWN]
    _, message = problems_in_words(each.row.problems) if each.row.problems else ("", "")
    return {"row": raw.number, "outcome": each.outcome, "values": shown, "error": message}


def _shown(row: Row, field: str, cell: str) -> str:
    if field == "phone" and row.phone_e164:
        return row.phone_e164
    if field == "plan" and row.service and "plan" in row.service:
        return str(row.service["plan"].code)
    value = row.values.get(field)
    return value if isinstance(value, str) else "; ".join(value) if isinstance(value, list) else cell


def _counts(of_import: Import) -> dict[str, Any]:
    return {
        "import_id": str(of_import.pk),
        **{f"rows_{name}": getattr(of_import, f"rows_{name}") for name in ("done", *OUTCOMES)},
    }
