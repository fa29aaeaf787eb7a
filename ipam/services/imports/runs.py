"""The two runs of an address import: the check, which takes nothing in, and the taking in."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from itertools import groupby, islice
from typing import IO, Any
from uuid import UUID

from django.db.models.functions import Now

from ipam.models import BookFormat, BookImport, BookImportRow, BookStatus
from ipam.services import space
from ipam.services.imports import entries, netbox, plan
from ipam.services.imports.addresses import BAD, CREATED, SKIPPED, UPDATED, Batch
from ipam.services.imports.book import Book
from ipam.services.imports.entries import AddressEntry, Entry, SubnetEntry, VrfEntry
from ispcore.errors import DomainError
from ispcore.files import tables
from ispcore.files.models import StoredFile
from ispcore.files.seen import SeenClaims
from ispcore.files.services import open_file
from ispcore.jobs import services as jobs

BATCH = 500
OUTCOMES = (CREATED, UPDATED, SKIPPED, BAD)


def check_book(run: jobs.Run, *, at: datetime) -> dict[str, Any]:
    """Read every row, say what would become of it, and take nothing in. Returns the counts.

    Safe to repeat: it begins anew. Raises UnreadableFile, WrongColumns, TooManyRowsToImport.
    """
    return _Run(run, at, dry=True).perform()


def take_in_book(run: jobs.Run, *, at: datetime) -> dict[str, Any]:
    """Take the rows in, a batch per transaction together with how far it is. Returns the counts.

    Safe to repeat and to kill: it goes on after the last batch that was committed. Raises as `check_book`; what
    was taken in until then stays.
    """
    return _Run(run, at, dry=False).perform()


class _Run:
    """Both runs judge by the same code; a check adds what it would make to the plan in memory."""

    def __init__(self, run: jobs.Run, at: datetime, *, dry: bool) -> None:
        self.run, self.at, self.dry = run, at, dry
        self.import_id = UUID(run.params["import_id"])

    def perform(self) -> dict[str, Any]:
        with self.run.tenant():
            of_import = self.mine()
            if of_import.status == BookStatus.IMPORTED or of_import.file is None:
                return _counts(of_import)  # The message came again after the end.
            if self.dry:
                reset(of_import)
                of_import.save()
            elif of_import.vrf_id is None:
                space.default_vrf()
        try:
            with closing(SeenClaims()) as self.seen:
                self.read(of_import)
        except DomainError as error:
            with self.run.tenant():
                of_import = self.mine()
                of_import.status, of_import.message = BookStatus.FAILED, str(error)[:500]
                of_import.finished_at = Now()
                of_import.save()
            raise
        with self.run.tenant():
            return self.end()

    def mine(self) -> BookImport:
        """Return the import, locked, while this worker holds the job."""
        self.run.hold()
        found: BookImport = (
            BookImport.objects.select_related("file").select_for_update(of=("self",)).get(pk=self.import_id)
        )
        return found

    def read(self, of_import: BookImport) -> None:
        assert of_import.file is not None
        self.book = Book(default_vrf_id=of_import.vrf_id)
        with self.run.tenant():
            self.book.refresh()
        if self.dry and self.book.vrf_of(entries.VrfName()) is None:
            self.book.bring_vrf(space.DEFAULT_VRF, "")
        done = sum(getattr(of_import, f"rows_{name}") for name in OUTCOMES)
        with (
            open_file(of_import.file, scope=self.run.tenant) as stream,
            self.rows_of(of_import, stream) as rows,
        ):
            for skipped in islice(rows, done):
                self.remember(skipped)
                self.run.progress(0, self.total, "Looking for where it stopped")
            while batch := list(islice(rows, BATCH)):
                with self.run.tenant():
                    self.take(self.mine(), batch)
                done += len(batch)
                self.run.progress(
                    done, max(done, self.total), "Checking rows" if self.dry else "Taking rows in"
                )

    @contextmanager
    def rows_of(self, of_import: BookImport, stream: IO[bytes]) -> Iterator[Iterator[Entry]]:
        """Give the rows in the order they are taken in, which is the same in every run."""
        if of_import.file_format == BookFormat.NETBOX:
            lookup = netbox.read_lookup(stream)
            self.total = lookup.objects
            yield netbox.entries_of(stream, lookup)
            return
        shape = tables.find_shape(stream)
        self.total = shape.rows_about
        with tables.read_rows(stream, shape) as rows:
            yield entries.entries_of_rows(rows, shape)

    def remember(self, entry: Entry) -> None:
        """Know of a row that an earlier run of the job took in that it stands in the file."""
        if isinstance(entry, AddressEntry) and not entry.problem:
            self.seen.add([("address", f"{self.book.vrf_of(entry.vrf)} {entry.address}")], entry.number)
        elif isinstance(entry, SubnetEntry):
            self.seen.add([("network", f"{self.book.vrf_of(entry.vrf)} {entry.network}")], entry.number)

    def take(self, of_import: BookImport, batch: Sequence[Entry]) -> None:
        self.book.refresh()
        for kind, some in groupby(batch, type):
            if kind is AddressEntry:
                self.take_addresses([each for each in some if isinstance(each, AddressEntry)])
                continue
            for entry in some:
                self.take_one(entry)
            if not self.dry:
                self.book.refresh()
        self.store(of_import, batch)

    def take_addresses(self, some: list[AddressEntry]) -> None:
        rows = Batch(some, book=self.book, seen=self.seen, at=self.at, user_id=self.run.user_id)
        if self.dry:
            rows.decide()
        else:
            rows.take_in()

    def take_one(self, entry: Entry) -> None:
        if isinstance(entry, VrfEntry):
            plan.take_vrf(entry, book=self.book, dry=self.dry)
        elif isinstance(entry, SubnetEntry):
            plan.take_subnet(entry, book=self.book, seen=self.seen, dry=self.dry)

    def store(self, of_import: BookImport, batch: Sequence[Entry]) -> None:
        """Count a batch and keep why its bad rows are bad; in the transaction that took in the others."""
        BookImportRow.objects.bulk_create(
            BookImportRow(
                of_import=of_import,
                row_number=each.number,
                field=each.field_name[:60],
                message=each.problem[:300],
                values=dict(each.values),
            )
            for each in batch
            if each.outcome == BAD
        )
        for outcome in OUTCOMES:
            count = sum(each.outcome == outcome for each in batch)
            setattr(of_import, f"rows_{outcome}", getattr(of_import, f"rows_{outcome}") + count)
        of_import.save()

    def end(self) -> dict[str, Any]:
        of_import = self.mine()
        of_import.rows_total = sum(getattr(of_import, f"rows_{name}") for name in OUTCOMES)
        of_import.status = BookStatus.CHECKED if self.dry else BookStatus.IMPORTED
        of_import.finished_at = Now()
        file = of_import.file
        if not self.dry:
            of_import.file = None
        of_import.save()
        if not self.dry and file is not None:
            StoredFile.objects.filter(pk=file.pk).delete()
        return _counts(of_import)


def reset(of_import: BookImport) -> None:
    """Forget what a check found; the caller saves."""
    BookImportRow.objects.filter(of_import=of_import).delete()
    for name in OUTCOMES:
        setattr(of_import, f"rows_{name}", 0)
    of_import.message = ""
    of_import.finished_at = None


def _counts(of_import: BookImport) -> dict[str, Any]:
    return {
        "import_id": str(of_import.pk),
        **{f"rows_{name}": getattr(of_import, f"rows_{name}") for name in ("total", *OUTCOMES)},
    }
